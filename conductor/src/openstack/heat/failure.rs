//! Which resource really failed: the leaves of a stack's tree, first causes before their consequences.

use std::collections::HashMap;

use serde::Deserialize;

use super::SERVICE;
use crate::openstack::Session;
use crate::openstack::error::Result;
use crate::openstack::http::{Call, found};

/// A resource that failed by itself, not because one inside it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its name in its own stack.
    pub resource_name: String,
    /// The names from the top stack down to it, as `kube_masters/0/server`.
    pub path: String,
    /// Its type, as `OS::Nova::Server`.
    pub resource_type: String,
    /// What it is in its service, where it got that far.
    pub physical_id: Option<String>,
    /// Heat's reason.
    pub reason: String,
}

#[derive(Deserialize)]
struct Resource {
    resource_name: String,
    #[serde(default)]
    resource_type: String,
    #[serde(default)]
    physical_resource_id: Option<String>,
    #[serde(default)]
    resource_status: String,
    #[serde(default)]
    resource_status_reason: Option<String>,
    #[serde(default)]
    parent_resource: Option<String>,
    #[serde(default)]
    links: Vec<Link>,
}

#[derive(Deserialize)]
struct Link {
    rel: String,
    href: String,
}

impl Resource {
    /// The identifier at the end of the link of that kind: of the stack it is in, or the stack it is.
    fn link(&self, rel: &str) -> Option<&str> {
        self.links.iter().find(|link| link.rel == rel)?.href.trim_end_matches('/').rsplit('/').next()
    }

    /// Heat marks what it stopped because something else had failed.
    fn is_consequence(&self) -> bool {
        let reason = self.resource_status_reason.as_deref().unwrap_or_default();
        reason.contains("aborted") || reason.contains("cancelled")
    }
}

/// The failed leaves of a stack, first causes first; empty where nothing failed or the stack is gone.
///
/// # Errors
/// As every call: see [`crate::openstack::Kind`].
pub async fn failures(session: &Session, name: &str, id: &str) -> Result<Vec<Failure>> {
    let call =
        Call::get(SERVICE, &["stacks", name, id, "resources"]).query("nested_depth", "5").query("with_detail", "false");
    match found(session.send(call).await)? {
        Some(reply) => Ok(leaves(&reply.part::<Vec<Resource>>("resources")?)),
        None => Ok(Vec::new()),
    }
}

fn leaves(resources: &[Resource]) -> Vec<Failure> {
    let owner: HashMap<&str, &Resource> =
        resources.iter().filter_map(|resource| Some((resource.link("nested")?, resource))).collect();
    let failed = |resource: &&Resource| resource.resource_status.ends_with("FAILED");
    let mut leaves: Vec<&Resource> = resources
        .iter()
        .filter(failed)
        .filter(|resource| {
            let inside = resource.link("nested");
            inside.is_none() || !resources.iter().filter(failed).any(|other| other.link("stack") == inside)
        })
        .collect();
    leaves.sort_by_key(|resource| resource.is_consequence());
    leaves.into_iter().map(|leaf| describe(leaf, &owner)).collect()
}

fn describe(leaf: &Resource, owner: &HashMap<&str, &Resource>) -> Failure {
    let mut path = vec![leaf.resource_name.as_str()];
    let mut at = leaf;
    // Heat nests five levels at most.
    for _ in 0..8 {
        match at.link("stack").and_then(|stack| owner.get(stack)) {
            Some(parent) => {
                path.push(&parent.resource_name);
                at = parent;
            }
            None => {
                path.extend(at.parent_resource.as_deref());
                break;
            }
        }
    }
    path.reverse();
    Failure {
        resource_name: leaf.resource_name.clone(),
        path: path.join("/"),
        resource_type: leaf.resource_type.clone(),
        physical_id: leaf.physical_resource_id.clone().filter(|id| !id.is_empty()),
        reason: leaf.resource_status_reason.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(stack: &str, name: &str, nested: Option<&str>, status: &str, reason: &str) -> serde_json::Value {
        let mut links = vec![serde_json::json!({"rel": "stack", "href": format!("http://h/v1/p/stacks/n/{stack}")})];
        links.extend(
            nested.map(|id| serde_json::json!({"rel": "nested", "href": format!("http://h/v1/p/stacks/m/{id}")})),
        );
        serde_json::json!({"resource_name": name, "resource_type": "T", "physical_resource_id": "",
            "resource_status": status, "resource_status_reason": reason, "links": links})
    }

    #[test]
    fn only_leaves_are_named_and_causes_come_first() {
        let resources: Vec<Resource> = serde_json::from_value(serde_json::json!([
            resource("top", "network", None, "CREATE_FAILED", "Resource CREATE failed: aborted"),
            resource("top", "masters", Some("group"), "CREATE_FAILED", "resources.masters: No valid host"),
            resource("top", "fine", Some("other"), "CREATE_COMPLETE", ""),
            resource("group", "0", Some("node"), "CREATE_FAILED", "resources[0]: No valid host"),
            resource("node", "server", None, "CREATE_FAILED", "No valid host"),
            resource("node", "port", None, "CREATE_COMPLETE", "state changed"),
        ]))
        .unwrap();
        let leaves: Vec<_> = leaves(&resources).into_iter().map(|leaf| (leaf.path, leaf.reason)).collect();
        let wanted = [("masters/0/server", "No valid host"), ("network", "Resource CREATE failed: aborted")];
        assert_eq!(leaves, wanted.map(|(path, reason)| (path.to_owned(), reason.to_owned())));
    }

    #[test]
    fn a_nested_stack_that_failed_before_its_resources_is_the_leaf() {
        let resources: Vec<Resource> = serde_json::from_value(serde_json::json!([resource(
            "top",
            "masters",
            Some("group"),
            "CREATE_FAILED",
            "timed out"
        )]))
        .unwrap();
        assert_eq!(leaves(&resources)[0].path, "masters");
    }
}

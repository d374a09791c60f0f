//! The members of a nodegroup as Heat knows them: by index, and by the names users give them.

use std::collections::{BTreeMap, BTreeSet};

use drivers::Driver;

use super::{Cluster, authority, change};
use crate::node::Node;
use crate::nodegroup::Nodegroup;
use crate::openstack::heat;
use crate::operation::Failure;
use crate::{Conductor, Error, Result, node};

/// The nodes of a nodegroup: index and all that it may be called.
pub(super) struct Members(BTreeMap<u32, Vec<String>>);

impl Members {
    /// What Heat and the nodes themselves say.
    fn of(driver: &dyn Driver, stack: &heat::Stack, prefix: &str, reported: &[Node]) -> Self {
        let outputs = stack.outputs();
        let servers = driver.members(&outputs);
        // Both lists have the order of the indices.
        let addresses = driver.read(&outputs).node_addresses;
        let complete = addresses.len() == servers.len();
        let mut members = BTreeMap::new();
        for (at, (index, server)) in servers.into_iter().enumerate() {
            let name = node_name(prefix, index);
            let row = reported.iter().find(|node| node.name == name);
            let mut names = vec![index.to_string(), name, server];
            names.extend(row.into_iter().flat_map(|node| node.addresses.iter().cloned()));
            names.extend(addresses.get(at).filter(|_| complete).cloned());
            members.insert(index, names);
        }
        Self(members)
    }

    /// The indices of the nodes that are called so.
    ///
    /// # Errors
    /// `Invalid` naming the first that is no node of the nodegroup.
    fn find(&self, called: &[String], nodegroup: &str) -> Result<BTreeSet<u32>> {
        let find = |text: &String| {
            let named = self.0.iter().find(|(_, names)| !text.is_empty() && names.contains(text));
            named.map(|(index, _)| *index).ok_or_else(|| {
                Error::invalid(format!(
                    "nodes_to_remove has {text:?}; allowed: the server's id, the name, an address or the index of a \
                     node of the nodegroup {nodegroup}."
                ))
            })
        };
        called.iter().find_map(|text| find(text).err()).map_or_else(|| Ok(called.iter().flat_map(find).collect()), Err)
    }
}

/// The name of the node with that index.
pub(crate) fn node_name(prefix: &str, index: u32) -> String {
    format!("{prefix}-{index}")
}

/// What the names of the nodegroup's nodes start with.
pub(crate) fn prefix(cluster: &Cluster, group: &Nodegroup) -> String {
    drivers::node_prefix(cluster.stack_name.as_deref().unwrap_or_default(), &group.name)
}

/// What the nodes of the nodegroup last reported.
pub(crate) async fn reported(conductor: &Conductor, group: &Nodegroup) -> Result<Vec<Node>> {
    let mut nodes = node::store::of_clusters(&conductor.db, std::slice::from_ref(&group.cluster_uuid)).await?;
    nodes.retain(|node| node.nodegroup_uuid == group.uuid);
    Ok(nodes)
}

/// The indices of the nodes that are called so, by one look at Heat and one at the records.
///
/// # Errors
/// `Invalid` naming one that is no node of the nodegroup, `Unavailable` where Heat does not answer, `Conflict` where the
/// stack is gone.
pub(super) async fn find(
    conductor: &Conductor,
    cluster: &Cluster,
    group: &Nodegroup,
    called: &[String],
) -> Result<BTreeSet<u32>> {
    if called.is_empty() {
        return Ok(BTreeSet::new());
    }
    let gone = || Error::conflict(format!("The stack of the nodegroup {} is gone; delete the cluster.", group.name));
    let target = change::Target::of(cluster, group).ok_or_else(gone)?;
    let session = authority::acting(conductor, cluster, None).await?;
    let stack = match change::present(&session, &target).await {
        Ok(stack) => stack,
        Err(Failure::Later(error)) => return Err(error),
        Err(Failure::Refused(error)) => return Err(error.into()),
        Err(Failure::Final(_)) => return Err(gone()),
    };
    let reported = reported(conductor, group).await?;
    let driver = conductor.driver(&cluster.driver)?;
    Members::of(driver, &stack, &prefix(cluster, group), &reported).find(called, &group.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_found_by_whatever_they_are_called() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let members = Members(BTreeMap::from([
            (0, names(&["0", "c-worker-0", "5e1", "10.0.0.5"])),
            (12, names(&["12", "c-worker-12", "", "10.0.0.6"])),
        ]));
        let find = |called: &[&str]| members.find(&names(called), "default-worker");
        assert_eq!(find(&["5e1", "c-worker-12", "0", "10.0.0.6"]).unwrap(), BTreeSet::from([0, 12]));
        assert_eq!(find(&[]).unwrap(), BTreeSet::new());
        for unknown in ["1", "c-worker-1", "", "10.0.0.7", "012"] {
            let error = find(&["0", unknown]).unwrap_err();
            assert_eq!(error.kind, crate::Kind::Invalid);
            assert!(error.public.starts_with(&format!("nodes_to_remove has {unknown:?}; allowed: ")), "{error}");
        }
    }
}

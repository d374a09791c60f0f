//! South edge: a pure function per COE, from what a cluster should be to the Heat stack that makes it.
//!
//! Nothing here does I/O, reads a clock or draws a random number: the same [`ClusterSpec`] gives the same bytes.
//! To add a COE is to add `drivers/src/<name>/`, `templates/<name>/` and a line in [`installed`], beside its `mod`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

mod conflict;
mod graph;
mod health;
mod hot;
mod kubernetes;
mod label;
mod mesos;
mod node;
mod render;
mod spec;
mod stack;
mod swarm;
mod templates;
mod values;

pub use conflict::{Conflict, FIELDS as CONFLICT_FIELDS};
pub use health::{Health, Probe};
pub use label::{Findings, Kind as LabelKind, Label, Obsolete, Since, Unknown, boolean, examine};
pub use spec::{
    CaBundle, ClusterSpec, Desired, FixedNetwork, Flavor, Image, Network, NodegroupSpec, Previous, Role, Tokens,
    Transition, node_prefix,
};
pub use stack::{Addresses, Ca, Outputs, Problem, Profile, RenderError, Scale, Stack, Usage};

/// A kind of cluster that a driver can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provides {
    /// `vm` or `bm`.
    pub server_type: &'static str,
    /// The image's `os_distro` property.
    pub os_distro: &'static str,
    /// The container orchestration engine as the API spells it.
    pub coe: &'static str,
}

/// What a container orchestration engine needs to be built by Heat.
pub trait Driver: Send + Sync {
    /// The name under which a cluster template may ask for this driver.
    fn name(&self) -> &'static str;

    /// Every combination of server type, distribution and COE this driver makes.
    fn provides(&self) -> &'static [Provides];

    /// Whether it is left out where the operator does not ask for it by name.
    fn is_beta(&self) -> bool {
        false
    }

    /// Network drivers that a cluster template may ask for, the usual one first.
    fn network_drivers(&self) -> &'static [&'static str] {
        &["docker"]
    }

    /// Volume drivers that a cluster template may ask for.
    fn volume_drivers(&self) -> &'static [&'static str] {
        &[]
    }

    /// The labels this driver understands.
    fn labels(&self) -> &'static [Label];

    /// Everything wrong with a request, all at once; empty when it can be built.
    fn check(&self, desired: &Desired) -> Vec<Problem>;

    /// What the user should know of a request that can be built: what it says and has no effect, or means another thing
    /// than it used to. Labels of no effect at all are spoken of elsewhere.
    fn notes(&self, _: &Desired) -> Vec<String> {
        Vec::new()
    }

    /// The stack that makes the cluster, with the default nodegroups in it.
    ///
    /// # Errors
    /// A template that does not render or is not valid HOT: a defect of ours, never of the request.
    fn stack(&self, spec: &ClusterSpec) -> Result<Stack, RenderError>;

    /// The stack of [`Self::stack`] while its nodes are replaced: those of `transition` keep what they have, new ones
    /// get what `spec` says. The number of workers is that of `spec`.
    ///
    /// # Errors
    /// As [`Self::stack`]; always where [`Self::irreplaceable`] says that nodes cannot be replaced.
    fn transition(&self, spec: &ClusterSpec, _: &Transition) -> Result<Stack, RenderError> {
        Err(unsupported(self.name(), &format!("the nodes of {} cannot be replaced", spec.stack_name)))
    }

    /// Whether clusters may have nodegroups besides those they come with.
    fn has_nodegroups(&self) -> bool {
        false
    }

    /// The stack of a nodegroup of workers that did not come with the cluster. `spec.workers` and `spec.tokens.worker`
    /// are the nodegroup's; `cluster` holds the outputs of the cluster's stack, whose network and masters it uses.
    ///
    /// # Errors
    /// As [`Self::stack`]; outputs that lack what is needed; always where there are no such nodegroups.
    fn nodegroup(&self, spec: &ClusterSpec, _: &Outputs, _: Option<&Transition>) -> Result<Stack, RenderError> {
        Err(unsupported(self.name(), &format!("{} is not a nodegroup it knows", spec.workers.name)))
    }

    /// Whether nodes join with tokens that the masters make: they hand them in, and get them from us.
    fn has_join_tokens(&self) -> bool {
        false
    }

    /// Whether workers prove to masters who they are by a secret that all nodes of the cluster share.
    fn has_agent_secret(&self) -> bool {
        false
    }

    /// The name of the file that holds the user data of workers.
    fn user_data_of_workers(&self) -> &'static str {
        graph::WORKER_USER_DATA
    }

    /// Whether nodes carry the `node_labels` and `node_taints` of their nodegroup in the COE.
    fn marks_nodes(&self) -> bool {
        false
    }

    /// Labels that say what one node is like, not what the cluster is: a nodegroup's own count before the cluster's.
    fn node_labels(&self) -> &'static [&'static str] {
        &[]
    }

    /// Labels that hold for a cluster's whole life: an upgrade does not change them.
    fn lasting_labels(&self) -> &'static [&'static str] {
        &[]
    }

    /// The version of the COE that nodes with these labels and this image run; nothing when only the image knows.
    fn version(&self, _labels: &BTreeMap<String, String>, _image: &Image) -> Option<String> {
        None
    }

    /// The programs whose versions, as nodes report them, are those of the COE and of its container runtime.
    fn programs(&self) -> (&'static str, &'static str);

    /// Whether the first version is older than the second; nothing where one is no version.
    fn is_older(&self, first: &str, second: &str) -> Option<bool> {
        Some(label::version(first)? < label::version(second)?)
    }

    /// The versions that a control plane of the first version may come to, in words, when the second is beyond them.
    fn too_far(&self, _before: &str, _after: &str) -> Option<String> {
        None
    }

    /// Why nodes cannot be replaced without losing what the cluster holds, and what helps; nothing if they can.
    fn irreplaceable(&self, _desired: &Desired) -> Option<String> {
        Some(format!("The driver {} does not replace nodes. Make another cluster.", self.name()))
    }

    /// How the descriptions end of load balancers and floating IPs that controllers inside the cluster make; nothing
    /// where none do. They go before the cluster's stack.
    fn made_inside(&self, _cluster_uuid: &str) -> Option<String> {
        None
    }

    /// How it is found out whether a cluster works.
    fn health(&self) -> Health {
        Health::Unasked
    }

    /// What else is asked of a cluster with these labels, besides its API; `tls` is whether it has TLS.
    fn probes(&self, _labels: &BTreeMap<String, String>, _tls: bool) -> Vec<Probe> {
        Vec::new()
    }

    /// Whether nodes are to give up what they run before they leave, and to be forgotten by the COE afterwards; only
    /// where [`Self::health`] says by which API the COE is told.
    fn drains(&self) -> bool {
        false
    }

    /// What the stack's outputs say about the finished cluster.
    fn read(&self, outputs: &Outputs) -> Addresses;

    /// The workers of the stack by index, each with its server's identifier, or nothing as long as it has none.
    fn members(&self, outputs: &Outputs) -> BTreeMap<u32, String> {
        let servers = outputs.get("node_servers").and_then(Value::as_object).into_iter().flatten();
        let member = |(index, server): (&String, &Value)| {
            Some((index.parse().ok()?, server.as_str().unwrap_or_default().to_owned()))
        };
        servers.filter_map(member).collect()
    }

    /// What brings the workers of a stack that exists to that number, those with the given indices leaving first;
    /// `token` lets new ones in.
    fn scale(&self, count: u32, remove: &BTreeSet<u32>, token: &str) -> Scale {
        let remove: Vec<_> = remove.iter().map(u32::to_string).collect();
        Scale {
            parameters: Map::from_iter([
                ("node_count".to_owned(), count.into()),
                ("nodes_to_remove".to_owned(), remove.into()),
            ]),
            hidden: BTreeMap::from([("worker_bootstrap_token".to_owned(), token.to_owned())]),
        }
    }

    /// The certificates a node with this role may ask for with its bootstrap token.
    fn profiles(&self, role: Role) -> &'static [Profile];

    /// Names besides a node's own that certificates of nodes with this role may carry.
    fn alternative_names(&self, desired: &Desired, role: Role) -> Vec<String>;

    /// Networks whose addresses certificates of nodes with this role may carry; `subnet` is the user's own, if given.
    fn networks(&self, desired: &Desired, role: Role, subnet: Option<&str>) -> Vec<String>;
}

/// What a driver says that cannot do it.
fn unsupported(driver: &str, cause: &str) -> RenderError {
    RenderError::Document { name: driver.to_owned(), cause: cause.to_owned() }
}

/// Every driver of this build.
#[must_use]
pub fn installed() -> Vec<&'static dyn Driver> {
    vec![&kubernetes::Kubernetes, &swarm::Swarm, &mesos::Mesos]
}

/// The driver of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static dyn Driver> {
    installed().into_iter().find(|driver| driver.name() == name)
}

/// The first driver that makes this combination.
#[must_use]
pub fn resolve(server_type: &str, os_distro: &str, coe: &str) -> Option<&'static dyn Driver> {
    let wanted = |provided: &Provides| {
        provided.server_type == server_type && provided.os_distro == os_distro && provided.coe == coe
    };
    installed().into_iter().find(|driver| driver.provides().iter().any(wanted))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::{find, installed, resolve};

    #[test]
    fn labels_are_unique_and_defaults_are_values_of_their_kind() {
        for driver in installed() {
            let (name, mut keys) = (driver.name(), BTreeSet::new());
            for label in driver.labels() {
                assert!(keys.insert(label.key), "{name}: {} is there twice", label.key);
                assert!(label.default.is_empty() || label.kind.takes(label.default), "{name}: {}", label.key);
                assert!(label.meaning.ends_with('.'), "{name}: {}", label.key);
            }
            for key in driver.node_labels().iter().chain(driver.lasting_labels()) {
                assert!(keys.contains(key), "{name}: {key}");
            }
        }
        let of_mesos = find("mesos").unwrap().labels();
        assert!(of_mesos.iter().all(|label| label.key != "nodeport_allowed_cidrs"), "it would have no effect");
    }

    #[test]
    fn members_are_known_by_index_and_leave_by_it() {
        let driver = find("kubernetes").unwrap();
        let outputs = [("node_servers".to_owned(), json!({"12": "5e1", "0": null, "x": "y"}))].into();
        assert_eq!(driver.members(&outputs), [(0, String::new()), (12, "5e1".to_owned())].into());
        assert!(driver.members(&[].into()).is_empty());
        let scale = driver.scale(3, &[0, 12].into(), "secret");
        assert_eq!(Value::from(scale.parameters.clone()), json!({"node_count": 3, "nodes_to_remove": ["0", "12"]}));
        assert!(!format!("{scale:?}").contains("secret"));
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let driver = find("kubernetes").unwrap();
        assert_eq!(driver.is_older("v1.9.10", "v1.10.0"), Some(true));
        assert_eq!(driver.is_older("v1.10.0", "v1.10.0"), Some(false));
        assert_eq!(driver.is_older("latest", "v1.10.0"), None);
    }

    #[test]
    fn drivers_are_found_by_name_and_by_what_they_make() {
        assert_eq!(find("kubernetes").map(|driver| driver.name()), Some("kubernetes"));
        assert!(find("kubernetes2").is_none());
        for os_distro in ["ubuntu", "debian", "fedora-coreos", "flatcar"] {
            assert_eq!(resolve("vm", os_distro, "kubernetes").map(|driver| driver.name()), Some("kubernetes"));
        }
        for coe in ["swarm", "swarm-mode"] {
            assert_eq!(resolve("vm", "debian", coe).map(|driver| driver.name()), Some("swarm"));
        }
        assert_eq!(resolve("vm", "ubuntu", "mesos").map(|driver| driver.name()), Some("mesos"));
        assert!(resolve("bm", "ubuntu", "kubernetes").is_none());
        assert!(resolve("vm", "windows", "kubernetes").is_none());
        assert!(resolve("vm", "ubuntu", "nomad").is_none());
    }
}

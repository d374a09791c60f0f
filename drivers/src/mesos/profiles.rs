//! The certificates of a node.

use crate::{Ca, Profile, Role, Usage};

/// By which a node is known; masters and agents show it to each other, and masters to their users.
const NODE: Profile = Profile {
    name: "mesos",
    ca: Ca::Kubernetes,
    common_name: "system:node:{node}",
    organization: Some("system:nodes"),
    usage: Usage::Both,
    alternative_names: true,
};

/// Members of ZooKeeper know each other by an authority of their own: no worker is one.
const ZOOKEEPER: Profile = Profile {
    name: "zookeeper",
    ca: Ca::Etcd,
    common_name: "{node}",
    organization: None,
    usage: Usage::Both,
    alternative_names: true,
};

/// Executors, and so tasks, hold this one and its key. It is none for clients, so that it opens nothing.
const EXECUTOR: Profile = Profile {
    name: "executor",
    ca: Ca::Kubernetes,
    common_name: "{node}",
    organization: None,
    usage: Usage::Server,
    alternative_names: true,
};

const MASTER: &[Profile] = &[NODE, ZOOKEEPER];
const WORKER: &[Profile] = &[NODE, EXECUTOR];

/// What a node with this role may ask for.
pub(super) fn of(role: Role) -> &'static [Profile] {
    match role {
        Role::Master => MASTER,
        Role::Worker => WORKER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_gets_nothing_of_zookeepers_and_its_tasks_nothing_that_opens_a_door() {
        assert!(of(Role::Worker).iter().all(|profile| profile.ca == Ca::Kubernetes));
        assert!(of(Role::Worker).iter().all(|profile| profile.common_name.ends_with("{node}")));
        assert_eq!(EXECUTOR.usage, Usage::Server);
    }
}

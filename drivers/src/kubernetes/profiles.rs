//! The certificates of a node, with the names that kubeadm gives them.

use crate::{Ca, Profile, Role, Usage};

/// A client of the cluster's own authority.
const fn client(name: &'static str, common_name: &'static str, organization: Option<&'static str>) -> Profile {
    let usage = Usage::Client;
    Profile { name, ca: Ca::Kubernetes, common_name, organization, usage, alternative_names: false }
}

/// What the kubelet shows to the API server and the API server to the kubelet.
const KUBELET: Profile = Profile {
    name: "kubelet",
    ca: Ca::Kubernetes,
    common_name: "system:node:{node}",
    organization: Some("system:nodes"),
    usage: Usage::Both,
    alternative_names: true,
};

const MASTER: &[Profile] = &[
    Profile {
        name: "apiserver",
        ca: Ca::Kubernetes,
        common_name: "kube-apiserver",
        organization: None,
        usage: Usage::Server,
        alternative_names: true,
    },
    client("apiserver-kubelet-client", "kube-apiserver-kubelet-client", Some("kubeadm:cluster-admins")),
    Profile {
        name: "apiserver-etcd-client",
        ca: Ca::Etcd,
        common_name: "kube-apiserver-etcd-client",
        organization: None,
        usage: Usage::Client,
        alternative_names: false,
    },
    Profile {
        name: "etcd-server",
        ca: Ca::Etcd,
        common_name: "{node}",
        organization: None,
        usage: Usage::Both,
        alternative_names: true,
    },
    Profile {
        name: "etcd-peer",
        ca: Ca::Etcd,
        common_name: "{node}",
        organization: None,
        usage: Usage::Both,
        alternative_names: true,
    },
    Profile {
        name: "etcd-healthcheck-client",
        ca: Ca::Etcd,
        common_name: "kube-etcd-healthcheck-client",
        organization: None,
        usage: Usage::Client,
        alternative_names: false,
    },
    Profile {
        name: "front-proxy-client",
        ca: Ca::FrontProxy,
        common_name: "front-proxy-client",
        organization: None,
        usage: Usage::Client,
        alternative_names: false,
    },
    client("admin", "kubernetes-admin", Some("kubeadm:cluster-admins")),
    // Only this one may do anything before the first role binding exists.
    client("super-admin", "kubernetes-super-admin", Some("system:masters")),
    client("controller-manager", "system:kube-controller-manager", None),
    client("scheduler", "system:kube-scheduler", None),
    KUBELET,
];

const WORKER: &[Profile] = &[KUBELET];

/// What a node with this role may ask for; a worker gets nothing that acts for another node.
pub(super) fn of(role: Role) -> &'static [Profile] {
    match role {
        Role::Master => MASTER,
        Role::Worker => WORKER,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::node::certificate_list;

    #[test]
    fn a_worker_gets_nothing_but_its_own_identity() {
        assert!(of(Role::Worker).iter().all(|profile| profile.common_name.ends_with(":{node}")));
        assert_eq!(
            certificate_list(of(Role::Worker)),
            "kubelet\tkubernetes\tsystem:node:{node}\tsystem:nodes\tboth\tyes\n"
        );
    }

    #[test]
    fn names_are_unique_and_lines_have_six_columns() {
        let names: BTreeSet<&str> = MASTER.iter().map(|profile| profile.name).collect();
        assert_eq!(names.len(), MASTER.len());
        assert!(certificate_list(of(Role::Master)).lines().all(|line| line.split('\t').count() == 6));
    }
}

//! The ports a cluster needs, as data: who may reach which, and why. Nothing else is open.
//!
//! The controller manager (10257), the scheduler (10259), the kubelet's health (10248) and etcd's metrics (2381) listen
//! on 127.0.0.1 and need no rule. Pods are masked by the node's address or wrapped, except where a network driver
//! routes them bare: security groups cannot tell those from the node's own traffic.

use std::collections::BTreeSet;

use serde::Serialize;

use super::settings::{NetworkDriver, Settings};

/// A security group, as peer or as target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Master,
    Worker,
}

/// Who may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    /// Members of a group.
    Members(Group),
    /// Whoever may use the API.
    ApiUsers,
    /// Whoever may use node ports.
    NodePortUsers,
    /// The cluster's subnet, where load balancers for services live too.
    Subnet,
    /// Everybody.
    Anywhere,
}

/// To which ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ports {
    /// The API's, as configured.
    Api,
    /// These, both included.
    Range(u16, u16),
    /// The protocol has none, or all are meant.
    All,
}

/// In which clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    SshKey,
    FlannelVxlan,
    Calico,
    CalicoIpip,
    Cilium,
    RoutedPods,
}

/// One line of the table.
struct Need {
    name: &'static str,
    to: &'static [Group],
    from: &'static [Sender],
    /// Neutron's name or number; absent means any.
    protocol: Option<&'static str>,
    ports: Ports,
    when: When,
    why: &'static str,
}

use Group::{Master, Worker};
use Ports::{All, Api, Range};
use Sender::{Anywhere, ApiUsers, Members, NodePortUsers, Subnet};

const BOTH: &[Group] = &[Master, Worker];
const CLUSTER: &[Sender] = &[Members(Master), Members(Worker)];
const MASTERS: &[Sender] = &[Members(Master)];
const TCP: Option<&str> = Some("tcp");
const UDP: Option<&str> = Some("udp");

const NEEDS: &[Need] = &[
    need("api", &[Master], CLUSTER, TCP, Api, When::Always, "Kubernetes API, from nodes"),
    need("api", &[Master], &[ApiUsers], TCP, Api, When::Always, "Kubernetes API, from its users"),
    need("etcd", &[Master], MASTERS, TCP, Range(2379, 2380), When::Always, "etcd, clients and peers"),
    need("kubelet", BOTH, CLUSTER, TCP, Range(10250, 10250), When::Always, "kubelet, from API servers and metrics"),
    need("proxy", &[Worker], &[Subnet], TCP, Range(10256, 10256), When::Always, "kube-proxy health, from balancers"),
    need("nodeport_tcp", &[Worker], &[NodePortUsers], TCP, Range(30000, 32767), When::Always, "node ports"),
    need("nodeport_udp", &[Worker], &[NodePortUsers], UDP, Range(30000, 32767), When::Always, "node ports"),
    need("ssh", BOTH, &[Anywhere], TCP, Range(22, 22), When::SshKey, "SSH with the cluster's keypair"),
    need("vxlan", BOTH, CLUSTER, UDP, Range(8472, 8472), When::FlannelVxlan, "flannel VXLAN"),
    need("vxlan", BOTH, CLUSTER, UDP, Range(8472, 8472), When::Cilium, "Cilium VXLAN"),
    need("health", BOTH, CLUSTER, TCP, Range(4240, 4240), When::Cilium, "Cilium health"),
    need("echo", BOTH, CLUSTER, Some("icmp"), All, When::Cilium, "Cilium health, echo"),
    need("wireguard", BOTH, CLUSTER, UDP, Range(51871, 51871), When::Cilium, "Cilium WireGuard"),
    need("bgp", BOTH, CLUSTER, TCP, Range(179, 179), When::Calico, "Calico BGP"),
    need("vxlan", BOTH, CLUSTER, UDP, Range(4789, 4789), When::Calico, "Calico VXLAN"),
    need("typha", BOTH, CLUSTER, TCP, Range(5473, 5473), When::Calico, "Calico Typha"),
    need("ipip", BOTH, CLUSTER, Some("4"), All, When::CalicoIpip, "Calico IP in IP"),
    need("pods", BOTH, CLUSTER, None, All, When::RoutedPods, "pods, routed without encapsulation"),
];

const fn need(
    name: &'static str,
    to: &'static [Group],
    from: &'static [Sender],
    protocol: Option<&'static str>,
    ports: Ports,
    when: When,
    why: &'static str,
) -> Need {
    Need { name, to, from, protocol, ports, when, why }
}

/// One resource OS::Neutron::SecurityGroupRule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Rule {
    /// The resource's name.
    pub(super) name: String,
    /// The resource of the group it belongs to.
    group: &'static str,
    /// What it is for.
    why: &'static str,
    /// Neutron's name or number; absent means any.
    protocol: Option<&'static str>,
    /// First and last port; absent means all.
    ports: Option<[u16; 2]>,
    /// The resource of the group that may send.
    remote_group: Option<&'static str>,
    /// Or the network that may send.
    remote_cidr: Option<String>,
    /// The network's family.
    ethertype: &'static str,
}

/// Facts that decide which rules there are.
pub(super) struct Reach<'a> {
    /// What the labels say.
    pub(super) settings: &'a Settings,
    /// The cluster's subnet.
    pub(super) subnet_cidr: &'a str,
    /// Whether users' packets reach masters with the users' own addresses.
    pub(super) api_users_direct: bool,
    /// Whether somebody has a key to log in with.
    pub(super) ssh: bool,
}

/// All rules of a cluster, in the order of the table.
pub(super) fn rules(reach: &Reach<'_>) -> Vec<Rule> {
    let mut seen = BTreeSet::new();
    NEEDS
        .iter()
        .filter(|need| reach.applies(need.when))
        .flat_map(|need| {
            need.to.iter().flat_map(move |to| need.from.iter().flat_map(move |from| reach.expand(need, *to, *from)))
        })
        // Neutron refuses a rule that is there already, whatever it is called.
        .filter(|rule| seen.insert(Rule { name: String::new(), why: "", ..rule.clone() }))
        .collect()
}

impl Reach<'_> {
    fn applies(&self, when: When) -> bool {
        let driver = &self.settings.network_driver;
        match when {
            When::Always => true,
            When::SshKey => self.ssh,
            When::FlannelVxlan => *driver == NetworkDriver::Flannel && self.settings.flannel_backend == "vxlan",
            When::Calico => *driver == NetworkDriver::Calico,
            When::CalicoIpip => {
                *driver == NetworkDriver::Calico && ["Always", "CrossSubnet"].contains(&self.settings.ipip.as_str())
            }
            When::Cilium => *driver == NetworkDriver::Cilium,
            When::RoutedPods => match driver {
                NetworkDriver::Flannel => self.settings.flannel_backend == "host-gw",
                NetworkDriver::Calico => self.settings.ipip == "CrossSubnet",
                NetworkDriver::Cilium => false,
            },
        }
    }

    /// The rules of one line for one target and one sender.
    fn expand(&self, need: &Need, to: Group, from: Sender) -> Vec<Rule> {
        let (target, group) = names(to);
        let rule = |sender: &str, remote_group, remote_cidr: Option<String>| Rule {
            name: format!("rule_{target}_{}_{sender}", need.name),
            group,
            why: need.why,
            protocol: need.protocol,
            ports: match need.ports {
                Api => Some([self.settings.api_port; 2]),
                Range(first, last) => Some([first, last]),
                All => None,
            },
            remote_group,
            ethertype: if remote_cidr.as_deref().is_some_and(|cidr| cidr.contains(':')) { "IPv6" } else { "IPv4" },
            remote_cidr,
        };
        let networks = |networks: &[String]| {
            let numbered = networks.iter().enumerate();
            numbered.map(|(i, network)| rule(&format!("network_{i}"), None, Some(network.clone()))).collect()
        };
        let subnet = [self.subnet_cidr.to_owned()];
        let anywhere = ["0.0.0.0/0".to_owned()];
        match from {
            Members(group) => {
                let (sender, group) = names(group);
                vec![rule(sender, Some(group), None)]
            }
            Subnet => networks(&subnet),
            Anywhere => networks(&anywhere),
            ApiUsers if !self.api_users_direct => networks(&subnet),
            ApiUsers if self.settings.api_cidrs.is_empty() => networks(&anywhere),
            ApiUsers => networks(&self.settings.api_cidrs),
            NodePortUsers if self.settings.node_port_cidrs.is_empty() => networks(&subnet),
            NodePortUsers => networks(&self.settings.node_port_cidrs),
        }
    }
}

/// A group's short name and its resource.
fn names(group: Group) -> (&'static str, &'static str) {
    match group {
        Master => ("master", "secgroup_master"),
        Worker => ("worker", "secgroup_worker"),
    }
}

#[cfg(test)]
#[path = "ports_tests.rs"]
mod tests;

//! The ports a cluster needs, as data: who may reach which, and why. Nothing else is open. Each COE has a table of its
//! own; the lines that count for a cluster become rules here.

use std::collections::BTreeSet;

use serde::Serialize;

/// A security group, as peer or as target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Master,
    Worker,
}

/// Who may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// Members of a group.
    Members(Group),
    /// Whoever may use the API.
    ApiUsers,
    /// Whoever may use published services.
    ServiceUsers,
    /// The cluster's subnet, where load balancers for services live too.
    Subnet,
    /// Everybody.
    Anywhere,
}

/// To which ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ports {
    /// The API's, as configured.
    Api,
    /// These, both included.
    Range(u16, u16),
    /// The protocol has none, or all are meant.
    All,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Need {
    name: &'static str,
    to: &'static [Group],
    from: &'static [Sender],
    /// Neutron's name or number; absent means any.
    protocol: Option<&'static str>,
    ports: Ports,
    why: &'static str,
}

pub(crate) use Group::{Master, Worker};
pub(crate) use Ports::{All, Api, Range};
pub(crate) use Sender::{Anywhere, ApiUsers, Members, ServiceUsers, Subnet};

pub(crate) const BOTH: &[Group] = &[Master, Worker];
pub(crate) const CLUSTER: &[Sender] = &[Members(Master), Members(Worker)];
pub(crate) const MASTERS: &[Sender] = &[Members(Master)];
pub(crate) const TCP: Option<&str> = Some("tcp");
pub(crate) const UDP: Option<&str> = Some("udp");

/// For those who hold a key to log in with.
pub(crate) const SSH: Need = need("ssh", BOTH, &[Anywhere], TCP, Range(22, 22), "SSH with the cluster's keypair");

/// A line.
pub(crate) const fn need(
    name: &'static str,
    to: &'static [Group],
    from: &'static [Sender],
    protocol: Option<&'static str>,
    ports: Ports,
    why: &'static str,
) -> Need {
    Need { name, to, from, protocol, ports, why }
}

/// One resource OS::Neutron::SecurityGroupRule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Rule {
    /// The resource's name.
    pub(crate) name: String,
    /// The resource of the group it belongs to.
    pub(crate) group: &'static str,
    /// What it is for.
    why: &'static str,
    /// Neutron's name or number; absent means any.
    pub(crate) protocol: Option<&'static str>,
    /// First and last port; absent means all.
    pub(crate) ports: Option<[u16; 2]>,
    /// The resource of the group that may send.
    pub(crate) remote_group: Option<&'static str>,
    /// Or the network that may send.
    pub(crate) remote_cidr: Option<String>,
    /// The network's family.
    pub(crate) ethertype: &'static str,
}

/// Facts that decide how far lines reach.
pub(crate) struct Reach<'a> {
    /// The lines that count.
    pub(crate) needs: &'a [&'static Need],
    /// The API's port.
    pub(crate) api_port: u16,
    /// Networks from which the API may be used; none means any.
    pub(crate) api_cidrs: &'a [String],
    /// Networks from which published services may be reached; none means the cluster's subnet.
    pub(crate) service_cidrs: &'a [String],
    /// The cluster's subnet.
    pub(crate) subnet_cidr: &'a str,
    /// Whether users' packets reach masters with the users' own addresses.
    pub(crate) api_users_direct: bool,
}

/// All rules of a cluster, in the order of the lines.
pub(crate) fn rules(reach: &Reach<'_>) -> Vec<Rule> {
    let mut seen = BTreeSet::new();
    reach
        .needs
        .iter()
        .flat_map(|need| {
            need.to.iter().flat_map(move |to| need.from.iter().flat_map(move |from| reach.expand(need, *to, *from)))
        })
        // Neutron refuses a rule that is there already, whatever it is called.
        .filter(|rule| seen.insert(Rule { name: String::new(), why: "", ..rule.clone() }))
        .collect()
}

impl Reach<'_> {
    /// The rules of one line for one target and one sender.
    fn expand(&self, need: &Need, to: Group, from: Sender) -> Vec<Rule> {
        let (target, group) = names(to);
        let rule = |sender: &str, remote_group, remote_cidr: Option<String>| Rule {
            name: format!("rule_{target}_{}_{sender}", need.name),
            group,
            why: need.why,
            protocol: need.protocol,
            ports: match need.ports {
                Api => Some([self.api_port; 2]),
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
            ApiUsers if self.api_cidrs.is_empty() => networks(&anywhere),
            ApiUsers => networks(self.api_cidrs),
            ServiceUsers if self.service_cidrs.is_empty() => networks(&subnet),
            ServiceUsers => networks(self.service_cidrs),
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

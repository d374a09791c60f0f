//! The ports a cluster needs, as data: who may reach which, and why. Nothing else is open. Each COE has a table of its
//! own; the lines that count for a cluster become the rules of its security groups here.

use serde::Serialize;

/// A security group, as peer or as target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// All nodes.
    Node,
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
    to: Group,
    from: Sender,
    /// Neutron's name or number; absent means any.
    protocol: Option<&'static str>,
    ports: Ports,
}

pub(crate) use Group::{Master, Node, Worker};
pub(crate) use Ports::{All, Api, Range};
pub(crate) use Sender::{Anywhere, ApiUsers, ServiceUsers, Subnet};

pub(crate) const NODES: Sender = Sender::Members(Node);
pub(crate) const MASTERS: Sender = Sender::Members(Master);
pub(crate) const TCP: Option<&str> = Some("tcp");
pub(crate) const UDP: Option<&str> = Some("udp");

/// For those who hold a key to log in with.
pub(crate) const SSH: Need = need(Node, Anywhere, TCP, Range(22, 22));

/// A line. No group may know one that comes after it, so that Heat can make each with its rules; a table that breaks this
/// does not compile.
pub(crate) const fn need(to: Group, from: Sender, protocol: Option<&'static str>, ports: Ports) -> Need {
    if let Sender::Members(peer) = from {
        assert!(peer as u8 <= to as u8, "a security group knows one that comes after it");
    }
    Need { to, from, protocol, ports }
}

/// One resource OS::Neutron::SecurityGroup.
#[derive(Debug, Serialize)]
pub(crate) struct SecurityGroup {
    /// The end of its name, and of the resource's.
    pub(crate) name: &'static str,
    /// Whose it is.
    members: &'static str,
    pub(crate) rules: Vec<Rule>,
}

/// One of its rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Rule {
    /// Neutron's name or number; absent means any.
    pub(crate) protocol: Option<&'static str>,
    /// First and last port; absent means all.
    pub(crate) ports: Option<[u16; 2]>,
    /// The name of the group that may send.
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

impl Reach<'_> {
    /// The groups of a cluster with their rules, in the order of the lines.
    pub(crate) fn groups(&self) -> Vec<SecurityGroup> {
        let group = |group, members| SecurityGroup { name: name(group), members, rules: self.rules(group) };
        vec![group(Node, "Nodes"), group(Master, "Masters"), group(Worker, "Workers")]
    }

    fn rules(&self, to: Group) -> Vec<Rule> {
        let mut rules = Vec::new();
        for rule in self.needs.iter().filter(|need| need.to == to).flat_map(|need| self.expand(need)) {
            // Neutron refuses a rule that is there already.
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        rules
    }

    /// The rules of one line.
    fn expand(&self, need: &Need) -> Vec<Rule> {
        let rule = |remote_group, remote_cidr: Option<String>| Rule {
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
        let networks = |networks: &[String]| networks.iter().map(|network| rule(None, Some(network.clone()))).collect();
        let subnet = [self.subnet_cidr.to_owned()];
        let anywhere = ["0.0.0.0/0".to_owned()];
        match need.from {
            Sender::Members(group) => vec![rule(Some(name(group)), None)],
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

/// A group's short name.
fn name(group: Group) -> &'static str {
    match group {
        Node => "node",
        Master => "master",
        Worker => "worker",
    }
}

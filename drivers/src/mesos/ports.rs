//! The ports a Mesos cluster needs. Nothing else is open.
//!
//! Agents look for the leading master in ZooKeeper, so that its port for clients is open to them; its ports for members
//! are open to masters alone. Marathon knows no users: whoever reaches it may run what he likes on the agents, so its
//! port is open to the networks that are named for it, and to the cluster's own subnet.

use crate::Desired;
use crate::graph::ports::{
    self, Api, ApiUsers, CLUSTER, MASTERS, Master, Need, Range, ServiceUsers, Subnet, TCP, UDP, Worker, need,
};

/// In which clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    Tls,
    Plain,
    Marathon,
    MarathonTls,
    MarathonPlain,
    SshKey,
}

const NEEDS: &[(When, Need)] = &[
    (When::Always, need("api", &[Master], CLUSTER, TCP, Api, "Mesos masters, from nodes")),
    (When::Always, need("api", &[Master], &[ApiUsers], TCP, Api, "Mesos masters, from their users")),
    (When::Plain, need("zookeeper", &[Master], CLUSTER, TCP, Range(2181, 2181), "ZooKeeper, from nodes")),
    (When::Tls, need("zookeeper", &[Master], CLUSTER, TCP, Range(2281, 2281), "ZooKeeper with TLS, from nodes")),
    (When::Always, need("zookeeper_peers", &[Master], MASTERS, TCP, Range(2888, 2888), "ZooKeeper, members")),
    (When::Always, need("zookeeper_election", &[Master], MASTERS, TCP, Range(3888, 3888), "ZooKeeper, elections")),
    (When::Always, need("agent", &[Worker], MASTERS, TCP, Range(5051, 5051), "Mesos agents, from masters")),
    (When::Always, need("tasks_tcp", &[Worker], CLUSTER, TCP, Range(31000, 32000), "tasks, from nodes")),
    (When::Always, need("tasks_udp", &[Worker], CLUSTER, UDP, Range(31000, 32000), "tasks, from nodes")),
    (
        When::Marathon,
        need("scheduler", &[Master], MASTERS, TCP, Range(9090, 9090), "Marathon, from the leading master"),
    ),
    (When::MarathonTls, need("marathon", &[Master], &[ServiceUsers], TCP, Range(8443, 8443), "Marathon")),
    (When::MarathonTls, need("marathon_inside", &[Master], &[Subnet], TCP, Range(8443, 8443), "Marathon, from inside")),
    (When::MarathonPlain, need("marathon", &[Master], &[ServiceUsers], TCP, Range(8080, 8080), "Marathon")),
    (
        When::MarathonPlain,
        need("marathon_inside", &[Master], &[Subnet], TCP, Range(8080, 8080), "Marathon, from inside"),
    ),
    (When::SshKey, ports::SSH),
];

/// The lines of the table that count; `ssh` is whether somebody has a key to log in with.
pub(super) fn needs(desired: &Desired, ssh: bool) -> Vec<&'static Need> {
    let (marathon, tls) = (super::has_marathon(desired), !desired.tls_disabled);
    let applies = |when| match when {
        When::Always => true,
        When::Tls => tls,
        When::Plain => !tls,
        When::Marathon => marathon,
        When::MarathonTls => marathon && tls,
        When::MarathonPlain => marathon && !tls,
        When::SshKey => ssh,
    };
    NEEDS.iter().filter(|(when, _)| applies(*when)).map(|(_, need)| need).collect()
}

/// Marathon's port, with and without TLS.
pub(super) fn marathon(tls: bool) -> u16 {
    if tls { 8443 } else { 8080 }
}

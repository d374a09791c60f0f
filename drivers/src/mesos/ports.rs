//! The ports a Mesos cluster needs. Nothing else is open.
//!
//! Agents look for the leading master in ZooKeeper, so that its port for clients is open to them; its ports for members
//! are open to masters alone. Marathon knows no users: whoever reaches it may run what he likes on the agents, so its
//! port is open to the networks that are named for it, and to the cluster's own subnet.

use crate::Desired;
use crate::graph::ports::{
    self, Api, ApiUsers, MASTERS, Master, NODES, Need, Range, ServiceUsers, Subnet, TCP, UDP, Worker, need,
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
    // Mesos masters, from nodes.
    (When::Always, need(Master, NODES, TCP, Api)),
    // Mesos masters, from their users.
    (When::Always, need(Master, ApiUsers, TCP, Api)),
    // ZooKeeper, from nodes.
    (When::Plain, need(Master, NODES, TCP, Range(2181, 2181))),
    // ZooKeeper with TLS, from nodes.
    (When::Tls, need(Master, NODES, TCP, Range(2281, 2281))),
    // ZooKeeper, members.
    (When::Always, need(Master, MASTERS, TCP, Range(2888, 2888))),
    // ZooKeeper, elections.
    (When::Always, need(Master, MASTERS, TCP, Range(3888, 3888))),
    // Mesos agents, from masters.
    (When::Always, need(Worker, MASTERS, TCP, Range(5051, 5051))),
    // Tasks, from nodes.
    (When::Always, need(Worker, NODES, TCP, Range(31000, 32000))),
    (When::Always, need(Worker, NODES, UDP, Range(31000, 32000))),
    // Marathon, from the leading master.
    (When::Marathon, need(Master, MASTERS, TCP, Range(9090, 9090))),
    // Marathon.
    (When::MarathonTls, need(Master, ServiceUsers, TCP, Range(8443, 8443))),
    // Marathon, from inside.
    (When::MarathonTls, need(Master, Subnet, TCP, Range(8443, 8443))),
    // Marathon.
    (When::MarathonPlain, need(Master, ServiceUsers, TCP, Range(8080, 8080))),
    // Marathon, from inside.
    (When::MarathonPlain, need(Master, Subnet, TCP, Range(8080, 8080))),
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

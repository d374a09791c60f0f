//! The ports a swarm needs. Nothing else is open.
//!
//! Docker's API listens on managers alone, and its users reach it there or through the load balancer. A single set of
//! groups holds for managers and workers where nodes of a swarm speak to each other, whoever they are.

use crate::graph::ports::{self, All, Api, ApiUsers, Master, NODES, Need, Node, Range, ServiceUsers, TCP, UDP, need};

const NEEDS: &[Need] = &[
    // Docker API, from its users.
    need(Master, ApiUsers, TCP, Api),
    // Swarm management, from nodes.
    need(Master, NODES, TCP, Range(2377, 2377)),
    // Overlay networks, gossip.
    need(Node, NODES, TCP, Range(7946, 7946)),
    need(Node, NODES, UDP, Range(7946, 7946)),
    // Overlay networks, VXLAN.
    need(Node, NODES, UDP, Range(4789, 4789)),
    // Encrypted overlay networks, ESP.
    need(Node, NODES, Some("50"), All),
    // Published ports.
    need(Node, ServiceUsers, TCP, Range(30000, 32767)),
    need(Node, ServiceUsers, UDP, Range(30000, 32767)),
];

/// The lines of the table that count; `ssh` is whether somebody has a key to log in with.
pub(super) fn needs(ssh: bool) -> Vec<&'static Need> {
    NEEDS.iter().chain(ssh.then_some(&ports::SSH)).collect()
}

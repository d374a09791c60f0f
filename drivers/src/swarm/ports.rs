//! The ports a swarm needs. Nothing else is open.
//!
//! Docker's API listens on managers alone, and its users reach it there or through the load balancer. A single set of
//! groups holds for managers and workers where nodes of a swarm speak to each other, whoever they are.

use crate::graph::ports::{self, All, Api, ApiUsers, BOTH, CLUSTER, Master, Need, Range, ServiceUsers, TCP, UDP, need};

const NEEDS: &[Need] = &[
    need("api", &[Master], &[ApiUsers], TCP, Api, "Docker API, from its users"),
    need("swarm", &[Master], CLUSTER, TCP, Range(2377, 2377), "Swarm management, from nodes"),
    need("gossip_tcp", BOTH, CLUSTER, TCP, Range(7946, 7946), "overlay networks, gossip"),
    need("gossip_udp", BOTH, CLUSTER, UDP, Range(7946, 7946), "overlay networks, gossip"),
    need("overlay", BOTH, CLUSTER, UDP, Range(4789, 4789), "overlay networks, VXLAN"),
    need("encrypted", BOTH, CLUSTER, Some("50"), All, "encrypted overlay networks, ESP"),
    need("published_tcp", BOTH, &[ServiceUsers], TCP, Range(30000, 32767), "published ports"),
    need("published_udp", BOTH, &[ServiceUsers], UDP, Range(30000, 32767), "published ports"),
];

/// The lines of the table that count; `ssh` is whether somebody has a key to log in with.
pub(super) fn needs(ssh: bool) -> Vec<&'static Need> {
    NEEDS.iter().chain(ssh.then_some(&ports::SSH)).collect()
}

//! What an upgrade may change, and what keeps a swarm from one.

use crate::Desired;
use crate::graph::labels;

const OWN_OF_NODES: &[&str] = &["docker_package", "docker_packages_url"];

/// Labels that say what one node is like; all others say what the cluster is.
pub(super) const OF_NODES: &[&str] =
    &labels::joined::<{ labels::OF_NODES.len() + OWN_OF_NODES.len() }>(&labels::OF_NODES, OWN_OF_NODES);

const OWN_LASTING: &[&str] = &["nodeport_allowed_cidrs", "swarm_autolock"];

/// Labels that shaped networks, volumes, balancers, zones and the swarm itself when the cluster was made.
pub(super) const LASTING: &[&str] =
    &labels::joined::<{ labels::LASTING.len() + OWN_LASTING.len() }>(&labels::LASTING, OWN_LASTING);

/// Why the managers cannot be replaced; nothing if they can.
pub(super) fn irreplaceable(desired: &Desired) -> Option<String> {
    (desired.master_count == 1 && desired.docker_volume_size.is_none()).then(|| {
        "The only manager keeps the swarm's state on its root disk, so that it cannot be replaced without losing it. \
         Make a cluster with 3 masters, or with a docker_volume_size: the state lies on that volume."
            .to_owned()
    })
}

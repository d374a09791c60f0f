//! What an upgrade may change, and what keeps a cluster from one.

use crate::Desired;

/// Labels that say what one node is like; all others say what the cluster is.
pub(super) const OF_NODES: &[&str] = &[
    "availability_zone",
    "boot_volume_size",
    "boot_volume_type",
    "docker_volume_type",
    "mesos_packages_url",
    "mesos_slave_executor_env_variables",
    "mesos_slave_image_providers",
    "mesos_slave_isolation",
    "mesos_slave_work_dir",
    "server_group_policies",
];

/// Labels that shaped networks, volumes, balancers and zones when the cluster was made.
pub(super) const LASTING: &[&str] = &[
    "api_master_lb_allowed_cidrs",
    "availability_zone",
    "control_plane_availability_zones",
    "different_failure_domain",
    "docker_volume_type",
    "extra_network_name",
    "extra_network_names",
    "fixed_subnet_cidr",
    "marathon_allowed_cidrs",
    "marathon_enabled",
    "master_lb_allowed_cidrs",
    "master_lb_floating_ip_enabled",
    "octavia_lb_algorithm",
    "octavia_lb_healthcheck",
    "octavia_provider",
    "server_group_policies",
];

/// Why the masters cannot be replaced; nothing if they can.
pub(super) fn irreplaceable(desired: &Desired) -> Option<String> {
    (desired.master_count == 1 && desired.docker_volume_size.is_none()).then(|| {
        "The only master keeps the state of Mesos and of ZooKeeper on its root disk, so that it cannot be replaced \
         without losing it. Make a cluster with 3 masters, or with a docker_volume_size: the state lies on that volume."
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::super::labels::LABELS;
    use super::*;

    #[test]
    fn the_lists_name_labels_that_there_are() {
        for key in OF_NODES.iter().chain(LASTING) {
            assert!(LABELS.iter().any(|label| label.key == *key), "{key}");
        }
    }
}

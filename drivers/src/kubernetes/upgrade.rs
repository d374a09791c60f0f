//! What an upgrade may change, and what keeps a cluster from one.

use super::settings::{etcd_volume_size, labels};
use crate::{Desired, label};

/// Labels that say what one node is like; all others say what the cluster is.
pub(super) const OF_NODES: &[&str] = &[
    "availability_zone",
    "boot_volume_size",
    "boot_volume_type",
    "cni_plugins_sha256",
    "cni_plugins_url",
    "container_infra_prefix",
    "containerd_tarball_sha256",
    "containerd_tarball_url",
    "docker_volume_type",
    "kube_install",
    "kube_packages_url",
    "kube_tag",
    "kube_tarball_sha256",
    "kube_tarball_url",
    "kubelet_options",
    "kubelet_tls_cipher_suites",
    "selinux_mode",
    "server_group_policies",
];

/// Labels that shaped networks, volumes, balancers and zones when the cluster was made.
pub(super) const LASTING: &[&str] = &[
    "api_master_lb_allowed_cidrs",
    "availability_zone",
    "calico_ipv4pool",
    "calico_ipv4pool_ipip",
    "cilium_ipv4pool",
    "cloud_provider_enabled",
    "control_plane_availability_zones",
    "different_failure_domain",
    "dns_cluster_domain",
    "docker_volume_type",
    "etcd_blockdevice_size",
    "etcd_blockdevice_volume_az",
    "etcd_blockdevice_volume_type",
    "etcd_volume_size",
    "etcd_volume_type",
    "extra_network_name",
    "extra_network_names",
    "fixed_subnet_cidr",
    "flannel_backend",
    "flannel_network_cidr",
    "flannel_network_subnetlen",
    "master_lb_allowed_cidrs",
    "master_lb_floating_ip_enabled",
    "nodeport_allowed_cidrs",
    "octavia_lb_algorithm",
    "octavia_lb_healthcheck",
    "octavia_provider",
    "server_group_policies",
    "service_cluster_ip_range",
];

/// Why the masters cannot be replaced; nothing if they can.
pub(super) fn irreplaceable(desired: &Desired) -> Option<String> {
    let on_root_disk = etcd_volume_size(labels(&desired.labels)) == 0;
    (desired.master_count == 1 && on_root_disk).then(|| {
        "The only master keeps the cluster's state on its root disk, so that it cannot be replaced without losing it. \
         Make a cluster with 3 masters, or with the label etcd_volume_size."
            .to_owned()
    })
}

/// Kubernetes takes a control plane from one minor version to the next only: API servers of both run side by side
/// meanwhile (its version skew policy).
pub(super) fn too_far(before: &str, after: &str) -> Option<String> {
    let ((major, minor, _), (_, wanted, _)) = (label::version(before)?, label::version(after)?);
    let next = minor + 1;
    (wanted > next).then(|| format!("v{major}.{minor} or v{major}.{next}: one minor version at a time"))
}

#[cfg(test)]
mod tests {
    use super::super::labels::LABELS;
    use super::*;

    #[test]
    fn a_control_plane_takes_one_minor_version_at_a_time() {
        assert_eq!(too_far("v1.33.9", "v1.34.0"), None);
        assert_eq!(too_far("v1.33.1", "v1.33.9"), None);
        assert_eq!(too_far("latest", "v1.40.0"), None);
        assert_eq!(too_far("v1.33.0", "v1.35.0").unwrap(), "v1.33 or v1.34: one minor version at a time");
    }

    #[test]
    fn the_lists_name_labels_that_there_are() {
        for key in OF_NODES.iter().chain(LASTING) {
            assert!(LABELS.iter().any(|label| label.key == *key), "{key}");
        }
    }
}

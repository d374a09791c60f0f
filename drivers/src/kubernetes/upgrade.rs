//! What an upgrade may change, and what keeps a cluster from one.

use super::settings::{etcd_volume_size, labels};
use crate::graph::labels as graph_labels;
use crate::{Desired, label};

const OWN_OF_NODES: &[&str] = &[
    "cni_plugins_sha256",
    "cni_plugins_url",
    "container_infra_prefix",
    "containerd_tarball_sha256",
    "containerd_tarball_url",
    "kube_install",
    "kube_packages_url",
    "kube_tag",
    "kube_tarball_sha256",
    "kube_tarball_url",
    "kubelet_options",
    "kubelet_tls_cipher_suites",
    "selinux_mode",
];

/// Labels that say what one node is like; all others say what the cluster is.
pub(super) const OF_NODES: &[&str] = &graph_labels::joined::<{ graph_labels::OF_NODES.len() + OWN_OF_NODES.len() }>(
    &graph_labels::OF_NODES,
    OWN_OF_NODES,
);

const OWN_LASTING: &[&str] = &[
    "calico_ipv4pool",
    "calico_ipv4pool_ipip",
    "cilium_ipv4pool",
    "cloud_provider_enabled",
    "dns_cluster_domain",
    "etcd_blockdevice_size",
    "etcd_blockdevice_volume_az",
    "etcd_blockdevice_volume_type",
    "etcd_volume_size",
    "etcd_volume_type",
    "flannel_backend",
    "flannel_network_cidr",
    "flannel_network_subnetlen",
    "nodeport_allowed_cidrs",
    "service_cluster_ip_range",
];

/// Labels that shaped networks, volumes, balancers and zones when the cluster was made.
pub(super) const LASTING: &[&str] =
    &graph_labels::joined::<{ graph_labels::LASTING.len() + OWN_LASTING.len() }>(&graph_labels::LASTING, OWN_LASTING);

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
    use super::*;

    #[test]
    fn a_control_plane_takes_one_minor_version_at_a_time() {
        assert_eq!(too_far("v1.33.9", "v1.34.0"), None);
        assert_eq!(too_far("v1.33.1", "v1.33.9"), None);
        assert_eq!(too_far("latest", "v1.40.0"), None);
        assert_eq!(too_far("v1.33.0", "v1.35.0").unwrap(), "v1.33 or v1.34: one minor version at a time");
    }
}

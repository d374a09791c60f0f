//! What the labels and fields of a request come to, with defaults filled in.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;

use super::{COE, options};
use crate::graph::request::{ipv4, problem};
use crate::values::Labels;
use crate::{Desired, Problem};

/// Who connects pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NetworkDriver {
    Flannel,
    Calico,
    Cilium,
}

impl NetworkDriver {
    /// As the API spells it.
    pub(super) const NAMES: &[(&str, Self)] =
        &[("flannel", Self::Flannel), ("calico", Self::Calico), ("cilium", Self::Cilium)];

    /// As the API spells it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Flannel => "flannel",
            Self::Calico => "calico",
            Self::Cilium => "cilium",
        }
    }

    /// The label that holds the pod network.
    pub(super) fn pool_label(self) -> &'static str {
        match self {
            Self::Flannel => "flannel_network_cidr",
            Self::Calico => "calico_ipv4pool",
            Self::Cilium => "cilium_ipv4pool",
        }
    }
}

/// The values of a Kubernetes cluster's labels.
pub(super) fn labels(given: &BTreeMap<String, String>) -> Labels<'_> {
    COE.values(given)
}

/// GiB of etcd's volume, by either of its labels; 0 when there is none.
pub(super) fn etcd_volume_size(labels: Labels<'_>) -> u32 {
    labels.number("etcd_volume_size").max(labels.number("etcd_blockdevice_size"))
}

/// A request in our own terms.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) network_driver: NetworkDriver,
    pub(super) api_port: u16,
    pub(super) pod_cidr: Ipv4Net,
    pub(super) service_cidr: Ipv4Net,
    /// Of the subnet that the stack makes, when it makes one.
    pub(super) subnet_cidr: Ipv4Net,
    pub(super) api_cidrs: Vec<String>,
    pub(super) node_port_cidrs: Vec<String>,
    pub(super) flannel_backend: String,
    pub(super) ipip: String,
    /// Normalised options by label.
    pub(super) options: BTreeMap<&'static str, String>,
    pub(super) admission_plugins: String,
}

/// Plugins that Kubernetes had once and an API server now refuses to start with.
const DROPPED_PLUGINS: &[&str] = &[
    "DenyEscalatingExec",
    "DenyExecOnPrivileged",
    "InitialResources",
    "PersistentVolumeLabel",
    "PodPreset",
    "PodSecurityPolicy",
    "SecurityContextDeny",
];

impl Settings {
    /// The settings, or everything that keeps a request from having any.
    pub(super) fn of(desired: &Desired) -> Result<Self, Vec<Problem>> {
        let labels = labels(&desired.labels);
        let mut problems = Vec::new();
        let driver = desired.network_driver.as_deref().filter(|name| !name.is_empty()).unwrap_or("flannel");
        let network_driver = NetworkDriver::NAMES.iter().find(|(name, _)| *name == driver).map(|(_, driver)| *driver);
        if network_driver.is_none() {
            problems.push(problem("network_driver", driver, "flannel, calico or cilium"));
        }
        let network_driver = network_driver.unwrap_or(NetworkDriver::Flannel);
        let mut network = |key: &str| {
            let text = labels.text(key);
            ipv4(text).unwrap_or_else(|| {
                problems.push(problem(&format!("labels.{key}"), text, "an IPv4 network without host bits"));
                Ipv4Net::default()
            })
        };
        let (pod_cidr, service_cidr) = (network(network_driver.pool_label()), network("service_cluster_ip_range"));
        let subnet_cidr = network("fixed_subnet_cidr");
        let mut normalized = BTreeMap::new();
        for (key, _) in options::LABELS {
            match options::normalize(key, labels.text(key)) {
                Ok(text) => _ = normalized.insert(*key, text),
                Err(refused) => problems.push(problem(
                    &format!("labels.{key}"),
                    &refused,
                    "options that neither name files nor decide access, and are not set by the cluster itself or other labels",
                )),
            }
        }
        let mut api_cidrs = labels.list("master_lb_allowed_cidrs");
        api_cidrs.extend(labels.list("api_master_lb_allowed_cidrs"));
        let settings = Self {
            network_driver,
            api_port: desired.apiserver_port.unwrap_or(6443),
            pod_cidr,
            service_cidr,
            subnet_cidr,
            api_cidrs,
            node_port_cidrs: labels.list("nodeport_allowed_cidrs"),
            flannel_backend: labels.text("flannel_backend").to_owned(),
            ipip: labels.text("calico_ipv4pool_ipip").to_owned(),
            options: normalized,
            admission_plugins: admission_plugins(&labels.list("admission_control_list")),
        };
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }
}

/// NodeRestriction first, then what was asked for and still exists, each once.
fn admission_plugins(asked: &[String]) -> String {
    let mut plugins = vec!["NodeRestriction"];
    for plugin in asked.iter().map(String::as_str) {
        if !DROPPED_PLUGINS.contains(&plugin) && !plugins.contains(&plugin) {
            plugins.push(plugin);
        }
    }
    plugins.join(",")
}

/// What comes to nothing, though nothing is wrong with it.
pub(super) fn notes(labels: Labels<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let asked = labels.list("admission_control_list");
    let dropped: Vec<_> =
        DROPPED_PLUGINS.iter().copied().filter(|plugin| asked.iter().any(|asked| asked == plugin)).collect();
    if !dropped.is_empty() {
        let dropped = dropped.join(", ");
        notes.push(format!("labels.admission_control_list is taken without {dropped}, which Kubernetes has no more"));
    }
    let of_packages = ["cni_plugins_url", "containerd_tarball_url", "kube_packages_url", "kube_tarball_url"];
    let unused =
        of_packages.iter().filter(|key| labels.text("kube_install") == "image" && !labels.text(key).is_empty());
    notes.extend(unused.map(|key| format!("labels.{key} has no effect: kube_install is image")));
    notes
}

#[cfg(test)]
mod tests {
    use super::admission_plugins;

    #[test]
    fn node_restriction_comes_first_and_dropped_plugins_go() {
        let asked = ["AlwaysPullImages", "PodSecurityPolicy", "NodeRestriction", "AlwaysPullImages"].map(str::to_owned);
        assert_eq!(admission_plugins(&asked), "NodeRestriction,AlwaysPullImages");
    }
}

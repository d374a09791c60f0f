//! Kubernetes on Heat: kubeadm, containerd and an etcd of its own, on Ubuntu, Debian, Fedora CoreOS and Flatcar.

mod check;
mod environment;
mod labels;
mod options;
mod ports;
mod profiles;
mod settings;
mod upgrade;

use std::collections::BTreeMap;
use std::net::IpAddr;

use self::settings::Settings;
use crate::graph::{self, Coe, Listener, Monitor, Plan, StateVolume, request};
use crate::{
    Addresses, ClusterSpec, Desired, Driver, Health, Image, Label, Outputs, Problem, Profile, Provides, RenderError,
    Role, Stack, Transition,
};

/// The driver.
pub(crate) struct Kubernetes;

/// What Kubernetes calls things.
const COE: Coe = Coe {
    folder: "kubernetes",
    title: "Kubernetes",
    prefix: "KUBE",
    workers: "kube_minions",
    member: "kube-minion",
    labels: labels::LABELS,
    of_nodes: upgrade::OF_NODES,
    profiles: profiles::of,
};

const fn on(os_distro: &'static str) -> Provides {
    Provides { server_type: "vm", os_distro, coe: "kubernetes" }
}

const PROVIDES: &[Provides] = &[on("ubuntu"), on("debian"), on("fedora-coreos"), on("flatcar")];

impl Driver for Kubernetes {
    fn name(&self) -> &'static str {
        "kubernetes"
    }

    fn provides(&self) -> &'static [Provides] {
        PROVIDES
    }

    fn network_drivers(&self) -> &'static [&'static str] {
        &["flannel", "calico", "cilium"]
    }

    fn volume_drivers(&self) -> &'static [&'static str] {
        &["cinder"]
    }

    fn labels(&self) -> &'static [Label] {
        labels::LABELS
    }

    fn check(&self, desired: &Desired) -> Vec<Problem> {
        check::desired(desired)
    }

    fn notes(&self, desired: &Desired) -> Vec<String> {
        let registry =
            desired.registry_enabled.then(|| "registry_enabled has no effect: run a registry in a pod".to_owned());
        registry.into_iter().chain(settings::notes(settings::labels(&desired.labels))).collect()
    }

    fn stack(&self, spec: &ClusterSpec) -> Result<Stack, RenderError> {
        let settings = checked(spec)?;
        with_plan(spec, &settings, |plan| graph::cluster(plan, None))
    }

    fn transition(&self, spec: &ClusterSpec, transition: &Transition) -> Result<Stack, RenderError> {
        let settings = checked(spec)?;
        with_plan(spec, &settings, |plan| graph::cluster(plan, Some(transition)))
    }

    fn nodegroup(
        &self,
        spec: &ClusterSpec,
        cluster: &Outputs,
        transition: Option<&Transition>,
    ) -> Result<Stack, RenderError> {
        let spec = graph::of_nodegroup(&COE, spec);
        let settings = checked(&spec)?;
        with_plan(&spec, &settings, |plan| graph::nodegroup(plan, cluster, transition))
    }

    fn has_nodegroups(&self) -> bool {
        true
    }

    fn health(&self) -> Health {
        Health::Kubernetes
    }

    fn marks_nodes(&self) -> bool {
        true
    }

    fn node_labels(&self) -> &'static [&'static str] {
        upgrade::OF_NODES
    }

    fn lasting_labels(&self) -> &'static [&'static str] {
        upgrade::LASTING
    }

    fn version(&self, labels: &BTreeMap<String, String>, image: &Image) -> Option<String> {
        environment::kube_version(labels, image)
    }

    fn too_far(&self, before: &str, after: &str) -> Option<String> {
        upgrade::too_far(before, after)
    }

    fn programs(&self) -> (&'static str, &'static str) {
        ("kubelet", "containerd")
    }

    fn irreplaceable(&self, desired: &Desired) -> Option<String> {
        upgrade::irreplaceable(desired)
    }

    /// The cloud controller manager and the Octavia ingress controller say so of the cluster that
    /// `--cluster-name` tells them.
    fn made_inside(&self, cluster_uuid: &str) -> Option<String> {
        Some(format!(" from cluster {cluster_uuid}"))
    }

    fn read(&self, outputs: &Outputs) -> Addresses {
        graph::addresses(outputs, "https", 6443)
    }

    fn profiles(&self, role: Role) -> &'static [Profile] {
        profiles::of(role)
    }

    fn alternative_names(&self, desired: &Desired, role: Role) -> Vec<String> {
        if role == Role::Worker {
            return Vec::new();
        }
        let labels = settings::labels(&desired.labels);
        let service = "kubernetes.default.svc";
        let domain = format!("{service}.{}", labels.text("dns_cluster_domain"));
        let fixed = ["localhost", "kubernetes", "kubernetes.default", service, &domain].map(str::to_owned);
        let given = labels.list("api_server_cert_sans").into_iter().filter(|name| name.parse::<IpAddr>().is_err());
        fixed.into_iter().chain(given).collect()
    }

    /// A control plane node serves the API at its own, the load balancer's and floating addresses, which only Heat
    /// knows; it is trusted with the cluster anyway. A worker has its address in the subnet.
    fn networks(&self, desired: &Desired, role: Role, subnet: Option<&str>) -> Vec<String> {
        match (role, subnet) {
            (Role::Master, _) => vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()],
            (Role::Worker, Some(subnet)) => vec![subnet.to_owned()],
            (Role::Worker, None) => {
                Settings::of(desired).map(|settings| settings.subnet_cidr.to_string()).into_iter().collect()
            }
        }
    }
}

/// The settings of a specification in which nothing is wrong.
fn checked(spec: &ClusterSpec) -> Result<Settings, RenderError> {
    let problems = check::desired(&spec.desired);
    let settings = Settings::of(&spec.desired).map_err(RenderError::Refused)?;
    graph::refuse(problems.into_iter().chain(check::facts(spec, &settings)).collect())?;
    Ok(settings)
}

/// Calls with what Kubernetes makes of the graph.
fn with_plan<T>(spec: &ClusterSpec, settings: &Settings, call: impl FnOnce(&Plan<'_>) -> T) -> T {
    let labels = settings::labels(&spec.desired.labels);
    let size = settings::etcd_volume_size(labels);
    let etcd = || StateVolume {
        name: "etcd",
        marker: "@@ETCD_VOLUME@@",
        size,
        r#type: labels.some("etcd_volume_type").or_else(|| labels.some("etcd_blockdevice_volume_type")),
        zone: labels.some("etcd_blockdevice_volume_az"),
    };
    let ready = Monitor { r#type: "HTTPS", url_path: Some("/readyz") };
    call(&Plan {
        coe: &COE,
        spec,
        api_port: settings.api_port,
        listeners: vec![Listener { name: "api", port: settings.api_port, monitor: Some(ready) }],
        api_cidrs: settings.api_cidrs.clone(),
        service_cidrs: settings.node_port_cidrs.clone(),
        subnet_cidr: graph::subnet_cidr(spec, settings.subnet_cidr),
        name_servers: request::name_servers(&spec.desired),
        pod_cidr: Some(settings.pod_cidr.to_string()),
        needs: ports::needs(settings, spec.ssh_public_key.is_some()),
        state_volume: (size > 0).then(etcd),
        own: &|node| environment::of(node, settings),
    })
}

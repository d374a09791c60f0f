//! Docker in Swarm mode on Heat, on Ubuntu, Debian, Fedora CoreOS and Flatcar. The classic Swarm that used to answer to
//! `swarm` is gone: the word now means the same as `swarm-mode`.

mod check;
mod labels;
mod ports;
mod replace;

use std::net::IpAddr;

use crate::graph::{self, Coe, Listener, Monitor, Plan, request};
use crate::node::{Node, Own, given};
use crate::{
    Addresses, Ca, ClusterSpec, Desired, Driver, Health, Label, Outputs, Problem, Profile, Provides, RenderError, Role,
    Stack, Transition, Usage,
};

/// The driver.
pub(crate) struct Swarm;

/// What Swarm calls things.
const COE: Coe = Coe {
    folder: "swarm",
    title: "Swarm",
    prefix: "SWARM",
    workers: "swarm_nodes",
    member: "swarm-node",
    labels: labels::LABELS,
    of_nodes: replace::OF_NODES,
    profiles: |_| PROFILES,
};

/// Docker's port with TLS.
const API_PORT: u16 = 2376;

const fn on(os_distro: &'static str, coe: &'static str) -> Provides {
    Provides { server_type: "vm", os_distro, coe }
}

const PROVIDES: &[Provides] = &[
    on("ubuntu", "swarm-mode"),
    on("debian", "swarm-mode"),
    on("fedora-coreos", "swarm-mode"),
    on("flatcar", "swarm-mode"),
    on("ubuntu", "swarm"),
    on("debian", "swarm"),
    on("fedora-coreos", "swarm"),
    on("flatcar", "swarm"),
];

/// One for each node, by which it is known; on managers Docker's API shows it. It is none for clients: who holds a
/// client's certificate of the cluster is root on the managers.
const PROFILES: &[Profile] = &[Profile {
    name: "docker",
    ca: Ca::Kubernetes,
    common_name: "system:node:{node}",
    organization: Some("system:nodes"),
    usage: Usage::Server,
    alternative_names: true,
}];

impl Driver for Swarm {
    fn name(&self) -> &'static str {
        "swarm"
    }

    fn provides(&self) -> &'static [Provides] {
        PROVIDES
    }

    fn labels(&self) -> &'static [Label] {
        labels::LABELS
    }

    fn check(&self, desired: &Desired) -> Vec<Problem> {
        check::desired(desired)
    }

    fn notes(&self, desired: &Desired) -> Vec<String> {
        let classic = (desired.coe == "swarm").then(|| {
            "coe is swarm, but classic Swarm is gone: the cluster is built in Swarm mode, as with coe swarm-mode"
                .to_owned()
        });
        let registry =
            desired.registry_enabled.then(|| "registry_enabled has no effect: run a registry as a service".to_owned());
        let open = desired.tls_disabled.then(|| {
            "tls_disabled: whoever reaches a manager's Docker API, containers on any node included, is root on all \
             nodes; labels.master_lb_allowed_cidrs says who from outside may"
                .to_owned()
        });
        classic.into_iter().chain(registry).chain(open).collect()
    }

    fn stack(&self, spec: &ClusterSpec) -> Result<Stack, RenderError> {
        checked(spec)?;
        with_plan(spec, |plan| graph::cluster(plan, None))
    }

    fn transition(&self, spec: &ClusterSpec, transition: &Transition) -> Result<Stack, RenderError> {
        checked(spec)?;
        with_plan(spec, |plan| graph::cluster(plan, Some(transition)))
    }

    fn nodegroup(
        &self,
        spec: &ClusterSpec,
        cluster: &Outputs,
        transition: Option<&Transition>,
    ) -> Result<Stack, RenderError> {
        let spec = graph::of_nodegroup(&COE, spec);
        checked(&spec)?;
        with_plan(&spec, |plan| graph::nodegroup(plan, cluster, transition))
    }

    fn has_nodegroups(&self) -> bool {
        true
    }

    fn has_join_tokens(&self) -> bool {
        true
    }

    fn node_labels(&self) -> &'static [&'static str] {
        replace::OF_NODES
    }

    fn lasting_labels(&self) -> &'static [&'static str] {
        replace::LASTING
    }

    /// Swarm is a part of Docker.
    fn programs(&self) -> (&'static str, &'static str) {
        ("docker", "docker")
    }

    fn health(&self) -> Health {
        Health::Docker
    }

    fn drains(&self) -> bool {
        true
    }

    fn irreplaceable(&self, desired: &Desired) -> Option<String> {
        replace::irreplaceable(desired)
    }

    fn read(&self, outputs: &Outputs) -> Addresses {
        graph::addresses(outputs, "tcp", API_PORT.into())
    }

    fn profiles(&self, _: Role) -> &'static [Profile] {
        PROFILES
    }

    fn alternative_names(&self, desired: &Desired, role: Role) -> Vec<String> {
        if role == Role::Worker {
            return Vec::new();
        }
        let given = COE.values(&desired.labels).list("api_server_cert_sans");
        let given = given.into_iter().filter(|name| name.parse::<IpAddr>().is_err());
        std::iter::once("localhost".to_owned()).chain(given).collect()
    }

    /// A manager serves the API at its own, the load balancer's and floating addresses, which only Heat knows; it is
    /// trusted with the cluster anyway. A worker has its address in the subnet.
    fn networks(&self, desired: &Desired, role: Role, subnet: Option<&str>) -> Vec<String> {
        match (role, subnet) {
            (Role::Master, _) => vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()],
            (Role::Worker, Some(subnet)) => vec![subnet.to_owned()],
            (Role::Worker, None) => vec![COE.values(&desired.labels).text("fixed_subnet_cidr").to_owned()],
        }
    }
}

/// Nothing is wrong with the specification.
fn checked(spec: &ClusterSpec) -> Result<(), RenderError> {
    graph::refuse(check::desired(&spec.desired).into_iter().chain(check::facts(spec)).collect())
}

/// Calls with what Swarm makes of the graph.
fn with_plan<T>(spec: &ClusterSpec, call: impl FnOnce(&Plan<'_>) -> T) -> T {
    let labels = COE.values(&spec.desired.labels);
    let api_port = spec.desired.apiserver_port.unwrap_or(API_PORT);
    let mut api_cidrs = labels.list("master_lb_allowed_cidrs");
    api_cidrs.extend(labels.list("api_master_lb_allowed_cidrs"));
    // Docker's API tells nothing to whoever has no certificate, so that the port is all there is to watch.
    let monitor = Some(Monitor { r#type: "TCP", url_path: None });
    call(&Plan {
        coe: &COE,
        spec,
        api_port,
        listeners: vec![Listener { name: "api", port: api_port, monitor }],
        api_cidrs,
        service_cidrs: labels.list("nodeport_allowed_cidrs"),
        subnet_cidr: graph::subnet_cidr(spec, labels.text("fixed_subnet_cidr")),
        name_servers: request::name_servers(&spec.desired),
        pod_cidr: None,
        needs: ports::needs(spec.ssh_public_key.is_some()),
        state_volume: None,
        own: &own,
    })
}

/// What nodes of a swarm are told besides what all nodes are told.
fn own(node: &Node<'_>) -> Own {
    let labels = COE.values(&node.spec.desired.labels);
    let name = |name: &String| {
        let kind = if name.parse::<IpAddr>().is_ok() { "IP" } else { "DNS" };
        format!("{kind}:{name}")
    };
    Own {
        settings: vec![
            ("RUNTIME_VOLUME", node.runtime_volume()),
            ("SWARM_STATE", given(if node.rejoins { "existing" } else { "new" })),
            ("SWARM_TLS", given(!node.spec.desired.tls_disabled)),
            ("SWARM_AUTOLOCK", given(labels.flag("swarm_autolock") == Some(true))),
            ("DOCKER_PACKAGE", given(labels.text("docker_package"))),
            ("DOCKER_PACKAGES_URL", given(labels.text("docker_packages_url").trim_end_matches('/'))),
        ],
        alternative_names: labels.list("api_server_cert_sans").iter().map(name).collect(),
        ..Own::default()
    }
}

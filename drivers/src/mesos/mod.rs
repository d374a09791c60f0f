//! Apache Mesos on Heat: masters with a ZooKeeper ensemble of their own, Marathon where it is wanted, agents. On Debian
//! and Ubuntu, from images or packages that the operator brings: nobody publishes Mesos any more.

mod check;
mod environment;
mod labels;
mod ports;
mod profiles;
mod replace;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::graph::{self, Coe, Listener, Monitor, Plan, request};
use crate::{
    Addresses, ClusterSpec, Desired, Driver, Health, Label, Outputs, Probe, Problem, Profile, Provides, RenderError,
    Role, Stack, Transition,
};

/// The driver.
pub(crate) struct Mesos;

/// What Mesos calls things.
const COE: Coe = Coe {
    folder: "mesos",
    title: "Mesos",
    prefix: "MESOS",
    workers: "mesos_slaves",
    member: "mesos-slave",
    labels: labels::LABELS,
    of_nodes: replace::OF_NODES,
    profiles: profiles::of,
};

/// The masters' port.
const API_PORT: u16 = 5050;

const fn on(os_distro: &'static str) -> Provides {
    Provides { server_type: "vm", os_distro, coe: "mesos" }
}

const PROVIDES: &[Provides] = &[on("ubuntu"), on("debian")];

impl Driver for Mesos {
    fn name(&self) -> &'static str {
        "mesos"
    }

    fn provides(&self) -> &'static [Provides] {
        PROVIDES
    }

    fn is_beta(&self) -> bool {
        true
    }

    fn labels(&self) -> &'static [Label] {
        labels::LABELS
    }

    fn check(&self, desired: &Desired) -> Vec<Problem> {
        check::desired(desired)
    }

    fn notes(&self, desired: &Desired) -> Vec<String> {
        check::notes(desired)
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

    fn has_agent_secret(&self) -> bool {
        true
    }

    fn node_labels(&self) -> &'static [&'static str] {
        replace::OF_NODES
    }

    fn lasting_labels(&self) -> &'static [&'static str] {
        replace::LASTING
    }

    fn programs(&self) -> (&'static str, &'static str) {
        ("mesos", "docker")
    }

    fn health(&self) -> Health {
        Health::Mesos
    }

    fn probes(&self, labels: &BTreeMap<String, String>, tls: bool) -> Vec<Probe> {
        let marathon = Probe { name: "marathon", port: ports::marathon(tls), path: "/ping" };
        (COE.values(labels).flag("marathon_enabled") == Some(true)).then_some(marathon).into_iter().collect()
    }

    fn drains(&self) -> bool {
        true
    }

    fn irreplaceable(&self, desired: &Desired) -> Option<String> {
        replace::irreplaceable(desired)
    }

    fn read(&self, outputs: &Outputs) -> Addresses {
        let scheme = outputs.get("api_scheme").and_then(Value::as_str).unwrap_or("https");
        graph::addresses(outputs, scheme, API_PORT.into())
    }

    fn profiles(&self, role: Role) -> &'static [Profile] {
        profiles::of(role)
    }

    fn alternative_names(&self, _: &Desired, role: Role) -> Vec<String> {
        match role {
            Role::Master => vec!["localhost".to_owned()],
            Role::Worker => Vec::new(),
        }
    }

    /// A master serves the API at its own, the load balancer's and floating addresses, which only Heat knows; it is
    /// trusted with the cluster anyway. A worker has its address in the subnet.
    fn networks(&self, desired: &Desired, role: Role, subnet: Option<&str>) -> Vec<String> {
        match (role, subnet) {
            (Role::Master, _) => vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()],
            (Role::Worker, Some(subnet)) => vec![subnet.to_owned()],
            (Role::Worker, None) => vec![COE.values(&desired.labels).text("fixed_subnet_cidr").to_owned()],
        }
    }
}

/// Whether Marathon runs on the masters.
fn has_marathon(desired: &Desired) -> bool {
    COE.values(&desired.labels).flag("marathon_enabled") == Some(true)
}

/// Nothing is wrong with the specification.
fn checked(spec: &ClusterSpec) -> Result<(), RenderError> {
    graph::refuse(check::desired(&spec.desired).into_iter().chain(check::facts(spec)).collect())
}

/// Calls with what Mesos makes of the graph.
fn with_plan<T>(spec: &ClusterSpec, call: impl FnOnce(&Plan<'_>) -> T) -> T {
    let (desired, labels) = (&spec.desired, COE.values(&spec.desired.labels));
    let api_port = desired.apiserver_port.unwrap_or(API_PORT);
    let mut api_cidrs = labels.list("master_lb_allowed_cidrs");
    api_cidrs.extend(labels.list("api_master_lb_allowed_cidrs"));
    call(&Plan {
        coe: &COE,
        spec,
        api_port,
        listeners: listeners(desired, api_port),
        api_cidrs,
        service_cidrs: labels.list("marathon_allowed_cidrs"),
        subnet_cidr: graph::subnet_cidr(spec, labels.text("fixed_subnet_cidr")),
        name_servers: request::name_servers(desired),
        pod_cidr: None,
        needs: ports::needs(desired, spec.ssh_public_key.is_some()),
        state_volume: None,
        own: &environment::of,
    })
}

/// With TLS a master answers to holders of a certificate alone, so that its port is all there is to watch.
fn listeners(desired: &Desired, api_port: u16) -> Vec<Listener> {
    let monitor = |r#type, url_path| Some(Monitor { r#type, url_path });
    let (api, marathon) = if desired.tls_disabled {
        (monitor("HTTP", Some("/health")), monitor("HTTP", Some("/ping")))
    } else {
        (monitor("TCP", None), monitor("HTTPS", Some("/ping")))
    };
    let mut listeners = vec![Listener { name: "api", port: api_port, monitor: api }];
    if has_marathon(desired) {
        listeners.push(Listener { name: "marathon", port: ports::marathon(!desired.tls_disabled), monitor: marathon });
    }
    listeners
}

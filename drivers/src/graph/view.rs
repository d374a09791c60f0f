//! What the templates see: every decision made, nothing left to compute.

use serde::Serialize;
use serde_json::{Value, json};

use super::ports::{Reach, SecurityGroup};
use super::{MASTER_USER_DATA, Plan, WORKER_TEMPLATE, WORKER_USER_DATA};
use crate::node::Node;
use crate::values::Labels;
use crate::{ClusterSpec, NodegroupSpec, Previous, Role, Transition};

/// GiB of a boot volume where the flavor has no disk and no label gives a size.
const BOOT_VOLUME_GIB: u32 = 20;

#[derive(Serialize)]
pub(super) struct View {
    description: String,
    coe: Names,
    stack_name: String,
    cluster_uuid: String,
    network: Network,
    security_groups: Vec<SecurityGroup>,
    server_group_policy: String,
    /// Whether the COE's API speaks TLS.
    tls: bool,
    load_balancer: Option<LoadBalancer>,
    floating: Floating,
    api_port: u16,
    pod_cidr: Option<String>,
    masters: Vec<Master>,
    /// Whether any of them is there: the only one is absent while it is replaced.
    has_masters: bool,
    master_group: Group,
    worker_group: Group,
    worker_prefix: String,
    state_volume: Option<StateVolume>,
    /// Networks besides the cluster's that servers are in.
    extra_networks: Vec<String>,
    /// Whether Nova is told to keep servers in failure domains of their own.
    different_failure_domain: bool,
    /// Values for Heat, with functions in them.
    api_address: Value,
    api_private_address: Value,
    master_addresses: Value,
    master_public_addresses: Value,
    worker_template: &'static str,
    master_user_data: &'static str,
    worker_user_data: &'static str,
    /// Whether nodes are being replaced.
    changing: bool,
    /// Members of the group of workers by an earlier definition: a parameter of the member's template and their indices.
    earlier: Vec<Earlier>,
}

/// What the COE calls things.
#[derive(Serialize)]
struct Names {
    title: &'static str,
    prefix: &'static str,
    workers: &'static str,
    member: &'static str,
}

/// Workers of an earlier definition.
#[derive(Serialize)]
pub(super) struct Earlier {
    pub(super) parameter: String,
    pub(super) members: String,
}

#[derive(Serialize)]
struct Network {
    /// Whether the stack makes it.
    own: bool,
    id: Value,
    subnet_id: Value,
    cidr: String,
    dns_nameservers: Vec<String>,
    external_id: String,
}

#[derive(Serialize)]
struct LoadBalancer {
    provider: String,
    algorithm: String,
    listeners: Vec<Balanced>,
}

/// A listener and who may use it; no networks mean that anybody may.
#[derive(Serialize)]
struct Balanced {
    #[serde(flatten)]
    listener: Listener,
    allowed_cidrs: Vec<String>,
}

/// A port that a load balancer listens to and hands on to the same port of the masters.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Listener {
    /// What its resources' names start with.
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    /// How masters are watched, if they are.
    pub(crate) monitor: Option<Monitor>,
}

/// How a load balancer learns that a master is well.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Monitor {
    /// As Octavia spells it.
    pub(crate) r#type: &'static str,
    /// What is asked for, with types that ask.
    pub(crate) url_path: Option<&'static str>,
}

/// A volume of a master that keeps the state of its COE.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StateVolume {
    /// As `etcd`: what the resource's name starts with.
    pub(crate) name: &'static str,
    /// What stands for the volume's identifier in user data.
    pub(crate) marker: &'static str,
    /// In GiB.
    pub(crate) size: u32,
    /// The volume's type; absent means the cloud's default.
    pub(crate) r#type: Option<String>,
    /// The volume's zone; absent means its master's.
    pub(crate) zone: Option<String>,
}

#[derive(Serialize)]
struct Floating {
    nodes: bool,
    api: bool,
}

#[derive(Serialize)]
struct Master {
    index: u32,
    name: String,
    zone: Option<String>,
    group: Group,
    /// Whether its server is there.
    present: bool,
}

#[derive(Serialize)]
struct Group {
    nodegroup: String,
    flavor: String,
    image: String,
    zone: Option<String>,
    boot_volume: Option<Volume>,
    runtime_volume: Option<Volume>,
}

#[derive(Serialize)]
struct Volume {
    size: u32,
    r#type: Option<String>,
}

impl View {
    /// The view of a request whose problems were looked for before.
    pub(super) fn of(plan: &Plan<'_>, transition: Option<&Transition>) -> Self {
        let (coe, spec) = (plan.coe, plan.spec);
        let labels = coe.values(&spec.desired.labels);
        let balanced = spec.desired.master_lb_enabled;
        let nodes = spec.desired.floating_ip_enabled;
        let floating =
            Floating { nodes, api: balanced && labels.flag("master_lb_floating_ip_enabled").unwrap_or(nodes) };
        let direct = !balanced || labels.text("octavia_provider") == "ovn";
        let reach = Reach {
            needs: &plan.needs,
            api_port: plan.api_port,
            api_cidrs: &plan.api_cidrs,
            service_cidrs: &plan.service_cidrs,
            subnet_cidr: &plan.subnet_cidr,
            api_users_direct: direct,
        };
        let master_addresses =
            masters(spec, |i| json!({ "get_attr": [format!("master_port_{i}"), "fixed_ips", 0, "ip_address"] }));
        let master_public_addresses = if nodes {
            masters(spec, |i| json!({ "get_attr": [format!("master_fip_{i}"), "floating_ip_address"] }))
        } else {
            master_addresses.clone()
        };
        let api_private_address =
            if balanced { json!({ "get_attr": ["api_lb", "vip_address"] }) } else { master_addresses[0].clone() };
        let api_address = match (balanced, floating.api) {
            (true, true) => json!({ "get_attr": ["api_fip", "floating_ip_address"] }),
            (true, false) => api_private_address.clone(),
            (false, _) => master_public_addresses[0].clone(),
        };
        let masters = master_list(plan, labels, transition);
        Self {
            description: format!("{} cluster {} ({})", coe.title, spec.desired.name, spec.uuid),
            coe: Names { title: coe.title, prefix: coe.prefix, workers: coe.workers, member: coe.member },
            stack_name: spec.stack_name.clone(),
            cluster_uuid: spec.uuid.clone(),
            security_groups: reach.groups(),
            network: network(plan),
            server_group_policy: labels.text("server_group_policies").to_owned(),
            tls: !spec.desired.tls_disabled,
            load_balancer: balanced.then(|| load_balancer(plan, labels)),
            floating,
            api_port: plan.api_port,
            pod_cidr: plan.pod_cidr.clone(),
            has_masters: masters.iter().any(|master| master.present),
            masters,
            master_group: group(plan, &spec.masters),
            worker_group: group(plan, &spec.workers),
            worker_prefix: spec.node_prefix(&spec.workers),
            state_volume: plan.state_volume.clone(),
            extra_networks: labels
                .some("extra_network_name")
                .into_iter()
                .chain(labels.list("extra_network_names"))
                .collect(),
            different_failure_domain: labels.flag("different_failure_domain") == Some(true),
            api_address,
            api_private_address,
            master_addresses,
            master_public_addresses,
            worker_template: WORKER_TEMPLATE,
            master_user_data: MASTER_USER_DATA,
            worker_user_data: WORKER_USER_DATA,
            changing: transition.is_some(),
            earlier: transition.map(earlier).unwrap_or_default(),
        }
    }

    /// The view of a nodegroup's own stack.
    pub(super) fn of_nodegroup(self) -> Self {
        Self { description: format!("A nodegroup: {}", self.description), ..self }
    }

    /// Whether any master is there.
    pub(super) fn has_masters(&self) -> bool {
        self.has_masters
    }

    /// The groups of workers that keep an earlier definition.
    pub(super) fn earlier(&self) -> &[Earlier] {
        &self.earlier
    }

    /// The same with workers as an earlier definition made them.
    pub(super) fn with_workers(mut self, plan: &Plan<'_>, previous: &Previous) -> Self {
        self.worker_group = group(plan, &as_before(&plan.spec.workers, previous));
        self
    }

    /// What decides the user data of a group's nodes; it names the markers that the templates give values to.
    pub(super) fn node<'a>(&self, plan: &Plan<'a>, group: &'a NodegroupSpec) -> Node<'a> {
        let view = match group.role {
            Role::Master => &self.master_group,
            Role::Worker => &self.worker_group,
        };
        Node {
            spec: plan.spec,
            group,
            prefix: plan.coe.prefix,
            api_port: plan.api_port,
            subnet_cidr: plan.subnet_cidr.clone(),
            api_floating: self.floating.api,
            state_volume: self.state_volume.is_some(),
            runtime_volume: view.runtime_volume.is_some(),
            rejoins: self.changing && group.role == Role::Master && plan.spec.masters.count > 1,
        }
    }
}

/// One value per master.
fn masters(spec: &ClusterSpec, value: impl Fn(u32) -> Value) -> Value {
    (0..spec.masters.count).map(value).collect()
}

fn master_list(plan: &Plan<'_>, labels: Labels<'_>, transition: Option<&Transition>) -> Vec<Master> {
    let spec = plan.spec;
    let mut zones = labels.list("control_plane_availability_zones");
    if zones.is_empty() {
        zones.extend(plan.coe.values(&spec.masters.labels).some("availability_zone"));
    }
    let zones = zones.iter().cycle().map(Some).chain(std::iter::repeat(None));
    let previous = |index: u32| transition?.previous.iter().find(|previous| previous.masters.contains(&index));
    let master = |(index, zone): (u32, Option<&String>)| Master {
        index,
        name: spec.node_name(&spec.masters, index),
        zone: zone.cloned(),
        group: match previous(index) {
            Some(previous) => group(plan, &as_before(&spec.masters, previous)),
            None => group(plan, &spec.masters),
        },
        present: transition.is_none_or(|transition| transition.absent_master != Some(index)),
    };
    (0..spec.masters.count).zip(zones).map(master).collect()
}

/// The group as an earlier definition had it.
fn as_before(group: &NodegroupSpec, previous: &Previous) -> NodegroupSpec {
    NodegroupSpec { image: previous.image.clone(), labels: previous.labels.clone(), ..group.clone() }
}

/// The parameters by which members know that an earlier definition is theirs.
fn earlier(transition: &Transition) -> Vec<Earlier> {
    let members = |previous: &Previous| previous.workers.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let earlier = |(index, previous)| Earlier { parameter: format!("earlier_{index}"), members: members(previous) };
    transition.previous.iter().enumerate().map(earlier).collect()
}

fn network(plan: &Plan<'_>) -> Network {
    let fixed = plan.spec.network.fixed.as_ref();
    Network {
        own: fixed.is_none(),
        id: fixed.map_or_else(|| json!({ "get_resource": "private_network" }), |fixed| json!(fixed.network_id)),
        subnet_id: fixed.map_or_else(|| json!({ "get_resource": "private_subnet" }), |fixed| json!(fixed.subnet_id)),
        cidr: plan.subnet_cidr.clone(),
        dns_nameservers: plan.name_servers.clone(),
        external_id: plan.spec.network.external_id.clone().unwrap_or_default(),
    }
}

fn load_balancer(plan: &Plan<'_>, labels: Labels<'_>) -> LoadBalancer {
    let provider = labels.text("octavia_provider");
    // OVN balances packets, not connections: it knows no other algorithm, and no monitor that speaks TLS.
    let ovn = provider == "ovn";
    let algorithm = labels.some("octavia_lb_algorithm");
    let algorithm = algorithm.unwrap_or_else(|| if ovn { "SOURCE_IP_PORT" } else { "ROUND_ROBIN" }.to_owned());
    let watched = labels.flag("octavia_lb_healthcheck") != Some(false);
    let plain = Monitor { r#type: "TCP", url_path: None };
    let listeners = plan.listeners.iter().enumerate().map(|(index, listener)| Balanced {
        listener: Listener {
            monitor: listener.monitor.filter(|_| watched).map(|monitor| if ovn { plain } else { monitor }),
            ..listener.clone()
        },
        allowed_cidrs: if index == 0 && plan.api_cidrs.is_empty() {
            Vec::new()
        } else {
            with_subnet(if index == 0 { &plan.api_cidrs } else { &plan.service_cidrs }, &plan.subnet_cidr)
        },
    });
    LoadBalancer { provider: provider.to_owned(), algorithm, listeners: listeners.collect() }
}

/// The networks and the cluster's subnet: nodes come through the balancer too.
fn with_subnet(networks: &[String], subnet: &str) -> Vec<String> {
    let mut all = networks.to_vec();
    all.push(subnet.to_owned());
    all.sort();
    all.dedup();
    all
}

fn group(plan: &Plan<'_>, group: &NodegroupSpec) -> Group {
    let labels = plan.coe.values(&group.labels);
    let boot = match labels.number("boot_volume_size") {
        0 if group.flavor.disk_gib == 0 => BOOT_VOLUME_GIB,
        size => size,
    };
    let boot = if boot == 0 { 0 } else { boot.max(group.image.min_disk_gib) };
    Group {
        nodegroup: group.name.clone(),
        flavor: group.flavor.id.clone(),
        image: group.image.id.clone(),
        zone: labels.some("availability_zone"),
        boot_volume: volume(boot, labels.some("boot_volume_type")),
        runtime_volume: volume(group.docker_volume_size.unwrap_or(0), labels.some("docker_volume_type")),
    }
}

/// A volume, when its size is not 0.
fn volume(size: u32, r#type: Option<String>) -> Option<Volume> {
    (size > 0).then_some(Volume { size, r#type })
}

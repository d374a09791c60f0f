//! Kubernetes on Heat: kubeadm, containerd and an etcd of its own, on Ubuntu, Debian, Fedora CoreOS and Flatcar.

mod check;
mod earlier;
mod environment;
mod first_boot;
mod labels;
mod options;
mod ports;
mod profiles;
mod settings;
mod upgrade;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use self::settings::Settings;
use self::view::View;
use crate::render::Renderer;
use crate::{
    Addresses, ClusterSpec, Desired, Driver, Image, Label, Outputs, Problem, Profile, Provides, RenderError, Role,
    Stack, Transition, hot,
};

/// The driver.
pub(crate) struct Kubernetes;

const TEMPLATES: &[(&str, &str)] = &[
    ("kubernetes/cluster.yaml", include_str!("../../../templates/kubernetes/cluster.yaml")),
    ("kubernetes/nodegroup.yaml", include_str!("../../../templates/kubernetes/nodegroup.yaml")),
    ("kubernetes/worker.yaml", include_str!("../../../templates/kubernetes/worker.yaml")),
];

/// The name under which the top template knows the member's.
const WORKER_TEMPLATE: &str = "worker.yaml";
const MASTER_USER_DATA: &str = "master-user-data";
const WORKER_USER_DATA: &str = "worker-user-data";

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

    fn labels(&self) -> &'static [Label] {
        labels::LABELS
    }

    fn check(&self, desired: &Desired) -> Vec<Problem> {
        check::desired(desired)
    }

    fn warnings(&self, labels: &BTreeMap<String, String>) -> Vec<String> {
        settings::warnings(settings::Labels(labels))
    }

    fn stack(&self, spec: &ClusterSpec) -> Result<Stack, RenderError> {
        cluster_stack(spec, None)
    }

    fn transition(&self, spec: &ClusterSpec, transition: &Transition) -> Result<Stack, RenderError> {
        cluster_stack(spec, Some(transition))
    }

    fn nodegroup(
        &self,
        spec: &ClusterSpec,
        cluster: &Outputs,
        transition: Option<&Transition>,
    ) -> Result<Stack, RenderError> {
        let mut spec = spec.clone();
        let own = spec.workers.labels.iter().filter(|(key, _)| upgrade::OF_NODES.contains(&key.as_str()));
        spec.desired.labels.extend(own.map(|(key, value)| (key.clone(), value.clone())));
        let settings = checked(&spec)?;
        let given = given(cluster)?;
        let mut parameters = Map::from_iter([
            ("network".to_owned(), json!(given.network)),
            ("subnet".to_owned(), json!(given.subnet)),
            ("security_group".to_owned(), json!(given.security_group)),
            ("api_private_address".to_owned(), json!(given.api_private_address)),
            ("master_addresses".to_owned(), json!(given.master_addresses)),
        ]);
        parameters.extend(size(&spec, transition));
        let view = View::of(&spec, &settings, transition).with(given);
        let renderer = Renderer::new(TEMPLATES)?;
        let template = renderer.document("kubernetes/nodegroup.yaml", &view)?;
        let nested = member(&renderer, &spec, &settings, &view, transition)?;
        let workers = first_boot::user_data(&view.node(&spec, &settings, &spec.workers), WORKER_USER_DATA)?;
        let files = files(&nested, [(WORKER_USER_DATA, workers)]);
        let hidden = BTreeMap::from([("worker_bootstrap_token".to_owned(), spec.tokens.worker.clone())]);
        let stack = Stack { template, files, parameters, hidden, timeout_mins: timeout(&spec) };
        understood("kubernetes/nodegroup.yaml", &stack, &nested)?;
        Ok(stack)
    }

    fn has_nodegroups(&self) -> bool {
        true
    }

    fn user_data_of_workers(&self) -> &'static str {
        WORKER_USER_DATA
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

    fn irreplaceable(&self, desired: &Desired) -> Option<String> {
        upgrade::irreplaceable(desired)
    }

    fn read(&self, outputs: &Outputs) -> Addresses {
        let port = outputs.get("api_port").and_then(number).unwrap_or(6443);
        let url = |name: &str| {
            let address = outputs.get(name).and_then(Value::as_str).filter(|address| !address.is_empty())?;
            let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
            Some(format!("https://{host}:{port}"))
        };
        let list = |name: &str| {
            let items = outputs.get(name).and_then(Value::as_array).into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Addresses {
            api_address: url("api_address"),
            api_private_address: url("api_private_address"),
            master_addresses: list("master_addresses"),
            node_addresses: list("node_addresses"),
        }
    }

    fn profiles(&self, role: Role) -> &'static [Profile] {
        profiles::of(role)
    }

    fn alternative_names(&self, desired: &Desired, role: Role) -> Vec<String> {
        if role == Role::Worker {
            return Vec::new();
        }
        let labels = settings::Labels(&desired.labels);
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

/// The stack of the cluster with its default nodegroups.
fn cluster_stack(spec: &ClusterSpec, transition: Option<&Transition>) -> Result<Stack, RenderError> {
    let settings = checked(spec)?;
    let view = View::of(spec, &settings, transition);
    let renderer = Renderer::new(TEMPLATES)?;
    let template = renderer.document("kubernetes/cluster.yaml", &view)?;
    let nested = member(&renderer, spec, &settings, &view, transition)?;
    let user_data = |group, name| first_boot::user_data(&view.node(spec, &settings, group), name);
    let mut files = files(&nested, [(WORKER_USER_DATA, user_data(&spec.workers, WORKER_USER_DATA)?)]);
    let mut hidden = BTreeMap::from([("worker_bootstrap_token".to_owned(), spec.tokens.worker.clone())]);
    if view.has_masters() {
        files.insert(MASTER_USER_DATA.to_owned(), user_data(&spec.masters, MASTER_USER_DATA)?);
        hidden.insert("master_bootstrap_token".to_owned(), spec.tokens.master.clone());
    }
    let parameters = size(spec, transition).into_iter().collect();
    let stack = Stack { template, files, parameters, hidden, timeout_mins: timeout(spec) };
    understood("kubernetes/cluster.yaml", &stack, &nested)?;
    Ok(stack)
}

/// The settings of a specification in which nothing is wrong.
fn checked(spec: &ClusterSpec) -> Result<Settings, RenderError> {
    let problems = check::desired(&spec.desired);
    let settings = Settings::of(&spec.desired).map_err(RenderError::Refused)?;
    let problems: Vec<Problem> = problems.into_iter().chain(check::facts(spec, &settings)).collect();
    if problems.is_empty() { Ok(settings) } else { Err(RenderError::Refused(problems)) }
}

/// The template of the group's members by its name.
fn member(
    renderer: &Renderer,
    spec: &ClusterSpec,
    settings: &Settings,
    view: &View,
    transition: Option<&Transition>,
) -> Result<BTreeMap<String, Value>, RenderError> {
    let document = |view: &View| renderer.document("kubernetes/worker.yaml", view);
    let previous = transition.map(|transition| transition.previous.as_slice()).unwrap_or_default();
    let before = view.earlier().iter().zip(previous).map(|(earlier, previous)| {
        Ok((earlier, document(&View::of(spec, settings, transition).with_workers(spec, previous))?))
    });
    let before = before.collect::<Result<Vec<_>, RenderError>>()?;
    Ok(BTreeMap::from([(WORKER_TEMPLATE.to_owned(), earlier::joined(&document(view)?, &before)?)]))
}

/// Everything that goes beside the top template.
fn files<const N: usize>(nested: &BTreeMap<String, Value>, user_data: [(&str, String); N]) -> BTreeMap<String, String> {
    let nested = nested.iter().map(|(name, document)| (name.clone(), document.to_string()));
    nested.chain(user_data.into_iter().map(|(name, text)| (name.to_owned(), text))).collect()
}

/// The parameters that change when a group grows or shrinks.
fn size(spec: &ClusterSpec, transition: Option<&Transition>) -> [(String, Value); 2] {
    let leaving = transition.map(|transition| transition.leaving.as_slice()).unwrap_or_default();
    let leaving: Vec<String> = leaving.iter().map(u32::to_string).collect();
    [("node_count".to_owned(), json!(spec.workers.count)), ("nodes_to_remove".to_owned(), json!(leaving))]
}

fn timeout(spec: &ClusterSpec) -> Option<u32> {
    spec.desired.create_timeout.filter(|minutes| *minutes > 0)
}

/// What a nodegroup's stack needs of its cluster's.
fn given(outputs: &Outputs) -> Result<view::Given, RenderError> {
    let missing = |name: &str| RenderError::Document {
        name: "kubernetes/nodegroup.yaml".to_owned(),
        cause: format!("the cluster's stack has no output {name}"),
    };
    let text = |name: &str| {
        let text = outputs.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| missing(name))
    };
    let masters = outputs.get("master_addresses_private").and_then(Value::as_array);
    let masters: Vec<_> = masters.into_iter().flatten().filter_map(Value::as_str).collect();
    if masters.is_empty() {
        return Err(missing("master_addresses_private"));
    }
    Ok(view::Given {
        network: text("network_id")?,
        subnet: text("subnet_id")?,
        security_group: text("secgroup_worker_id")?,
        api_private_address: text("api_private_address")?,
        master_addresses: masters.join(","),
    })
}

/// A number that may have become text on its way through Heat.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// The range of the subnet that nodes are in.
fn subnet_cidr(spec: &ClusterSpec, settings: &Settings) -> String {
    spec.network.fixed.as_ref().map_or_else(|| settings.subnet_cidr.to_string(), |fixed| fixed.cidr.clone())
}

/// Heat will understand the stack.
fn understood(name: &str, stack: &Stack, nested: &BTreeMap<String, Value>) -> Result<(), RenderError> {
    let found = hot::check(&hot::Submission {
        template: &stack.template,
        nested,
        files: stack.files.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        parameters: &stack.parameters,
        hidden: stack.hidden.keys().map(String::as_str).collect(),
    });
    if found.is_empty() {
        return Ok(());
    }
    Err(RenderError::Document { name: name.to_owned(), cause: found.join("; ") })
}

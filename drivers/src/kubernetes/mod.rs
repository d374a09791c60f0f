//! Kubernetes on Heat: kubeadm, containerd and an etcd of its own, on Ubuntu, Debian, Fedora CoreOS and Flatcar.

mod check;
mod environment;
mod first_boot;
mod labels;
mod options;
mod ports;
mod profiles;
mod settings;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use self::settings::Settings;
use crate::render::Renderer;
use crate::{
    Addresses, ClusterSpec, Desired, Driver, Label, Outputs, Problem, Profile, Provides, RenderError, Role, Stack, hot,
};

/// The driver.
pub(crate) struct Kubernetes;

const TEMPLATES: &[(&str, &str)] = &[
    ("kubernetes/cluster.yaml", include_str!("../../../templates/kubernetes/cluster.yaml")),
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

    fn stack(&self, spec: &ClusterSpec) -> Result<Stack, RenderError> {
        let problems = check::desired(&spec.desired);
        let settings = Settings::of(&spec.desired).map_err(RenderError::Refused)?;
        let problems: Vec<Problem> = problems.into_iter().chain(check::facts(spec, &settings)).collect();
        if !problems.is_empty() {
            return Err(RenderError::Refused(problems));
        }
        let view = view::View::of(spec, &settings);
        let renderer = Renderer::new(TEMPLATES)?;
        let template = renderer.document("kubernetes/cluster.yaml", &view)?;
        let nested =
            BTreeMap::from([(WORKER_TEMPLATE.to_owned(), renderer.document("kubernetes/worker.yaml", &view)?)]);
        let mut files: BTreeMap<String, String> =
            nested.iter().map(|(name, document)| (name.clone(), document.to_string())).collect();
        for (name, group) in [(MASTER_USER_DATA, &spec.masters), (WORKER_USER_DATA, &spec.workers)] {
            files.insert(name.to_owned(), first_boot::user_data(&view.node(spec, &settings, group), name)?);
        }
        let parameters = Map::from_iter([
            ("node_count".to_owned(), json!(spec.workers.count)),
            ("nodes_to_remove".to_owned(), json!([])),
        ]);
        let hidden = BTreeMap::from([
            ("master_bootstrap_token".to_owned(), spec.tokens.master.clone()),
            ("worker_bootstrap_token".to_owned(), spec.tokens.worker.clone()),
        ]);
        let stack = Stack {
            template,
            files,
            parameters,
            hidden,
            timeout_mins: spec.desired.create_timeout.filter(|minutes| *minutes > 0),
        };
        understood(&stack, &nested)?;
        Ok(stack)
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

/// A number that may have become text on its way through Heat.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// The range of the subnet that nodes are in.
fn subnet_cidr(spec: &ClusterSpec, settings: &Settings) -> String {
    spec.network.fixed.as_ref().map_or_else(|| settings.subnet_cidr.to_string(), |fixed| fixed.cidr.clone())
}

/// Heat will understand the stack.
fn understood(stack: &Stack, nested: &BTreeMap<String, Value>) -> Result<(), RenderError> {
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
    Err(RenderError::Document { name: "kubernetes/cluster.yaml".to_owned(), cause: found.join("; ") })
}

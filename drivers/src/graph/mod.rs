//! The stack that all COEs share: network, security groups, server groups, load balancer, masters one by one with their
//! ports and volumes, workers in a group, outputs. A COE says in a [`Plan`] what is its own.

mod earlier;
pub(crate) mod labels;
mod outputs;
pub(crate) mod ports;
pub(crate) mod request;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

pub(crate) use self::outputs::addresses;
use self::ports::Need;
use self::view::View;
pub(crate) use self::view::{Listener, Monitor, StateVolume};
use crate::node::{Node, Own};
use crate::render::Renderer;
use crate::values::Labels;
use crate::{ClusterSpec, Label, Outputs, Problem, Profile, RenderError, Role, Stack, Transition, hot, templates};

/// The name under which the top template knows the member's.
const WORKER_TEMPLATE: &str = "worker.yaml";
const MASTER_USER_DATA: &str = "master-user-data";
pub(crate) const WORKER_USER_DATA: &str = "worker-user-data";

/// What a COE calls things, the same for all its clusters.
pub(crate) struct Coe {
    /// Its folder below `templates/`.
    pub(crate) folder: &'static str,
    /// As people write it.
    pub(crate) title: &'static str,
    /// What settings of nodes about its API start with: `KUBE` gives `KUBE_API_ADDRESS`.
    pub(crate) prefix: &'static str,
    /// The resource that is the group of workers.
    pub(crate) workers: &'static str,
    /// The resource that is the server in a member of that group.
    pub(crate) member: &'static str,
    /// Its labels.
    pub(crate) labels: &'static [Label],
    /// Labels that say what one node is like.
    pub(crate) of_nodes: &'static [&'static str],
    /// The certificates that nodes may ask for.
    pub(crate) profiles: fn(Role) -> &'static [Profile],
}

impl Coe {
    /// The values of these labels.
    pub(crate) fn values<'a>(&self, given: &'a BTreeMap<String, String>) -> Labels<'a> {
        Labels { schema: self.labels, given }
    }
}

/// What a COE makes of the graph for one cluster.
pub(crate) struct Plan<'a> {
    pub(crate) coe: &'static Coe,
    pub(crate) spec: &'a ClusterSpec,
    /// The port of the API; the first of `listeners` is on it.
    pub(crate) api_port: u16,
    /// What a load balancer listens to, if there is one: the API first, which `api_cidrs` may use, then what only
    /// `service_cidrs` may.
    pub(crate) listeners: Vec<Listener>,
    /// Networks from which the API may be used; none means any.
    pub(crate) api_cidrs: Vec<String>,
    /// Networks from which published services may be reached; none means the cluster's subnet.
    pub(crate) service_cidrs: Vec<String>,
    /// The range of the subnet that nodes are in.
    pub(crate) subnet_cidr: String,
    /// Name servers of a subnet that the stack makes.
    pub(crate) name_servers: Vec<String>,
    /// A network whose addresses nodes may send from besides their own.
    pub(crate) pod_cidr: Option<String>,
    /// The lines of the COE's table of ports that count.
    pub(crate) needs: Vec<&'static Need>,
    /// A volume that keeps a master's state.
    pub(crate) state_volume: Option<StateVolume>,
    /// What nodes are told besides what all nodes are told.
    pub(crate) own: &'a dyn Fn(&Node<'_>) -> Own,
}

/// The specification of a nodegroup's own stack: what its labels say of nodes counts before what the cluster's do.
pub(crate) fn of_nodegroup(coe: &Coe, spec: &ClusterSpec) -> ClusterSpec {
    let mut spec = spec.clone();
    let own = spec.workers.labels.iter().filter(|(key, _)| coe.of_nodes.contains(&key.as_str()));
    spec.desired.labels.extend(own.map(|(key, value)| (key.clone(), value.clone())));
    spec
}

/// The stack of the cluster with its default nodegroups.
///
/// # Errors
/// A template that does not render or is not valid HOT.
pub(crate) fn cluster(plan: &Plan<'_>, transition: Option<&Transition>) -> Result<Stack, RenderError> {
    let (coe, spec) = (plan.coe, plan.spec);
    let view = View::of(plan, transition);
    let renderer = Renderer::new(&templates::documents(coe.folder))?;
    let name = format!("{}/cluster.yaml", coe.folder);
    let template = renderer.document(&name, &view)?;
    let nested = member(&renderer, plan, &view, transition)?;
    let user_data = |group, name| view.node(plan, group).user_data(coe, plan.own, name);
    let mut files = files(&nested, [(WORKER_USER_DATA, user_data(&spec.workers, WORKER_USER_DATA)?)]);
    let mut hidden = BTreeMap::from([("worker_bootstrap_token".to_owned(), spec.tokens.worker.clone())]);
    if view.has_masters() {
        files.insert(MASTER_USER_DATA.to_owned(), user_data(&spec.masters, MASTER_USER_DATA)?);
        hidden.insert("master_bootstrap_token".to_owned(), spec.tokens.master.clone());
    }
    let parameters = size(spec, transition).into_iter().collect();
    let stack = Stack { template, files, parameters, hidden, timeout_mins: timeout(spec) };
    understood(&name, &stack, &nested)?;
    Ok(stack)
}

/// The stack of a nodegroup of its own; `outputs` are those of the cluster's stack.
///
/// # Errors
/// As [`cluster`]; an output that is needed and not there.
pub(crate) fn nodegroup(
    plan: &Plan<'_>,
    outputs: &Outputs,
    transition: Option<&Transition>,
) -> Result<Stack, RenderError> {
    let (coe, spec) = (plan.coe, plan.spec);
    let name = format!("{}/nodegroup.yaml", coe.folder);
    let given = outputs::given(&name, outputs)?;
    let mut parameters = Map::from_iter([
        ("network".to_owned(), json!(given.network)),
        ("subnet".to_owned(), json!(given.subnet)),
        ("security_groups".to_owned(), json!(given.security_groups)),
        ("api_private_address".to_owned(), json!(given.api_private_address)),
        ("master_addresses".to_owned(), json!(given.master_addresses)),
    ]);
    parameters.extend(size(spec, transition));
    let view = View::of(plan, transition).of_nodegroup();
    let renderer = Renderer::new(&templates::documents(coe.folder))?;
    let template = renderer.document(&name, &view)?;
    let nested = member(&renderer, plan, &view, transition)?;
    let workers = view.node(plan, &spec.workers).user_data(coe, plan.own, WORKER_USER_DATA)?;
    let files = files(&nested, [(WORKER_USER_DATA, workers)]);
    let hidden = BTreeMap::from([("worker_bootstrap_token".to_owned(), spec.tokens.worker.clone())]);
    let stack = Stack { template, files, parameters, hidden, timeout_mins: timeout(spec) };
    understood(&name, &stack, &nested)?;
    Ok(stack)
}

/// The template of the group's members by its name.
fn member(
    renderer: &Renderer,
    plan: &Plan<'_>,
    view: &View,
    transition: Option<&Transition>,
) -> Result<BTreeMap<String, Value>, RenderError> {
    let document = |view: &View| renderer.document(&format!("{}/worker.yaml", plan.coe.folder), view);
    let previous = transition.map(|transition| transition.previous.as_slice()).unwrap_or_default();
    let before =
        view.earlier().iter().zip(previous).map(|(earlier, previous)| {
            Ok((earlier, document(&View::of(plan, transition).with_workers(plan, previous))?))
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

/// The range of the subnet that nodes are in; `own` is that of one which the stack makes.
pub(crate) fn subnet_cidr(spec: &ClusterSpec, own: impl ToString) -> String {
    spec.network.fixed.as_ref().map_or_else(|| own.to_string(), |fixed| fixed.cidr.clone())
}

/// Nothing, unless a specification has problems.
pub(crate) fn refuse(problems: Vec<Problem>) -> Result<(), RenderError> {
    if problems.is_empty() { Ok(()) } else { Err(RenderError::Refused(problems)) }
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

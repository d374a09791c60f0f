//! Waiting for a cluster to come up, and saying how far it is.
//!
//! A stack is complete when Heat says so; a cluster when also every node it needs has reported ready. Neither is asked
//! for here: the stack watcher and the nodes' reports put what they see on record, and wake the operation.

use std::time::Duration;

use chrono::Utc;

use super::change::Target;
use super::submit;
use crate::node::{self, Node, Phase};
use crate::nodegroup::{self, Nodegroup};
use crate::openstack::{self, Session, heat};
use crate::operation::{self, Code, Failure, Fault, Next, Resource, StepResult, Work};
use crate::{Conductor, Result};

/// A lost wake-up costs at most this.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Done when the stack is complete and all nodes are ready; failed as soon as either fails.
pub(crate) async fn await_complete(conductor: &Conductor, work: &Work) -> StepResult {
    let nodes = Nodes::of(conductor, work).await?;
    if let Some(failed) = nodes.failed() {
        return Err(Failure::Final(node_fault(failed)));
    }
    match work.operation.observed_status.as_deref() {
        Some("CREATE_COMPLETE") if nodes.all_ready() => Ok(Next::Done),
        Some(status) if status != "CREATE_COMPLETE" && !status.ends_with("_IN_PROGRESS") => {
            judge(conductor, work).await
        }
        _ => {
            work.say(conductor, &nodes.progress()).await?;
            Ok(Next::Wait(LONGEST_WAIT))
        }
    }
}

/// Looks at a stack that settled otherwise than it should, before anything is concluded from a listing.
async fn judge(conductor: &Conductor, work: &Work) -> StepResult {
    let session = super::authority::acting(conductor, &work.cluster, Some(&work.operation)).await?;
    let group = work.operation.nodegroup_uuid.as_ref().map(|_| Target::nodegroup(work)).transpose()?;
    let (name, id) = match &group {
        Some(target) => (target.name.as_str(), target.id.as_str()),
        None => (
            work.cluster.stack_name.as_deref().unwrap_or_default(),
            work.cluster.stack_id.as_deref().unwrap_or_default(),
        ),
    };
    let stack = heat::get(&session, name, id, false).await?;
    match stack {
        Some(stack) if stack.stack_status.ends_with("_FAILED") && !stack.stack_status.starts_with("DELETE") => {
            Err(Failure::Final(stack_fault(&session, &stack).await?))
        }
        Some(stack) if !stack.stack_status.starts_with("DELETE") => {
            operation::store::forget_observation(&conductor.db, &work.operation.uuid).await?;
            Ok(Next::Wait(LONGEST_WAIT))
        }
        _ => Err(super::change::vanished(&format!("The stack {name}"))),
    }
}

/// What an operation out of time was waiting for; nothing to say before the stack exists.
pub(crate) async fn unfinished(conductor: &Conductor, work: &Work) -> Result<Option<String>> {
    if work.cluster.stack_id.is_none() {
        return Ok(None);
    }
    let known = Nodes::noted(work).is_some();
    let stack = work.operation.observed_status.as_deref().unwrap_or(if known { "complete" } else { "not seen yet" });
    let makes_all = [super::create::KIND.name, nodegroup::create::KIND.name].contains(&work.operation.kind.as_str());
    if !known && !makes_all {
        return Ok(Some(format!("the stack is {stack}")));
    }
    let waiting = Nodes::of(conductor, work).await?.unready();
    Ok(Some(if waiting.is_empty() {
        format!("the stack is {stack}")
    } else {
        format!("the stack is {stack}; not ready: {}", waiting.join(", "))
    }))
}

/// The versions of the COE and of its container runtime, as the control plane reports them.
pub(crate) async fn versions(conductor: &Conductor, work: &Work) -> Result<(Option<String>, Option<String>)> {
    let nodes = node::store::of_clusters(&conductor.db, std::slice::from_ref(&work.cluster.uuid)).await?;
    let masters = || nodes.iter().filter(|node| node.role == "master");
    let of = |program: &str| masters().find_map(|node| node.versions.get(program).cloned());
    let (coe, runtime) = conductor.driver(&work.cluster.driver)?.programs();
    Ok((of(coe), of(runtime)))
}

/// The nodes an operation waits for, and what those that reported have said.
pub(crate) struct Nodes {
    expected: Vec<String>,
    reported: Vec<Node>,
    counted: bool,
}

impl Nodes {
    /// Those noted by an earlier step of the operation, else all nodes of a stack as it is made: the nodegroup's that the
    /// operation is about, or the cluster's.
    pub(crate) async fn of(conductor: &Conductor, work: &Work) -> Result<Self> {
        let expected = Self::noted(work).unwrap_or_else(|| {
            let stack = work.cluster.stack_name.as_deref().unwrap_or_default();
            let about = work.operation.nodegroup_uuid.as_deref();
            let asked = |group: &&Nodegroup| about.map_or(group.is_default, |uuid| group.uuid == uuid);
            let names = work.nodegroups.iter().filter(asked).flat_map(|group| {
                let prefix = drivers::node_prefix(stack, &group.name);
                (0..group.node_count).map(move |index| format!("{prefix}-{index}"))
            });
            names.collect()
        });
        let mut reported = node::store::of_clusters(&conductor.db, std::slice::from_ref(&work.cluster.uuid)).await?;
        reported.retain(|node| expected.contains(&node.name));
        Ok(Self { expected, reported, counted: submit::nodes_report(conductor, &work.cluster) })
    }

    /// The nodes that an earlier step of the operation has noted to be waited for.
    pub(crate) fn noted(work: &Work) -> Option<Vec<String>> {
        serde_json::from_value(work.operation.progress.as_ref()?.get("nodes")?.clone()).ok()
    }

    /// Notes the nodes that the operation waits for from now on.
    pub(crate) async fn note(conductor: &Conductor, work: &Work, names: Vec<String>) -> Result<()> {
        let noted = |progress: &mut serde_json::Value| progress["nodes"] = names.into();
        operation::store::note(&conductor.db, &work.operation.uuid, noted).await.map(drop)
    }

    fn phase(&self, name: &str) -> Option<&Node> {
        self.reported.iter().find(|node| node.name == name)
    }

    /// One that gave up.
    pub(crate) fn failed(&self) -> Option<&Node> {
        self.reported.iter().find(|node| node.phase == Phase::Failed)
    }

    /// Whether all are ready, or need not say so.
    pub(crate) fn all_ready(&self) -> bool {
        !self.counted
            || self.expected.iter().all(|name| self.phase(name).is_some_and(|node| node.phase == Phase::Ready))
    }

    /// Those that are not ready, each with what it said last.
    pub(crate) fn unready(&self) -> Vec<String> {
        let now = Utc::now();
        let describe = |name: &String| match self.phase(name) {
            Some(node) if node.phase == Phase::Ready => None,
            Some(node) => {
                let ago = (now - node.updated_at).num_seconds().max(0);
                Some(format!("{name} (last reported {} {ago} s ago)", node.phase.as_str()))
            }
            None => Some(format!("{name} (never reported)")),
        };
        if self.counted { self.expected.iter().filter_map(describe).collect() } else { Vec::new() }
    }

    /// A percentage and what is under way, as `40 %: 3 nodes boot; 1 booted, 1 certificates`.
    pub(crate) fn progress(&self) -> String {
        let total = self.expected.len().max(1) as u32;
        let points: u32 = self.expected.iter().map(|name| self.phase(name).map_or(0, |node| percent(node.phase))).sum();
        let percent = 20 + points * 75 / (total * 100);
        let mut counts: Vec<(Phase, usize)> = Vec::new();
        for node in &self.reported {
            match counts.iter_mut().find(|(phase, _)| *phase == node.phase) {
                Some((_, count)) => *count += 1,
                None => counts.push((node.phase, 1)),
            }
        }
        counts.sort_by_key(|(phase, _)| *phase);
        let said: Vec<_> = counts.iter().map(|(phase, count)| format!("{count} {}", phase.as_str())).collect();
        if said.is_empty() {
            format!("{percent} %: Heat makes the stack; no node has reported yet")
        } else {
            format!("{percent} %: of {total} nodes {}", said.join(", "))
        }
    }
}

/// How much of a node's boot is behind it, in percent.
fn percent(phase: Phase) -> u32 {
    match phase {
        Phase::Booted => 10,
        Phase::Certificates => 25,
        Phase::Runtime => 40,
        Phase::Etcd => 55,
        Phase::ControlPlane => 75,
        Phase::Kubelet | Phase::Joined => 90,
        Phase::Ready => 100,
        Phase::Failed => 0,
    }
}

/// Why a node gave up.
pub(crate) fn node_fault(node: &Node) -> Fault {
    let step = node.step.as_deref().unwrap_or("unknown");
    let message = node.message.as_deref().unwrap_or("no message");
    let mut text = format!("Node {} failed in step {step}: {message}", node.name);
    if let Some(last) = node.log.last() {
        text.push_str(&format!(". Its log ends: {last}"));
    }
    Fault::new(Code::NodeFailed, text).with_log(node.log.0.clone())
}

/// The first cause of a failed stack: the deepest failed resource.
pub(crate) async fn stack_fault(session: &Session, stack: &heat::Stack) -> Result<Fault, openstack::Error> {
    let failures = heat::failures(session, &stack.stack_name, &stack.id).await?;
    let Some(first) = failures.into_iter().next() else {
        let reason = stack.stack_status_reason.clone().unwrap_or_else(|| "Heat gives no reason".to_owned());
        return Ok(Fault::new(Code::StackFailed, reason));
    };
    Ok(Fault::new(Code::StackFailed, first.reason).at(Resource {
        path: first.path,
        kind: first.resource_type,
        physical_id: first.physical_id,
    }))
}

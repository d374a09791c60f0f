//! Changing a stack that exists, once: an update is handed to Heat, and its end awaited.
//!
//! Each update is a phase of an operation and leaves a tag with both names on the stack. Heat 27 (its convergence
//! engine) stores tags, template and `UPDATE_IN_PROGRESS` in one write before it answers, so a stack that carries the
//! tag has accepted the update, whatever became of the answer; and as it takes another update at any time, even in the
//! midst of one, only the tag tells whose end is seen. A failed stack may be updated again.
//!
//! Updates are sent as [`authority::acting`]: the stack's owner, or the cluster's trust. That trust impersonates the
//! stack's owner, so Heat sees nobody new, and keeps the trust of its own that it made with the stack. (For anybody
//! else it would replace that one, which a trust-scoped token cannot do.)

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Map, Value};

use super::{Cluster, authority, gate, name};
use crate::Conductor;
use crate::nodegroup::Nodegroup;
use crate::openstack::{self, Session, heat};
use crate::operation::{self, Code, Failure, Fault, Next, StepResult, Work};

/// How often a stack is looked at that is busy with something else.
const BUSY: Duration = Duration::from_secs(5);

/// A stack to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its name.
    pub(crate) name: String,
    /// Heat's identifier.
    pub(crate) id: String,
}

impl Target {
    /// The cluster's own stack; nothing where it has none.
    pub(crate) fn cluster(cluster: &Cluster) -> Option<Self> {
        Some(Self { name: cluster.stack_name.clone()?, id: cluster.stack_id.clone()? })
    }

    /// The stack that holds the nodegroup: the cluster's, or the nodegroup's own; nothing where there is none.
    pub(crate) fn of(cluster: &Cluster, group: &Nodegroup) -> Option<Self> {
        if group.is_default {
            return Self::cluster(cluster);
        }
        let name = name::of_nodegroup_stack(cluster.stack_name.as_deref()?, &group.uuid);
        Some(Self { name, id: group.stack_id.clone()? })
    }

    /// The stack that holds the nodegroup the operation is about.
    ///
    /// # Errors
    /// There is none any more.
    pub(crate) fn nodegroup(work: &Work) -> Result<Self, Failure> {
        Self::of(&work.cluster, work.nodegroup()?).ok_or_else(|| vanished("Its stack"))
    }
}

/// What an update changes.
pub(crate) enum Change {
    /// Some parameters; template, files and all other parameters stay.
    Parameters {
        /// Of the top template.
        parameters: Map<String, Value>,
        /// Secrets that are handed down to nested templates.
        handed_down: BTreeMap<String, String>,
    },
    /// Some files, as the user data of nodes made from now on; all else stays.
    Files(BTreeMap<String, String>),
    /// All of it.
    Stack(Box<drivers::Stack>),
}

/// Tells what an update changes, from the stack as it is, with its outputs.
pub(crate) type Ask =
    for<'a> fn(&'a Conductor, &'a Work, &'a Session, &'a heat::Stack) -> BoxFuture<'a, Result<Change, Failure>>;

/// One update of one stack.
pub(crate) struct Phase {
    /// Its name, unique within its operation and at most 31 characters long; never changes its meaning.
    pub(crate) name: Cow<'static, str>,
    /// What changes; asked again each time the update is to be sent.
    pub(crate) change: Ask,
}

impl Phase {
    fn tag(&self, work: &Work) -> String {
        name::tag_of_update(&work.operation.uuid, &self.name)
    }

    /// Whether that was noted of it.
    fn noted(&self, work: &Work, what: &str) -> bool {
        work.operation.progress.as_ref().is_some_and(|progress| progress[what][&*self.name] == true)
    }

    /// Notes that of it; false when the operation has ended.
    async fn note(&self, conductor: &Conductor, work: &Work, what: &str) -> crate::Result<bool> {
        let note = |progress: &mut Value| progress[what][&*self.name] = true.into();
        operation::store::note(&conductor.db, &work.operation.uuid, note).await
    }
}

/// Whether Heat has accepted the update, whatever has been sent to it since.
///
/// # Errors
/// Heat does not answer, or the stack is gone.
pub(crate) async fn has_begun(
    conductor: &Conductor,
    work: &Work,
    target: &Target,
    phase: &Phase,
) -> Result<bool, Failure> {
    if phase.noted(work, "accepted") || !phase.noted(work, "sent") {
        return Ok(phase.noted(work, "accepted"));
    }
    // The answer may have been lost.
    let session = authority::acting(conductor, &work.cluster, Some(&work.operation)).await?;
    let begun = present(&session, target).await?.tags.contains(&phase.tag(work));
    if begun {
        phase.note(conductor, work, "accepted").await?;
    }
    Ok(begun)
}

/// Hands the update to Heat, unless an earlier try has done so; waits while the stack is busy with something else.
/// From then on the watcher follows this stack for the operation.
///
/// # Errors
/// The stack is gone, or Heat refuses.
pub(crate) async fn submit(conductor: &Conductor, work: &Work, target: &Target, phase: &Phase) -> StepResult {
    let session = authority::acting(conductor, &work.cluster, Some(&work.operation)).await?;
    let stack = present(&session, target).await?;
    if stack.tags.contains(&phase.tag(work)) {
        tracing::info!(stack = %stack.id, phase = %phase.name, "Heat had accepted this update before");
        return accepted(conductor, work, target, phase).await;
    }
    if stack.stack_status.ends_with("_IN_PROGRESS") {
        work.say(conductor, &format!("Waiting for the stack, which is {}", stack.stack_status)).await?;
        return Ok(Next::Wait(BUSY));
    }
    let change = (phase.change)(conductor, work, &session, &stack).await?;
    if !phase.note(conductor, work, "sent").await? {
        return Ok(Next::Done);
    }
    match send(&session, work, &stack, &phase.tag(work), &change).await {
        Ok(()) => {
            tracing::info!(stack = %stack.id, phase = %phase.name, "Heat has accepted the update");
            accepted(conductor, work, target, phase).await
        }
        Err(error) if error.kind == openstack::Kind::Conflict => Ok(Next::Wait(BUSY)),
        Err(error) => Err(error.into()),
    }
}

/// The stack, with its outputs, once Heat has completed the update; nothing while it is under way. What the watcher
/// saw only starts the look that decides.
///
/// # Errors
/// The update failed in Heat, with the first failed resource; or the stack is gone.
pub(crate) async fn completed(
    conductor: &Conductor,
    work: &Work,
    target: &Target,
    phase: &Phase,
) -> Result<Option<heat::Stack>, Failure> {
    let observed = work.operation.observed_status.as_deref();
    if observed.is_none_or(|status| status.ends_with("_IN_PROGRESS")) {
        return Ok(None);
    }
    let session = authority::acting(conductor, &work.cluster, Some(&work.operation)).await?;
    let stack = present(&session, target).await?;
    let status = stack.stack_status.as_str();
    if status.ends_with("_IN_PROGRESS") {
        operation::store::forget_observation(&conductor.db, &work.operation.uuid).await?;
        return Ok(None);
    }
    if !stack.tags.contains(&phase.tag(work)) {
        tracing::warn!(stack = %stack.id, phase = %phase.name, "the update was displaced by another one; sending it again");
        submit(conductor, work, target, phase).await?;
        return Ok(None);
    }
    match status {
        "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" => {
            let text = format!("Somebody has cancelled the update of the stack, which is {status}");
            Err(Failure::Final(Fault::new(Code::StackFailed, text)))
        }
        _ if status.ends_with("_FAILED") => Err(Failure::Final(super::progress::stack_fault(&session, &stack).await?)),
        _ => Ok(Some(stack)),
    }
}

/// The stack with its outputs.
///
/// # Errors
/// It is gone, or going.
pub(crate) async fn present(session: &Session, target: &Target) -> Result<heat::Stack, Failure> {
    let stack = heat::get(session, &target.name, &target.id, true).await?;
    let there = stack.filter(|stack| !stack.stack_status.starts_with("DELETE_"));
    there.ok_or_else(|| vanished(&format!("The stack {}", target.name)))
}

async fn accepted(conductor: &Conductor, work: &Work, target: &Target, phase: &Phase) -> StepResult {
    phase.note(conductor, work, "accepted").await?;
    operation::store::follow(&conductor.db, &work.operation.uuid, &target.id).await?;
    Ok(Next::Done)
}

async fn send(
    session: &Session,
    work: &Work,
    stack: &heat::Stack,
    tag: &str,
    change: &Change,
) -> openstack::Result<()> {
    let ours = [name::TAG.to_owned(), name::tag_of(&work.cluster.uuid)];
    let mut tags = stack.tags.clone();
    tags.retain(|tag| !tag.starts_with(name::OPERATION_TAG) && !ours.contains(tag));
    tags.extend(ours);
    tags.push(tag.to_owned());
    let (no_parameters, nothing) = (Map::new(), BTreeMap::new());
    let some = heat::Parameters {
        parameters: &no_parameters,
        handed_down: &nothing,
        files: &nothing,
        tags: &tags,
        timeout_mins: u32::try_from(gate::minutes(&work.cluster)).ok(),
    };
    match change {
        Change::Parameters { parameters, handed_down } => {
            let change = heat::Parameters { parameters, handed_down, ..some };
            heat::change_parameters(session, &stack.stack_name, &stack.id, &change).await
        }
        Change::Files(files) => {
            let change = heat::Parameters { files, ..some };
            heat::change_parameters(session, &stack.stack_name, &stack.id, &change).await
        }
        Change::Stack(new) => {
            let new = heat::NewStack { name: &stack.stack_name, stack: new, tags: &tags };
            heat::update(session, &stack.id, &new).await
        }
    }
}

/// What was deleted by somebody else.
pub(super) fn vanished(what: &str) -> Failure {
    Failure::Final(Fault::new(Code::Vanished, format!("{what} was deleted outside this service")))
}

//! `cluster.delete`: the only undo there is; works on anything half-made, and may be asked for at any time.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::{Action, Changes, Cluster, Owner, Status, balancers, name, store};
use crate::column::now;
use crate::engine::State;
use crate::openstack::{Identity, heat};
use crate::operation::store::{End, NewOperation};
use crate::operation::{self, Failure, Kind, Next, Step, StepResult, Work};
use crate::{Conductor, Kind as ErrorKind, Result, certificate, database, node, nodegroup};

/// How long a delete may take before it is called failed; asking again starts anew.
const PATIENCE: TimeDelta = TimeDelta::hours(1);

/// A lost wake-up costs at most this.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Heat's API gives its engine this long (`rpc_response_timeout`, 60 s by default) to take a stack in, and some more.
const HEATS_LONGEST_ANSWER: TimeDelta = TimeDelta::seconds(90);

/// How many times Heat is asked anew to delete a stack whose deletion it failed.
const TRIES: u64 = 5;

/// Marks the cluster as being deleted, takes the place of whatever else was under way, and returns.
///
/// Asking again while a delete is under way changes nothing.
///
/// # Errors
/// The database is away.
pub async fn delete(conductor: &Conductor, caller: &Arc<Identity>, cluster: &Cluster) -> Result<()> {
    let uuid = &cluster.uuid;
    let owner = cluster.act_as.unwrap_or(Owner::Service);
    let until = Some(now() + PATIENCE);
    let operation = operation::by(conductor, caller, KIND.name, (uuid, &cluster.project_id), owner, until)?;
    if database::retry(|| accept(conductor, uuid, operation.clone())).await? {
        tracing::info!(cluster = %uuid, "cluster delete accepted");
    }
    conductor.wake.notify_one();
    Ok(())
}

/// The operation and the new status, in one transaction; false where a delete is under way already, or done.
async fn accept(conductor: &Conductor, uuid: &str, operation: NewOperation) -> Result<bool> {
    let transaction = database::begin(&conductor.db).await?;
    // What deletes it may have ended since it was looked up.
    if !store::take(&transaction, uuid).await? {
        return Ok(false);
    }
    let active = operation::store::active(&transaction, uuid).await?;
    if active.iter().any(|active| active.kind == KIND.name) {
        return Ok(false);
    }
    store::set_status(&transaction, uuid, Status::DeleteInProgress, None).await?;
    let changes = nodegroup::store::Changes { status: Some(Status::DeleteInProgress), ..Default::default() };
    nodegroup::store::change_all(&transaction, uuid, changes).await?;
    operation::store::supersede(&transaction, uuid).await?;
    operation::store::insert(&transaction, operation).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Waits until the operations whose place this one took have stopped, so that none makes anything any more.
async fn quiesce(conductor: &Conductor, work: &Work) -> StepResult {
    let Some(engine) = conductor.engine.get() else { return Ok(Next::Done) };
    for old in operation::store::superseded(&conductor.db, &work.cluster.uuid).await? {
        if engine.state(&old.instance).await? == State::Running {
            engine.wake(&old.instance).await?;
            return Ok(Next::Wait(Duration::from_secs(1)));
        }
    }
    Ok(Next::Done)
}

/// Asks Heat to delete the stack, found by its identifier or, if the answer to its creation was lost, by its name.
async fn delete_stack(conductor: &Conductor, work: &Work) -> StepResult {
    let session = super::authority::acting(conductor, &work.cluster, Some(&work.operation)).await?;
    let name = work.cluster.stack_name.as_deref().unwrap_or_default();
    let id = match &work.cluster.stack_id {
        Some(id) => Some(id.clone()),
        None => heat::find(&session, name).await?,
    };
    let found = match &id {
        Some(id) => heat::get(&session, name, id, false).await?,
        None => None,
    };
    let Some(stack) = found.filter(|stack| stack.stack_status != "DELETE_COMPLETE") else {
        let unknown = work.cluster.stack_id.is_none();
        return match may_appear(conductor, work, |nodegroup| unknown && nodegroup.is_none()).await? {
            Some(longest) => Ok(Next::Wait(longest)),
            None => forget_stack(conductor, work).await,
        };
    };
    if work.cluster.stack_id.is_none() {
        if !stack.tags.contains(&name::tag_of(&work.cluster.uuid)) {
            // Not ours: leave it alone.
            return Ok(Next::Done);
        }
        tracing::info!(stack = %stack.id, "the stack of the deleted cluster has come");
        let changes = Changes { stack_id: Some(Some(stack.id.clone())), ..Default::default() };
        store::change(&conductor.db, &work.cluster.uuid, changes).await?;
    }
    if stack.stack_status != "DELETE_IN_PROGRESS" {
        heat::delete(&session, &stack.stack_name, &stack.id).await?;
    }
    Ok(Next::Done)
}

/// How long to wait for a stack that Heat was asked for and that is not there: this process may have been killed, or the
/// connection lost, while Heat was still making its record. However the operation that asked has ended, it had not when
/// it asked. `of` says whose stack it is: of which nodegroup, or of the cluster itself.
pub(crate) async fn may_appear(
    conductor: &Conductor,
    work: &Work,
    of: impl Fn(Option<&str>) -> bool,
) -> Result<Option<Duration>> {
    let earlier = operation::store::open_at(&conductor.db, &work.cluster.uuid, now() - HEATS_LONGEST_ANSWER).await?;
    let earlier = earlier.iter().filter(|old| of(old.nodegroup_uuid.as_deref()));
    let asked = earlier.filter_map(|old| old.progress.as_ref()?.get("submitting")?.as_i64()).max();
    let left = asked.map_or(0, |asked| asked + HEATS_LONGEST_ANSWER.num_seconds() - now().timestamp());
    let left = u64::try_from(left).ok().filter(|left| *left > 0);
    if let Some(left) = left {
        tracing::info!(left_s = left, "no stack is there, but Heat may still make the stack it was asked for");
    }
    Ok(left.map(|left| Duration::from_secs(left.min(5))))
}

/// Waits until the stack is gone; asks again a few times where Heat fails to delete it.
async fn await_gone(conductor: &Conductor, work: &Work) -> StepResult {
    let Some(id) = work.cluster.stack_id.as_deref() else { return Ok(Next::Done) };
    let observed = work.operation.observed_status.as_deref();
    if !matches!(observed, Some("GONE" | "DELETE_COMPLETE" | "DELETE_FAILED")) {
        return Ok(Next::Wait(LONGEST_WAIT));
    }
    let session = super::authority::acting(conductor, &work.cluster, Some(&work.operation)).await?;
    let name = work.cluster.stack_name.as_deref().unwrap_or_default();
    match heat::get(&session, name, id, false).await? {
        None => {}
        Some(stack) if stack.stack_status == "DELETE_COMPLETE" => {}
        Some(stack) if stack.stack_status == "DELETE_FAILED" => return again(conductor, work, &session, &stack).await,
        Some(_) => return Ok(Next::Wait(LONGEST_WAIT)),
    }
    forget_stack(conductor, work).await
}

async fn forget_stack(conductor: &Conductor, work: &Work) -> StepResult {
    let changes = Changes { stack_id: Some(None), ..Default::default() };
    store::change(&conductor.db, &work.cluster.uuid, changes).await?;
    Ok(Next::Done)
}

async fn again(
    conductor: &Conductor,
    work: &Work,
    session: &crate::openstack::Session,
    stack: &heat::Stack,
) -> StepResult {
    let tries = work.operation.progress.as_ref().and_then(|progress| progress["tries"].as_u64()).unwrap_or(0);
    if tries >= TRIES {
        return Err(Failure::Final(super::progress::stack_fault(session, stack).await?));
    }
    tracing::warn!(
        reason = stack.stack_status_reason.as_deref().unwrap_or("none"),
        "Heat failed to delete the stack; asking again"
    );
    // Controllers that still ran may have made more of them.
    if let Err(error) = balancers::begin(conductor, work, session).await {
        tracing::warn!(error = %error.chain(), "load balancers made inside the cluster cannot be deleted");
    }
    heat::delete(session, &stack.stack_name, &stack.id).await?;
    operation::store::set_progress(&conductor.db, &work.operation.uuid, serde_json::json!({"tries": tries + 1}))
        .await?;
    operation::store::forget_observation(&conductor.db, &work.operation.uuid).await?;
    Ok(Next::Wait(LONGEST_WAIT))
}

/// Removes keys that lie outside the records.
async fn secrets(conductor: &Conductor, work: &Work) -> StepResult {
    certificate::forget(conductor, &work.cluster.uuid).await?;
    node::store::delete_tokens(&conductor.db, &work.cluster.uuid, None).await?;
    Ok(Next::Done)
}

/// Removes the rows; from now on the cluster is absent.
async fn finish(conductor: &Conductor, work: &Work) -> StepResult {
    let transaction = database::begin(&conductor.db).await?;
    store::take(&transaction, &work.cluster.uuid).await?;
    if !operation::store::finish(&transaction, &work.operation.uuid, End::succeeded()).await? {
        return Ok(Next::Done);
    }
    // From the rows that go then.
    operation::store::tell(&transaction, &work.operation.uuid).await?;
    store::remove(&transaction, &work.cluster.uuid).await?;
    transaction.commit().await.map_err(crate::Error::from)?;
    tracing::info!(name = %work.cluster.name, "cluster deleted");
    Ok(Next::Done)
}

/// The operation's steps.
pub static KIND: Kind = Kind {
    name: "cluster.delete",
    doing: "Deleting a cluster",
    exclusive: true,
    refusal: ErrorKind::Conflict,
    cluster: Action::Delete,
    nodegroups: Some(Action::Delete),
    steps: &[
        Step { name: "cluster.delete/quiesce", limit: CALLS, run: |c, w| Box::pin(quiesce(c, w)) },
        Step { name: "cluster.delete/load-balancers", limit: CALLS, run: |c, w| Box::pin(balancers::remove(c, w)) },
        Step { name: "cluster.delete/nodegroups", limit: CALLS, run: |c, w| Box::pin(nodegroup::delete::all(c, w)) },
        Step { name: "cluster.delete/stack", limit: CALLS, run: |c, w| Box::pin(delete_stack(c, w)) },
        Step { name: "cluster.delete/await", limit: CALLS, run: |c, w| Box::pin(await_gone(c, w)) },
        Step { name: "cluster.delete/identity", limit: CALLS, run: |c, w| Box::pin(super::authority::forget(c, w)) },
        Step { name: "cluster.delete/secrets", limit: CALLS, run: |c, w| Box::pin(secrets(c, w)) },
        Step { name: "cluster.delete/finish", limit: CALLS, run: |c, w| Box::pin(finish(c, w)) },
    ],
    on_failure: Step { name: "cluster.delete/fail", limit: CALLS, run: |c, w| Box::pin(super::finish::failed(c, w)) },
};

/// A step is a handful of calls, each with its own deadline.
const CALLS: Duration = Duration::from_secs(120);

//! `cluster.delete`: the only undo there is; works on anything half-made, and may be asked for at any time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};

use super::{Cluster, Owner, name, store};
use crate::engine::State;
use crate::openstack::{Identity, heat};
use crate::operation::{self, Failure, Kind, New as Operation, Next, Step, StepResult, Work};
use crate::{Conductor, Result, certificate, node};

/// How long a delete may take before it is called failed; asking again starts anew.
const PATIENCE: TimeDelta = TimeDelta::hours(1);

/// A lost wake-up costs at most this.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How many times Heat is asked anew to delete a stack whose deletion it failed.
const TRIES: i32 = 5;

/// Marks the cluster as being deleted, takes the place of whatever else was under way, and returns.
///
/// Asking again while a delete is under way changes nothing.
///
/// # Errors
/// The database is away.
pub async fn delete(conductor: &Conductor, caller: &Arc<Identity>, cluster: &Cluster) -> Result<()> {
    let uuid = &cluster.uuid;
    let operation = Operation::by(caller, KIND.name, uuid, &cluster.project_id);
    let operation = operation.with_token(conductor, cluster.act_as.unwrap_or(Owner::Service), caller)?;
    let operation = Operation { deadline: Some(Utc::now() + PATIENCE), ..operation };
    let accepted = store::begin_delete(&conductor.db, cluster, operation).await?;
    if accepted {
        tracing::info!(cluster = %uuid, "cluster delete accepted");
    }
    conductor.wake.notify_one();
    Ok(())
}

/// Waits until the operations whose place this one took have stopped, so that none makes anything any more.
async fn quiesce(conductor: &Conductor, work: &Work) -> StepResult {
    let Some(engine) = conductor.engine.get() else { return Ok(Next::Done) };
    for old in operation::store::superseded(&conductor.db, &work.cluster.uuid).await? {
        match engine.state(&old.instance).await? {
            State::Running => {
                engine.wake(&old.instance).await?;
                return Ok(Next::Wait(Duration::from_secs(1)));
            }
            State::Missing | State::Ended(_) => operation::store::close(&conductor.db, &old.uuid).await?,
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
        store::forget_stack(&conductor.db, &work.cluster.uuid).await?;
        return Ok(Next::Done);
    };
    if work.cluster.stack_id.is_none() {
        if !stack.tags.contains(&name::tag_of(&work.cluster.uuid)) {
            // Not ours: leave it alone.
            return Ok(Next::Done);
        }
        store::record_stack(&conductor.db, &work.operation, &stack.id).await?;
    }
    if stack.stack_status != "DELETE_IN_PROGRESS" {
        heat::delete(&session, &stack.stack_name, &stack.id).await?;
    }
    Ok(Next::Done)
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
    store::forget_stack(&conductor.db, &work.cluster.uuid).await?;
    Ok(Next::Done)
}

async fn again(conductor: &Conductor, work: &Work, session: &crate::openstack::Session, stack: &heat::Stack) -> StepResult {
    if work.operation.attempt >= TRIES {
        return Err(Failure::Final(super::progress::stack_fault(session, stack).await?));
    }
    tracing::warn!(reason = stack.stack_status_reason.as_deref().unwrap_or("none"), "Heat failed to delete the stack; asking again");
    heat::delete(session, &stack.stack_name, &stack.id).await?;
    operation::store::note_attempt(&conductor.db, &work.operation.uuid, stack.stack_status_reason.as_deref().unwrap_or_default()).await?;
    operation::store::forget_observed(&conductor.db, &work.operation.uuid).await?;
    Ok(Next::Wait(LONGEST_WAIT))
}

/// Removes keys that lie outside the records.
async fn secrets(conductor: &Conductor, work: &Work) -> StepResult {
    certificate::forget(conductor, &work.cluster.uuid).await?;
    node::store::forget_tokens(&conductor.db, &work.cluster.uuid).await?;
    Ok(Next::Done)
}

/// Removes the rows; from now on the cluster is absent.
async fn finish(conductor: &Conductor, work: &Work) -> StepResult {
    store::settle_deleted(&conductor.db, &work.operation, &work.cluster).await?;
    tracing::info!(name = %work.cluster.name, "cluster deleted");
    Ok(Next::Done)
}

/// Records why the deletion failed; a further request begins anew.
async fn failed(conductor: &Conductor, work: &Work) -> StepResult {
    let fault = work.operation.recorded_fault();
    store::settle_failed(&conductor.db, &work.operation, &fault).await?;
    Ok(Next::Done)
}

/// The operation's steps.
pub static KIND: Kind = Kind {
    name: "cluster.delete",
    steps: &[
        Step { name: "cluster.delete/quiesce", limit: CALLS, run: |c, w| Box::pin(quiesce(c, w)) },
        Step { name: "cluster.delete/stack", limit: CALLS, run: |c, w| Box::pin(delete_stack(c, w)) },
        Step { name: "cluster.delete/await", limit: CALLS, run: |c, w| Box::pin(await_gone(c, w)) },
        Step { name: "cluster.delete/identity", limit: CALLS, run: |c, w| Box::pin(super::authority::forget(c, w)) },
        Step { name: "cluster.delete/secrets", limit: CALLS, run: |c, w| Box::pin(secrets(c, w)) },
        Step { name: "cluster.delete/finish", limit: CALLS, run: |c, w| Box::pin(finish(c, w)) },
    ],
    on_failure: Step { name: "cluster.delete/fail", limit: CALLS, run: |c, w| Box::pin(failed(c, w)) },
};

/// A step is a handful of calls, each with its own deadline.
const CALLS: Duration = Duration::from_secs(120);

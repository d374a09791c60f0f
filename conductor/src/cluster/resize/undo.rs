//! A resize that failed: on record as it is, or undone if the caller asked for that.

use std::borrow::Cow;

use chrono::TimeDelta;
use futures::FutureExt as _;

use super::{Input, RESIZE, noted, remember, scaled, settle};
use crate::cluster::change::{self, Change, Phase, Target};
use crate::cluster::progress::LONGEST_WAIT;
use crate::cluster::{Changes, Ending, close, finish, gate, leaving, store};
use crate::column::now;
use crate::openstack::{Session, heat};
use crate::operation::{self, Failure, Fault, Next, StepResult, Work};
use crate::{Conductor, Error, database, nodegroup};

static UNDO: Phase = Phase {
    name: Cow::Borrowed("undo"),
    change: |conductor, work, session, stack| undone(conductor, work, session, stack).boxed(),
};

/// The number before, and nobody who came with the change.
async fn undone(conductor: &Conductor, work: &Work, _: &Session, stack: &heat::Stack) -> Result<Change, Failure> {
    let input = Input::of(work)?;
    let driver = conductor.driver(&work.cluster.driver)?;
    let before = noted(work, "before");
    let came = driver.members(&stack.outputs()).into_keys().filter(|index| !before.contains(index)).collect();
    scaled(conductor, work, input.previous, &came)
}

/// Records the failure. Where Heat never accepted the change, the number of nodes is what it was; where it did, the
/// change stands, or is undone if the caller asked for that.
pub(super) async fn fail(conductor: &Conductor, work: &Work) -> StepResult {
    let Ok(target) = Target::nodegroup(work) else {
        return finish::failed(conductor, work).await;
    };
    let mut fault = Fault::of(&work.operation);
    if let Some(drained) = leaving::give_back(conductor, work).await {
        fault.add(&drained);
    }
    let input = Input::of(work)?;
    if !input.rollback {
        return match change::has_begun(conductor, work, &target, &RESIZE).await {
            Ok(false) => settle_as_before(conductor, work, &Ending::Failed(fault), input.previous).await,
            Ok(true) | Err(_) => ended(conductor, work, &Ending::Failed(fault)).await,
        };
    }
    if too_late(work) {
        let why = "Undoing it has taken as long as a change may, and is given up";
        return rollback_failed(conductor, work, fault, why).await;
    }
    let undone = match change::has_begun(conductor, work, &target, &RESIZE).await {
        Ok(true) => undo(conductor, work, &target, input.previous).await,
        Ok(false) => settle_as_before(conductor, work, &Ending::RolledBack(fault.clone()), input.previous).await,
        Err(error) => Err(error),
    };
    match undone {
        Err(Failure::Final(second)) => {
            let why = format!("Undoing it failed too: {}", second.message);
            rollback_failed(conductor, work, fault, &why).await
        }
        other => other,
    }
}

/// What is undone may take as long as a change itself.
fn too_late(work: &Work) -> bool {
    let deadline = work.operation.deadline;
    deadline.is_some_and(|at| now() > at + TimeDelta::minutes(gate::minutes(&work.cluster)))
}

/// Nothing was changed: the number of nodes is what it was.
async fn settle_as_before(conductor: &Conductor, work: &Work, ending: &Ending, previous: u32) -> StepResult {
    let transaction = database::begin(&conductor.db).await?;
    store::take(&transaction, &work.cluster.uuid).await?;
    let changes = nodegroup::store::Changes { node_count: i32::try_from(previous).ok(), ..Default::default() };
    nodegroup::store::change(&transaction, &work.nodegroup()?.uuid, changes).await?;
    if close(&transaction, &work.operation, ending, Changes::default()).await? {
        transaction.commit().await.map_err(Error::from)?;
    }
    Ok(Next::Done)
}

async fn rollback_failed(conductor: &Conductor, work: &Work, mut fault: Fault, why: &str) -> StepResult {
    fault.add(why);
    ended(conductor, work, &Ending::RollbackFailed(fault)).await
}

/// The nodegroup stays as it is.
async fn ended(conductor: &Conductor, work: &Work, ending: &Ending) -> StepResult {
    let transaction = database::begin(&conductor.db).await?;
    if close(&transaction, &work.operation, ending, Changes::default()).await? {
        transaction.commit().await.map_err(Error::from)?;
    }
    Ok(Next::Done)
}

/// Brings the nodegroup back to the number and, as far as they are still there, the nodes it had.
async fn undo(conductor: &Conductor, work: &Work, target: &Target, previous: u32) -> StepResult {
    match undo_in_heat(conductor, work, target).await? {
        None => Ok(Next::Wait(LONGEST_WAIT)),
        Some(Next::Done) => {
            let cause = Fault::of(&work.operation);
            settle(conductor, work, &Ending::RolledBack(cause), Some(previous)).await
        }
        Some(wait) => Ok(wait),
    }
}

/// Nothing while Heat is at it, a wait while it cannot begin, `Done` when it has ended well.
async fn undo_in_heat(conductor: &Conductor, work: &Work, target: &Target) -> Result<Option<Next>, Failure> {
    let progress = work.operation.progress.as_ref();
    if progress.is_none_or(|progress| progress["undoing"] != true) {
        gate::rolls_back(&conductor.db, &work.operation).await?;
        let next = change::submit(conductor, work, target, &UNDO).await?;
        if next != Next::Done {
            return Ok(Some(next));
        }
        operation::store::note(&conductor.db, &work.operation.uuid, |progress| progress["undoing"] = true.into())
            .await?;
        return Ok(None);
    }
    let Some(stack) = change::completed(conductor, work, target, &UNDO).await? else { return Ok(None) };
    remember(conductor, work, &stack).await?;
    Ok(Some(Next::Done))
}

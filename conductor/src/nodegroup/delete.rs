//! `nodegroup.delete`: its own stack goes, then all that is on record of it; works on anything half-made.

use std::sync::Arc;
use std::time::Duration;

use super::{Nodegroup, create, store};
use crate::cluster::members::{node_name, prefix, reported};
use crate::cluster::{self, Action, Changes, Cluster, Owner, gate, leaving, name, progress};
use crate::cluster::{Ending, close};
use crate::column::now;
use crate::engine::State;
use crate::openstack::{Identity, Session, heat};
use crate::operation::store::{End, NewOperation};
use crate::operation::{self, Failure, Kind, Next, State as Stage, Step, StepResult, Work};
use crate::{Conductor, Error, Kind as ErrorKind, Result, database, node};

/// How long a delete may take before it is called failed; asking again starts anew.
const PATIENCE: chrono::TimeDelta = chrono::TimeDelta::hours(1);

/// How many times Heat is asked anew to delete a stack whose deletion it failed.
const TRIES: u64 = 5;

/// Marks the nodegroup as being deleted, takes the place of what else was done to it, and returns.
///
/// Asking again while it, or its cluster, is being deleted changes nothing.
///
/// # Errors
/// Invalid for a nodegroup that came with its cluster; conflict while an operation is under way that must be alone on
/// the cluster.
pub async fn delete(conductor: &Conductor, caller: &Arc<Identity>, cluster: &Cluster, group: &Nodegroup) -> Result<()> {
    if group.is_default {
        return Err(Error::invalid("Deleting a default nodegroup is not supported."));
    }
    let owner = cluster.act_as.unwrap_or(Owner::Service);
    let (ids, until) = ((cluster.uuid.as_str(), cluster.project_id.as_str()), Some(now() + PATIENCE));
    let operation = operation::by(conductor, caller, KIND.name, ids, owner, until)?.about(group);
    if database::retry(|| accept(conductor, cluster, group, operation.clone())).await? {
        tracing::info!(cluster = %cluster.uuid, nodegroup = %group.uuid, "nodegroup delete accepted");
    }
    conductor.wake.notify_one();
    Ok(())
}

/// The operation and the new statuses, in one transaction; false where it is being deleted already, or gone.
async fn accept(conductor: &Conductor, cluster: &Cluster, group: &Nodegroup, operation: NewOperation) -> Result<bool> {
    let transaction = database::begin(&conductor.db).await?;
    // What deletes it, or its cluster, may have ended since it was looked up.
    cluster::store::take(&transaction, &cluster.uuid).await?;
    match store::find(&transaction, &cluster.uuid, &group.uuid).await {
        Err(error) if error.kind == ErrorKind::NotFound => return Ok(false),
        found => drop(found?),
    }
    let active = operation::store::active(&transaction, &cluster.uuid).await?;
    let deletes = |kind: &str| [KIND.name, cluster::delete::KIND.name].contains(&kind);
    let own = |other: &&operation::Operation| other.active.as_deref() == Some(group.uuid.as_str());
    let all = |other: &operation::Operation| other.kind == cluster::delete::KIND.name;
    if active.iter().any(|other| deletes(&other.kind) && (all(other) || own(&other))) {
        return Ok(false);
    }
    if active.iter().any(|other| Kind::find(&other.kind).is_none_or(|kind| kind.exclusive)) {
        return Err(Error::conflict(format!(
            "Deleting a nodegroup when status is \"{}\" is not supported. The cluster {} ({}) is being changed as a whole: \
             wait until that has ended.",
            cluster.status, cluster.name, cluster.uuid
        )));
    }
    for other in active.iter().filter(own) {
        let end = End { state: Stage::Superseded, code: None, message: None, fault: None };
        operation::store::finish(&transaction, &other.uuid, end).await?;
        operation::store::tell(&transaction, &other.uuid).await?;
    }
    gate::begin(&transaction, &KIND, operation).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Waits until the operation whose place this one took has stopped, so that it makes nothing any more.
async fn quiesce(conductor: &Conductor, work: &Work) -> StepResult {
    let Some(engine) = conductor.engine.get() else { return Ok(Next::Done) };
    let group = work.nodegroup()?;
    let superseded = operation::store::superseded(&conductor.db, &work.cluster.uuid).await?;
    for old in superseded.iter().filter(|old| old.nodegroup_uuid.as_deref() == Some(group.uuid.as_str())) {
        if engine.state(&old.instance).await? == State::Running {
            engine.wake(&old.instance).await?;
            return Ok(Next::Wait(Duration::from_secs(1)));
        }
    }
    Ok(Next::Done)
}

/// Has its nodes give up what they run.
async fn drain(conductor: &Conductor, work: &Work) -> StepResult {
    let group = work.nodegroup()?;
    if !leaving::is_told(conductor, work)? {
        return Ok(Next::Done);
    }
    let mut names: Vec<String> = reported(conductor, group).await?.into_iter().map(|node| node.name).collect();
    if names.is_empty() {
        let prefix = prefix(&work.cluster, group);
        names.extend((0..u32::try_from(group.node_count).unwrap_or_default()).map(|index| node_name(&prefix, index)));
    }
    leaving::drain(conductor, work, names).await
}

/// Has the COE forget its nodes.
async fn forget(conductor: &Conductor, work: &Work) -> StepResult {
    leaving::settle(conductor, work, &prefix(&work.cluster, work.nodegroup()?), &[]).await?;
    Ok(Next::Done)
}

/// Has Heat delete the nodegroup's stack and waits until it is gone.
async fn stack(conductor: &Conductor, work: &Work) -> StepResult {
    let session = cluster::authority::acting(conductor, &work.cluster, Some(&work.operation)).await?;
    let group = work.nodegroup()?;
    let name = name::of_nodegroup_stack(work.cluster.stack_name.as_deref().unwrap_or_default(), &group.uuid);
    let id = match &group.stack_id {
        Some(id) => Some(id.clone()),
        None => heat::find(&session, &name).await?,
    };
    let found = match id {
        Some(id) => heat::get(&session, &name, &id, false).await?,
        None => None,
    };
    // A stack of that name that is not ours is left alone.
    let ours = |stack: &heat::Stack| group.stack_id.is_some() || stack.tags.contains(&name::tag_of(&work.cluster.uuid));
    let unknown = |of: Option<&str>| group.stack_id.is_none() && of == Some(group.uuid.as_str());
    match found.filter(|stack| stack.stack_status != "DELETE_COMPLETE" && ours(stack)) {
        None => {
            let longest = cluster::delete::may_appear(conductor, work, unknown).await?;
            Ok(longest.map_or(Next::Done, Next::Wait))
        }
        Some(stack) => going(conductor, work, &session, (&stack.stack_name, &stack.id, &stack.stack_status)).await,
    }
}

/// Has Heat delete all stacks of the cluster but its own, which hold its other nodegroups, and waits until they are
/// gone: they use the network of the cluster's.
pub(crate) async fn all(conductor: &Conductor, work: &Work) -> StepResult {
    let session = cluster::authority::acting(conductor, &work.cluster, Some(&work.operation)).await?;
    let tag = name::tag_of(&work.cluster.uuid);
    let mut stacks = heat::list(&session, heat::Which::Tagged(&[name::TAG, &tag]), false).await?;
    let own = work.cluster.stack_name.as_deref().unwrap_or_default();
    stacks.retain(|stack| stack.stack_name != own && stack.stack_status != "DELETE_COMPLETE");
    let mut next = Next::Done;
    for stack in &stacks {
        next = going(conductor, work, &session, (&stack.stack_name, &stack.id, &stack.stack_status)).await?;
    }
    let unknown = |of: Option<&str>| {
        work.nodegroups.iter().any(|group| group.stack_id.is_none() && of == Some(group.uuid.as_str()))
    };
    if next == Next::Done
        && let Some(longest) = cluster::delete::may_appear(conductor, work, unknown).await?
    {
        return Ok(Next::Wait(longest));
    }
    if next == Next::Done {
        // From now on it is the cluster's own stack that is followed.
        operation::store::unfollow(&conductor.db, &work.operation.uuid).await?;
    }
    Ok(next)
}

/// A stack that is to go: Heat is asked to delete it, again where that has failed, and the watcher says when it is gone.
async fn going(
    conductor: &Conductor,
    work: &Work,
    session: &Session,
    (stack, id, status): (&str, &str, &str),
) -> StepResult {
    if status == "DELETE_FAILED" {
        let tries = |progress: &serde_json::Value| progress["stacks"][id].as_u64().unwrap_or(0);
        if work.operation.progress.as_ref().map_or(0, tries) >= TRIES {
            let failed = heat::get(session, stack, id, false).await?;
            let Some(stack) = failed else { return Ok(Next::Wait(progress::LONGEST_WAIT)) };
            return Err(Failure::Final(progress::stack_fault(session, &stack).await?));
        }
        tracing::warn!(stack = %id, "Heat failed to delete the nodegroup's stack; asking again");
        let noted = |progress: &mut serde_json::Value| progress["stacks"][id] = (tries(progress) + 1).into();
        operation::store::note(&conductor.db, &work.operation.uuid, noted).await?;
    }
    if status != "DELETE_IN_PROGRESS" {
        let cluster = work.cluster.stack_name.as_deref().unwrap_or_default();
        let of =
            |group: &&Nodegroup| group.stack_id.is_none() && name::of_nodegroup_stack(cluster, &group.uuid) == stack;
        if let Some(group) = work.nodegroups.iter().find(of) {
            // From now on it is known to have been there.
            let changes = store::Changes { stack_id: Some(Some(id.to_owned())), ..Default::default() };
            store::change(&conductor.db, &group.uuid, changes).await?;
        }
        heat::delete(session, stack, id).await?;
    }
    operation::store::follow(&conductor.db, &work.operation.uuid, id).await?;
    Ok(Next::Wait(progress::LONGEST_WAIT))
}

/// Removes the nodegroup with its tokens and nodes; from now on it is absent.
async fn complete(conductor: &Conductor, work: &Work) -> StepResult {
    let group = work.nodegroup()?;
    let (cluster, uuid) = (&work.cluster.uuid, &group.uuid);
    let reason = leaving::told(work, &format!("Nodegroup {} was deleted", group.name));
    let transaction = database::begin(&conductor.db).await?;
    cluster::store::take(&transaction, cluster).await?;
    node::store::delete_tokens(&transaction, cluster, Some(uuid)).await?;
    node::store::forget_group(&transaction, uuid).await?;
    store::delete(&transaction, uuid).await?;
    if close(&transaction, &work.operation, &Ending::Complete(reason), Changes::default()).await? {
        transaction.commit().await.map_err(Error::from)?;
        tracing::info!(nodegroup = %uuid, name = %group.name, "nodegroup deleted");
    }
    Ok(Next::Done)
}

/// The operation's steps.
pub static KIND: Kind = Kind {
    name: "nodegroup.delete",
    doing: "Deleting a nodegroup",
    exclusive: false,
    refusal: ErrorKind::Conflict,
    cluster: Action::Update,
    nodegroups: Some(Action::Delete),
    steps: &[
        Step { name: "nodegroup.delete/quiesce", limit: CALLS, run: |c, w| Box::pin(quiesce(c, w)) },
        Step { name: "nodegroup.delete/drain", limit: CALLS, run: |c, w| Box::pin(drain(c, w)) },
        Step { name: "nodegroup.delete/stack", limit: CALLS, run: |c, w| Box::pin(stack(c, w)) },
        Step { name: "nodegroup.delete/forget", limit: CALLS, run: |c, w| Box::pin(forget(c, w)) },
        Step { name: "nodegroup.delete/finish", limit: CALLS, run: |c, w| Box::pin(complete(c, w)) },
    ],
    on_failure: Step { name: "nodegroup.delete/fail", limit: CALLS, run: |c, w| Box::pin(create::failed(c, w)) },
};

/// A step is a handful of calls, each with its own deadline.
const CALLS: Duration = Duration::from_secs(120);

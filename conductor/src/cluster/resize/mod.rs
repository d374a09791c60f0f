//! `cluster.resize`: more, fewer or other workers in a nodegroup, in the cluster's stack or in its own.
//!
//! Heat names the members of a nodegroup by indices and never takes an index again that was named to be removed. So who
//! the nodes are is known only when the stack is complete, and read from it then.

mod undo;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use crate::cluster::change::{Change, Phase, Target};
use crate::cluster::members::{node_name, prefix, reported};
use crate::cluster::progress::{LONGEST_WAIT, Nodes, node_fault};
use crate::cluster::{
    Action, Changes, Cluster, Ending, Owner, authority, change, choice, close, gate, leaving, members, spec, store,
    submit,
};
use crate::node::Phase as NodePhase;
use crate::nodegroup::{self, DEFAULT_WORKER, MASTER, Nodegroup};
use crate::openstack::{Identity, Session, heat};
use crate::operation::store::NewOperation;
use crate::operation::{self, Failure, Kind, Next, Step, StepResult, Work};
use crate::{Conductor, Error, Kind as ErrorKind, Result, database, node};

/// A request for another size.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// UUID or name of the nodegroup; absent means the default workers.
    pub nodegroup: Option<String>,
    /// How many nodes it should have.
    pub node_count: u32,
    /// Nodes that go first, by server id, name, address or index.
    pub nodes_to_remove: Vec<String>,
}

/// What the operation was asked to do, as recorded.
#[derive(Debug, Serialize, Deserialize)]
struct Input {
    node_count: u32,
    /// The number before.
    previous: u32,
    /// Indices of the nodes that go.
    remove: BTreeSet<u32>,
    /// Whether a failure is to be undone.
    rollback: bool,
    /// Whether the nodegroup's last change had failed: nodes that never became ready are replaced then.
    retry: bool,
}

impl Input {
    fn of(work: &Work) -> Result<Self> {
        serde_json::from_value(work.operation.input.clone()).map_err(Error::internal)
    }
}

/// Records the new size and the operation that brings it about; returns before anything is changed.
///
/// With an unchanged number and nodes to remove, exactly these are replaced.
///
/// # Errors
/// `NotFound` for an unknown nodegroup; `Invalid` for masters, a number outside the nodegroup's range, a node that is
/// not in it, and more nodes than may leave; `Conflict` in the wrong status or while another operation stands in the
/// way.
pub async fn resize(conductor: &Conductor, caller: &Arc<Identity>, cluster: &Cluster, request: Request) -> Result<()> {
    let ident = request.nodegroup.as_deref().unwrap_or(DEFAULT_WORKER);
    let group = nodegroup::store::find(&conductor.db, &cluster.uuid, ident).await?;
    if group.role == MASTER {
        return Err(Error::invalid("Resizing the master nodegroup is not supported by this driver."));
    }
    check_range(&group, request.node_count)?;
    gate::check(&conductor.db, &KIND, cluster, group.subject()).await?;
    let remove = members::find(conductor, cluster, &group, &request.nodes_to_remove).await?;
    let size = Size { node_count: request.node_count, remove, rollback: false, in_range: true };
    let operation = by(conductor, caller, cluster)?;
    database::retry(|| async {
        let transaction = database::begin(&conductor.db).await?;
        accept(&transaction, operation.clone(), &group, &size).await?;
        Ok(transaction.commit().await?)
    })
    .await?;
    tracing::info!(cluster = %cluster.uuid, nodegroup = %group.name, size = request.node_count, "resize accepted");
    conductor.wake.notify_one();
    Ok(())
}

/// A size to bring a nodegroup to.
#[derive(Debug)]
pub(in crate::cluster) struct Size {
    pub(in crate::cluster) node_count: u32,
    pub(in crate::cluster) remove: BTreeSet<u32>,
    pub(in crate::cluster) rollback: bool,
    /// Whether the nodegroup's range holds for it.
    pub(in crate::cluster) in_range: bool,
}

/// The operation on behalf of the caller, whatever the size.
pub(in crate::cluster) fn by(conductor: &Conductor, caller: &Identity, cluster: &Cluster) -> Result<NewOperation> {
    let owner = cluster.act_as.unwrap_or(Owner::Service);
    let until = Some(gate::deadline(cluster));
    operation::by(conductor, caller, KIND.name, (&cluster.uuid, &cluster.project_id), owner, until)
}

/// The operation, the new size and the status, in the caller's transaction.
pub(in crate::cluster) async fn accept(
    c: &impl crate::database::Connection,
    operation: NewOperation,
    group: &Nodegroup,
    size: &Size,
) -> Result<()> {
    let view = gate::claim(c, &KIND, &group.cluster_uuid, group.subject()).await?;
    let now = view.nodegroups.iter().find(|now| now.uuid == group.uuid);
    let group = now.ok_or_else(|| Error::not_found(format!("Nodegroup {} could not be found.", group.uuid)))?;
    let previous = u32::try_from(group.node_count).unwrap_or_default();
    if size.in_range {
        check_range(group, size.node_count)?;
    }
    check_leaving(previous, size)?;
    let input = Input {
        node_count: size.node_count,
        previous,
        remove: size.remove.clone(),
        rollback: size.rollback,
        retry: group.status.is_failed(),
    };
    let input = serde_json::to_value(input).map_err(Error::internal)?;
    gate::begin(c, &KIND, operation.about(group).with(input)).await?;
    let changes = nodegroup::store::Changes {
        node_count: Some(i32::try_from(size.node_count).unwrap_or(i32::MAX)),
        token_generation: Some(group.token_generation.saturating_add(1)),
        ..Default::default()
    };
    nodegroup::store::change(c, &group.uuid, changes).await?;
    Ok(())
}

/// The contract's section 4.7; a maximum of 0 is none.
fn check_range(group: &Nodegroup, count: u32) -> Result<()> {
    let (least, most) = (group.min_node_count, group.max_node_count.filter(|most| *most > 0));
    let count = i64::from(count);
    if count >= i64::from(least) && most.is_none_or(|most| count <= i64::from(most)) {
        return Ok(());
    }
    let most = most.map_or_else(|| "None".to_owned(), |most| most.to_string());
    let name = &group.name;
    Err(Error::invalid(format!(
        "Resizing {name} outside the allowed range: min_node_count = {least}, max_node_count = {most}"
    )))
}

/// When fewer nodes stay, no more may be named than leave: the rest would be replaced behind the caller's back.
fn check_leaving(previous: u32, size: &Size) -> Result<()> {
    let named = size.remove.len();
    let leave = previous.saturating_sub(size.node_count);
    if leave == 0 || named <= leave as usize {
        return Ok(());
    }
    let count = size.node_count;
    Err(Error::invalid(format!(
        "nodes_to_remove names {named} nodes; allowed: at most {leave}, as the nodegroup goes from {previous} to {count}."
    )))
}

/// Lets new nodes in, by a token of their own.
async fn admit(conductor: &Conductor, work: &Work) -> StepResult {
    let group = work.nodegroup()?;
    spec::admit_nodes(conductor, &work.cluster, std::slice::from_ref(group)).await?;
    if submit::nodes_report(conductor, &work.cluster) {
        node::store::delete_older_tokens(&conductor.db, &group.uuid, group.token_generation).await?;
    }
    Ok(Next::Done)
}

/// Has those that leave give up what they run.
async fn drain(conductor: &Conductor, work: &Work) -> StepResult {
    let driver = conductor.driver(&work.cluster.driver)?;
    if !driver.drains() {
        return Ok(Next::Done);
    }
    let session = authority::acting(conductor, &work.cluster, Some(&work.operation)).await?;
    let stack = change::present(&session, &Target::nodegroup(work)?).await?;
    let before: BTreeSet<u32> = driver.members(&stack.outputs()).into_keys().collect();
    let input = Input::of(work)?;
    let mut removed = removed(conductor, work, &input, &before).await?;
    let prefix = prefix(&work.cluster, work.nodegroup()?);
    let free = before.difference(&removed).copied().collect();
    let Some(chosen) = choice::make(conductor, work, &prefix, &free, input.node_count).await? else {
        return Ok(Next::Wait(leaving::PAUSE));
    };
    removed.extend(chosen);
    // From the first node that is drained on, it is these.
    operation::store::note(&conductor.db, &work.operation.uuid, |progress| {
        if progress["going"].is_null() {
            progress["going"] = removed.iter().copied().collect::<Vec<_>>().into();
        }
    })
    .await?;
    let leaves = leave(&before, &removed, input.node_count).into_iter().map(|index| node_name(&prefix, index));
    leaving::drain(conductor, work, leaves.collect()).await
}

/// Who leaves: those that are removed by name and, as Heat keeps the lowest indices, the highest of the others.
fn leave(before: &BTreeSet<u32>, removed: &BTreeSet<u32>, count: u32) -> BTreeSet<u32> {
    let surplus = before.difference(removed).skip(count as usize);
    before.intersection(removed).chain(surplus).copied().collect()
}

/// Has the COE forget those that left.
async fn forget(conductor: &Conductor, work: &Work) -> StepResult {
    let Some(present) = Nodes::noted(work) else { return Ok(Next::Done) };
    let prefix = prefix(&work.cluster, work.nodegroup()?);
    leaving::settle(conductor, work, &prefix, &present).await?;
    Ok(Next::Done)
}

static RESIZE: Phase = Phase {
    name: Cow::Borrowed("resize"),
    change: |conductor, work, session, stack| resized(conductor, work, session, stack).boxed(),
};

/// The new number, and who goes. Who was there before is noted, for the case that all this is undone.
async fn resized(conductor: &Conductor, work: &Work, _: &Session, stack: &heat::Stack) -> Result<Change, Failure> {
    let input = Input::of(work)?;
    let driver = conductor.driver(&work.cluster.driver)?;
    let before: BTreeSet<u32> = driver.members(&stack.outputs()).into_keys().collect();
    let removed = removed(conductor, work, &input, &before).await?;
    operation::store::note(&conductor.db, &work.operation.uuid, |progress| {
        progress["before"] = before.iter().copied().collect::<Vec<_>>().into();
        progress["removed"] = removed.iter().copied().collect::<Vec<_>>().into();
    })
    .await?;
    scaled(conductor, work, input.node_count, &removed)
}

/// Those that were named or chosen to go and, after a change that failed, those that never became ready.
async fn removed(
    conductor: &Conductor,
    work: &Work,
    input: &Input,
    before: &BTreeSet<u32>,
) -> Result<BTreeSet<u32>, Failure> {
    let going = work.operation.progress.as_ref().is_some_and(|progress| progress["going"].is_array());
    if going {
        return Ok(noted(work, "going"));
    }
    let (group, mut removed) = (work.nodegroup()?, input.remove.clone());
    removed.extend(choice::noted(work));
    if input.retry && submit::nodes_report(conductor, &work.cluster) {
        let reported = reported(conductor, group).await?;
        let prefix = prefix(&work.cluster, group);
        let ready = |index: u32| {
            let name = node_name(&prefix, index);
            reported.iter().any(|node| node.name == name && node.phase == NodePhase::Ready)
        };
        removed.extend(before.iter().copied().filter(|index| !ready(*index)));
    }
    Ok(removed)
}

fn scaled(conductor: &Conductor, work: &Work, count: u32, remove: &BTreeSet<u32>) -> Result<Change, Failure> {
    let group = work.nodegroup()?;
    let token = node::bootstrap_token(conductor, group, spec::generation(group))?;
    let scale = conductor.driver(&work.cluster.driver)?.scale(count, remove, token.expose_secret());
    Ok(Change::Parameters { parameters: scale.parameters, handed_down: scale.hidden })
}

/// Indices that an earlier step has noted.
fn noted(work: &Work, key: &str) -> BTreeSet<u32> {
    let progress = work.operation.progress.as_ref().and_then(|progress| progress.get(key));
    progress.and_then(|indices| serde_json::from_value(indices.clone()).ok()).unwrap_or_default()
}

/// Waits for the stack; then it is known who the nodes are, and those that left are forgotten.
async fn await_stack(conductor: &Conductor, work: &Work) -> StepResult {
    let group = work.nodegroup()?;
    let nodes = reported(conductor, group).await?;
    if Nodes::noted(work).is_none() {
        if let Some(failed) = nodes.iter().find(|node| has_failed(work, group, node)) {
            return Err(Failure::Final(node_fault(failed)));
        }
        let target = Target::nodegroup(work)?;
        let Some(stack) = change::completed(conductor, work, &target, &RESIZE).await? else {
            work.say(conductor, "20 %: Heat changes the stack").await?;
            return Ok(Next::Wait(LONGEST_WAIT));
        };
        remember(conductor, work, &stack).await?;
    }
    operation::store::unfollow(&conductor.db, &work.operation.uuid).await?;
    Ok(Next::Done)
}

/// Whether the node has failed since the operation began, and is not on its way out.
fn has_failed(work: &Work, group: &Nodegroup, node: &node::Node) -> bool {
    let prefix = prefix(&work.cluster, group);
    let leaves = || noted(work, "removed").into_iter().any(|index| node.name == node_name(&prefix, index));
    node.phase == NodePhase::Failed && node.updated_at >= work.operation.created_at && !leaves()
}

/// Notes who the nodes of the finished stack are, and forgets those that left.
async fn remember(conductor: &Conductor, work: &Work, stack: &heat::Stack) -> Result<(), Failure> {
    let names = names(conductor, work, stack)?;
    node::store::keep_only(&conductor.db, &work.nodegroup()?.uuid, &names).await?;
    Nodes::note(conductor, work, names).await?;
    Ok(())
}

/// The names of the nodegroup's nodes, from the finished stack.
fn names(conductor: &Conductor, work: &Work, stack: &heat::Stack) -> Result<Vec<String>, Failure> {
    let driver = conductor.driver(&work.cluster.driver)?;
    let prefix = prefix(&work.cluster, work.nodegroup()?);
    Ok(driver.members(&stack.outputs()).into_keys().map(|index| node_name(&prefix, index)).collect())
}

/// Waits until every node of the nodegroup is ready.
async fn await_nodes(conductor: &Conductor, work: &Work) -> StepResult {
    let nodes = Nodes::of(conductor, work).await?;
    if let Some(failed) = nodes.failed() {
        return Err(Failure::Final(node_fault(failed)));
    }
    if nodes.all_ready() {
        return Ok(Next::Done);
    }
    work.say(conductor, &nodes.progress()).await?;
    Ok(Next::Wait(LONGEST_WAIT))
}

/// Records the nodes' addresses; their tokens open nothing more.
async fn finish(conductor: &Conductor, work: &Work) -> StepResult {
    let ending = Ending::Complete(leaving::told(work, "Stack UPDATE completed successfully"));
    settle(conductor, work, &ending, None).await
}

/// Ends the operation with what the stack says, and with the number of nodes where it is not the one asked for.
async fn settle(conductor: &Conductor, work: &Work, ending: &Ending, node_count: Option<u32>) -> StepResult {
    let group = work.nodegroup()?;
    let session = authority::acting(conductor, &work.cluster, Some(&work.operation)).await?;
    let stack = change::present(&session, &Target::nodegroup(work)?).await?;
    let names = names(conductor, work, &stack)?;
    let addresses = conductor.driver(&work.cluster.driver)?.read(&stack.outputs()).node_addresses;
    // What was removed cannot come back: where that was undone, other nodes came, and need the token.
    let all_in = matches!(ending, Ending::Complete(_)) || noted(work, "removed").is_empty();
    let transaction = database::begin(&conductor.db).await?;
    store::take(&transaction, &work.cluster.uuid).await?;
    let changes = nodegroup::store::Changes {
        node_count: node_count.and_then(|count| i32::try_from(count).ok()),
        node_addresses: Some(addresses.into()),
        ..Default::default()
    };
    nodegroup::store::change(&transaction, &group.uuid, changes).await?;
    if all_in && submit::nodes_report(conductor, &work.cluster) {
        node::store::delete_tokens(&transaction, &work.cluster.uuid, Some(&group.uuid)).await?;
    }
    // One that left may have said something since.
    node::store::keep_only(&transaction, &group.uuid, &names).await?;
    if !close(&transaction, &work.operation, ending, Changes::default()).await? {
        return Ok(Next::Done);
    }
    transaction.commit().await.map_err(Error::from)?;
    tracing::info!(nodegroup = %group.name, size = group.node_count, "nodegroup settled");
    Ok(Next::Done)
}

/// The operation's steps.
pub static KIND: Kind = Kind {
    name: "cluster.resize",
    doing: "Resizing a cluster",
    exclusive: false,
    refusal: ErrorKind::Conflict,
    cluster: Action::Update,
    nodegroups: Some(Action::Update),
    steps: &[
        Step { name: "cluster.resize/admit", limit: CALLS, run: |c, w| Box::pin(admit(c, w)) },
        Step { name: "cluster.resize/drain", limit: CALLS, run: |c, w| Box::pin(drain(c, w)) },
        Step {
            name: "cluster.resize/submit",
            limit: CALLS,
            run: |c, w| Box::pin(async move { change::submit(c, w, &Target::nodegroup(w)?, &RESIZE).await }),
        },
        Step { name: "cluster.resize/await", limit: CALLS, run: |c, w| Box::pin(await_stack(c, w)) },
        Step { name: "cluster.resize/forget", limit: CALLS, run: |c, w| Box::pin(forget(c, w)) },
        Step { name: "cluster.resize/nodes", limit: CALLS, run: |c, w| Box::pin(await_nodes(c, w)) },
        Step { name: "cluster.resize/finish", limit: CALLS, run: |c, w| Box::pin(finish(c, w)) },
    ],
    on_failure: Step { name: "cluster.resize/fail", limit: CALLS, run: |c, w| Box::pin(undo::fail(c, w)) },
};

/// A step is a handful of calls, each with its own deadline.
const CALLS: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_named_leaves_and_then_the_highest() {
        let before = BTreeSet::from([0, 1, 3, 5]);
        for (removed, count, leaves) in [
            (vec![], 4, vec![]),
            (vec![], 6, vec![]),
            (vec![], 2, vec![3, 5]),
            (vec![0], 3, vec![0]),
            (vec![1], 2, vec![1, 5]),
            (vec![0, 9], 4, vec![0]),
            (vec![], 0, vec![0, 1, 3, 5]),
        ] {
            let removed: BTreeSet<u32> = removed.into_iter().collect();
            assert_eq!(leave(&before, &removed, count), leaves.into_iter().collect(), "{removed:?} {count}");
        }
    }
}

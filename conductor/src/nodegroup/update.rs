//! `nodegroup.update`: how many nodes it may have, and the Kubernetes labels and taints of nodes made from now on.
//!
//! Nodes register with their labels and taints when they are made; those that are there keep what they have.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{Facts, Nodegroup, Taint, Taints, create, rules, store};
use crate::cluster::change::{self, Change, Phase, Target};
use crate::cluster::{Action, Changes, Cluster, Owner, Status, facts, gate, labels, progress, spec};
use crate::cluster::{Ending, close};
use crate::column::StringMap;
use crate::openstack::{Identity, Session, heat};
use crate::operation::store::NewOperation;
use crate::operation::{self, Failure, Kind, Next, Step, StepResult, Work};
use crate::{Conductor, Error, Kind as ErrorKind, Result, cluster, database};

/// What a nodegroup is to be after a patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Fewest nodes it may have.
    pub min_node_count: i32,
    /// Most nodes it may have; 0 or nothing means no limit.
    pub max_node_count: Option<i32>,
    /// Kubernetes labels of its nodes.
    pub node_labels: BTreeMap<String, String>,
    /// Kubernetes taints of its nodes.
    pub node_taints: Vec<Taint>,
}

/// Changes the nodegroup's bounds at once, and has its stack changed where nodes made from now on are to differ.
///
/// # Errors
/// Conflict for what the contract's section 5.3 refuses, and while the nodegroup cannot be changed.
pub async fn update(
    conductor: &Conductor,
    caller: &Arc<Identity>,
    cluster: &Cluster,
    group: &Nodegroup,
    wanted: &Wanted,
) -> Result<Nodegroup> {
    rules::counts(&group.name, group.node_count, wanted.min_node_count, wanted.max_node_count)?;
    rules::labels(&group.name, &group.role, &wanted.node_labels)?;
    rules::taints(&group.name, &group.role, &wanted.node_taints)?;
    let owner = cluster.act_as.unwrap_or(Owner::Service);
    let (ids, until) = ((cluster.uuid.as_str(), cluster.project_id.as_str()), Some(gate::deadline(cluster)));
    let operation = operation::by(conductor, caller, KIND.name, ids, owner, until)?.about(group);
    let group = database::retry(|| accept(conductor, cluster, group, wanted, operation.clone())).await?;
    conductor.wake.notify_one();
    Ok(group)
}

/// The nodegroup's row, and the operation where its nodes are to differ, in one transaction.
async fn accept(
    conductor: &Conductor,
    cluster: &Cluster,
    group: &Nodegroup,
    wanted: &Wanted,
    operation: NewOperation,
) -> Result<Nodegroup> {
    let transaction = database::begin(&conductor.db).await?;
    cluster::store::take(&transaction, &cluster.uuid).await?;
    let now = store::find(&transaction, &cluster.uuid, &group.uuid).await?;
    changeable(&now)?;
    same(group, &now)?;
    // What has failed is not known to have been done.
    let differ = now.status.is_failed()
        || now.node_labels.clone().unwrap_or_default().0 != wanted.node_labels
        || now.node_taints.clone().unwrap_or_default().0 != wanted.node_taints;
    let mut changes = store::Changes {
        min_node_count: Some(wanted.min_node_count),
        max_node_count: Some(wanted.max_node_count),
        ..Default::default()
    };
    if differ {
        let view = gate::claim(&transaction, &KIND, &cluster.uuid, now.subject()).await?;
        refuse_half_upgraded(&view.cluster, &now)?;
        changes.node_labels = Some(Some(StringMap(wanted.node_labels.clone())));
        changes.node_taints = Some(Some(Taints(wanted.node_taints.clone())));
        gate::begin(&transaction, &KIND, operation).await?;
    }
    store::change(&transaction, &now.uuid, changes).await?;
    let group = store::find(&transaction, &cluster.uuid, &now.uuid).await?;
    transaction.commit().await?;
    Ok(group)
}

/// A patch says what all is to be after what it was applied to; another one in between would be undone by it.
fn same(read: &Nodegroup, now: &Nodegroup) -> Result<()> {
    let patched = |group: &Nodegroup| {
        let (labels, taints) = (group.node_labels.clone(), group.node_taints.clone());
        (group.min_node_count, group.max_node_count, group.node_count, labels, taints)
    };
    if patched(read) == patched(now) {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "Nodegroup {} was changed by another request in the meantime. Read it again and repeat the change.",
        now.uuid
    )))
}

/// The contract's section 8.3.
fn changeable(group: &Nodegroup) -> Result<()> {
    let status = group.status;
    if status.is_stable() || matches!(status, Status::UpdateFailed | Status::UpdateInProgress) {
        return Ok(());
    }
    let Nodegroup { name, uuid, .. } = group;
    Err(Error::conflict(format!(
        "Updating a nodegroup when status is \"{status}\" is not supported: {name} ({uuid}). Allowed: a status that ends in \
         _COMPLETE, UPDATE_IN_PROGRESS, UPDATE_FAILED."
    )))
}

/// While some of its nodes are of one definition and some of another, there is no telling what new ones are to be.
fn refuse_half_upgraded(cluster: &Cluster, group: &Nodegroup) -> Result<()> {
    let unfinished = match group.is_default {
        true => !facts::Facts::of(cluster)?.previous.is_empty(),
        false => !Facts::of(group)?.previous.is_empty(),
    };
    if unfinished {
        return Err(Error::conflict(
            "An upgrade has not been finished. Ask for it again before anything else changes.",
        ));
    }
    Ok(())
}

/// The stack's update: only the user data of nodes made from now on. Template, parameters and nodes stay.
static PHASE: Phase =
    Phase { name: Cow::Borrowed("labels"), change: |c, w, session, stack| user_data(c, w, session, stack) };

fn user_data<'a>(
    conductor: &'a Conductor,
    work: &'a Work,
    session: &'a Session,
    _: &'a heat::Stack,
) -> BoxFuture<'a, Result<Change, Failure>> {
    async move {
        let (cluster, group) = (&work.cluster, work.nodegroup()?);
        let driver = conductor.driver(&cluster.driver)?;
        let stack = if group.is_default {
            driver.stack(&spec::of(conductor, cluster, &work.nodegroups).await?)
        } else {
            let spec = spec::of_nodegroup(conductor, cluster, &work.nodegroups, group).await?;
            driver.nodegroup(&spec, &change::present(session, &super::of_cluster(work)?).await?.outputs(), None)
        };
        let mut files = stack.map_err(Error::internal)?.files;
        files.retain(|name, _| name == driver.user_data_of_workers());
        Ok(Change::Files(files))
    }
    .boxed()
}

async fn submit(conductor: &Conductor, work: &Work) -> StepResult {
    change::submit(conductor, work, &Target::nodegroup(work)?, &PHASE).await
}

async fn await_updated(conductor: &Conductor, work: &Work) -> StepResult {
    match change::completed(conductor, work, &Target::nodegroup(work)?, &PHASE).await? {
        Some(_) => Ok(Next::Done),
        None => Ok(Next::Wait(progress::LONGEST_WAIT)),
    }
}

async fn complete(conductor: &Conductor, work: &Work) -> StepResult {
    let group = work.nodegroup()?;
    let reason = match labels::of_nodes(conductor.driver(&work.cluster.driver)?, group) {
        None => format!("Nodegroup {}: nodes made from now on have the new labels and taints", group.name),
        notes => labels::noted(format!("Nodegroup {}: stack UPDATE completed successfully", group.name), notes),
    };
    let transaction = database::begin(&conductor.db).await?;
    if close(&transaction, &work.operation, &Ending::Complete(reason), Changes::default()).await? {
        transaction.commit().await.map_err(Error::from)?;
    }
    Ok(Next::Done)
}

/// The operation's steps.
pub static KIND: Kind = Kind {
    name: "nodegroup.update",
    doing: "Updating a nodegroup",
    exclusive: false,
    refusal: ErrorKind::Conflict,
    cluster: Action::Update,
    nodegroups: Some(Action::Update),
    steps: &[
        Step { name: "nodegroup.update/submit", limit: CALLS, run: |c, w| Box::pin(submit(c, w)) },
        Step { name: "nodegroup.update/await", limit: CALLS, run: |c, w| Box::pin(await_updated(c, w)) },
        Step { name: "nodegroup.update/finish", limit: CALLS, run: |c, w| Box::pin(complete(c, w)) },
    ],
    on_failure: Step { name: "nodegroup.update/fail", limit: CALLS, run: |c, w| Box::pin(create::failed(c, w)) },
};

/// A step is a handful of calls, each with its own deadline.
const CALLS: Duration = Duration::from_secs(120);

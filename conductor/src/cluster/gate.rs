//! Beginning a change of a cluster that exists: lock, gate and status in one transaction, before the request is
//! answered.
//!
//! The cluster's row is taken first, so that of several requests at once each sees what those before it have begun.

use crate::database::Connection;
use chrono::TimeDelta;

use super::{Changes, Cluster, Status, View, store};
use crate::column::{Moment, now};
use crate::operation::store::NewOperation;
use crate::operation::{self, Kind, Operation};
use crate::scope::Scope;
use crate::{Error, Result, database, nodegroup};

/// Minutes an update may take where the cluster's `create_timeout` sets no limit.
const PATIENCE: i64 = 60;

/// When an update of the cluster that begins now fails unless it has ended: after the cluster's `create_timeout`, or
/// 60 minutes where that sets no limit.
#[must_use]
pub fn deadline(cluster: &Cluster) -> Moment {
    now() + TimeDelta::minutes(minutes(cluster))
}

/// The minutes that an update of the cluster may take.
pub(crate) fn minutes(cluster: &Cluster) -> i64 {
    cluster.create_timeout.filter(|minutes| *minutes > 0).map_or(PATIENCE, i64::from)
}

/// Takes the cluster for the transaction and gives it as it is now, if an operation of that kind may begin on the
/// subject (the cluster's UUID, or that of a nodegroup with a stack of its own). [`begin`] it in the same transaction.
///
/// # Errors
/// `NotFound` when the cluster is gone; `Conflict` or `Invalid`, as the kind has it, in the wrong status and while
/// another operation stands in the way.
pub async fn claim(c: &impl Connection, kind: &Kind, cluster_uuid: &str, subject: &str) -> Result<View> {
    store::take(c, cluster_uuid).await?;
    let view = store::view(c, &Scope::All, cluster_uuid).await?;
    check(c, kind, &view.cluster, subject).await?;
    Ok(view)
}

/// Whether an operation of that kind may begin, before anything is looked up for it; [`claim`] decides.
///
/// # Errors
/// As [`claim`].
pub async fn check(c: &impl Connection, kind: &Kind, cluster: &Cluster, subject: &str) -> Result<()> {
    let active = operation::store::active(c, &cluster.uuid).await?;
    match by_status(cluster.status, kind).or_else(|| by_lock(&active, kind, subject)) {
        None => Ok(()),
        Some(advice) => {
            let Cluster { name, uuid, status, .. } = cluster;
            let doing = kind.doing;
            let text = format!(
                "{doing} when status is \"{status}\" is not supported. The cluster {name} ({uuid}) {advice} Allowed: \
                 CREATE_COMPLETE and any other _COMPLETE, UPDATE_FAILED, ROLLBACK_FAILED."
            );
            Err(Error::new(kind.refusal, text))
        }
    }
}

/// Records the operation and gives the cluster, and the nodegroups it is about, the status that says so.
///
/// # Errors
/// `Conflict` when another operation holds the subject: only without [`claim`].
pub async fn begin(c: &impl Connection, kind: &Kind, mut new: NewOperation) -> Result<Operation> {
    if kind.exclusive {
        new.subject.clone_from(&new.cluster_uuid);
    }
    let uuid = new.cluster_uuid.clone();
    let status = Some(kind.cluster.under_way());
    store::change(c, &uuid, Changes { status, status_reason: Some(None), ..Default::default() }).await?;
    if let Some(action) = kind.nodegroups {
        let status = Some(action.under_way());
        let changes = nodegroup::store::Changes { status, status_reason: Some(None), ..Default::default() };
        match &new.nodegroup_uuid {
            Some(group) => drop(nodegroup::store::change(c, group, changes).await?),
            None => drop(nodegroup::store::change_defaults(c, &uuid, changes).await?),
        }
    }
    operation::store::insert(c, new).await
}

/// Shows that the operation's change is being undone.
///
/// # Errors
/// The database does not answer.
pub async fn rolls_back(db: &crate::database::Records, operation: &Operation) -> Result<()> {
    let transaction = database::begin(db).await?;
    let uuid = &operation.cluster_uuid;
    let status = Some(Status::RollbackInProgress);
    let from = [Status::UpdateInProgress];
    store::change_from(&transaction, uuid, &from, Changes { status, ..Default::default() }).await?;
    if !operation::store::is_active(&transaction, &operation.uuid).await? {
        return Ok(());
    }
    if let Some(group) = &operation.nodegroup_uuid {
        let changes = nodegroup::store::Changes { status, ..Default::default() };
        nodegroup::store::change(&transaction, group, changes).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Why the status forbids it, and what helps; nothing where it does not.
fn by_status(status: Status, kind: &Kind) -> Option<&'static str> {
    match status {
        status if status.is_stable() => None,
        Status::UpdateFailed | Status::RollbackFailed => None,
        Status::UpdateInProgress | Status::RollbackInProgress if !kind.exclusive => None,
        Status::UpdateInProgress | Status::RollbackInProgress => Some("is being changed: wait until that has ended."),
        Status::CreateInProgress => Some("is being made: wait until it is complete, or delete it."),
        Status::CreateFailed => Some("was not made in full: delete it and make another one."),
        Status::DeleteInProgress | Status::DeleteComplete => Some("is being deleted."),
        Status::DeleteFailed => Some("was not deleted in full: delete it again."),
        _ => Some("cannot be changed: delete it."),
    }
}

/// Which operation stands in the way; nothing where none does.
fn by_lock(active: &[Operation], kind: &Kind, subject: &str) -> Option<&'static str> {
    let in_the_way = |other: &Operation| {
        let exclusive = Kind::find(&other.kind).is_none_or(|other| other.exclusive);
        kind.exclusive || exclusive || other.active.as_deref() == Some(subject)
    };
    active.iter().any(in_the_way).then_some("is being changed by another operation: wait until that one has ended.")
}

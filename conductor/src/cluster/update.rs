//! `PATCH` of a cluster: another number of workers, or what somebody found about its health.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::resize::{self, Size};
use super::{Changes, Cluster, HealthStatus, Status, store};
use crate::column::StringMap;
use crate::nodegroup::{self, DEFAULT_WORKER};
use crate::openstack::Identity;
use crate::{Conductor, Error, Result, database};

/// In these statuses a cluster's health may be told.
pub(crate) const HEALTH_IS_TOLD: &[Status] = &[
    Status::CreateComplete,
    Status::UpdateComplete,
    Status::UpdateFailed,
    Status::ResumeComplete,
    Status::RestoreComplete,
    Status::RollbackComplete,
    Status::RollbackFailed,
    Status::SnapshotComplete,
    Status::CheckComplete,
    Status::AdoptComplete,
];

/// What changes; nothing leaves it as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// Workers in the default nodegroup.
    pub node_count: Option<u32>,
    /// Whether a change of the number is undone when it fails.
    pub rollback: bool,
    /// Whether the COE works, as somebody found.
    pub health_status: Option<Option<HealthStatus>>,
    /// What was found.
    pub health_status_reason: Option<StringMap>,
}

/// Records what changes, and the operation that brings it about where there is one; returns before anything is changed
/// in Heat. The number of workers that there is changes nothing, unless the nodegroup's last change has failed: then
/// that is tried again.
///
/// # Errors
/// `Conflict` in the wrong status or while another operation stands in the way; nothing is changed then.
pub async fn update(conductor: &Conductor, caller: &Arc<Identity>, cluster: &Cluster, request: Request) -> Result<()> {
    let group = nodegroup::store::find(&conductor.db, &cluster.uuid, DEFAULT_WORKER).await?;
    let same = |count: &u32| i32::try_from(*count).ok() == Some(group.node_count) && !group.status.is_failed();
    let size = request.node_count.filter(|count| !same(count));
    let size = size.map(|node_count| Size {
        node_count,
        remove: BTreeSet::new(),
        rollback: request.rollback,
        in_range: false,
    });
    let operation = resize::by(conductor, caller, cluster)?;
    database::retry(|| async {
        let transaction = database::begin(&conductor.db).await?;
        if request.health_status.is_some() || request.health_status_reason.is_some() {
            tell_health(&transaction, cluster, &request).await?;
        }
        if let Some(size) = &size {
            resize::accept(&transaction, operation.clone(), &group, size).await?;
        }
        Ok(transaction.commit().await?)
    })
    .await?;
    if let Some(size) = size {
        tracing::info!(cluster = %cluster.uuid, nodegroup = %group.name, size = size.node_count, "resize accepted");
        conductor.wake.notify_one();
    }
    Ok(())
}

async fn tell_health(c: &impl crate::database::Connection, cluster: &Cluster, request: &Request) -> Result<()> {
    let changes = Changes {
        health_status: request.health_status,
        health_status_reason: request.health_status_reason.clone(),
        ..Default::default()
    };
    if store::change_from(c, &cluster.uuid, HEALTH_IS_TOLD, changes).await? {
        return Ok(());
    }
    let Cluster { name, uuid, status, .. } = cluster;
    Err(Error::conflict(format!(
        "Updating the health of a cluster when status is \"{status}\" is not supported. The cluster {name} ({uuid}) must \
         be at rest: wait until its status ends in _COMPLETE."
    )))
}

#[cfg(test)]
mod tests {
    use sea_orm::Iterable;

    use super::*;

    #[test]
    fn health_is_told_of_clusters_at_rest() {
        for status in Status::iter() {
            let rests = status.is_stable() || matches!(status, Status::UpdateFailed | Status::RollbackFailed);
            assert_eq!(HEALTH_IS_TOLD.contains(&status), rests, "{status}");
        }
    }
}

//! Settling a cluster: complete or failed, in one transaction with its operation.

use drivers::Addresses;

use super::facts::Facts;
use super::{Action, Changes, Status, labels, store};
use crate::nodegroup::Nodegroup;
use crate::openstack::heat;
use crate::operation::store::End;
use crate::operation::{self, Fault, Kind, Next, Operation, StepResult, Work};
use crate::{Conductor, Error, Result, database, node, nodegroup};

/// How an operation ends, as its cluster and nodegroups show it.
#[derive(Debug, Clone)]
pub enum Ending {
    /// It did what was asked; with the text for `status_reason`.
    Complete(String),
    /// It did not.
    Failed(Fault),
    /// It did not, and what it had done is undone.
    RolledBack(Fault),
    /// It did not, and what it had done could not be undone.
    RollbackFailed(Fault),
}

impl Ending {
    fn status(&self, action: Action) -> Status {
        match self {
            Self::Complete(_) => action.complete(),
            Self::Failed(_) => action.failed(),
            Self::RolledBack(_) => Status::RollbackComplete,
            Self::RollbackFailed(_) => Status::RollbackFailed,
        }
    }

    /// The texts for the cluster and for the nodegroups.
    fn reasons(&self) -> (String, String) {
        match self {
            Self::Complete(reason) => (reason.clone(), reason.clone()),
            Self::Failed(fault) | Self::RollbackFailed(fault) => (fault.reason(), fault.details()),
            Self::RolledBack(fault) => {
                let back = "The change failed and was undone. Its failure: ";
                (format!("{back}{}", fault.reason()), format!("{back}{}", fault.details()))
            }
        }
    }

    fn end(&self) -> Result<End> {
        Ok(match self {
            Self::Complete(_) => End::succeeded(),
            Self::Failed(fault) | Self::RolledBack(fault) | Self::RollbackFailed(fault) => {
                let json = serde_json::to_value(fault).map_err(Error::internal)?;
                End::failed(fault.code.as_str(), fault.message.clone(), Some(json))
            }
        })
    }
}

/// Ends the operation and gives its nodegroups their status, and the cluster its own if no other operation of it is
/// under way; `changes` are made to the cluster in any case. False, and nothing done, when it had ended before. Run it
/// in one transaction with what else goes with the end, and after that, since the notification says what the records
/// say then; the transaction begins with [`store::take`], and is committed only if this is true.
///
/// The last operation to end decides: the cluster is `UPDATE_FAILED` when any nodegroup has failed.
///
/// # Errors
/// The database does not answer.
pub async fn close(
    c: &impl database::Connection,
    operation: &Operation,
    ending: &Ending,
    mut changes: Changes,
) -> Result<bool> {
    // Two that end at the same time must see each other: the cluster's row comes first.
    let uuid = &operation.cluster_uuid;
    store::take(c, uuid).await?;
    if !operation::store::finish(c, &operation.uuid, ending.end()?).await? {
        return Ok(false);
    }
    let kind = Kind::find(&operation.kind);
    let (reason, details) = ending.reasons();
    if let Some(action) = kind.map_or(Some(Action::Update), |kind| kind.nodegroups) {
        let (status, status_reason) = (Some(ending.status(action)), Some(Some(details)));
        let changes = nodegroup::store::Changes { status, status_reason, ..Default::default() };
        match &operation.nodegroup_uuid {
            Some(group) => drop(nodegroup::store::change(c, group, changes).await?),
            None => drop(nodegroup::store::change_defaults(c, uuid, changes).await?),
        }
    }
    if operation::store::active(c, uuid).await?.is_empty() {
        let own = ending.status(kind.map_or(Action::Update, |kind| kind.cluster));
        let nodegroups = nodegroup::store::of_clusters(c, std::slice::from_ref(uuid)).await?;
        let (status, reason) = decided(own, reason, &nodegroups);
        (changes.status, changes.status_reason) = (Some(status), Some(Some(reason)));
    }
    store::change(c, uuid, changes).await?;
    operation::store::tell(c, &operation.uuid).await?;
    Ok(true)
}

/// The cluster's status: its last operation's, unless a nodegroup is left that has failed.
fn decided(own: Status, reason: String, nodegroups: &[Nodegroup]) -> (Status, String) {
    let failed = nodegroups.iter().find(|group| group.status.is_failed());
    match failed {
        Some(group) if !own.is_failed() => {
            let why = group.status_reason.as_deref().and_then(|text| text.lines().next()).unwrap_or("no reason given");
            (Status::UpdateFailed, format!("Nodegroup {} is {}: {why}", group.name, group.status))
        }
        _ => (own, reason),
    }
}

/// Reads the finished stack and records what users need of it.
pub(super) async fn complete(conductor: &Conductor, work: &Work) -> StepResult {
    let session = super::authority::acting(conductor, &work.cluster, Some(&work.operation)).await?;
    let name = work.cluster.stack_name.as_deref().unwrap_or_default();
    let id = work.cluster.stack_id.as_deref().unwrap_or_default();
    let Some(stack) = heat::get(&session, name, id, true).await? else {
        return Err(super::change::vanished(&format!("The stack {name}")));
    };
    let driver = conductor.driver(&work.cluster.driver)?;
    let addresses = driver.read(&stack.outputs());
    let desired = Facts::of(&work.cluster)?.desired;
    let notes = labels::of_cluster(driver, &desired, work.cluster.discovery_url.as_deref());
    let reason = labels::noted("Stack CREATE completed successfully".to_owned(), notes);
    settle_complete(conductor, work, &addresses, reason).await?;
    tracing::info!(api_address = addresses.api_address.as_deref().unwrap_or("none"), "cluster complete");
    Ok(Next::Done)
}

/// Records why the operation failed; what was made stays, so that it can be looked at, until the cluster is deleted.
/// A failed deletion begins anew when it is asked for again.
pub(super) async fn failed(conductor: &Conductor, work: &Work) -> StepResult {
    settle_failed(conductor, &work.operation).await?;
    Ok(Next::Done)
}

async fn settle_complete(conductor: &Conductor, work: &Work, addresses: &Addresses, reason: String) -> Result<()> {
    let uuid = &work.cluster.uuid;
    let (coe_version, container_version) = super::progress::versions(conductor, work).await?;
    let changes = Changes {
        api_address: Some(addresses.api_address.clone()),
        coe_version: Some(coe_version),
        container_version: Some(container_version),
        ..Default::default()
    };
    let transaction = database::begin(&conductor.db).await?;
    store::take(&transaction, uuid).await?;
    for group in work.nodegroups.iter().filter(|group| group.is_default) {
        let nodes = if group.role == "master" { &addresses.master_addresses } else { &addresses.node_addresses };
        let changes = nodegroup::store::Changes {
            stack_id: Some(work.cluster.stack_id.clone()),
            node_addresses: Some(nodes.clone().into()),
            ..Default::default()
        };
        nodegroup::store::change(&transaction, &group.uuid, changes).await?;
    }
    if super::submit::nodes_report(conductor, &work.cluster) {
        // Every node has its certificates: the tokens, which readers of the project can find in Heat, open nothing more.
        node::store::delete_tokens(&transaction, uuid, None).await?;
    }
    if close(&transaction, &work.operation, &Ending::Complete(reason), changes).await? {
        transaction.commit().await?;
    }
    Ok(())
}

/// Records a failure: of the cluster, its nodegroups and the operation at once.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn settle_failed(conductor: &Conductor, operation: &Operation) -> Result<()> {
    let ending = Ending::Failed(Fault::of(operation));
    let transaction = database::begin(&conductor.db).await?;
    if close(&transaction, operation, &ending, Changes::default()).await? {
        transaction.commit().await?;
    }
    Ok(())
}

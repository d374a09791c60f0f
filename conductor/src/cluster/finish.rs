//! Settling a cluster: complete or failed, in one transaction with its operation.

use drivers::Addresses;

use super::{Changes, Status, store};
use crate::openstack::heat;
use crate::operation::store::End;
use crate::operation::{self, Code, Failure, Fault, Kind, Next, Operation, StepResult, Work};
use crate::{Conductor, Result, database, node, nodegroup};

/// Reads the finished stack and records what users need of it.
pub(super) async fn complete(conductor: &Conductor, work: &Work) -> StepResult {
    let session = super::authority::acting(conductor, &work.cluster, Some(&work.operation)).await?;
    let name = work.cluster.stack_name.as_deref().unwrap_or_default();
    let id = work.cluster.stack_id.as_deref().unwrap_or_default();
    let Some(stack) = heat::get(&session, name, id, true).await? else {
        let text = "The cluster's stack was deleted outside this service";
        return Err(Failure::Final(Fault::new(Code::Vanished, text)));
    };
    let driver = conductor.driver(&work.cluster.driver)?;
    let addresses = driver.read(&stack.outputs());
    let reason = match super::labels::warnings(driver, &work.cluster.labels) {
        Some(warnings) => format!("Stack CREATE completed successfully. Note: {warnings}"),
        None => "Stack CREATE completed successfully".to_owned(),
    };
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
    let transaction = database::begin(&conductor.db).await?;
    let changes = Changes {
        status: Some(Status::CreateComplete),
        status_reason: Some(Some(reason)),
        api_address: Some(addresses.api_address.clone()),
        coe_version: Some(coe_version),
        container_version: Some(container_version),
        ..Default::default()
    };
    store::change(&transaction, uuid, changes).await?;
    for group in work.nodegroups.iter().filter(|group| group.is_default) {
        let nodes = if group.role == "master" { &addresses.master_addresses } else { &addresses.node_addresses };
        let changes = nodegroup::store::Changes {
            status: Some(Status::CreateComplete),
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
    if operation::store::finish(&transaction, &work.operation.uuid, End::succeeded()).await? {
        transaction.commit().await?;
    }
    Ok(())
}

/// Records a failure: of the cluster, its nodegroups and the operation at once.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn settle_failed(conductor: &Conductor, operation: &Operation) -> Result<()> {
    let status = Kind::find(&operation.kind).map_or(Status::UpdateFailed, |kind| kind.failed);
    let fault = Fault::of(operation);
    let json = serde_json::to_value(&fault).map_err(crate::Error::internal)?;
    let transaction = database::begin(&conductor.db).await?;
    store::set_status(&transaction, &operation.cluster_uuid, status, Some(fault.reason())).await?;
    let details = Some(Some(fault.details()));
    let changes = nodegroup::store::Changes { status: Some(status), status_reason: details, ..Default::default() };
    nodegroup::store::change_defaults(&transaction, &operation.cluster_uuid, changes).await?;
    let end = End::failed(fault.code.as_str(), fault.message.clone(), Some(json));
    if operation::store::finish(&transaction, &operation.uuid, end).await? {
        transaction.commit().await?;
    }
    Ok(())
}

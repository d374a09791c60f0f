//! Settling a cluster: complete or failed, in one transaction with its operation.

use super::store;
use crate::Conductor;
use crate::openstack::heat;
use crate::operation::{Code, Failure, Fault, Next, StepResult, Work};

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
    store::settle_complete(&conductor.db, &work.operation, &addresses).await?;
    tracing::info!(api_address = addresses.api_address.as_deref().unwrap_or("none"), "cluster complete");
    Ok(Next::Done)
}

/// Records why the operation failed; what was made stays, so that it can be looked at, until the cluster is deleted.
pub(super) async fn failed(conductor: &Conductor, work: &Work) -> StepResult {
    let fault = work.operation.recorded_fault();
    store::settle_failed(&conductor.db, &work.operation, &fault).await?;
    Ok(Next::Done)
}

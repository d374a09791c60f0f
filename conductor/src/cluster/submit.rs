//! Handing the stack to Heat, once.

use super::{Changes, Cluster, name, spec};
use crate::openstack::{self, Session, heat};
use crate::operation::{self, Code, Failure, Fault, Next, StepResult, Work};
use crate::{Conductor, Error, database};

/// Submits the stack, or adopts the one that an earlier try of this step made.
pub(super) async fn submit(conductor: &Conductor, work: &Work) -> StepResult {
    if work.cluster.stack_id.is_some() {
        return Ok(Next::Done);
    }
    let session = super::authority::submitting(conductor, work).await?;
    let name = work.cluster.stack_name.clone().unwrap_or_default();
    if let Some(id) = heat::find(&session, &name).await? {
        return adopt(conductor, work, &session, &id).await;
    }
    spec::admit_nodes(conductor, &work.cluster, &work.nodegroups).await?;
    let spec = spec::of(conductor, &work.cluster, &work.nodegroups).await?;
    let driver = conductor.driver(&work.cluster.driver)?;
    let stack = driver.stack(&spec).map_err(Error::internal)?;
    if !operation::store::note_submission(&conductor.db, &work.operation.uuid).await? {
        return Ok(Next::Done);
    }
    let tags = [name::TAG.to_owned(), name::tag_of(&work.cluster.uuid)];
    let request = heat::NewStack { name: &name, stack: &stack, tags: &tags };
    match heat::create(&session, &request).await {
        Ok(id) => record(conductor, work, &id).await,
        Err(error) if error.kind == openstack::Kind::Conflict => {
            // Somebody was faster: most likely an earlier try of ours whose answer was lost.
            match heat::find(&session, &name).await? {
                Some(id) => adopt(conductor, work, &session, &id).await,
                None => Err(Failure::Later(error.into())),
            }
        }
        Err(error) => Err(error.into()),
    }
}

async fn adopt(conductor: &Conductor, work: &Work, session: &Session, id: &str) -> StepResult {
    let name = work.cluster.stack_name.as_deref().unwrap_or_default();
    let Some(found) = heat::get(session, name, id, false).await? else {
        return Err(Failure::Later(Error::unavailable("Heat")));
    };
    if !found.tags.contains(&name::tag_of(&work.cluster.uuid)) {
        let text = format!("A stack called {name} exists in the project and is not this cluster's");
        return Err(Failure::Final(Fault::new(Code::NameTaken, text)));
    }
    tracing::info!(stack = %id, "adopting the stack that an earlier try made");
    record(conductor, work, id).await
}

/// Writes the stack's identifier down and erases the requester's token, which has served.
async fn record(conductor: &Conductor, work: &Work, stack_id: &str) -> StepResult {
    let changes = Changes { stack_id: Some(Some(stack_id.to_owned())), ..Default::default() };
    let transaction = database::begin(&conductor.db).await?;
    super::store::change(&transaction, &work.cluster.uuid, changes).await?;
    operation::store::erase_token(&transaction, &work.operation.uuid).await?;
    transaction.commit().await.map_err(Error::from)?;
    tracing::info!(stack = %stack_id, "Heat has accepted the stack");
    Ok(Next::Done)
}

/// Whether this cluster's nodes are to report before it counts as complete.
pub(crate) fn nodes_report(conductor: &Conductor, cluster: &Cluster) -> bool {
    let label = cluster
        .labels
        .get("node_reports")
        .map(|value| !matches!(value.to_ascii_lowercase().as_str(), "false" | "0" | "no" | "off"));
    label.unwrap_or(conductor.config.drivers.node_reports)
}

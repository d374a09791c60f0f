//! Handing the stack to Heat, once.

use drivers::Stack;

use super::{Changes, Cluster, name, spec};
use crate::openstack::{self, Session, heat};
use crate::operation::{self, Code, Failure, Fault, Next, StepResult, Work};
use crate::{Conductor, Error, Result, database};

/// Submits the stack, or adopts the one that an earlier try of this step made.
pub(super) async fn submit(conductor: &Conductor, work: &Work) -> StepResult {
    if work.cluster.stack_id.is_some() {
        return Ok(Next::Done);
    }
    let session = super::authority::submitting(conductor, work).await?;
    let name = work.cluster.stack_name.clone().unwrap_or_default();
    let rendered = async {
        spec::admit_nodes(conductor, &work.cluster, &work.nodegroups).await?;
        let spec = spec::of(conductor, &work.cluster, &work.nodegroups).await?;
        conductor.driver(&work.cluster.driver)?.stack(&spec).map_err(|why| Error::internal(why).into())
    };
    match handed_over(conductor, work, &session, &name, rendered).await? {
        Some(id) => record(conductor, work, &id).await,
        None => Ok(Next::Done),
    }
}

/// Has Heat make the stack of that name, or adopts the one of that name that is this cluster's; gives its identifier,
/// or nothing when the operation is no longer active. The stack is rendered only when there is none.
pub(crate) async fn handed_over(
    conductor: &Conductor,
    work: &Work,
    session: &Session,
    name: &str,
    rendered: impl Future<Output = Result<Stack, Failure>>,
) -> Result<Option<String>, Failure> {
    if let Some(id) = heat::find(session, name).await? {
        return adopted(work, session, name, id).await.map(Some);
    }
    let stack = rendered.await?;
    if !operation::store::note_submission(&conductor.db, &work.operation.uuid).await? {
        return Ok(None);
    }
    let tags = [name::TAG.to_owned(), name::tag_of(&work.cluster.uuid)];
    match heat::create(session, &heat::NewStack { name, stack: &stack, tags: &tags }).await {
        Ok(id) => Ok(Some(id)),
        Err(error) if error.kind == openstack::Kind::Conflict => {
            // Somebody was faster: most likely an earlier try of ours whose answer was lost.
            match heat::find(session, name).await? {
                Some(id) => adopted(work, session, name, id).await.map(Some),
                None => Err(Failure::Later(error.into())),
            }
        }
        Err(error) => {
            if !error.is_transient() && error.kind != openstack::Kind::Protocol {
                refused(conductor, work).await?;
            }
            Err(error.into())
        }
    }
}

/// Heat has refused the stack, so that of this request none will come: what is noted is again what an earlier try noted
/// whose answer was lost, if there was one.
async fn refused(conductor: &Conductor, work: &Work) -> Result<()> {
    let earlier = work.operation.progress.as_ref().map(|progress| progress["submitting"].clone());
    let noted = |progress: &mut serde_json::Value| progress["submitting"] = earlier.unwrap_or_default();
    operation::store::note(&conductor.db, &work.operation.uuid, noted).await.map(drop)
}

async fn adopted(work: &Work, session: &Session, name: &str, id: String) -> Result<String, Failure> {
    let Some(found) = heat::get(session, name, &id, false).await? else {
        return Err(Failure::Later(Error::unavailable("Heat")));
    };
    if !found.tags.contains(&name::tag_of(&work.cluster.uuid)) {
        let text = format!("A stack called {name} exists in the project and is not this cluster's");
        return Err(Failure::Final(Fault::new(Code::NameTaken, text)));
    }
    tracing::info!(stack = %id, "adopting the stack that an earlier try made");
    Ok(id)
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

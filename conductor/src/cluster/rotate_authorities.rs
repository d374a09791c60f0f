//! `certificate.rotate`: new authorities for a living cluster, step by step with its nodes.
//!
//! First every node trusts the new authorities beside the present ones, then every node has its certificates signed by
//! the new ones, and only then are the new ones the cluster's. Until that moment the present ones are shown, sign for
//! users and stay valid, and any failure leads back to them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::facts::Facts;
use super::{Action, Changes, Ending, Owner, View, carried, close, gate};
use crate::openstack::Identity;
use crate::operation::store::NewOperation;
use crate::operation::{self, Kind, Next, Step, StepResult, Work};
use crate::order::{self, Kind as Told};
use crate::{Conductor, Error, Kind as ErrorKind, Result, certificate, database};

/// Records that the cluster's authorities are to be replaced, and returns.
///
/// # Errors
/// Invalid for a cluster without TLS, in another state, or with nodes that cannot take part; conflict when another
/// operation changes the cluster.
pub async fn rotate_authorities(conductor: &Conductor, caller: &Arc<Identity>, view: &View) -> Result<()> {
    let cluster = &view.cluster;
    if Facts::of(cluster)?.desired.tls_disabled {
        return Err(Error::invalid(format!(
            "Cluster {} has TLS disabled (tls_disabled of its template is true); there is no authority to rotate.",
            cluster.uuid
        )));
    }
    gate::check(&conductor.db, &KIND, cluster, &cluster.uuid).await?;
    order::refuse_deaf(conductor, cluster, &view.nodegroups).await?;
    // Nothing here is done with the requester's token.
    let who = (cluster.uuid.as_str(), cluster.project_id.as_str());
    let operation = operation::by(conductor, caller, KIND.name, who, Owner::Service, None)?;
    database::retry(|| accept(conductor, &cluster.uuid, operation.clone())).await?;
    tracing::info!(cluster = %cluster.uuid, "rotation of the authorities accepted");
    conductor.wake.notify_one();
    Ok(())
}

async fn accept(conductor: &Conductor, cluster: &str, operation: NewOperation) -> Result<()> {
    let transaction = database::begin(&conductor.db).await?;
    gate::claim(&transaction, &KIND, cluster, cluster).await?;
    let generation = certificate::store::next_generation(&transaction, cluster).await?;
    gate::begin(&transaction, &KIND, operation.with(json!({"generation": generation}))).await?;
    transaction.commit().await?;
    Ok(())
}

/// The generation of authorities that the operation brings.
fn generation(work: &Work) -> Result<i32> {
    let number = work.operation.input["generation"].as_i64().and_then(|number| i32::try_from(number).ok());
    number.ok_or_else(|| Error::internal("the operation names no generation of authorities"))
}

async fn make(conductor: &Conductor, work: &Work) -> StepResult {
    certificate::introduce(conductor, &work.cluster, generation(work)?).await?;
    Ok(Next::Done)
}

async fn trust(conductor: &Conductor, work: &Work) -> StepResult {
    let progress = "The new authorities are trusted, beside the present ones, by";
    carried::by_all(conductor, work, Told::Trust, generation(work)?, progress).await
}

async fn leaf(conductor: &Conductor, work: &Work) -> StepResult {
    let progress = "Certificates by the new authorities are held by";
    carried::by_all(conductor, work, Told::Leaf, generation(work)?, progress).await
}

/// From here on the new authorities are the cluster's.
async fn commit(conductor: &Conductor, work: &Work) -> StepResult {
    let (cluster, generation) = (&work.cluster.uuid, generation(work)?);
    let transaction = database::begin(&conductor.db).await?;
    let noted =
        operation::store::note(&transaction, &work.operation.uuid, |progress| progress["committed"] = true.into());
    if !noted.await? {
        return Ok(Next::Done);
    }
    certificate::store::put_in_force(&transaction, cluster, generation).await?;
    order::store::give(&transaction, cluster, &work.operation.uuid, Told::Commit, generation).await?;
    transaction.commit().await.map_err(Error::from)?;
    tracing::info!(generation, "the new authorities are in force");
    Ok(Next::Done)
}

async fn forget(conductor: &Conductor, work: &Work) -> StepResult {
    certificate::forget_past(conductor, &work.cluster.uuid, generation(work)?).await?;
    Ok(Next::Done)
}

/// Waits until nobody trusts the old authorities any more, but lets no lost node undo what is done.
async fn finish(conductor: &Conductor, work: &Work) -> StepResult {
    let Some(order) = carried::present(conductor, work).await? else {
        return settle(conductor, work, None, Vec::new()).await;
    };
    match carried::by_most(conductor, work, &order).await? {
        Ok(without) => settle(conductor, work, Some(order), without).await,
        Err(wait) => Ok(wait),
    }
}

async fn settle(conductor: &Conductor, work: &Work, order: Option<order::Order>, without: Vec<String>) -> StepResult {
    let mut reason = "The cluster's authorities were replaced".to_owned();
    let transaction = database::begin(&conductor.db).await?;
    match order.filter(|_| without.is_empty()) {
        Some(order) => order::store::withdraw(&transaction, &order).await?,
        None if without.is_empty() => {}
        None => {
            reason.push_str(". Nodes that still trust the old ones as well, until they are heard again: ");
            reason.push_str(&without.join(", "));
        }
    }
    if close(&transaction, &work.operation, &Ending::Complete(reason), Changes::default()).await? {
        transaction.commit().await.map_err(Error::from)?;
    }
    tracing::info!(without = %without.join(", "), "the authorities were replaced");
    Ok(Next::Done)
}

/// Whether the new ones were put in use: then there is no way back.
pub(super) fn committed(work: &Work) -> bool {
    work.operation.progress.as_ref().is_some_and(|progress| progress["committed"] == true)
}

/// Leads the nodes back to the authorities in force, destroys the new ones and records the failure.
async fn failed(conductor: &Conductor, work: &Work) -> StepResult {
    let (cluster, generation) = (&work.cluster.uuid, generation(work)?);
    if committed(work) {
        certificate::forget_past(conductor, cluster, generation).await?;
        super::settle_failed(conductor, &work.operation).await?;
        return Ok(Next::Done);
    }
    let told = carried::present(conductor, work).await?.map(|order| order.kind);
    if matches!(told, Some(Told::Leaf | Told::Return))
        && let Some(wait) = carried::by_those_who_answered(conductor, work, Told::Return, generation).await?
    {
        return Ok(wait);
    }
    if told.is_some() {
        order::store::give(&conductor.db, cluster, &work.operation.uuid, Told::Back, generation).await?;
    }
    certificate::give_up(conductor, cluster, generation).await?;
    super::settle_failed(conductor, &work.operation).await?;
    Ok(Next::Done)
}

/// The operation's steps.
pub static KIND: Kind = Kind {
    name: "certificate.rotate",
    doing: "Updating a cluster",
    exclusive: true,
    refusal: ErrorKind::Invalid,
    cluster: Action::Update,
    nodegroups: Some(Action::Update),
    steps: &[
        Step { name: "certificate.rotate/make", limit: CALLS, run: |c, w| Box::pin(make(c, w)) },
        Step { name: "certificate.rotate/trust", limit: CALLS, run: |c, w| Box::pin(trust(c, w)) },
        Step { name: "certificate.rotate/leaf", limit: CALLS, run: |c, w| Box::pin(leaf(c, w)) },
        Step { name: "certificate.rotate/commit", limit: CALLS, run: |c, w| Box::pin(commit(c, w)) },
        Step { name: "certificate.rotate/forget", limit: CALLS, run: |c, w| Box::pin(forget(c, w)) },
        Step { name: "certificate.rotate/finish", limit: CALLS, run: |c, w| Box::pin(finish(c, w)) },
    ],
    on_failure: Step { name: "certificate.rotate/fail", limit: CALLS, run: |c, w| Box::pin(failed(c, w)) },
};

/// A step is a handful of calls, each with its own deadline; new RSA keys may be large.
const CALLS: Duration = Duration::from_secs(120);

//! `credential.rotate`: a new credential for the controllers inside a living cluster.
//!
//! The new one is made beside the present one, the control plane puts it into the cluster, and only then is it the
//! cluster's and the old one removed. Until that moment any failure leads back to the present one, which stays valid.

use std::sync::Arc;
use std::time::Duration;

use super::rotate_authorities::committed;
use super::{Action, Changes, Ending, Owner, View, carried, close, credential, gate, spare, store};
use crate::openstack::Identity;
use crate::operation::store::NewOperation;
use crate::operation::{self, Kind, Next, Step, StepResult, Work};
use crate::order::{self, Kind as Told};
use crate::{Conductor, Error, Kind as ErrorKind, Result, database};

/// Records that the cluster's credential is to be replaced, and returns.
///
/// # Errors
/// Invalid for a cluster without a credential, in another state, or with nodes that cannot take part; forbidden with a
/// token that can create no trust where one is needed; conflict when another operation changes the cluster.
pub async fn rotate_credential(conductor: &Conductor, caller: &Arc<Identity>, view: &View) -> Result<()> {
    let cluster = &view.cluster;
    if !credential::wanted(cluster) {
        return Err(Error::invalid(format!(
            "Cluster {} has no credential to rotate: it was made without the label cloud_provider_enabled=true, which \
             gives one to the controllers inside a cluster.",
            cluster.uuid
        )));
    }
    gate::check(&conductor.db, &KIND, cluster, &cluster.uuid).await?;
    let owner = cluster.act_as.unwrap_or(Owner::Service);
    if owner == Owner::Requester && caller.delegated.is_some() {
        return Err(Error::forbidden(
            "The cluster's credential is a trust, and a token of an application credential or of another trust can create \
             none. Log in with a password.",
        ));
    }
    order::refuse_deaf(conductor, cluster, &view.nodegroups).await?;
    let who = (cluster.uuid.as_str(), cluster.project_id.as_str());
    let operation = operation::by(conductor, caller, KIND.name, who, owner, None)?;
    database::retry(|| accept(conductor, &cluster.uuid, operation.clone())).await?;
    tracing::info!(cluster = %cluster.uuid, "rotation of the credential accepted");
    conductor.wake.notify_one();
    Ok(())
}

async fn accept(conductor: &Conductor, cluster: &str, operation: NewOperation) -> Result<()> {
    let transaction = database::begin(&conductor.db).await?;
    gate::claim(&transaction, &KIND, cluster, cluster).await?;
    gate::begin(&transaction, &KIND, operation).await?;
    transaction.commit().await?;
    Ok(())
}

/// The requester's token has served once the trust exists.
async fn make(conductor: &Conductor, work: &Work) -> StepResult {
    spare::make(conductor, work).await?;
    operation::store::erase_token(&conductor.db, &work.operation.uuid).await?;
    Ok(Next::Done)
}

async fn hand_out(conductor: &Conductor, work: &Work) -> StepResult {
    let progress = "The new credential was taken by";
    carried::by_all(conductor, work, Told::Credential, 0, progress).await
}

/// From here on the new credential is the cluster's, and the old one the spare one.
async fn commit(conductor: &Conductor, work: &Work) -> StepResult {
    if committed(work) {
        return Ok(Next::Done);
    }
    let uuid = &work.cluster.uuid;
    let new = spare::store::of(&conductor.db, uuid).await?;
    let new = new.ok_or_else(|| Error::internal("the new credential is not on record"))?;
    let (changes, past) = spare::exchanged(&work.cluster, &new);
    let order = carried::present(conductor, work).await?;
    let transaction = database::begin(&conductor.db).await?;
    let noted =
        operation::store::note(&transaction, &work.operation.uuid, |progress| progress["committed"] = true.into());
    if !noted.await? {
        return Ok(Next::Done);
    }
    store::change(&transaction, uuid, changes).await?;
    spare::store::keep(&transaction, past).await?;
    if let Some(order) = order {
        order::store::withdraw(&transaction, &order).await?;
    }
    transaction.commit().await.map_err(Error::from)?;
    tracing::info!("the new credential is in use");
    Ok(Next::Done)
}

async fn forget(conductor: &Conductor, work: &Work) -> StepResult {
    spare::forget(conductor, &work.cluster).await?;
    Ok(Next::Done)
}

async fn finish(conductor: &Conductor, work: &Work) -> StepResult {
    let transaction = database::begin(&conductor.db).await?;
    let ending = Ending::Complete("The cluster's credential was replaced".to_owned());
    if close(&transaction, &work.operation, &ending, Changes::default()).await? {
        transaction.commit().await.map_err(Error::from)?;
    }
    tracing::info!("the credential was replaced");
    Ok(Next::Done)
}

/// Leads the control plane back to the credential in use, removes the other one and records the failure.
async fn failed(conductor: &Conductor, work: &Work) -> StepResult {
    if !committed(work)
        && carried::present(conductor, work).await?.is_some()
        && let Some(wait) = carried::by_those_who_answered(conductor, work, Told::CredentialBack, 0).await?
    {
        return Ok(wait);
    }
    spare::forget(conductor, &work.cluster).await?;
    super::settle_failed(conductor, &work.operation).await?;
    Ok(Next::Done)
}

/// The operation's steps.
pub static KIND: Kind = Kind {
    name: "credential.rotate",
    doing: "Updating a cluster",
    exclusive: true,
    refusal: ErrorKind::Invalid,
    cluster: Action::Update,
    nodegroups: Some(Action::Update),
    steps: &[
        Step { name: "credential.rotate/make", limit: CALLS, run: |c, w| Box::pin(make(c, w)) },
        Step { name: "credential.rotate/hand-out", limit: CALLS, run: |c, w| Box::pin(hand_out(c, w)) },
        Step { name: "credential.rotate/commit", limit: CALLS, run: |c, w| Box::pin(commit(c, w)) },
        Step { name: "credential.rotate/forget", limit: CALLS, run: |c, w| Box::pin(forget(c, w)) },
        Step { name: "credential.rotate/finish", limit: CALLS, run: |c, w| Box::pin(finish(c, w)) },
    ],
    on_failure: Step { name: "credential.rotate/fail", limit: CALLS, run: |c, w| Box::pin(failed(c, w)) },
};

/// A step is a handful of calls, each with its own deadline.
const CALLS: Duration = Duration::from_secs(120);

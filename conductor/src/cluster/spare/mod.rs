//! The credential of a cluster that is not in use yet, or no more: made and removed at Keystone.
//!
//! Its name is on record before it is made, and its row goes only after it: nothing of it is lost on the way.

pub(crate) mod row;
pub mod store;

pub use row::Model as Spare;

use secrecy::{ExposeSecret as _, SecretString};

use super::authority::{self, password_context};
use super::credential;
use super::{Changes, Cluster, Owner};
use crate::column::now;
use crate::openstack::keystone;
use crate::operation::{Failure, Work};
use crate::secret::random_text;
use crate::{Conductor, Result};

/// Makes the credential that is to take the place of the cluster's, or adopts what an earlier try made.
pub(super) async fn make(conductor: &Conductor, work: &Work) -> Result<Spare, Failure> {
    let cluster = &work.cluster;
    let present = store::of(&conductor.db, &cluster.uuid).await?;
    let mut spare = match present.filter(|spare| spare.operation_uuid == work.operation.uuid) {
        Some(spare) => spare,
        None => {
            // What an earlier operation left, which a killed delete may be.
            forget(conductor, cluster).await?;
            let spare = begin(conductor, work)?;
            store::keep(&conductor.db, spare.clone()).await?;
            spare
        }
    };
    if cluster.act_as == Some(Owner::Requester) {
        make_trustee(conductor, work, &mut spare).await?;
    } else if spare.subject_id.is_none() {
        let secret = secret_of(conductor, cluster, &spare)?;
        let session = conductor.cloud.in_project(&cluster.project_id).await?;
        let made = credential::at_keystone(&session, &cluster.uuid, &spare.name, &secret).await?;
        spare.subject_id = Some(made);
        store::keep(&conductor.db, spare.clone()).await?;
    }
    Ok(spare)
}

/// The row of a credential that does not exist yet. The operation's UUID makes its name, which therefore no other
/// credential ever has: what is found by that name at Keystone was made by an earlier try of the same operation.
fn begin(conductor: &Conductor, work: &Work) -> Result<Spare> {
    let (cluster, operation) = (&work.cluster, &work.operation.uuid);
    let name = match cluster.act_as {
        Some(Owner::Requester) => format!("{}_{operation}", authority::trustee_name(cluster)),
        _ => format!("{}-{operation}", credential::name(&cluster.uuid)),
    };
    Ok(Spare {
        cluster_uuid: cluster.uuid.clone(),
        operation_uuid: work.operation.uuid.clone(),
        name,
        secret: Some(conductor.seal(&context(cluster), random_text().expose_secret())?),
        subject_id: None,
        trust_id: None,
        created_at: now(),
    })
}

async fn make_trustee(conductor: &Conductor, work: &Work, spare: &mut Spare) -> Result<(), Failure> {
    if spare.trust_id.is_some() {
        return Ok(());
    }
    let cluster = &work.cluster;
    let requester = authority::submitting(conductor, work).await?;
    let admin = conductor.cloud.trustee_domain_admin().await?;
    let password = secret_of(conductor, cluster, spare)?;
    let trustee = authority::trustee_at_keystone(&admin, cluster, &spare.name, &password).await?;
    spare.subject_id = Some(trustee.clone());
    store::keep(&conductor.db, spare.clone()).await?;
    spare.trust_id = Some(authority::trust_at_keystone(conductor, &requester, &trustee).await?);
    store::keep(&conductor.db, spare.clone()).await?;
    Ok(())
}

/// Removes the spare credential from Keystone and from the records; none is fine.
pub(super) async fn forget(conductor: &Conductor, cluster: &Cluster) -> Result<(), Failure> {
    let Some(spare) = store::of(&conductor.db, &cluster.uuid).await? else { return Ok(()) };
    if cluster.act_as == Some(Owner::Requester) {
        forget_trustee(conductor, cluster, &spare).await?;
    } else {
        let session = conductor.cloud.in_project(&cluster.project_id).await?;
        let id = match &spare.subject_id {
            Some(id) => Some(id.clone()),
            // The answer to its creation may have been lost.
            None => keystone::find_application_credential(&session, &spare.name).await?.map(|found| found.id),
        };
        if let Some(id) = id {
            keystone::delete_application_credential(&session, &id).await?;
        }
    }
    store::forget(&conductor.db, &cluster.uuid).await?;
    Ok(())
}

async fn forget_trustee(conductor: &Conductor, cluster: &Cluster, spare: &Spare) -> Result<(), Failure> {
    if let (Some(user), Some(trust)) = (&spare.subject_id, &spare.trust_id) {
        let password = secret_of(conductor, cluster, spare)?;
        match conductor.cloud.trustee(user, &password, trust).await {
            Ok(session) => keystone::delete_trust(&session, trust).await?,
            Err(error) if error.is_transient() => return Err(error.into()),
            // A trust that nobody can use any more dies with its trustee.
            Err(error) => {
                tracing::info!(error = %error, "the trust cannot be used any more; only its trustee is removed")
            }
        }
        conductor.trustees.invalidate(trust).await;
    }
    let admin = conductor.cloud.trustee_domain_admin().await?;
    let domain = admin.identity().domain_id.clone().unwrap_or_default();
    if let Some(user) = keystone::find_user(&admin, &domain, &spare.name).await? {
        keystone::delete_user(&admin, &user.id).await?;
    }
    Ok(())
}

/// The cluster's columns with the spare credential in them, and a spare row with what the cluster had.
pub(super) fn exchanged(cluster: &Cluster, spare: &Spare) -> (Changes, Spare) {
    let (name, secret, subject_id, trust_id) =
        (spare.name.clone(), spare.secret.clone(), spare.subject_id.clone(), spare.trust_id.clone());
    if cluster.act_as == Some(Owner::Requester) {
        let changes = Changes {
            trustee_username: Some(Some(name)),
            trustee_password: Some(secret),
            trustee_user_id: Some(subject_id),
            trust_id: Some(trust_id),
            ..Default::default()
        };
        let past = Spare {
            name: cluster.trustee_username.clone().unwrap_or_default(),
            secret: cluster.trustee_password.clone(),
            subject_id: cluster.trustee_user_id.clone(),
            trust_id: cluster.trust_id.clone(),
            ..spare.clone()
        };
        return (changes, past);
    }
    let changes = Changes { credential_id: Some(subject_id), credential_secret: Some(secret), ..Default::default() };
    let past = Spare {
        name: String::new(),
        secret: cluster.credential_secret.clone(),
        subject_id: cluster.credential_id.clone(),
        ..spare.clone()
    };
    (changes, past)
}

/// The application credential's secret or the trustee's password.
pub(super) fn secret_of(conductor: &Conductor, cluster: &Cluster, spare: &Spare) -> Result<SecretString> {
    conductor.unseal(&context(cluster), spare.secret.as_deref().unwrap_or_default())
}

/// What the secret is bound to: the same as in the cluster's own row.
fn context(cluster: &Cluster) -> String {
    match cluster.act_as {
        Some(Owner::Requester) => password_context(&cluster.uuid),
        _ => credential::context(&cluster.uuid),
    }
}

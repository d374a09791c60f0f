//! Who acts for a cluster at Keystone and Heat (architecture, section 4), and the cluster's own authorities.

use secrecy::{ExposeSecret as _, SecretString};

use super::credential::Trustee;
use super::{Changes, Cluster, Owner, store};
use crate::openstack::{self, Session, keystone};
use crate::operation::{Code, Failure, Fault, Next, Operation, StepResult, Work, token_context};
use crate::secret::random_text;
use crate::{Conductor, Result, certificate, openstack::Kind};

/// Makes sure that somebody may act for the cluster for as long as it lives.
///
/// As the service's user there is nothing to make. For a requester, who may leave and whose token expires, a trustee
/// and a trust are made, by which the stack is read and deleted later; the stack itself is made with the requester's
/// token, because Heat would take over a trust it is given and delete it with the stack.
pub(super) async fn identity(conductor: &Conductor, work: &Work) -> StepResult {
    match work.cluster.act_as {
        Some(Owner::Requester) => trust(conductor, work).await,
        Some(Owner::Service) | None => {
            let session = conductor.cloud.in_project(&work.cluster.project_id).await?;
            super::credential::ensure(conductor, work, &session).await?;
            Ok(Next::Done)
        }
    }
}

/// The cluster's three authorities, our client certificate and the key pair of service accounts.
pub(super) async fn certificates(conductor: &Conductor, work: &Work) -> StepResult {
    certificate::ensure(conductor, &work.cluster).await?;
    Ok(Next::Done)
}

/// The identity that reads and deletes the cluster's stack.
///
/// # Errors
/// The service's user lost its role, or neither trust nor token is left.
pub(crate) async fn acting(
    conductor: &Conductor,
    cluster: &Cluster,
    operation: Option<&Operation>,
) -> Result<Session, openstack::Error> {
    if cluster.act_as != Some(Owner::Requester) {
        return conductor.cloud.in_project(&cluster.project_id).await;
    }
    match trustee_session(conductor, cluster).await {
        Some(Ok(session)) => Ok(session),
        Some(Err(error)) if error.is_transient() => Err(error),
        // The trust is of no use any more (its trustor is gone, say): who asked for this operation may do it.
        Some(Err(error)) => requester(conductor, operation).await.map_err(|_| error),
        None => requester(conductor, operation).await,
    }
}

/// The trustee's session, kept until it is no longer used; nothing where the cluster has no trust.
async fn trustee_session(conductor: &Conductor, cluster: &Cluster) -> Option<Result<Session, openstack::Error>> {
    let trust = cluster.trust_id.as_ref()?;
    let open = async {
        match trustee(conductor, cluster).map_err(|error| openstack::Error::credentials(error.public))? {
            Some((user, password, trust)) => conductor.cloud.trustee(user, &password, trust).await,
            None => Err(openstack::Error::credentials("the cluster's trustee is not on record")),
        }
    };
    Some(conductor.trustees.try_get_with_by_ref(trust, open).await.map_err(std::sync::Arc::unwrap_or_clone))
}

/// The trustee's identifier and password, and the trust; nothing where the cluster has no trust.
pub(super) fn trustee<'a>(conductor: &Conductor, cluster: &'a Cluster) -> Result<Option<Trustee<'a>>> {
    match (&cluster.trustee_user_id, &cluster.trustee_password, &cluster.trust_id) {
        (Some(user), Some(sealed), Some(trust)) => {
            Ok(Some((user, conductor.unseal(&password_context(&cluster.uuid), sealed)?, trust)))
        }
        _ => Ok(None),
    }
}

fn unseal(conductor: &Conductor, context: &str, sealed: &[u8]) -> Result<SecretString, openstack::Error> {
    conductor.unseal(context, sealed).map_err(|error| openstack::Error::credentials(error.public))
}

/// The identity that makes the stack: never a trust.
pub(crate) async fn submitting(conductor: &Conductor, work: &Work) -> Result<Session, Failure> {
    match work.cluster.act_as {
        Some(Owner::Requester) => requester(conductor, Some(&work.operation)).await.map_err(|error| match error.kind {
            Kind::Unauthorized => Failure::Final(Fault::new(
                Code::TokenExpired,
                "The requester's token expired before the stack could be submitted",
            )),
            _ => error.into(),
        }),
        _ => Ok(conductor.cloud.in_project(&work.cluster.project_id).await?),
    }
}

/// The requester's own token, sealed beside the operation that needs it.
async fn requester(conductor: &Conductor, operation: Option<&Operation>) -> Result<Session, openstack::Error> {
    let gone = || openstack::Error::credentials("the requester's token is no longer kept and the cluster has no trust");
    let operation = operation.ok_or_else(gone)?;
    let sealed = operation.token.as_ref().ok_or_else(gone)?;
    let token = unseal(conductor, &token_context(&operation.cluster_uuid), sealed)?;
    conductor.cloud.requester(&token).await
}

async fn trust(conductor: &Conductor, work: &Work) -> StepResult {
    if work.cluster.trust_id.is_some() {
        return Ok(Next::Done);
    }
    let requester = submitting(conductor, work).await?;
    let admin = conductor.cloud.trustee_domain_admin().await?;
    let trustee = ensure_trustee(conductor, work, &admin).await?;

    let trust = trust_at_keystone(conductor, &requester, &trustee).await?;
    let changes = Changes { trustee_user_id: Some(Some(trustee)), trust_id: Some(Some(trust)), ..Default::default() };
    store::change(&conductor.db, &work.cluster.uuid, changes).await?;
    Ok(Next::Done)
}

/// The one trust from the requester to that trustee, made where there is none.
pub(super) async fn trust_at_keystone(
    conductor: &Conductor,
    requester: &Session,
    trustee: &str,
) -> Result<String, openstack::Error> {
    let mut found = keystone::trusts(requester, &requester.user_id(), trustee).await?.into_iter();
    let trust = match found.next() {
        Some(trust) => trust.id,
        None => {
            let identity = requester.identity();
            let configured = &conductor.config.trust.roles;
            let roles = if configured.is_empty() { &identity.roles } else { configured };
            keystone::create_trust(requester, trustee, roles).await?.id
        }
    };
    for extra in found {
        keystone::delete_trust(requester, &extra.id).await?;
    }
    Ok(trust)
}

/// The trustee's identifier. Its password is on record before the user is made, so that a repeated step knows it.
async fn ensure_trustee(conductor: &Conductor, work: &Work, admin: &Session) -> Result<String, Failure> {
    let cluster = &work.cluster;
    let name = trustee_name(cluster);
    let password = match &cluster.trustee_password {
        Some(sealed) => conductor.unseal(&password_context(&cluster.uuid), sealed)?,
        None => {
            let password = random_text();
            let sealed = conductor.seal(&password_context(&cluster.uuid), password.expose_secret())?;
            let changes = Changes {
                trustee_username: Some(Some(name.clone())),
                trustee_password: Some(Some(sealed)),
                ..Default::default()
            };
            store::change(&conductor.db, &cluster.uuid, changes).await?;
            password
        }
    };
    Ok(trustee_at_keystone(admin, cluster, &name, &password).await?)
}

/// The identifier of the trustee of that name, who is made or, where an earlier try made it, given the password.
pub(super) async fn trustee_at_keystone(
    admin: &Session,
    cluster: &Cluster,
    name: &str,
    password: &SecretString,
) -> Result<String, openstack::Error> {
    let domain = admin.identity().domain_id.clone().unwrap_or_default();
    match keystone::find_user(admin, &domain, name).await? {
        Some(user) => {
            keystone::set_password(admin, &user.id, password).await?;
            Ok(user.id)
        }
        None => {
            let purpose = format!("Trustee of the cluster {}", cluster.uuid);
            Ok(keystone::create_user(admin, &domain, name, password, &purpose).await?.id)
        }
    }
}

/// Removes what [`identity`] made; whatever is gone already is no failure.
pub(super) async fn forget(conductor: &Conductor, work: &Work) -> StepResult {
    let cluster = &work.cluster;
    super::spare::forget(conductor, cluster).await?;
    super::credential::forget(conductor, work).await?;
    if cluster.act_as != Some(Owner::Requester) || cluster.trustee_username.is_none() {
        return Ok(Next::Done);
    }
    if let Some(trust) = &cluster.trust_id {
        // A trust-scoped token may delete its own trust; a trust whose trustor is gone dies with its trustee.
        match acting(conductor, cluster, Some(&work.operation)).await {
            Ok(session) => keystone::delete_trust(&session, trust).await?,
            Err(error) if error.is_transient() => return Err(error.into()),
            Err(error) => {
                tracing::info!(error = %error, "the trust cannot be used any more; only the trustee is removed")
            }
        }
    }
    let admin = conductor.cloud.trustee_domain_admin().await?;
    let domain = admin.identity().domain_id.clone().unwrap_or_default();
    let name = cluster.trustee_username.as_deref().unwrap_or_default();
    if let Some(user) = keystone::find_user(&admin, &domain, name).await? {
        keystone::delete_user(&admin, &user.id).await?;
    }
    Ok(Next::Done)
}

/// The name of a cluster's first trustee.
pub(super) fn trustee_name(cluster: &Cluster) -> String {
    format!("{}_{}", cluster.uuid, cluster.project_id)
}

/// What the sealed password is bound to.
pub(super) fn password_context(cluster: &str) -> String {
    format!("cluster/{cluster}/trustee-password")
}

//! The credential inside a cluster, for its cloud controller and volume driver; made only where the label
//! `cloud_provider_enabled` asks for it, and never in user data: a control plane node fetches it.
//!
//! As the service's user it is an application credential limited to the cluster's project and to few roles; for a
//! requester it is the trustee with its trust.

use std::fmt::Write as _;

use secrecy::{ExposeSecret as _, SecretString};

use super::{Changes, Cluster, Owner, spare, store};
use crate::openstack::{self, Session, keystone};
use crate::operation::{Failure, Work};
use crate::scope::Scope;
use crate::secret::random_text;
use crate::{Conductor, Error, Result, order};

/// The roles a cluster's own controllers need, as far as our user holds them.
const ROLES: [&str; 2] = ["member", "load-balancer_member"];

/// Whether the cluster asks for a credential.
pub(super) fn wanted(cluster: &Cluster) -> bool {
    cluster.labels.get("cloud_provider_enabled").is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// Makes the application credential, or adopts the one that an earlier try made.
pub(super) async fn ensure(conductor: &Conductor, work: &Work, session: &Session) -> Result<(), Failure> {
    let cluster = &work.cluster;
    if !wanted(cluster) || cluster.credential_id.is_some() {
        return Ok(());
    }
    let name = name(&cluster.uuid);
    let secret = match &cluster.credential_secret {
        Some(sealed) => conductor.unseal(&context(&cluster.uuid), sealed)?,
        None => {
            let secret = random_text();
            let sealed = conductor.seal(&context(&cluster.uuid), secret.expose_secret())?;
            let changes = Changes { credential_secret: Some(Some(sealed)), ..Default::default() };
            store::change(&conductor.db, &cluster.uuid, changes).await?;
            secret
        }
    };
    let made = at_keystone(session, &cluster.uuid, &name, &secret).await?;
    let changes = Changes { credential_id: Some(Some(made)), ..Default::default() };
    store::change(&conductor.db, &cluster.uuid, changes).await?;
    Ok(())
}

/// The identifier of the application credential of that name, made where there is none.
pub(super) async fn at_keystone(
    session: &Session,
    cluster: &str,
    name: &str,
    secret: &SecretString,
) -> Result<String, openstack::Error> {
    if let Some(found) = keystone::find_application_credential(session, name).await? {
        return Ok(found.id);
    }
    let held = &session.identity().roles;
    let roles: Vec<_> =
        ROLES.iter().filter(|role| held.iter().any(|held| held == *role)).map(|role| (*role).to_owned()).collect();
    let description = format!("For the controllers inside the cluster {cluster}");
    let new = keystone::NewApplicationCredential { name, description: &description, roles: &roles, secret };
    Ok(keystone::create_application_credential(session, &new).await?.id)
}

/// Removes the application credential; one that is gone already is fine.
pub(super) async fn forget(conductor: &Conductor, work: &Work) -> Result<(), Failure> {
    let cluster = &work.cluster;
    if cluster.act_as == Some(Owner::Requester) || cluster.credential_secret.is_none() {
        return Ok(());
    }
    let session = conductor.cloud.in_project(&cluster.project_id).await?;
    if let Some(id) = &cluster.credential_id {
        keystone::delete_application_credential(&session, id).await?;
        return Ok(());
    }
    if let Some(found) = keystone::find_application_credential(&session, &name(&cluster.uuid)).await? {
        keystone::delete_application_credential(&session, &found.id).await?;
    }
    Ok(())
}

/// The credential as the cloud controller's configuration file.
///
/// # Errors
/// Not found where the cluster has none.
pub(crate) async fn cloud_config(conductor: &Conductor, uuid: &str) -> Result<String> {
    let none = || Error::not_found(format!("Cluster {uuid} has no credential of its own."));
    let cluster = store::find(&conductor.db, &Scope::All, uuid).await?;
    if !wanted(&cluster) {
        return Err(none());
    }
    let keystone = &conductor.config.keystone;
    let mut text = format!("[Global]\nauth-url={}\n", quoted(&keystone.auth_url));
    if let Some(region) = &keystone.region_name {
        line(&mut text, "region", region);
    }
    let cluster = in_use(conductor, cluster).await?;
    if let (Some(id), Some(sealed)) = (&cluster.credential_id, &cluster.credential_secret) {
        let secret = conductor.unseal(&context(uuid), sealed)?;
        line(&mut text, "application-credential-id", id);
        line(&mut text, "application-credential-secret", secret.expose_secret());
    } else if let Some((user, password, trust)) = super::authority::trustee(conductor, &cluster)? {
        line(&mut text, "user-id", user);
        line(&mut text, "password", password.expose_secret());
        line(&mut text, "trust-id", trust);
    } else {
        return Err(none());
    }
    Ok(text)
}

/// The cluster with the credential that its controllers are to use: the new one while masters are told to take that.
async fn in_use(conductor: &Conductor, mut cluster: Cluster) -> Result<Cluster> {
    let order = order::store::of(&conductor.db, &cluster.uuid).await?;
    if !order.is_some_and(|order| order.kind == order::Kind::Credential) {
        return Ok(cluster);
    }
    let Some(new) = spare::store::of(&conductor.db, &cluster.uuid).await? else { return Ok(cluster) };
    if cluster.act_as == Some(Owner::Requester) {
        (cluster.trustee_user_id, cluster.trustee_password, cluster.trust_id) =
            (new.subject_id, new.secret, new.trust_id);
    } else {
        (cluster.credential_id, cluster.credential_secret) = (new.subject_id, new.secret);
    }
    Ok(cluster)
}

fn line(text: &mut String, key: &str, value: &str) {
    let _infallible = writeln!(text, "{key}={}", quoted(value));
}

/// A value of the controller's configuration language (gcfg).
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

pub(super) fn name(cluster: &str) -> String {
    format!("jeroboam-{cluster}")
}

/// What the sealed secret is bound to.
pub(super) fn context(cluster: &str) -> String {
    format!("cluster/{cluster}/credential")
}

/// A secret and who uses it.
pub(super) type Trustee<'a> = (&'a str, SecretString, &'a str);

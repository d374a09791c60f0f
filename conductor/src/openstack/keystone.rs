//! Keystone's objects: trustee users, trusts, application credentials, projects.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::error::{Error, Kind, Result};
use super::http::{Call, found};
use super::{Service, Session};

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct User {
    /// Its identifier.
    pub id: String,
    /// Its name, unique in the domain.
    pub name: String,
    /// Its domain.
    pub domain_id: String,
    /// What we wrote when we made it.
    #[serde(default)]
    pub description: Option<String>,
}

/// A trust: the trustee may use the trustor's roles on a project.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Trust {
    /// Its identifier.
    pub id: String,
    /// Whose roles.
    pub trustor_user_id: String,
    /// Who uses them.
    pub trustee_user_id: String,
    /// Where.
    pub project_id: Option<String>,
}

/// An application credential, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ApplicationCredential {
    /// Its identifier.
    pub id: String,
    /// Its name, unique among its user's.
    pub name: String,
    /// The project it is limited to.
    pub project_id: Option<String>,
    /// What we wrote when we made it.
    #[serde(default)]
    pub description: Option<String>,
}

/// What an application credential is to be.
#[derive(Debug, Clone)]
pub struct NewApplicationCredential<'a> {
    /// Its name, unique among its user's.
    pub name: &'a str,
    /// Why it exists, for whoever lists it.
    pub description: &'a str,
    /// Names of the roles it carries, each held by the user on the session's project.
    pub roles: &'a [String],
    /// Its secret; kept by the caller, because Keystone shows it never again.
    pub secret: &'a SecretString,
}

const SERVICE: Service = Service::Keystone;

/// The user of that name in a domain.
///
/// # Errors
/// As every call: see [`super::Kind`].
pub async fn find_user(session: &Session, domain_id: &str, name: &str) -> Result<Option<User>> {
    let call = Call::get(SERVICE, &["users"]).query("domain_id", domain_id).query("name", name);
    let users: Vec<User> = session.send(call).await?.part("users")?;
    Ok(users.into_iter().find(|user| user.name == name))
}

/// Makes a user with a password.
///
/// # Errors
/// Kind `Conflict` where the name is taken.
pub async fn create_user(
    session: &Session,
    domain_id: &str,
    name: &str,
    password: &SecretString,
    description: &str,
) -> Result<User> {
    let password = password.expose_secret();
    let user = json!({"name": name, "domain_id": domain_id, "password": password, "description": description});
    let mut call = Call::post(SERVICE, &["users"], json!({ "user": user }));
    call.secrets.push(password);
    session.send(call).await?.part("user")
}

/// Gives a user a new password.
///
/// # Errors
/// Kind `NotFound` where the user is gone.
pub async fn set_password(session: &Session, user_id: &str, password: &SecretString) -> Result<()> {
    let password = password.expose_secret();
    let mut call = Call::new(SERVICE, super::http::Method::PATCH, &["users", user_id])
        .body(json!({"user": {"password": password}}));
    call.secrets.push(password);
    session.send(call).await.map(drop)
}

/// Deletes a user; one that is gone already is fine.
///
/// # Errors
/// As every call.
pub async fn delete_user(session: &Session, user_id: &str) -> Result<()> {
    gone(session, &["users", user_id]).await
}

/// The trusts from one user to another, as one of them sees them.
///
/// # Errors
/// Kind `Forbidden` where the session is neither of the two.
pub async fn trusts(session: &Session, trustor_user_id: &str, trustee_user_id: &str) -> Result<Vec<Trust>> {
    let mut call = Call::get(SERVICE, &["OS-TRUST", "trusts"]);
    call = match session.user_id() == trustor_user_id {
        true => call.query("trustor_user_id", trustor_user_id),
        false => call.query("trustee_user_id", trustee_user_id),
    };
    let trusts: Vec<Trust> = session.send(call).await?.part("trusts")?;
    let ours = |trust: &Trust| trust.trustor_user_id == trustor_user_id && trust.trustee_user_id == trustee_user_id;
    Ok(trusts.into_iter().filter(ours).collect())
}

/// Makes a trust from the session's user, on its project, with impersonation and without redelegation; `roles` are
/// names, each held by the session.
///
/// # Errors
/// Kind `Forbidden` where the session's token is itself delegated or lacks a role.
pub async fn create_trust(session: &Session, trustee_user_id: &str, roles: &[String]) -> Result<Trust> {
    let identity = session.identity();
    let Some(project_id) = &identity.project_id else {
        return Err(Error::new(SERVICE, Kind::Invalid, "a trust needs a token scoped to a project"));
    };
    let roles: Vec<_> = roles.iter().map(|name| json!({"name": name})).collect();
    let trust = json!({
        "trustor_user_id": identity.user_id,
        "trustee_user_id": trustee_user_id,
        "project_id": project_id,
        "impersonation": true,
        "allow_redelegation": false,
        "roles": roles,
    });
    session.send(Call::post(SERVICE, &["OS-TRUST", "trusts"], json!({ "trust": trust }))).await?.part("trust")
}

/// Deletes a trust, as its trustor or by a session that uses it; one that is gone already is fine.
///
/// # Errors
/// Kind `Forbidden` where the session is neither.
pub async fn delete_trust(session: &Session, trust_id: &str) -> Result<()> {
    gone(session, &["OS-TRUST", "trusts", trust_id]).await
}

/// The application credentials of the session's user, on every project.
///
/// # Errors
/// As every call.
pub async fn application_credentials(session: &Session) -> Result<Vec<ApplicationCredential>> {
    let user = session.user_id();
    session
        .send(Call::get(SERVICE, &["users", &user, "application_credentials"]))
        .await?
        .part("application_credentials")
}

/// The session user's application credential of that name.
///
/// # Errors
/// As every call.
pub async fn find_application_credential(session: &Session, name: &str) -> Result<Option<ApplicationCredential>> {
    let user = session.user_id();
    let call = Call::get(SERVICE, &["users", &user, "application_credentials"]).query("name", name);
    let list: Vec<ApplicationCredential> = session.send(call).await?.part("application_credentials")?;
    Ok(list.into_iter().find(|credential| credential.name == name))
}

/// Makes a restricted application credential of the session's user on the session's project.
///
/// # Errors
/// Kind `Conflict` where the name is taken, `Invalid` where a role is not held.
pub async fn create_application_credential(
    session: &Session,
    new: &NewApplicationCredential<'_>,
) -> Result<ApplicationCredential> {
    let roles: Vec<_> = new.roles.iter().map(|name| json!({"name": name})).collect();
    let credential = json!({
        "name": new.name,
        "description": new.description,
        "roles": roles,
        "unrestricted": false,
        "secret": new.secret.expose_secret(),
    });
    let user = session.user_id();
    let path = ["users", &user, "application_credentials"];
    let mut call = Call::post(SERVICE, &path, json!({ "application_credential": credential }));
    call.secrets.push(new.secret.expose_secret());
    session.send(call).await?.part("application_credential")
}

/// Deletes an application credential of the session's user; one that is gone already is fine.
///
/// # Errors
/// As every call.
pub async fn delete_application_credential(session: &Session, id: &str) -> Result<()> {
    let user = session.user_id();
    gone(session, &["users", &user, "application_credentials", id]).await
}

/// Whether the project exists; needs a session that may read projects.
///
/// # Errors
/// Kind `Forbidden` where the session may not read projects.
pub async fn project_exists(session: &Session, project_id: &str) -> Result<bool> {
    // A URL has no such segments: the path would name something else.
    if matches!(project_id, "" | "." | "..") {
        return Ok(false);
    }
    Ok(found(session.send(Call::get(SERVICE, &["projects", project_id])).await)?.is_some())
}

async fn gone(session: &Session, path: &[&str]) -> Result<()> {
    found(session.send(Call::delete(SERVICE, path)).await).map(drop)
}

//! How a session gets its token, and what Keystone's refusals mean for it.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::Service;
use super::error::{Error, Kind, Result};
use super::http::Call;
use super::session::Reach;
use super::token::{self, Identity};
use crate::config;

/// The means of a session to get a token.
#[derive(Clone)]
pub(super) enum Login {
    /// With a password, as often as needed.
    Password {
        who: Who,
        password: SecretString,
        scope: Scope,
        /// Whether the credentials come from our configuration.
        ours: bool,
    },
    /// With an application credential's identifier and secret; its scope is its own.
    ApplicationCredential { id: String, secret: SecretString },
    /// Somebody else's token: it cannot be renewed.
    Given,
}

/// A user.
#[derive(Clone)]
pub(super) enum Who {
    Id(String),
    Name(String, Domain),
}

/// A domain.
#[derive(Clone)]
pub(super) enum Domain {
    Id(String),
    Name(String),
}

/// What a token is for.
#[derive(Clone)]
pub(super) enum Scope {
    ProjectId(String),
    /// A project's name and the name of its domain.
    ProjectName(String, String),
    Domain(Domain),
    Trust(String),
}

impl Domain {
    fn json(&self) -> Value {
        match self {
            Self::Id(id) => json!({"id": id}),
            Self::Name(name) => json!({"name": name}),
        }
    }
}

impl Scope {
    fn json(&self) -> Value {
        match self {
            Self::ProjectId(id) => json!({"project": {"id": id}}),
            Self::ProjectName(name, domain) => json!({"project": {"name": name, "domain": {"name": domain}}}),
            Self::Domain(domain) => json!({"domain": domain.json()}),
            Self::Trust(id) => json!({"OS-TRUST:trust": {"id": id}}),
        }
    }
}

impl Login {
    pub(super) fn password(who: Who, password: SecretString, scope: Scope) -> Self {
        Self::Password { who, password, scope, ours: false }
    }

    /// Marks the credentials as those of our configuration.
    pub(super) fn ours(mut self) -> Self {
        if let Self::Password { ours, .. } = &mut self {
            *ours = true;
        }
        self
    }

    /// Gets a token.
    pub(super) async fn log_in(&self, reach: &Reach) -> Result<Identity> {
        let (auth, secret) = match self {
            Self::Password { who, password, scope, .. } => {
                let mut user = match who {
                    Who::Id(id) => json!({"id": id}),
                    Who::Name(name, domain) => json!({"name": name, "domain": domain.json()}),
                };
                user["password"] = password.expose_secret().into();
                let identity = json!({"methods": ["password"], "password": {"user": user}});
                (json!({"identity": identity, "scope": scope.json()}), password)
            }
            Self::ApplicationCredential { id, secret } => {
                let credential = json!({"id": id, "secret": secret.expose_secret()});
                let methods = ["application_credential"];
                (json!({"identity": {"methods": methods, "application_credential": credential}}), secret)
            }
            Self::Given => {
                let why = "the token of the request is no longer valid, and nobody else's can take its place";
                return Err(Error::new(Service::Keystone, Kind::Unauthorized, why));
            }
        };
        let mut call = Call::post(Service::Keystone, &["auth", "tokens"], json!({ "auth": auth }));
        call.repeatable = true;
        call.secrets.push(secret.expose_secret());
        let reply = reach.http.send(&reach.auth_url, &call, None).await.map_err(|error| self.refusal(error))?;
        let token = reply.header("x-subject-token").map(SecretString::from);
        let token = token.ok_or_else(|| Error::protocol(Service::Keystone, "its answer has no X-Subject-Token"))?;
        token::read(reach, &reply, token)
    }

    /// What a 401 (or, for a trust, a 403 or 404) says depends on whose credentials they are.
    fn refusal(&self, mut error: Error) -> Error {
        if let Self::Password { ours: true, scope, .. } = self
            && error.kind == Kind::Unauthorized
        {
            error.kind = if matches!(scope, Scope::ProjectId(_)) { Kind::NotGranted } else { Kind::Credentials };
        }
        error
    }
}

/// Our user may not act in that project; says what an operator can do about it.
pub(super) fn not_granted(keystone: &config::Keystone, project_id: &str) -> Error {
    let why = format!(
        "the user {:?} holds no role on the project {project_id}, or the project does not exist. An operator grants it \
         with: {}",
        keystone.username,
        grant_command(keystone, project_id)
    );
    Error::new(Service::Keystone, Kind::NotGranted, why)
}

/// The command by which an operator lets our user act in a project.
pub(super) fn grant_command(keystone: &config::Keystone, project_id: &str) -> String {
    let (user, domain) = (quote(&keystone.username), quote(&keystone.user_domain_name));
    format!("openstack role add --user {user} --user-domain {domain} --project {} member", quote(project_id))
}

/// A word as a shell needs it.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// The login of the trustee domain's administrator.
pub(super) fn trustee_domain_admin(trust: &config::Trust) -> Result<Login> {
    let missing = |option: &str| {
        let why = format!("[trust] {option} is not set; trusts need it");
        Error::new(Service::Keystone, Kind::Credentials, why)
    };
    let domain = match (&trust.trustee_domain_id, &trust.trustee_domain_name) {
        (Some(id), _) => Domain::Id(id.clone()),
        (None, Some(name)) => Domain::Name(name.clone()),
        (None, None) => return Err(missing("trustee_domain_id or trustee_domain_name")),
    };
    let name = trust.trustee_domain_admin_name.clone().ok_or_else(|| missing("trustee_domain_admin_name"))?;
    let password = trust.trustee_domain_admin_password.clone();
    let password = password.ok_or_else(|| missing("trustee_domain_admin_password"))?;
    Ok(Login::password(Who::Name(name, domain.clone()), password, Scope::Domain(domain)).ours())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_s_command_can_be_pasted() {
        let keystone = config::Keystone { username: "o'neil".into(), ..config::Keystone::default() };
        let command = grant_command(&keystone, "abc");
        assert_eq!(command, r"openstack role add --user 'o'\''neil' --user-domain Default --project abc member");
    }

    #[test]
    fn an_incomplete_trust_section_names_the_option() {
        let mut trust = config::Trust::default();
        let why = |trust: &config::Trust| trustee_domain_admin(trust).err().map(|e| (e.kind, e.message));
        let (kind, message) = why(&trust).unwrap();
        assert_eq!(kind, Kind::Credentials);
        assert!(message.contains("trustee_domain_id"), "{message}");
        trust.trustee_domain_name = Some("d".into());
        assert!(why(&trust).unwrap().1.contains("trustee_domain_admin_name"));
        trust.trustee_domain_admin_name = Some("a".into());
        assert!(why(&trust).unwrap().1.contains("trustee_domain_admin_password"));
        trust.trustee_domain_admin_password = Some("p".to_owned().into());
        assert_eq!(why(&trust), None);
    }
}

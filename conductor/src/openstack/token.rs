//! What a Keystone token says, and the validation of those that requests carry.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use moka::future::Cache;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::catalog::{Catalog, Entry};
use super::error::{Error, Kind, Result};
use super::http::{Call, Reply};
use super::session::{Reach, Session};
use super::{Cloud, Service};

/// Who a token stands for, and for what scope.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The user; under a trust with impersonation, the trustor.
    pub user_id: String,
    /// The user's name.
    pub user_name: String,
    /// The user's domain.
    pub user_domain_id: String,
    /// Name of the user's domain.
    pub user_domain_name: String,
    /// The project, where that is the scope.
    pub project_id: Option<String>,
    /// The project's name.
    pub project_name: Option<String>,
    /// The project's domain.
    pub project_domain_id: Option<String>,
    /// The domain, where that is the scope.
    pub domain_id: Option<String>,
    /// Whether the scope is the whole system.
    pub system: bool,
    /// Names of the roles in the scope.
    pub roles: Vec<String>,
    /// When the token ends.
    pub expires_at: DateTime<Utc>,
    /// Whether and how it was delegated: such a token cannot make a trust.
    pub delegated: Option<Delegation>,
    /// The cluster inside which the token lives, where the API found it to be that of its trustee or credential.
    pub cluster: Option<String>,
    /// The endpoints of the scope.
    pub catalog: Catalog,
    /// The token itself.
    pub token: SecretString,
}

/// How a token came from somebody else's rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delegation {
    /// By an application credential.
    ApplicationCredential {
        /// The credential.
        id: String,
        /// Whether it may manage application credentials and trusts.
        unrestricted: bool,
    },
    /// By a trust.
    Trust {
        /// The trust.
        id: String,
        /// Whose rights they are.
        trustor_user_id: String,
        /// Who uses them.
        trustee_user_id: String,
    },
    /// By an OAuth 1 consumer.
    OAuth1,
}

#[derive(Deserialize)]
struct Body {
    user: Named,
    project: Option<Named>,
    domain: Option<Named>,
    system: Option<serde_json::Value>,
    #[serde(default)]
    roles: Vec<Role>,
    expires_at: DateTime<Utc>,
    application_credential: Option<Credential>,
    #[serde(rename = "OS-TRUST:trust")]
    trust: Option<TrustBody>,
    #[serde(rename = "OS-OAUTH1")]
    oauth1: Option<serde_json::Value>,
    #[serde(default)]
    catalog: Vec<Entry>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
    #[serde(default)]
    name: String,
    domain: Option<Box<Named>>,
}

#[derive(Deserialize)]
struct Role {
    name: String,
}

#[derive(Deserialize)]
struct Credential {
    id: String,
    #[serde(default = "restricted")]
    restricted: bool,
}

fn restricted() -> bool {
    true
}

#[derive(Deserialize)]
struct TrustBody {
    id: String,
    trustor_user: Named,
    trustee_user: Named,
}

/// Reads the answer of `/v3/auth/tokens`.
pub(super) fn read(reach: &Reach, reply: &Reply, token: SecretString) -> Result<Identity> {
    let body: Body = reply.part("token")?;
    let catalog = Catalog::choose(&body.catalog, reach.interface, reach.region.as_deref());
    let (user_domain_id, user_domain_name) =
        body.user.domain.map(|domain| (domain.id, domain.name)).unwrap_or_default();
    let (project_id, project_name, project_domain_id) = match body.project {
        Some(project) => (Some(project.id), Some(project.name), project.domain.map(|domain| domain.id)),
        None => (None, None, None),
    };
    let delegated = match (body.application_credential, body.trust, body.oauth1) {
        (Some(by), _, _) => Some(Delegation::ApplicationCredential { id: by.id, unrestricted: !by.restricted }),
        (None, Some(by), _) => Some(Delegation::Trust {
            id: by.id,
            trustor_user_id: by.trustor_user.id,
            trustee_user_id: by.trustee_user.id,
        }),
        (None, None, Some(_)) => Some(Delegation::OAuth1),
        (None, None, None) => None,
    };
    Ok(Identity {
        user_id: body.user.id,
        user_name: body.user.name,
        user_domain_id,
        user_domain_name,
        project_id,
        project_name,
        project_domain_id,
        domain_id: body.domain.map(|domain| domain.id),
        system: body.system.is_some(),
        roles: body.roles.into_iter().map(|role| role.name).collect(),
        expires_at: body.expires_at,
        cluster: None,
        delegated,
        catalog,
        token,
    })
}

/// Asks Keystone about a token, showing it as its own proof.
///
/// # Errors
/// Kind `Unauthorized` where it is not valid.
pub(super) async fn own(reach: &Reach, token: &SecretString) -> Result<Identity> {
    let outcome = reach.http.send(&reach.auth_url, &question(token), Some(token)).await;
    read(reach, &outcome.map_err(invalid)?, token.clone())
}

fn question(token: &SecretString) -> Call<'static> {
    let mut call = Call::get(Service::Keystone, &["auth", "tokens"]);
    call.headers.push(("x-subject-token", token.clone()));
    call
}

/// Keystone says 404 of a token it does not know.
fn invalid(mut error: Error) -> Error {
    if error.kind == Kind::NotFound {
        error.kind = Kind::Unauthorized;
    }
    error
}

/// Tokens remembered.
const REMEMBERED: u64 = 10_000;
/// How long a valid token is believed without asking again.
pub(crate) const BELIEVED: Duration = Duration::from_secs(300);
/// How long an invalid token is refused without asking again.
const REFUSED: Duration = Duration::from_secs(10);
/// No token of any Keystone is longer, in bytes.
const LONGEST: usize = 8192;

/// Validates the tokens of requests, with a memory bounded in size and time; cheap to clone.
#[derive(Clone)]
pub struct Validator {
    cloud: Cloud,
    /// By the token's SHA-256.
    seen: Cache<String, Verdict>,
}

#[derive(Clone)]
enum Verdict {
    Valid(Arc<Identity>),
    Invalid,
}

struct Ages;

impl moka::Expiry<String, Verdict> for Ages {
    fn expire_after_create(&self, _: &String, verdict: &Verdict, _: Instant) -> Option<Duration> {
        Some(match verdict {
            Verdict::Valid(identity) => (identity.expires_at - Utc::now()).to_std().unwrap_or_default().min(BELIEVED),
            Verdict::Invalid => REFUSED,
        })
    }
}

impl std::fmt::Debug for Validator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Validator").field("seen", &self.seen.entry_count()).finish_non_exhaustive()
    }
}

impl Validator {
    /// A validator that asks as the service's user.
    #[must_use]
    pub fn new(cloud: &Cloud) -> Self {
        let seen = Cache::builder().max_capacity(REMEMBERED).expire_after(Ages).build();
        Self { cloud: cloud.clone(), seen }
    }

    /// Says who the token stands for.
    ///
    /// # Errors
    /// Kind `Unauthorized` where the token is not valid, and only then; `Unavailable` or `Timeout` where Keystone is
    /// away; `Credentials` where it refuses the service's own user.
    pub async fn validate(&self, token: &SecretString) -> Result<Arc<Identity>> {
        let text = token.expose_secret();
        let not_valid = || Error::new(Service::Keystone, Kind::Unauthorized, "the token is not valid");
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(not_valid());
        }
        let key = crate::secret::token_hash(text);
        match self.seen.try_get_with(key, self.ask(token)).await.map_err(Arc::unwrap_or_clone)? {
            Verdict::Valid(identity) if identity.expires_at > Utc::now() => Ok(identity),
            _ => Err(not_valid()),
        }
    }

    async fn ask(&self, token: &SecretString) -> Result<Verdict> {
        let session = self.cloud.service().await?;
        match session.send(question(token)).await {
            Ok(reply) => Ok(Verdict::Valid(Arc::new(read(session.reach(), &reply, token.clone())?))),
            Err(error) if error.kind == Kind::NotFound => Ok(Verdict::Invalid),
            Err(error) if error.kind == Kind::Forbidden => alone(&session, token).await,
            Err(mut error) if error.kind == Kind::Unauthorized => {
                error.kind = Kind::Credentials;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }
}

/// Our user may not ask about others' tokens (it lacks the role `service`): the token has to prove itself.
async fn alone(session: &Session, token: &SecretString) -> Result<Verdict> {
    match own(session.reach(), token).await {
        Ok(identity) => Ok(Verdict::Valid(Arc::new(identity))),
        Err(error) if error.kind == Kind::Unauthorized => Ok(Verdict::Invalid),
        Err(error) => Err(error),
    }
}

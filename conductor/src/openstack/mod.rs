//! The cloud around us: Keystone sessions and one thin client per service. The only folder that names reqwest.
//!
//! A [`Cloud`] holds the connections and our own sessions; a [`Session`] is one authenticated scope. Every call has a
//! deadline, a bounded answer, and an [`Error`] with the service's own words.

pub mod barbican;
mod catalog;
pub mod cinder;
mod error;
pub mod glance;
pub mod heat;
mod http;
pub mod keystone;
mod login;
pub mod neutron;
pub mod nova;
pub mod octavia;
mod session;
mod token;

#[cfg(test)]
mod faults;
#[cfg(test)]
mod stage;

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use secrecy::SecretString;
use tokio::sync::OnceCell;

pub use catalog::Catalog;
pub use error::{Error, Kind, Result};
pub use session::Session;
pub(crate) use token::BELIEVED;
pub use token::{Delegation, Identity, Validator};

use crate::config::Config;
use http::Http;
use login::{Login, Scope, Who};
use session::Reach;

tokio::task_local! {
    /// The id of the request being served, as `req-<uuid>`; sent along with every call made within its scope.
    pub static REQUEST_ID: String;
}

/// The services we talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Identity.
    Keystone,
    /// Orchestration.
    Heat,
    /// Compute.
    Nova,
    /// Images.
    Glance,
    /// Networks.
    Neutron,
    /// Volumes.
    Cinder,
    /// Load balancers.
    Octavia,
    /// Secrets.
    Barbican,
}

impl Service {
    pub(crate) const ALL: [Self; 8] = [
        Self::Keystone,
        Self::Heat,
        Self::Nova,
        Self::Glance,
        Self::Neutron,
        Self::Cinder,
        Self::Octavia,
        Self::Barbican,
    ];

    /// Its name as users know it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Keystone => "Keystone",
            Self::Heat => "Heat",
            Self::Nova => "Nova",
            Self::Glance => "Glance",
            Self::Neutron => "Neutron",
            Self::Cinder => "Cinder",
            Self::Octavia => "Octavia",
            Self::Barbican => "Barbican",
        }
    }

    /// Its types in the catalog, the preferred one first.
    fn types(self) -> &'static [&'static str] {
        match self {
            Self::Keystone => &["identity"],
            Self::Heat => &["orchestration"],
            Self::Nova => &["compute"],
            Self::Glance => &["image"],
            Self::Neutron => &["network"],
            Self::Cinder => &["volumev3", "block-storage", "block-store", "volume"],
            Self::Octavia => &["load-balancer"],
            Self::Barbican => &["key-manager"],
        }
    }

    /// The version in its URL where the catalog leaves it out.
    fn version(self) -> &'static str {
        match self {
            Self::Keystone | Self::Cinder => "v3",
            Self::Heat | Self::Barbican => "v1",
            Self::Nova => "v2.1",
            Self::Glance => "v2",
            Self::Neutron | Self::Octavia => "v2.0",
        }
    }

    /// Whether its URLs carry the project.
    fn wants_project(self) -> bool {
        matches!(self, Self::Heat | Self::Cinder)
    }
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What a look-up by identifier or name found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<T> {
    /// Nothing that the session may see.
    None,
    /// Exactly one.
    One(T),
    /// Several of that name: how many.
    Many(usize),
}

impl<T> Lookup<T> {
    fn of(mut found: Vec<T>) -> Self {
        match (found.len(), found.pop()) {
            (1, Some(one)) => Self::One(one),
            (0, _) | (_, None) => Self::None,
            (many, _) => Self::Many(many),
        }
    }
}

/// Projects whose session is kept.
const PROJECTS: u64 = 1000;
/// How long a session nobody uses is kept.
const IDLE: Duration = Duration::from_secs(3600);
/// How long a refusal is remembered: short, because an operator may grant the role at any time.
const REFUSAL: Duration = Duration::from_secs(30);

/// The cloud: shared connections and our own sessions; cheap to clone.
#[derive(Clone)]
pub struct Cloud(Arc<Inner>);

struct Inner {
    reach: Reach,
    config: Config,
    service: OnceCell<Session>,
    trustee_domain_admin: OnceCell<Session>,
    projects: Cache<String, Granted>,
}

/// Whether our user may act in a project.
#[derive(Clone)]
enum Granted {
    Yes(Session),
    No,
}

struct Refusals;

impl moka::Expiry<String, Granted> for Refusals {
    fn expire_after_create(&self, _: &String, value: &Granted, _: std::time::Instant) -> Option<Duration> {
        matches!(value, Granted::No).then_some(REFUSAL)
    }
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cloud").field("auth_url", &self.0.reach.auth_url.as_str()).finish_non_exhaustive()
    }
}

impl Cloud {
    /// Prepares the connections; calls nobody.
    ///
    /// # Errors
    /// `[keystone] auth_url` is not a URL, or `cafile` cannot be used.
    pub fn new(config: &Config) -> crate::Result<Self> {
        let given = &config.keystone.auth_url;
        let auth_url = catalog::rooted(Service::Keystone, given, None).map_err(|_| {
            let text =
                format!("[keystone] auth_url is {given:?}; it must be Keystone's http or https URL, ending in /v3");
            crate::Error::invalid(text)
        })?;
        let reach = Reach {
            http: Http::new(&config.keystone)?,
            auth_url,
            interface: config.keystone.interface,
            region: config.keystone.region_name.clone().map(Into::into),
        };
        let projects = Cache::builder().max_capacity(PROJECTS).time_to_idle(IDLE).expire_after(Refusals).build();
        let (service, trustee_domain_admin) = (OnceCell::new(), OnceCell::new());
        Ok(Self(Arc::new(Inner { reach, config: config.clone(), service, trustee_domain_admin, projects })))
    }

    /// Our user in its own project.
    ///
    /// # Errors
    /// Kind `Credentials` where Keystone refuses our user.
    pub async fn service(&self) -> Result<Session> {
        let keystone = &self.0.config.keystone;
        let scope = Scope::ProjectName(keystone.project_name.clone(), keystone.project_domain_name.clone());
        let open = || Session::open(self.0.reach.clone(), self.ours(scope));
        self.0.service.get_or_try_init(open).await.cloned()
    }

    /// Our user in a tenant's project.
    ///
    /// # Errors
    /// Kind `NotGranted` where our user holds no role there or the project does not exist.
    pub async fn in_project(&self, project_id: &str) -> Result<Session> {
        if let Some(Granted::Yes(session)) = self.0.projects.get(project_id).await
            && session.was_refused()
        {
            self.0.projects.invalidate(project_id).await;
        }
        let granted = self.0.projects.try_get_with_by_ref(project_id, self.probe(project_id)).await;
        match granted.map_err(Arc::unwrap_or_clone)? {
            Granted::Yes(session) => Ok(session),
            Granted::No => Err(login::not_granted(&self.0.config.keystone, project_id)),
        }
    }

    /// Forgets that our user was refused in a project, for a caller that must know the state of this moment.
    pub async fn forget_refusal(&self, project_id: &str) {
        if matches!(self.0.projects.get(project_id).await, Some(Granted::No)) {
            self.0.projects.invalidate(project_id).await;
        }
    }

    /// Keystone answers 401 both to a wrong password and to a missing role, so a refusal is only believed where our
    /// user can log in at home.
    async fn probe(&self, project_id: &str) -> Result<Granted> {
        let login = self.ours(Scope::ProjectId(project_id.to_owned()));
        match Session::open(self.0.reach.clone(), login).await {
            Ok(session) => Ok(Granted::Yes(session)),
            Err(error) if error.kind == Kind::NotGranted => {
                self.service().await?.log_in_again().await?;
                Ok(Granted::No)
            }
            Err(error) => Err(error),
        }
    }

    /// A user's token as it is; its scope and catalog are asked of Keystone.
    ///
    /// # Errors
    /// Kind `Unauthorized` where the token is not valid.
    pub async fn requester(&self, token: &SecretString) -> Result<Session> {
        let identity = token::own(&self.0.reach, token).await?;
        Ok(Session::given(self.0.reach.clone(), Arc::new(identity)))
    }

    /// A user's token that a [`Validator`] has read already.
    #[must_use]
    pub fn requester_of(&self, identity: &Arc<Identity>) -> Session {
        Session::given(self.0.reach.clone(), identity.clone())
    }

    /// A trustee acting for its trustor.
    ///
    /// # Errors
    /// Kind `Unauthorized`, `Forbidden` or `NotFound` where the trust or the trustee is gone or disabled.
    pub async fn trustee(&self, user_id: &str, password: &SecretString, trust_id: &str) -> Result<Session> {
        let login = Login::password(Who::Id(user_id.into()), password.clone(), Scope::Trust(trust_id.into()));
        Session::open(self.0.reach.clone(), login).await
    }

    /// The bearer of an application credential, as nodes of a cluster are.
    ///
    /// # Errors
    /// Kind `Unauthorized` or `NotFound` where the credential is gone or its secret is wrong.
    pub async fn application_credential(&self, id: &str, secret: &SecretString) -> Result<Session> {
        let login = Login::ApplicationCredential { id: id.into(), secret: secret.clone() };
        Session::open(self.0.reach.clone(), login).await
    }

    /// The administrator of the trustee users' domain, in that domain.
    ///
    /// # Errors
    /// Kind `Credentials` where `[trust]` is incomplete or Keystone refuses the administrator.
    pub async fn trustee_domain_admin(&self) -> Result<Session> {
        let open = || async {
            let login = login::trustee_domain_admin(&self.0.config.trust)?;
            Session::open(self.0.reach.clone(), login).await
        };
        self.0.trustee_domain_admin.get_or_try_init(open).await.cloned()
    }

    /// The command by which an operator lets our user act in a project.
    #[must_use]
    pub fn grant_command(&self, project_id: &str) -> String {
        login::grant_command(&self.0.config.keystone, project_id)
    }

    /// Our user in the given scope.
    fn ours(&self, scope: Scope) -> Login {
        let keystone = &self.0.config.keystone;
        let who = Who::Name(keystone.username.clone(), login::Domain::Name(keystone.user_domain_name.clone()));
        Login::password(who, keystone.password.clone(), scope).ours()
    }
}

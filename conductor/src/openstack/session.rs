//! An authenticated scope: a token that renews itself, and the catalog that came with it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;
use url::Url;

use super::Service;
use super::catalog::Catalog;
use super::error::{Kind, Result};
use super::http::{Call, Http, Reply};
use super::login::Login;
use super::token::Identity;
use crate::config::Interface;

/// The way to Keystone and the choice of endpoints.
#[derive(Clone)]
pub(super) struct Reach {
    pub(super) http: Http,
    /// Keystone's URL, ending in its version.
    pub(super) auth_url: Url,
    pub(super) interface: Interface,
    pub(super) region: Option<Arc<str>>,
}

/// An authenticated scope at the cloud; cheap to clone. Its token is renewed before it expires and once when a
/// service refuses it, except a token that somebody else gave us.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    reach: Reach,
    login: Login,
    current: RwLock<Held>,
    /// Held while a token is fetched, so that only one call does it.
    renewing: Mutex<()>,
    /// Whether the last renewal was refused.
    refused: AtomicBool,
}

#[derive(Clone)]
struct Held {
    identity: Arc<Identity>,
    /// From when on to look for a new token.
    renew_at: DateTime<Utc>,
}

impl Held {
    /// Two minutes before expiry, or the last quarter of a short life.
    fn new(identity: Arc<Identity>) -> Self {
        let left = identity.expires_at - Utc::now();
        let margin = TimeDelta::minutes(2).min(left / 4);
        Self { renew_at: identity.expires_at - margin, identity }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Session").field(&self.identity()).finish()
    }
}

impl Session {
    /// Logs in.
    pub(super) async fn open(reach: Reach, login: Login) -> Result<Self> {
        let identity = login.log_in(&reach).await?;
        Ok(Self::held(reach, login, Arc::new(identity)))
    }

    /// Takes a token as it is.
    pub(super) fn given(reach: Reach, identity: Arc<Identity>) -> Self {
        Self::held(reach, Login::Given, identity)
    }

    fn held(reach: Reach, login: Login, identity: Arc<Identity>) -> Self {
        let (current, renewing) = (RwLock::new(Held::new(identity)), Mutex::new(()));
        Self(Arc::new(Inner { reach, login, current, renewing, refused: AtomicBool::new(false) }))
    }

    /// Who the session is, with the token it holds at this moment.
    #[must_use]
    pub fn identity(&self) -> Arc<Identity> {
        self.current().identity
    }

    /// The project it acts in; empty where its scope is not a project.
    #[must_use]
    pub fn project_id(&self) -> String {
        self.identity().project_id.clone().unwrap_or_default()
    }

    /// The user it acts as; under a trust, the trustor.
    #[must_use]
    pub fn user_id(&self) -> String {
        self.identity().user_id.clone()
    }

    /// The endpoints of its scope.
    #[must_use]
    pub fn catalog(&self) -> Catalog {
        self.identity().catalog.clone()
    }

    /// Whether its last renewal was refused.
    pub(super) fn was_refused(&self) -> bool {
        self.0.refused.load(Ordering::Relaxed)
    }

    pub(super) fn reach(&self) -> &Reach {
        &self.0.reach
    }

    /// Proves that its credentials still work, by a new token.
    pub(super) async fn log_in_again(&self) -> Result<()> {
        let stale = self.identity();
        self.renew(&stale).await.map(drop)
    }

    /// Sends a call with the session's token; a token that is refused is renewed once.
    pub(super) async fn send(&self, call: Call<'_>) -> Result<Reply> {
        let identity = self.fresh().await?;
        match self.send_as(&identity, &call).await {
            Err(error) if error.kind == Kind::Unauthorized && !matches!(self.0.login, Login::Given) => {
                let renewed = self.renew(&identity).await?;
                self.send_as(&renewed, &call).await
            }
            outcome => outcome,
        }
    }

    async fn send_as(&self, identity: &Identity, call: &Call<'_>) -> Result<Reply> {
        let reach = &self.0.reach;
        let endpoint = match call.service {
            Service::Keystone => reach.auth_url.clone(),
            service => identity.catalog.endpoint(service, identity.project_id.as_deref())?,
        };
        reach.http.send(&endpoint, call, Some(&identity.token)).await
    }

    fn current(&self) -> Held {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A token with some life left. Where none can be had, the present one is used as long as it lives.
    async fn fresh(&self) -> Result<Arc<Identity>> {
        let held = self.current();
        let now = Utc::now();
        if now < held.renew_at || matches!(self.0.login, Login::Given) {
            return Ok(held.identity);
        }
        match self.renew(&held.identity).await {
            Err(error) if error.is_transient() && now < held.identity.expires_at => Ok(held.identity),
            outcome => outcome,
        }
    }

    /// A token other than `stale`; of several callers at once, one logs in.
    async fn renew(&self, stale: &Identity) -> Result<Arc<Identity>> {
        let _one = self.0.renewing.lock().await;
        let held = self.current();
        if held.identity.token.expose_secret() != stale.token.expose_secret() {
            return Ok(held.identity);
        }
        let outcome = self.0.login.log_in(&self.0.reach).await;
        if let Err(error) = &outcome {
            self.0.refused.store(error.kind == Kind::NotGranted, Ordering::Relaxed);
        }
        let held = Held::new(Arc::new(outcome?));
        self.0.refused.store(false, Ordering::Relaxed);
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = held.clone();
        Ok(held.identity)
    }
}

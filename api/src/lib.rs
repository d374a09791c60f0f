//! North edge: HTTP in, one operation called, HTTP out.
//!
//! A request passes [`edge`] (path, token, version), reaches its route in [`router`], whose function reads what came,
//! asks the policy, calls one operation of the conductor, and wraps what it returns. [`error`] is the only place that
//! turns failures into HTTP.

pub mod authorize;
pub mod body;
pub mod caller;
pub mod certificates;
pub mod cluster_templates;
pub mod cluster_update;
pub mod cluster_view;
pub mod clusters;
pub mod coerce;
pub mod cors;
pub mod credentials;
pub mod edge;
pub mod error;
pub mod federations;
pub mod health;
pub mod ident;
pub mod links;
pub mod literal;
pub mod microversion;
pub mod mservices;
pub mod nodegroup_view;
pub mod nodegroups;
pub mod nodes;
pub mod openapi;
pub mod page;
pub mod patch;
pub mod path;
pub mod policy;
pub mod query;
pub mod quotas;
pub mod request_id;
pub mod root;
pub mod router;
pub mod server;
pub mod stats;
pub mod time;
pub mod upgrade;

#[cfg(test)]
mod testing;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use conductor::Conductor;
use conductor::cluster;
use conductor::openstack::Kind;
use futures::FutureExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use error::{Error, Result};

use body::Limits;
use caller::{Credential, Gate, Principal};
use edge::Settings;
use server::Listening;

/// What every operation of the API has at hand.
#[derive(Clone)]
pub struct Api {
    /// Records, cloud, keys and drivers.
    pub conductor: Arc<Conductor>,
    /// Who may do what.
    pub policy: Arc<policy::Enforcer>,
}

/// Answers requests on the listener until `shutdown`, then lets those under way finish.
///
/// # Errors
/// The policy file is unusable, or the listener broken.
pub async fn serve(listener: TcpListener, conductor: Arc<Conductor>, shutdown: CancellationToken) -> io::Result<()> {
    let drain_time = Duration::from_secs(conductor.config.api.drain_timeout_s);
    let config = &conductor.config;
    let policy = policy::Enforcer::open(config.policy.file.as_deref(), config.x509.project_wide);
    let policy = policy.map_err(io::Error::other)?;
    let routes = routes(Api { conductor, policy: Arc::new(policy) });
    server::serve(listener, routes, Listening { drain_time, ..Listening::default() }, shutdown).await
}

/// Every route behind its edge.
pub fn routes(api: Api) -> Router {
    let config = &api.conductor.config;
    let timeout = Duration::from_secs(config.api.request_timeout_s);
    let keystone = config.keystone.www_authenticate_uri.as_deref().unwrap_or(&config.keystone.auth_url);
    let settings = Settings {
        gate: Gate { keystone: keystone.into(), judge: judge(&api.conductor) },
        limits: Limits { body: config.api.max_body, body_time: timeout.min(Duration::from_secs(30)) },
        timeout,
        origins: config.cors.allowed_origin.clone().into(),
        public_url: config.api.public_url.is_some().then(|| config.public_url()),
    };
    edge::around(router::bare(api), settings)
}

/// Asks Keystone about tokens, and the records about bootstrap tokens and nodes' certificates.
fn judge(conductor: &Arc<Conductor>) -> caller::Judge {
    let conductor = conductor.clone();
    Arc::new(move |credential| {
        let conductor = conductor.clone();
        async move {
            match credential {
                Credential::Token(token) => match conductor.tokens.validate(&token.into()).await {
                    Ok(identity) => Ok(Some(Principal::User(cluster::recognise(&conductor, identity).await?))),
                    Err(error) if error.kind == Kind::Unauthorized => Ok(None),
                    Err(error) => Err(conductor::Error::from(error).into()),
                },
                Credential::Bootstrap(token) => {
                    let holder = conductor::node::authenticate(&conductor, &token).await?;
                    Ok(holder.map(|holder| Principal::Node(Arc::new(holder))))
                }
                Credential::Proof(shown) => {
                    let holder = conductor::node::authenticate_by_certificate(&conductor, &shown).await?;
                    Ok(holder.map(|holder| Principal::Node(Arc::new(holder))))
                }
            }
        }
        .boxed()
    })
}

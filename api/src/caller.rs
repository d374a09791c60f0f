//! Who asks: a person or program with a Keystone token, or a node with its bootstrap token.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use conductor::node::BootstrapToken;
use conductor::openstack::Identity;
use futures::future::BoxFuture;
use http::header::WWW_AUTHENTICATE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use tracing::Span;

use crate::error::{Error, Result, challenge};
use crate::path;

/// The header with a Keystone token.
const TOKEN: &str = "x-auth-token";
/// The header with a bootstrap token.
const BOOTSTRAP_TOKEN: &str = "x-jeroboam-bootstrap-token";

/// What a request shows to say who asks.
#[derive(Clone)]
pub enum Credential {
    /// A Keystone token.
    Token(String),
    /// A node's bootstrap token.
    Bootstrap(String),
}

/// Whom a credential stands for.
#[derive(Debug, Clone)]
pub enum Principal {
    /// A user of the cloud in some scope.
    User(Arc<Identity>),
    /// Some node of one nodegroup.
    Node(Arc<BootstrapToken>),
}

/// Judges credentials; nothing when they are not valid.
pub type Judge = Arc<dyn Fn(Credential) -> BoxFuture<'static, Result<Option<Principal>>> + Send + Sync>;

/// The check that stands in front of everything but the version documents and the probes.
#[derive(Clone)]
pub struct Gate {
    /// Judges what requests show.
    pub judge: Judge,
    /// The Keystone that a 401 names.
    pub keystone: Arc<str>,
}

impl Gate {
    async fn admit(&self, headers: &HeaderMap) -> Result<Principal> {
        let credential = shown(headers).ok_or_else(|| Error::unauthenticated(&self.keystone))?;
        (self.judge)(credential).await?.ok_or_else(|| Error::unauthenticated(&self.keystone))
    }
}

impl Gate {
    /// Names the Keystone also where the cloud refused, while the request was under way, a token that we believed.
    fn named_in(&self, mut answer: Response) -> Response {
        if answer.status() == StatusCode::UNAUTHORIZED
            && !answer.headers().contains_key(WWW_AUTHENTICATE)
            && let Some(value) = challenge(&self.keystone)
        {
            answer.headers_mut().insert(WWW_AUTHENTICATE, value);
        }
        answer
    }
}

/// A Keystone token counts before a bootstrap token.
fn shown(headers: &HeaderMap) -> Option<Credential> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
    let token = text(TOKEN).map(|token| Credential::Token(token.to_owned()));
    token.or_else(|| text(BOOTSTRAP_TOKEN).map(|token| Credential::Bootstrap(token.to_owned())))
}

/// Lets nobody pass unknown.
pub async fn authenticate(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    if path::is_public(request.uri().path()) {
        return next.run(request).await;
    }
    match gate.admit(request.headers()).await {
        Ok(principal) => {
            if let Principal::User(identity) = &principal {
                Span::current().record("user", &identity.user_id);
                Span::current().record("project", identity.project_id.as_deref());
            }
            request.extensions_mut().insert(gate.clone());
            request.extensions_mut().insert(principal);
            gate.named_in(next.run(request).await)
        }
        Err(error) => error.into_response(),
    }
}

/// The user who asks; a node is turned away.
#[derive(Debug, Clone)]
pub struct Caller(pub Arc<Identity>);

/// The node that asks; a user is turned away.
#[derive(Debug, Clone)]
pub struct Node(pub Arc<BootstrapToken>);

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| turned_away(parts))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        match parts.extensions.get::<Principal>() {
            Some(Principal::User(identity)) => Ok(Self(identity.clone())),
            _ => Err(turned_away(parts)),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Node {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        match parts.extensions.get::<Principal>() {
            Some(Principal::Node(holder)) => Ok(Self(holder.clone())),
            _ => Err(turned_away(parts)),
        }
    }
}

fn turned_away(parts: &Parts) -> Error {
    Error::unauthenticated(parts.extensions.get::<Gate>().map_or("", |gate| &gate.keystone))
}

//! Who asks: a person or program with a Keystone token, or a node with its bootstrap token or its certificate.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use conductor::node::{self, Holder};
use conductor::openstack::Identity;
use futures::future::BoxFuture;
use http::header::WWW_AUTHENTICATE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use tracing::Span;

use crate::body::{self, Limits};
use crate::error::{Error, Result, challenge};
use crate::path;

/// The header with a Keystone token.
const TOKEN: &str = "x-auth-token";
/// The header with a bootstrap token.
const BOOTSTRAP_TOKEN: &str = "x-jeroboam-bootstrap-token";
/// The headers of a node's proof: its cluster's UUID, its certificate (DER in base64), the seconds since 1970, and the
/// signature (base64) over what [`node::Shown`] holds.
const PROOF: [&str; 4] = [
    "x-jeroboam-node-cluster",
    "x-jeroboam-node-certificate",
    "x-jeroboam-node-timestamp",
    "x-jeroboam-node-signature",
];
/// The largest body that is read before its sender is known, in bytes: a certificate request fits.
const PROVED_BODY: usize = 128 * 1024;

/// What a request shows to say who asks.
#[derive(Clone)]
pub enum Credential {
    /// A Keystone token.
    Token(String),
    /// A node's bootstrap token.
    Bootstrap(String),
    /// A node's certificate and signature.
    Proof(Box<node::Shown>),
}

/// Whom a credential stands for.
#[derive(Debug, Clone)]
pub enum Principal {
    /// A user of the cloud in some scope.
    User(Arc<Identity>),
    /// A node, or some node of one nodegroup.
    Node(Arc<Holder>),
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
    async fn admit(&self, request: &mut Request) -> Result<Principal> {
        let credential = match shown(request.headers()) {
            Some(credential) => Some(credential),
            None => proof(request).await?,
        };
        let credential = credential.ok_or_else(|| Error::unauthenticated(&self.keystone))?;
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

/// A node's proof covers its body, which is read here and given back.
async fn proof(request: &mut Request) -> Result<Option<Credential>> {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let [Some(cluster), Some(certificate), Some(timestamp), Some(signature)] = PROOF.map(text) else {
        return Ok(None);
    };
    let limits = request.extensions().get::<Limits>().copied();
    let limits = limits.map(|limits| Limits { body: limits.body.min(PROVED_BODY), ..limits });
    let body = body::read(std::mem::take(request.body_mut()), limits).await?;
    let shown = node::Shown {
        cluster,
        certificate,
        signature,
        timestamp,
        method: request.method().as_str().to_owned(),
        path: request.uri().path_and_query().map(|path| path.as_str().to_owned()).unwrap_or_default(),
        body_hash: node::body_hash(&body),
    };
    *request.body_mut() = body.into();
    Ok(Some(Credential::Proof(Box::new(shown))))
}

/// Lets nobody pass unknown.
pub async fn authenticate(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    if path::is_public(request.uri().path()) {
        return next.run(request).await;
    }
    match gate.admit(&mut request).await {
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
pub struct Node(pub Arc<Holder>);

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

//! What every request passes before it reaches its route, and every answer after.

use std::any::Any;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use tower_http::catch_panic::CatchPanicLayer;

use crate::body::Limits;
use crate::caller::{self, Gate};
use crate::cors::{self, Origins};
use crate::error::Error;
use crate::links::PublicUrl;
use crate::{microversion, path, request_id};

/// What the edge needs to know.
#[derive(Clone)]
pub struct Settings {
    /// Who may pass.
    pub gate: Gate,
    /// What a request may cost.
    pub limits: Limits,
    /// How long a request may take.
    pub timeout: Duration,
    /// Origins whose pages may read answers.
    pub origins: Origins,
    /// The URL under which clients reach us, where it is configured.
    pub public_url: Option<String>,
}

/// Puts the edge around routes; the first line here is the last that a request passes.
pub fn around(routes: Router, settings: Settings) -> Router {
    let routes = routes.fallback(path::unknown_path).method_not_allowed_fallback(path::unknown_verb);
    // The path is rewritten before it is matched, so the routes stand behind a router that matches everything.
    Router::new()
        .fallback_service(routes)
        .layer(from_fn(path::refuse_head))
        .layer(from_fn(path::acceptable))
        .layer(from_fn(negotiate))
        .layer(from_fn_with_state(settings.gate, caller::authenticate))
        .layer(from_fn(path::canonical))
        .layer(Extension(settings.limits))
        .layer(Extension(PublicUrl(settings.public_url)))
        .layer(from_fn_with_state(settings.timeout, give_up))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(settings.origins, cors::share))
        .layer(from_fn(request_id::observe))
}

/// Negotiates the version where there is one.
async fn negotiate(request: Request, next: Next) -> Response {
    if path::is_versioned(request.uri().path()) {
        microversion::negotiate(request, next).await
    } else {
        next.run(request).await
    }
}

/// Ends a request that takes too long; what it has begun in the database is rolled back.
async fn give_up(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let text = format!("The request took longer than {} seconds. Try again later.", limit.as_secs());
            Error::new(StatusCode::SERVICE_UNAVAILABLE, text)
                .with_header(RETRY_AFTER, HeaderValue::from_static("5"))
                .into_response()
        }
    }
}

/// A defect of ours ends one request, not the service.
fn panicked(payload: Box<dyn Any + Send>) -> Response {
    let text = payload.downcast_ref::<&str>().copied().map(str::to_owned);
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
    Error::from(conductor::Error::internal(format!("panic: {text}"))).into_response()
}

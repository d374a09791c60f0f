//! Probes: is the process there, and can it work?

use axum::Json;
use axum::extract::State;
use conductor::readiness::{self, Readiness};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Api;

/// Says that the process answers.
#[utoipa::path(get, path = "/healthcheck", tag = "probes", security(()),
    responses((status = 200, description = "It answers", body = String, content_type = "text/plain")))]
pub async fn healthcheck() -> &'static str {
    "OK"
}

/// What the service needs for its work, each `ok` or `unavailable`; the log says why.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ready {
    /// The records.
    database: &'static str,
    /// Keystone.
    keystone: &'static str,
    /// The workflow engine.
    engine: &'static str,
}

impl Ready {
    fn of(found: &Readiness) -> Self {
        let word = |ok| if ok { "ok" } else { "unavailable" };
        Self { database: word(found.database), keystone: word(found.keystone), engine: word(found.engine) }
    }
}

/// Says whether the process can do its work.
#[utoipa::path(get, path = "/readyz", tag = "probes", security(()),
    responses((status = 200, description = "It can", body = Ready), (status = 503, description = "It cannot", body = Ready)))]
pub async fn readyz(State(api): State<Api>) -> (StatusCode, Json<Ready>) {
    let found = readiness::look(&api.conductor).await;
    let status = if found.all() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready::of(&found)))
}

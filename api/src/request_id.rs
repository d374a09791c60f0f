//! Request ids in and out, and the one log line per request.
//!
//! Every request gets an id of its own, which the answer names and the services we call are told. A well-formed id sent by the client (another service
//! of the cloud, as a rule) is kept beside it in the log, so that one can follow a request across services.

use std::time::Instant;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use conductor::openstack::REQUEST_ID;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use tracing::{Instrument, field};
use uuid::Uuid;

use crate::error::Cause;

/// The header that names a request, in both directions.
pub const HEADER: HeaderName = HeaderName::from_static("x-openstack-request-id");

/// The id of the request under way, as `req-<uuid>`.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Names the request, opens its span, and writes its line when the answer is known.
pub async fn observe(mut request: Request, next: Next) -> Response {
    let id = format!("req-{}", Uuid::new_v4());
    let global = given(request.headers()).map(str::to_owned);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    request.extensions_mut().insert(RequestId(id.clone()));
    let span = tracing::info_span!("request", id, global_id = global, user = field::Empty, project = field::Empty);
    let started = Instant::now();
    let answering = next.run(request).instrument(span.clone());
    let mut response = REQUEST_ID.scope(id.clone(), answering).await;
    if let Ok(value) = HeaderValue::try_from(id) {
        response.headers_mut().insert(HEADER, value);
    }
    let cause = response.extensions_mut().remove::<Cause>().map(|cause| cause.0);
    span.in_scope(|| record(&method, &path, response.status(), cause.as_deref(), started));
    response
}

/// The line: errors of ours as errors, probes as noise.
fn record(method: &http::Method, path: &str, status: StatusCode, cause: Option<&str>, started: Instant) {
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let status = status.as_u16();
    match (status, path) {
        (500.., _) => tracing::error!(%method, path, status, ms, cause, "answered"),
        (_, "/healthcheck" | "/readyz") => tracing::debug!(%method, path, status, ms, cause, "answered"),
        _ => tracing::info!(%method, path, status, ms, cause, "answered"),
    }
}

/// The client's own id, when it is one: `req-` and a UUID in its usual form.
fn given(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let uuid = text.strip_prefix("req-")?;
    (uuid.len() == 36 && Uuid::try_parse(uuid).is_ok()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_id_of_the_client_is_kept() {
        let good = format!("req-{}", Uuid::new_v4());
        for (text, kept) in [(good.as_str(), true), ("req-1", false), (&good[4..], false), ("req-\n", false)] {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.insert(HEADER, value);
            }
            assert_eq!(given(&headers).is_some(), kept, "{text}");
        }
    }
}

//! Cross-origin requests, as the filter in front of Magnum answers them: every `OPTIONS` gets 200 without a body, and
//! pages of the configured origins may read answers.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::{Method, StatusCode};

/// The verbs that pages may use.
const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "PATCH"];

/// The headers that pages may send; the last six are simple ones that every page may.
const HEADERS: [&str; 15] = [
    "x-auth-token",
    "x-identity-status",
    "x-roles",
    "x-service-catalog",
    "x-user-id",
    "x-tenant-id",
    "x-openstack-request-id",
    "x-server-management-url",
    "openstack-api-version",
    "content-type",
    "cache-control",
    "content-language",
    "expires",
    "last-modified",
    "pragma",
];

/// The headers of answers that pages may read.
const EXPOSED: &str =
    "X-Auth-Token,X-Subject-Token,X-Service-Token,X-OpenStack-Request-ID,X-Server-Management-Url,OpenStack-API-Version";

/// Origins whose pages may read answers; `*` stands for every one.
pub type Origins = Arc<[String]>;

/// Answers `OPTIONS`, and names the origin in the other answers where it is allowed.
pub async fn share(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let origin = allowed(&origins, request.headers());
    if request.method() == Method::OPTIONS {
        let mut answer = StatusCode::OK.into_response();
        if let Some((origin, headers)) = origin.zip(preflight(request.headers())) {
            answer.headers_mut().extend(headers);
            name(origin, answer.headers_mut());
        }
        return answer;
    }
    let mut answer = next.run(request).await;
    if let Some(origin) = origin {
        name(origin, answer.headers_mut());
        answer.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
    answer
}

/// The origin of the request, when its pages may read answers.
fn allowed(origins: &[String], headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    origins.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

/// What a page asks leave for, when it may have all of it.
fn preflight(headers: &HeaderMap) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let method = headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
    if !METHODS.iter().any(|known| known.as_bytes() == method.as_bytes()) {
        return None;
    }
    let mut given = vec![(ACCESS_CONTROL_ALLOW_METHODS, method.clone())];
    if let Some(asked) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        let known = |name: &str| HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name.trim()));
        if !asked.to_str().is_ok_and(|names| names.split(',').all(known)) {
            return None;
        }
        given.push((ACCESS_CONTROL_ALLOW_HEADERS, asked.clone()));
    }
    Some(given)
}

fn name(origin: HeaderValue, headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    headers.append(VARY, HeaderValue::from_static("Origin"));
}

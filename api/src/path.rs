//! Which path a request means: old clients leave out `/v1` and write a slash at the end.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::uri::PathAndQuery;
use http::{Method, StatusCode, Uri};

use crate::error::{Error, excerpt};

/// What stands beside `/v1`.
const BESIDE: [&str; 3] = ["healthcheck", "readyz", "openapi.json"];

/// The paths where a slash at the end leads nowhere, as it always has.
const EXACT: [&str; 2] = ["/v1/clusters/detail/", "/v1/clustertemplates/detail/"];

/// Whether a path that was made canonical is open to everybody.
#[must_use]
pub fn is_public(path: &str) -> bool {
    matches!(path, "/" | "/v1" | "/v1/v1.json") || BESIDE.contains(&&path[1..])
}

/// Whether a canonical path belongs to the versioned API.
#[must_use]
pub fn is_versioned(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}

/// Gives a request its canonical path.
pub async fn canonical(mut request: Request, next: Next) -> Response {
    match rewritten(request.uri()) {
        Some(uri) => *request.uri_mut() = uri,
        None => return Error::no_such_path().into_response(),
    }
    next.run(request).await
}

/// Refuses `HEAD`, which no resource knows, except to probes.
pub async fn refuse_head(request: Request, next: Next) -> Response {
    if request.method() == Method::HEAD && is_versioned_or_root(request.uri().path()) {
        return Error::no_such_verb().into_response();
    }
    next.run(request).await
}

/// Refuses a request whose answer, always JSON, the client would not take.
pub async fn acceptable(request: Request, next: Next) -> Response {
    let takes_json = request
        .headers()
        .get_all(http::header::ACCEPT)
        .iter()
        .all(|value| value.to_str().is_ok_and(|text| text.trim().is_empty() || text.split(',').any(is_json_range)));
    if is_versioned_or_root(request.uri().path()) && !takes_json {
        return Error::framework(StatusCode::NOT_ACCEPTABLE, "", "").into_response();
    }
    next.run(request).await
}

fn is_versioned_or_root(path: &str) -> bool {
    path == "/" || is_versioned(path)
}

fn is_json_range(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let refused = parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0)));
    !refused && ["*/*", "application/*", "application/json"].iter().any(|json| kind.eq_ignore_ascii_case(json))
}

fn rewritten(uri: &Uri) -> Option<Uri> {
    let path = canonical_path(uri.path());
    let text = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(text).ok()?);
    Uri::from_parts(parts).ok()
}

fn canonical_path(path: &str) -> String {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let path = match first {
        "" => return "/".into(),
        "v1" => path.to_owned(),
        first if BESIDE.contains(&first) => path.to_owned(),
        _ => format!("/v1{path}"),
    };
    if EXACT.contains(&path.as_str()) { path } else { path.trim_end_matches('/').to_owned() }
}

/// The argument that a verb on a collection misses, where the same verb is known on its items.
const MISSING: [(&str, Method, &str); 6] = [
    ("/v1/clustertemplates", Method::PATCH, "cluster_template_ident"),
    ("/v1/clustertemplates", Method::DELETE, "cluster_template_ident"),
    ("/v1/clusters", Method::PATCH, "cluster_ident"),
    ("/v1/clusters", Method::DELETE, "cluster_ident"),
    ("/v1/quotas", Method::PATCH, "project_id"),
    ("/v1/quotas", Method::DELETE, "project_id"),
];

/// Answers a verb that the resource does not know.
pub async fn unknown_verb(method: Method, uri: Uri) -> Error {
    match MISSING.iter().find(|(path, verb, _)| *path == uri.path() && *verb == method) {
        Some((_, _, argument)) => Error::missing(argument),
        None if is_nodegroups(uri.path()) && matches!(method, Method::PATCH | Method::DELETE) => {
            Error::missing("nodegroup_id")
        }
        None => Error::no_such_verb(),
    }
}

/// Whether the path is that of a cluster's nodegroups.
fn is_nodegroups(path: &str) -> bool {
    let cluster = path.strip_prefix("/v1/clusters/").and_then(|rest| rest.strip_suffix("/nodegroups"));
    cluster.is_some_and(|cluster| !cluster.is_empty() && !cluster.contains('/'))
}

/// Answers a path that leads nowhere, or stops short.
pub async fn unknown_path(method: Method, uri: Uri) -> Error {
    let project = uri.path().strip_prefix("/v1/quotas/").filter(|rest| !rest.contains('/'));
    if project.is_some() && matches!(method, Method::GET | Method::PATCH | Method::DELETE) {
        return Error::missing("resource");
    }
    Error::no_such_path().because(format!("no such path: {}", excerpt(uri.path())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_without_a_version_means_v1() {
        for (given, meant) in [
            ("/", "/"),
            ("//", "/"),
            ("/v1", "/v1"),
            ("/v1/", "/v1"),
            ("/clusters", "/v1/clusters"),
            ("/v2", "/v1/v2"),
            ("/v1/clusters/", "/v1/clusters"),
            ("/clusters/x/", "/v1/clusters/x"),
            ("/healthcheck", "/healthcheck"),
            ("/v1/healthcheck", "/v1/healthcheck"),
            ("/v1/clusters/detail/", "/v1/clusters/detail/"),
            ("/v1.json", "/v1/v1.json"),
        ] {
            assert_eq!(canonical_path(given), meant, "{given}");
        }
    }

    #[test]
    fn the_query_stays() {
        let uri = rewritten(&"/clusters/?limit=1&marker=%2F".parse().unwrap()).unwrap();
        assert_eq!(uri, "/v1/clusters?limit=1&marker=%2F");
        let uri = rewritten(&"http://h:1/clusters/?limit=1".parse().unwrap()).unwrap();
        assert_eq!(uri, "http://h:1/v1/clusters?limit=1");
    }

    #[test]
    fn json_is_acceptable_by_name_and_by_range() {
        for range in ["application/json", "*/*", "application/*;q=0.1", " APPLICATION/JSON; charset=utf-8"] {
            assert!(is_json_range(range), "{range}");
        }
        for range in ["text/html", "application/xml", "application/json;q=0", ""] {
            assert!(!is_json_range(range), "{range}");
        }
    }
}

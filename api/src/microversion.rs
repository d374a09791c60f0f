//! Microversions: what a client asks for, what it gets, and three ways to be refused.

use axum::extract::{FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HeaderName, HeaderValue, VARY};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::error::{Error, Result};

/// The smallest microversion.
pub const MIN: Microversion = Microversion(1);
/// The largest microversion.
pub const MAX: Microversion = Microversion(14);
/// The smallest microversion that has both actions of clusters.
const ACTIONS: Microversion = Microversion(8);

const HEADER: &str = "openstack-api-version";
const MINIMUM: HeaderName = HeaderName::from_static("openstack-api-minimum-version");
const MAXIMUM: HeaderName = HeaderName::from_static("openstack-api-maximum-version");
const NEGOTIATED: HeaderName = HeaderName::from_static(HEADER);
/// The name under which answers speak of the service.
const SERVICE: &str = "container-infrastructure-management";
/// The names under which requests may speak of it.
const NAMES: [&str; 3] = ["container-infra", "container-infrastructure", SERVICE];

/// The minor part of a version `1.X`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Microversion(pub u32);

impl std::fmt::Display for Microversion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

impl Microversion {
    /// Refuses an operation that came with `since`, in the words clients know.
    ///
    /// # Errors
    /// 406 when the negotiated version is smaller.
    pub fn at_least(self, since: Microversion, operation: &str) -> Result<()> {
        if self >= since {
            return Ok(());
        }
        Err(not_acceptable(format!(
            "Version {self} was requested but the requested API {operation} is not supported for this version."
        )))
    }
}

/// What a request's header asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Version(Microversion),
    /// A well-formed version that we do not have, as it was written.
    OutOfRange(u32, u32),
}

/// Negotiates the version of everything below `/v1`, and names it in the answer.
pub async fn negotiate(mut request: Request, next: Next) -> Response {
    let asked = match asked(request.headers(), unasked(request.uri().path())) {
        Ok(asked) => asked,
        Err(error) => return error.into_response(),
    };
    let (mut response, version) = match asked {
        Asked::Version(version) => {
            request.extensions_mut().insert(version);
            (next.run(request).await, version.to_string())
        }
        Asked::OutOfRange(major, minor) => {
            let version = format!("{major}.{minor}");
            (out_of_range(&version).into_response(), version)
        }
    };
    let headers = response.headers_mut();
    headers.insert(MINIMUM, named(&MIN.to_string()));
    headers.insert(MAXIMUM, named(&MAX.to_string()));
    headers.insert(NEGOTIATED, named(&version));
    headers.insert(VARY, HeaderValue::from_static("OpenStack-API-Version"));
    response
}

/// The version of a request that names none: the smallest, but on the two actions the one that has both. The SDK never
/// names a version, and could not use them otherwise.
fn unasked(path: &str) -> Microversion {
    let action = path.strip_prefix("/v1/clusters/").and_then(|rest| rest.split_once("/actions/"));
    match action {
        Some((_, "resize" | "upgrade")) => ACTIONS,
        _ => MIN,
    }
}

/// Reads the header: absent means `unasked`, `latest` the largest.
///
/// A comma separated list may name other services as well; ours counts.
fn asked(headers: &HeaderMap, unasked: Microversion) -> Result<Asked> {
    let mut entries = Vec::new();
    for value in headers.get_all(HEADER) {
        let text = value.to_str().map_err(|_| bad_value())?;
        entries.extend(text.split(',').map(str::trim));
    }
    if entries.is_empty() {
        return Ok(Asked::Version(unasked));
    }
    let mut pairs = Vec::new();
    for entry in entries {
        let words: Vec<&str> = entry.split_whitespace().collect();
        let [service, version] = words[..] else { return Err(bad_value()) };
        pairs.push((service, version));
    }
    let (_, version) = pairs
        .into_iter()
        .find(|(service, _)| NAMES.contains(service))
        .ok_or_else(|| not_acceptable("Invalid service type for OpenStack-API-Version header".into()))?;
    if version.eq_ignore_ascii_case("latest") {
        return Ok(Asked::Version(MAX));
    }
    let (major, minor) = version.split_once('.').ok_or_else(bad_value)?;
    match (number(major)?, number(minor)?) {
        (1, minor) if (MIN.0..=MAX.0).contains(&minor) => Ok(Asked::Version(Microversion(minor))),
        (major, minor) => Ok(Asked::OutOfRange(major, minor)),
    }
}

fn number(text: &str) -> Result<u32> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad_value());
    }
    text.parse().map_err(|_| bad_value())
}

fn bad_value() -> Error {
    not_acceptable("Invalid value for OpenStack-API-Version header".into())
}

fn not_acceptable(detail: String) -> Error {
    Error::framework(StatusCode::NOT_ACCEPTABLE, "Not Acceptable", detail)
}

fn out_of_range(version: &str) -> Error {
    Error::range(json!({
        "code": "magnum.microversion-unsupported",
        "title": "Requested microversion is unsupported",
        "description": format!(
            "Version {version} is not supported by the API. Minimum is {MIN} and maximum is {MAX}."),
        "max_version": MAX.to_string(),
        "min_version": MIN.to_string(),
        "links": [{
            "rel": "help",
            "href": "http://docs.openstack.org/api-guide/compute/microversions.html",
        }],
    }))
}

fn named(version: &str) -> HeaderValue {
    HeaderValue::try_from(format!("{SERVICE} {version}")).unwrap_or_else(|_| HeaderValue::from_static(SERVICE))
}

impl<S: Sync> FromRequestParts<S> for Microversion {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(values: &[&str]) -> Result<Asked, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_str(value).unwrap());
        }
        asked(&headers, MIN).map_err(|error| error.detail().to_owned())
    }

    #[test]
    fn no_header_is_the_smallest_version_and_latest_the_largest() {
        assert_eq!(ask(&[]), Ok(Asked::Version(MIN)));
        assert_eq!(ask(&["container-infra latest"]), Ok(Asked::Version(MAX)));
        assert_eq!(ask(&["container-infra LaTest"]), Ok(Asked::Version(MAX)));
    }

    #[test]
    fn each_name_of_the_service_is_known_and_case_counts() {
        for name in NAMES {
            assert_eq!(ask(&[&format!("{name} 1.9")]), Ok(Asked::Version(Microversion(9))));
        }
        for name in ["Container-Infra", "compute", "magnum"] {
            let refused = ask(&[&format!("{name} 1.9")]).unwrap_err();
            assert_eq!(refused, "Invalid service type for OpenStack-API-Version header");
        }
    }

    #[test]
    fn what_is_not_two_words_and_two_numbers_cannot_be_read() {
        for text in [
            "container-infra",
            "1.9",
            "",
            "container-infra 1",
            "container-infra 1.x",
            "container-infra 1.9 x",
            "container-infra 1.9.1",
            "container-infra -1.9",
            "container-infra 1.99999999999",
            "container-infra .9",
        ] {
            assert_eq!(ask(&[text]).unwrap_err(), "Invalid value for OpenStack-API-Version header", "{text}");
        }
    }

    #[test]
    fn versions_outside_of_the_range_are_told_apart_from_nonsense() {
        for (text, version) in [("1.15", (1, 15)), ("1.0", (1, 0)), ("2.1", (2, 1)), ("0.9", (0, 9))] {
            assert_eq!(ask(&[&format!("container-infra {text}")]), Ok(Asked::OutOfRange(version.0, version.1)));
        }
    }

    #[test]
    fn a_list_of_services_is_searched_for_ours() {
        assert_eq!(ask(&["compute 2.90, container-infra 1.7"]), Ok(Asked::Version(Microversion(7))));
        assert_eq!(ask(&["compute 2.90", "container-infra 1.7"]), Ok(Asked::Version(Microversion(7))));
        assert!(ask(&["compute 2.90, volume 3.1"]).is_err());
    }

    #[test]
    fn an_operation_newer_than_the_version_is_refused_by_name() {
        let error = Microversion(6).at_least(Microversion(7), "resize").unwrap_err();
        assert_eq!(
            error.detail(),
            "Version 1.6 was requested but the requested API resize is not supported for this version."
        );
        assert!(Microversion(7).at_least(Microversion(7), "resize").is_ok());
    }
}

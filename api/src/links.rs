//! Links to ourselves, as the client sees us: through its proxy, else by our public URL, else by the name it used.

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, Result};

/// One link of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Link {
    /// Where it leads.
    pub href: String,
    /// What it is: `self`, `bookmark`, `describedby`.
    pub rel: &'static str,
    /// The media type of what is there.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
}

/// The URL that every path of ours follows, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base(pub String);

/// The configured public URL, if any; travels as an extension of the request.
#[derive(Debug, Clone)]
pub struct PublicUrl(pub Option<String>);

impl Base {
    /// The URL of a path below `/v1`.
    #[must_use]
    pub fn v1(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.0)
    }

    /// The two links that every object of a collection carries.
    #[must_use]
    pub fn object(&self, collection: &str, id: &str) -> Vec<Link> {
        vec![
            Link { href: self.v1(&format!("{collection}/{id}")), rel: "self", kind: None },
            Link { href: format!("{}/{collection}/{id}", self.0), rel: "bookmark", kind: None },
        ]
    }

    /// Works out the URL under which the client reached us.
    fn of(headers: &HeaderMap, public: Option<&str>) -> Self {
        if let Some(base) = forwarded(headers) {
            return Self(base);
        }
        if let Some(url) = public {
            return Self(url.to_owned());
        }
        let host = text(headers, HOST.as_str()).and_then(authority);
        Self(format!("http://{}", host.as_ref().map_or("localhost", Authority::as_str)))
    }
}

/// What a proxy says about the request it passes on; its host is what makes the rest count.
fn forwarded(headers: &HeaderMap) -> Option<String> {
    let host = text(headers, "x-forwarded-host").and_then(authority)?;
    let scheme = text(headers, "x-forwarded-proto").filter(|s| matches!(*s, "http" | "https")).unwrap_or("http");
    let port = text(headers, "x-forwarded-port").and_then(|port| port.parse::<u16>().ok());
    let port = match (host.port(), port, scheme) {
        (Some(_), ..) | (None, None, _) | (None, Some(80), "http") | (None, Some(443), "https") => String::new(),
        (None, Some(port), _) => format!(":{port}"),
    };
    let prefix = text(headers, "x-forwarded-prefix").filter(|prefix| is_path(prefix)).unwrap_or_default();
    Some(format!("{scheme}://{host}{port}{}", prefix.trim_end_matches('/')))
}

/// The first value of a header that proxies may have appended to.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name)?.to_str().ok()?;
    value.split(',').next().map(str::trim).filter(|value| !value.is_empty())
}

fn authority(text: &str) -> Option<Authority> {
    text.parse::<Authority>().ok().filter(|authority| !authority.as_str().contains('@'))
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.~".contains(c))
}

impl<S: Sync> FromRequestParts<S> for Base {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let public = parts.extensions.get::<PublicUrl>().and_then(|url| url.0.as_deref());
        Ok(Self::of(&parts.headers, public))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn base(headers: &[(&'static str, &str)], public: Option<&str>) -> String {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect();
        Base::of(&headers, public).0
    }

    #[test]
    fn links_follow_the_proxy_then_the_public_url_then_the_host() {
        let host = ("host", "10.0.0.1:9511");
        assert_eq!(base(&[host], None), "http://10.0.0.1:9511");
        assert_eq!(base(&[host], Some("https://magnum.example")), "https://magnum.example");
        let proxy = [host, ("x-forwarded-host", "cloud.example"), ("x-forwarded-proto", "https")];
        assert_eq!(base(&proxy, Some("https://magnum.example")), "https://cloud.example");
    }

    #[test]
    fn port_and_prefix_of_the_proxy_count() {
        let host = ("x-forwarded-host", "cloud.example, inner.example");
        let https = ("x-forwarded-proto", "https");
        assert_eq!(base(&[host, https, ("x-forwarded-port", "443")], None), "https://cloud.example");
        assert_eq!(base(&[host, https, ("x-forwarded-port", "8443")], None), "https://cloud.example:8443");
        assert_eq!(base(&[host, https, ("x-forwarded-prefix", "/infra/")], None), "https://cloud.example/infra");
    }

    #[test]
    fn what_is_no_host_or_path_is_not_repeated() {
        assert_eq!(base(&[("host", "a b<script>")], None), "http://localhost");
        assert_eq!(base(&[("host", "h"), ("x-forwarded-host", "user@evil")], None), "http://h");
        let bad = [("x-forwarded-host", "h"), ("x-forwarded-prefix", "/\"><x"), ("x-forwarded-proto", "javascript")];
        assert_eq!(base(&bad, None), "http://h");
    }

    #[test]
    fn objects_link_to_themselves_with_and_without_the_version() {
        let links = Base("http://h".into()).object("clusters", "u");
        assert_eq!((links[0].href.as_str(), links[0].rel), ("http://h/v1/clusters/u", "self"));
        assert_eq!((links[1].href.as_str(), links[1].rel), ("http://h/clusters/u", "bookmark"));
    }
}

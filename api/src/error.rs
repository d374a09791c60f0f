//! The only mapping from what went wrong to HTTP, in the bodies that Magnum's clients read.

use std::borrow::Cow;

use axum::Json;
use axum::response::{IntoResponse, Response};
use conductor::Kind;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::{Value, json};

/// The result of everything that may refuse a request.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A refusal: a status, a body that clients read, and a cause that only the log sees.
#[derive(Debug, Clone)]
pub struct Error {
    status: StatusCode,
    body: Body,
    header: Option<Box<(HeaderName, HeaderValue)>>,
    cause: Option<Box<str>>,
}

/// The shapes of an error's body.
#[derive(Debug, Clone)]
enum Body {
    /// One entry of the `errors` list; `code` is `client`, `server`, or empty for what the framework refuses.
    Entry { code: &'static str, title: Cow<'static, str>, detail: Cow<'static, str> },
    /// The entry for a microversion outside of the range, which has members of its own.
    Range(Box<Value>),
    /// The `error` object of the token check, which stands in front of the API.
    Authentication,
}

/// What the log shall say about a refusal; travels as an extension of the response to the access log.
#[derive(Debug, Clone)]
pub(crate) struct Cause(pub(crate) String);

impl Error {
    /// A refusal by the API itself, its title being the text up to the first full stop.
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        let detail = detail.into();
        let title = detail.split('.').next().unwrap_or_default().to_owned().into();
        let code = if status.is_server_error() { "server" } else { "client" };
        Self::of(status, Body::Entry { code, title, detail })
    }

    /// A refusal before any operation was found: unknown path, verb or representation.
    pub fn framework(status: StatusCode, title: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::of(status, Body::Entry { code: "", title: title.into(), detail: detail.into() })
    }

    /// 400 with a text that names field, value and what is allowed.
    pub fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 400 for one field of a body, a path or a query.
    pub fn field(field: &str, value: &str, allowed: &str) -> Self {
        Self::invalid(format!("Invalid input for field/attribute {field}. Value: '{}'. {allowed}", excerpt(value)))
    }

    /// 400 for an argument that is not given.
    pub fn missing(argument: &str) -> Self {
        Self::invalid(format!("Missing argument: \"{argument}\""))
    }

    /// 404 for a path that leads nowhere.
    pub fn no_such_path() -> Self {
        Self::framework(StatusCode::NOT_FOUND, "Not Found", "")
    }

    /// 405 for a verb that the resource does not know.
    pub fn no_such_verb() -> Self {
        Self::framework(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed", "")
    }

    /// 406 for a microversion outside of the range, in its special body.
    pub(crate) fn range(entry: Value) -> Self {
        Self::of(StatusCode::NOT_ACCEPTABLE, Body::Range(entry.into()))
    }

    /// 401, naming the Keystone where a token is to be had.
    pub fn unauthenticated(keystone: &str) -> Self {
        let error = Self::of(StatusCode::UNAUTHORIZED, Body::Authentication);
        match challenge(keystone) {
            Some(value) => error.with_header(WWW_AUTHENTICATE, value),
            None => error,
        }
    }

    /// Gives the answer a header of its own; it may have one.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    /// Adds what only the log may see.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into().into());
        self
    }

    /// The status the client gets.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The full text the client gets; empty where the framework refuses.
    #[must_use]
    pub fn detail(&self) -> &str {
        match &self.body {
            Body::Entry { detail, .. } => detail,
            Body::Range(entry) => entry["description"].as_str().unwrap_or_default(),
            Body::Authentication => "The request you have made requires authentication.",
        }
    }

    fn of(status: StatusCode, body: Body) -> Self {
        Self { status, body, header: None, cause: None }
    }
}

impl From<conductor::Error> for Error {
    fn from(error: conductor::Error) -> Self {
        let status = match error.kind {
            // The gate, which every such answer passes, names the Keystone.
            Kind::Unauthenticated => {
                return Self::of(StatusCode::UNAUTHORIZED, Body::Authentication).because(error.chain());
            }
            Kind::Invalid => StatusCode::BAD_REQUEST,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let cause = error.cause.is_some().then(|| error.chain().into());
        let answer = Self { cause, ..Self::new(status, error.public) };
        match error.retry_after {
            Some(after) => answer.with_header(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1))),
            None => answer,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let cause = self.cause.as_deref().unwrap_or_else(|| self.detail()).to_owned();
        let body = match self.body {
            Body::Entry { code, title, detail } => json!({"errors": [{
                "request_id": "", "code": code, "status": self.status.as_u16(),
                "title": title, "detail": detail, "links": [],
            }]}),
            Body::Range(entry) => json!({"errors": [*entry]}),
            Body::Authentication => json!({"error": {
                "message": "The request you have made requires authentication.",
                "code": 401, "title": "Unauthorized",
            }}),
        };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(header) = self.header {
            response.headers_mut().insert(header.0, header.1);
        }
        response.extensions_mut().insert(Cause(cause));
        response
    }
}

/// What a 401 says of where a token is to be had.
pub(crate) fn challenge(keystone: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("Keystone uri=\"{keystone}\"")).ok()
}

/// The start of a text, as an error may repeat it to its sender.
pub(crate) fn excerpt(text: &str) -> Cow<'_, str> {
    const KEPT: usize = 128;
    match text.char_indices().nth(KEPT) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::read;

    #[tokio::test]
    async fn an_error_is_one_entry_whose_title_ends_at_the_first_full_stop() {
        let error = Error::from(conductor::Error::not_found("Cluster x.y could not be found."));
        let (status, _, body) = read(error.into_response()).await;
        assert_eq!(status, 404);
        assert_eq!(
            body,
            json!({"errors": [{"request_id": "", "code": "client", "status": 404, "title": "Cluster x",
                "detail": "Cluster x.y could not be found.", "links": []}]})
        );
    }

    #[tokio::test]
    async fn every_kind_has_its_status_and_code() {
        for (kind, status, code) in [
            (Kind::Invalid, 400, "client"),
            (Kind::Forbidden, 403, "client"),
            (Kind::NotFound, 404, "client"),
            (Kind::Conflict, 409, "client"),
            (Kind::Unavailable, 503, "server"),
            (Kind::Internal, 500, "server"),
        ] {
            let (got, _, body) = read(Error::from(conductor::Error::new(kind, "text")).into_response()).await;
            assert_eq!((got, body["errors"][0]["code"].as_str()), (status, Some(code)));
        }
    }

    #[tokio::test]
    async fn a_service_that_is_away_is_503_with_retry_after() {
        let mut error = conductor::Error::unavailable("Keystone");
        error.retry_after = Some(Duration::from_secs(7));
        let (status, headers, body) = read(Error::from(error).into_response()).await;
        assert_eq!((status, headers["retry-after"].to_str().unwrap()), (503, "7"));
        assert_eq!(body["errors"][0]["title"], "Keystone is not available at the moment");
    }

    #[tokio::test]
    async fn a_cause_reaches_the_log_and_not_the_client() {
        let response = Error::from(conductor::Error::internal("SELECT failed")).into_response();
        assert!(response.extensions().get::<Cause>().unwrap().0.contains("SELECT failed"));
        let (_, _, body) = read(response).await;
        assert!(!body.to_string().contains("SELECT"), "{body}");
    }

    #[tokio::test]
    async fn a_missing_token_is_the_error_object_with_the_keystone_named() {
        let (status, headers, body) = read(Error::unauthenticated("http://k/v3").into_response()).await;
        assert_eq!((status, headers["www-authenticate"].to_str().unwrap()), (401, "Keystone uri=\"http://k/v3\""));
        assert_eq!(
            (body["error"]["code"].as_u64(), body["error"]["title"].as_str()),
            (Some(401), Some("Unauthorized"))
        );
    }

    #[test]
    fn a_long_value_is_not_repeated_in_full() {
        let error = Error::field("name", &"x".repeat(10_000), "Allowed: less.");
        assert!(error.detail().len() < 250, "{}", error.detail());
    }
}

//! The one error of every call to the cloud, with the service's own words.

use super::Service;

/// What a service's refusal means to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Absent, or not visible to who asked.
    NotFound,
    /// It contradicts the present state, as a name that is taken.
    Conflict,
    /// Who asked may not.
    Forbidden,
    /// The token is not, or no longer, valid.
    Unauthorized,
    /// The request is wrong.
    Invalid,
    /// A limit of the cloud is reached.
    Quota,
    /// The service is away or failed by itself; later may work.
    Unavailable,
    /// No answer within the deadline; whether the request took effect is unknown.
    Timeout,
    /// The answer is not what the service's contract says.
    Protocol,
    /// Our user holds no role on the project it asked for, or the project does not exist.
    NotGranted,
    /// Keystone refuses the service's own credentials, or they are not configured.
    Credentials,
}

/// A call that failed. The message is the service's own text without tokens or hidden values, at most 2,000
/// characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service}: {message}{}", status.map(|status| format!(" (HTTP {status})")).unwrap_or_default())]
pub struct Error {
    /// Who failed.
    pub service: Service,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// What it means.
    pub kind: Kind,
    /// The service's own words.
    pub message: String,
}

/// The result of a call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The longest message kept, in characters.
const LONGEST: usize = 2000;

impl Error {
    /// An error without an HTTP answer.
    pub(super) fn new(service: Service, kind: Kind, message: impl Into<String>) -> Self {
        Self { service, status: None, kind, message: message.into() }
    }

    /// We have no usable credentials of our own for what is to be done.
    pub(crate) fn credentials(message: impl Into<String>) -> Self {
        Self::new(Service::Keystone, Kind::Credentials, message)
    }

    /// The answer is not what the service's contract says; `what` names the part.
    pub(super) fn protocol(service: Service, what: impl std::fmt::Display) -> Self {
        Self::new(service, Kind::Protocol, what.to_string())
    }

    /// An error answer: its kind from the status and the body, its message from the body without `secrets`.
    pub(super) fn answer(service: Service, status: u16, body: &[u8], secrets: &[&str]) -> Self {
        let said = Said::read(body);
        let kind = kind(status, &said);
        let message = match said.text.as_str() {
            "" => format!("no explanation with status {status}"),
            text => scrub(text, secrets),
        };
        Self { service, status: Some(status), kind, message }
    }

    /// Whether trying the same again later may work.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, Kind::Unavailable | Kind::Timeout)
    }
}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        let text = format!("{}: {}", error.service, error.message);
        let kind = match error.kind {
            Kind::NotFound => crate::Kind::NotFound,
            Kind::Conflict => crate::Kind::Conflict,
            Kind::Invalid => crate::Kind::Invalid,
            Kind::Unauthorized => crate::Kind::Unauthenticated,
            Kind::Forbidden | Kind::Quota | Kind::NotGranted => crate::Kind::Forbidden,
            Kind::Unavailable | Kind::Timeout => return Self::unavailable(error.service.name()).because(error),
            Kind::Protocol | Kind::Credentials => return Self::internal(error),
        };
        Self::new(kind, text)
    }
}

/// What the body of an error answer says.
#[derive(Debug, Default, PartialEq)]
struct Said {
    /// The service's name for the error, as `OverQuota`.
    name: String,
    text: String,
}

impl Said {
    fn read(body: &[u8]) -> Self {
        match serde_json::from_slice::<serde_json::Value>(body) {
            Ok(serde_json::Value::Object(map)) => Self::object(&map),
            Ok(serde_json::Value::String(text)) => Self { name: String::new(), text },
            _ => Self { name: String::new(), text: plain(&String::from_utf8_lossy(body)) },
        }
    }

    /// Each service has its own shape: an object under `error`, `NeutronError`, `itemNotFound` … or the fields at
    /// the top.
    fn object(map: &serde_json::Map<String, serde_json::Value>) -> Self {
        let nested = map.values().find_map(|value| value.as_object().filter(|inner| inner.contains_key("message")));
        for source in nested.into_iter().chain([map]) {
            let field = |names: &[&str]| {
                names.iter().find_map(|name| source.get(*name).and_then(|value| value.as_str())).unwrap_or_default()
            };
            let text = field(&["message", "faultstring", "description", "explanation", "title"]);
            if !text.is_empty() {
                return Self { name: field(&["type", "faultcode", "title"]).to_owned(), text: text.trim().to_owned() };
            }
        }
        Self::default()
    }
}

/// A text or HTML body as one line without markup.
fn plain(body: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in body.chars().take(LONGEST * 4) {
        match c {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                text.push(' ');
            }
            _ if !inside => text.push(c),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn kind(status: u16, said: &Said) -> Kind {
    let limited = || {
        let (name, text) = (said.name.to_lowercase(), said.text.to_lowercase());
        name.contains("limitexceeded")
            || name.contains("overquota")
            || name.contains("overlimit")
            || text.contains("quota")
            || text.contains("maximum number of")
    };
    match status {
        401 => Kind::Unauthorized,
        404 | 410 => Kind::NotFound,
        413 => Kind::Quota,
        400 | 403 | 409 if limited() => Kind::Quota,
        403 => Kind::Forbidden,
        409 | 412 | 423 => Kind::Conflict,
        408 | 429 | 500..=599 => Kind::Unavailable,
        400..=499 => Kind::Invalid,
        _ => Kind::Protocol,
    }
}

/// The text without the given secrets and without anything that looks like a Keystone token, cut to a bound.
pub(super) fn scrub(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| secret.len() >= 4) {
        text = text.replace(secret, "***");
    }
    while let Some(start) = text.find("gAAAA") {
        let rest = &text[start..];
        let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-_=".contains(c))).unwrap_or(rest.len());
        text.replace_range(start..start + length, "***");
    }
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> (Kind, String) {
        let error = Error::answer(Service::Heat, status, body.as_bytes(), &["s3cret-value"]);
        (error.kind, error.message)
    }

    #[test]
    fn every_service_s_words_are_found() {
        for (status, body, kind, message) in [
            (
                401,
                r#"{"error":{"code":401,"message":"The request","title":"Unauthorized"}}"#,
                Kind::Unauthorized,
                "The request",
            ),
            (
                404,
                r#"{"code":404,"title":"Not Found","explanation":"x","error":{"type":"EntityNotFound","traceback":null,"message":"The Stack (nope) could not be found."}}"#,
                Kind::NotFound,
                "The Stack (nope) could not be found.",
            ),
            (
                404,
                r#"{"itemNotFound":{"code":404,"message":"Flavor q could not be found."}}"#,
                Kind::NotFound,
                "Flavor q could not be found.",
            ),
            (
                409,
                r#"{"NeutronError":{"type":"OverQuota","message":"Quota exceeded for resources: ['port'].","detail":""}}"#,
                Kind::Quota,
                "Quota exceeded for resources: ['port'].",
            ),
            (
                403,
                r#"{"code":403,"title":"Forbidden","error":{"type":"RequestLimitExceeded","message":"You have reached the maximum stacks per tenant, 100."}}"#,
                Kind::Quota,
                "You have reached the maximum stacks per tenant, 100.",
            ),
            (
                400,
                r#"{"code":400,"error":{"type":"RequestLimitExceeded","message":"Template size exceeds"}}"#,
                Kind::Quota,
                "Template size exceeds",
            ),
            (
                409,
                r#"{"faultcode":"Client","faultstring":"Load balancer is immutable","debuginfo":null}"#,
                Kind::Conflict,
                "Load balancer is immutable",
            ),
            (
                400,
                r#"{"title":"Bad Request","description":"Provided object does not match schema","code":400}"#,
                Kind::Invalid,
                "Provided object does not match schema",
            ),
            (
                403,
                "<html><head><title>403 Forbidden</title></head>\n<body> <h1>Access denied</h1></body></html>",
                Kind::Forbidden,
                "403 Forbidden Access denied",
            ),
            (503, "", Kind::Unavailable, "no explanation with status 503"),
            (302, "", Kind::Protocol, "no explanation with status 302"),
        ] {
            assert_eq!(read(status, body), (kind, message.to_owned()), "{body}");
        }
    }

    #[test]
    fn secrets_and_tokens_never_pass() {
        let (_, message) = read(400, r#"{"error":{"message":"value s3cret-value, token gAAAAABm-x_y=, end"}}"#);
        assert_eq!(message, "value ***, token ***, end");
        let (_, message) = read(400, &format!(r#"{{"error":{{"message":"{}"}}}}"#, "ä".repeat(5000)));
        assert_eq!(message.chars().count(), LONGEST + 1);
    }

    #[test]
    fn callers_read_the_service_s_words_but_not_our_misconfiguration() {
        let error = crate::Error::from(Error::answer(Service::Nova, 400, br#"{"badRequest":{"message":"no"}}"#, &[]));
        assert_eq!((error.kind, error.public.as_ref()), (crate::Kind::Invalid, "Nova: no"));
        let error = crate::Error::from(Error::new(Service::Keystone, Kind::Credentials, "wrong password"));
        assert_eq!(error.kind, crate::Kind::Internal);
        assert!(!error.public.contains("password") && error.chain().contains("wrong password"));
        let error = crate::Error::from(Error::new(Service::Keystone, Kind::Timeout, "none"));
        assert_eq!(error.kind, crate::Kind::Unavailable);
        assert!(error.public.starts_with("Keystone") && error.retry_after.is_some());
    }
}

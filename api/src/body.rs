//! Request bodies: read within limits, then held against a table of fields.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::coerce::{Kind, shown};
use crate::error::{Error, Result, excerpt};

/// What a request may cost; travels as an extension of the request.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest body in bytes.
    pub body: usize,
    /// How long a client may take to send its body.
    pub body_time: Duration,
}

/// A field of a request body.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What the client may do with it.
    pub access: Access,
    /// What `null` means.
    pub null: Null,
}

/// What a client may do with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It may be given.
    Optional,
    /// It must be given.
    Mandatory,
    /// It may be given and has no effect.
    Ignored,
    /// Only the server sets it.
    ReadOnly,
}

/// What `null` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Null {
    /// The same as not giving the field.
    Absent,
    /// Something of its own: it is kept.
    Kept,
    /// Nothing: it is refused.
    Refused,
}

impl Field {
    /// A field that may be given, `null` being the same as absent.
    #[must_use]
    pub const fn optional(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, access: Access::Optional, null: Null::Absent }
    }

    /// A field that must be given and may not be `null`.
    #[must_use]
    pub const fn mandatory(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, access: Access::Mandatory, null: Null::Refused }
    }

    /// A field that only the server sets.
    #[must_use]
    pub const fn read_only(name: &'static str) -> Self {
        Self { name, kind: Kind::Any, access: Access::ReadOnly, null: Null::Kept }
    }

    /// A field that may be given and has no effect.
    #[must_use]
    pub const fn ignored(name: &'static str) -> Self {
        Self { name, kind: Kind::Any, access: Access::Ignored, null: Null::Absent }
    }

    /// The same field with another meaning of `null`.
    #[must_use]
    pub const fn null(self, null: Null) -> Self {
        Self { null, ..self }
    }
}

/// A body as it came: empty, or JSON that was not read yet.
#[derive(Debug, Clone)]
pub struct Payload {
    bytes: Bytes,
}

impl Payload {
    /// A body held in memory.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into() }
    }

    /// The JSON value in it; `argument` is what the operation calls its body.
    ///
    /// # Errors
    /// 400 when there is none or it is not JSON, or nested too deeply to be sensible.
    pub fn json(&self, argument: &str) -> Result<Value> {
        if self.bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(Error::missing(argument));
        }
        serde_json::from_slice(&self.bytes)
            .map_err(|why| Error::invalid("Request is not in valid JSON format").because(why.to_string()))
    }

    /// That there is none: an operation without arguments takes no JSON member, though an empty object does no harm.
    ///
    /// # Errors
    /// 400 naming the first member.
    pub fn nothing(&self) -> Result<()> {
        if self.bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        match self.json("body")? {
            Value::Object(given) => match given.keys().next() {
                None => Ok(()),
                Some(name) => Err(Error::invalid(format!("Unknown argument: \"{}\"", excerpt(name)))),
            },
            other => Err(Error::field("body", &other.to_string(), "Allowed: no body.")),
        }
    }

    /// The object in it, every field held against the table and brought into the form we keep.
    ///
    /// # Errors
    /// 400 naming the field, its value and what is allowed.
    pub fn object(&self, argument: &str, fields: &[Field]) -> Result<Object> {
        match self.json(argument)? {
            Value::Object(given) => Object::read(argument, fields, given),
            other => Err(Error::field(argument, &other.to_string(), "Allowed: a JSON object.")),
        }
    }
}

/// An object whose fields are known and well-formed.
#[derive(Debug, Clone, PartialEq)]
pub struct Object(pub Map<String, Value>);

impl Object {
    fn read(argument: &str, fields: &[Field], given: Map<String, Value>) -> Result<Self> {
        let unknown: Vec<&str> =
            given.keys().filter(|name| fields.iter().all(|field| field.name != *name)).map(String::as_str).collect();
        match unknown[..] {
            [] => {}
            [name] => return Err(unknown_attribute("attribute", argument, name)),
            _ => return Err(unknown_attribute("attributes", argument, &unknown.join(", "))),
        }
        let mut kept = Map::new();
        for field in fields {
            match given.get(field.name) {
                Some(value) => field.keep(value, &mut kept)?,
                None if field.access == Access::Mandatory => {
                    return Err(Error::field(field.name, "None", "Mandatory field missing."));
                }
                None => {}
            }
        }
        Ok(Self(kept))
    }

    /// The fields as a type whose own rules are no stricter than the table's.
    ///
    /// # Errors
    /// 500 when they are: a defect of ours.
    pub fn into<T: DeserializeOwned>(self) -> Result<T> {
        serde_json::from_value(Value::Object(self.0)).map_err(|why| conductor::Error::internal(why).into())
    }
}

fn unknown_attribute(word: &str, argument: &str, names: &str) -> Error {
    Error::invalid(format!("Unknown {word} for argument {argument}: {}", excerpt(names)))
}

impl Field {
    fn keep(&self, value: &Value, kept: &mut Map<String, Value>) -> Result<()> {
        match (self.access, value) {
            (Access::Ignored, _) => Ok(()),
            (Access::ReadOnly, _) => Err(Error::field(self.name, &shown(value), "Cannot set read only field.")),
            (_, Value::Null) => match self.null {
                Null::Absent => Ok(()),
                Null::Kept => {
                    kept.insert(self.name.to_owned(), Value::Null);
                    Ok(())
                }
                Null::Refused => self.coerce(value, kept),
            },
            _ => self.coerce(value, kept),
        }
    }

    fn coerce(&self, value: &Value, kept: &mut Map<String, Value>) -> Result<()> {
        let value = self.kind.coerce(value).map_err(|allowed| Error::field(self.name, &shown(value), &allowed))?;
        kept.insert(self.name.to_owned(), value);
        Ok(())
    }
}

impl<S: Send + Sync> FromRequest<S> for Payload {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let limits = request.extensions().get::<Limits>().copied();
        let kind = request.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?").to_owned());
        let bytes = read(request.into_body(), limits).await?;
        check_type(kind.as_deref(), &bytes)?;
        Ok(Self { bytes })
    }
}

/// Reads a whole body.
///
/// # Errors
/// 413, 408 or 400 for one that is too large, too slow or cut off.
pub(crate) async fn read(body: Body, limits: Option<Limits>) -> Result<Bytes> {
    let limits = limits.unwrap_or(Limits { body: 1 << 20, body_time: Duration::from_secs(30) });
    let reading = Limited::new(body, limits.body).collect();
    match tokio::time::timeout(limits.body_time, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(why)) if why.is::<LengthLimitError>() => {
            let text = format!("The request body is larger than {} bytes.", limits.body);
            Err(Error::new(StatusCode::PAYLOAD_TOO_LARGE, text))
        }
        Ok(Err(why)) => Err(Error::invalid("The request body ended early.").because(why.to_string())),
        Err(_) => Err(Error::new(StatusCode::REQUEST_TIMEOUT, "The request body took too long to arrive.")),
    }
}

/// A body must be JSON; without a body any type will do, since clients send many.
fn check_type(kind: Option<&str>, bytes: &[u8]) -> Result<()> {
    let Some(kind) = kind.filter(|_| !bytes.is_empty()) else { return Ok(()) };
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" | "" => Ok(()),
        "application/x-www-form-urlencoded" => {
            let name = url::form_urlencoded::parse(bytes).next().map(|(name, _)| name.into_owned());
            Err(Error::invalid(format!("Unknown argument: \"{}\"", excerpt(&name.unwrap_or_default()))))
        }
        _ => Err(Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("Unknown mimetype: {}", excerpt(&essence)))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::coerce::TEXT;

    const FIELDS: &[Field] = &[
        Field::optional("name", TEXT),
        Field::optional("count", Kind::Integer { min: 0, max: 9 }),
        Field::optional("timeout", Kind::Integer { min: 0, max: 9 }).null(Null::Kept),
        Field::optional("labels", Kind::Labels).null(Null::Refused),
        Field::mandatory("image", TEXT),
        Field::ignored("status"),
        Field::read_only("links"),
    ];

    fn object(body: &str) -> Result<Value, String> {
        Payload::new(body.to_owned())
            .object("thing", FIELDS)
            .map(|object| Value::Object(object.0))
            .map_err(|error| format!("{} {}", error.status().as_u16(), error.detail()))
    }

    #[test]
    fn an_object_keeps_what_was_given_in_one_form() {
        assert_eq!(
            object(r#"{"image": "i", "count": "3", "name": null, "timeout": null, "status": 7}"#).unwrap(),
            json!({"image": "i", "count": 3, "timeout": null})
        );
    }

    #[test]
    fn a_body_must_be_there_and_be_json() {
        assert_eq!(object("").unwrap_err(), "400 Missing argument: \"thing\"");
        assert_eq!(object("{").unwrap_err(), "400 Request is not in valid JSON format");
        assert_eq!(object("{} {}").unwrap_err(), "400 Request is not in valid JSON format");
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(object(&deep).unwrap_err(), "400 Request is not in valid JSON format");
    }

    #[test]
    fn no_body_means_no_member() {
        let nothing = |body: &str| Payload::new(body.to_owned()).nothing().map_err(|error| error.detail().to_owned());
        assert_eq!(nothing(""), Ok(()));
        assert_eq!(nothing(" {} "), Ok(()));
        assert_eq!(nothing(r#"{"ca_cert_type": "etcd"}"#).unwrap_err(), "Unknown argument: \"ca_cert_type\"");
        assert!(nothing("[]").unwrap_err().contains("Allowed: no body."));
        assert_eq!(nothing("{").unwrap_err(), "Request is not in valid JSON format");
    }

    #[test]
    fn a_body_of_another_shape_is_the_clients_mistake() {
        for body in ["[]", "null", "5", "\"x\""] {
            let error = object(body).unwrap_err();
            assert!(error.starts_with("400 Invalid input for field/attribute thing. Value: '"), "{error}");
        }
    }

    #[test]
    fn unknown_attributes_are_named_with_their_argument() {
        assert_eq!(object(r#"{"nmae": 1}"#).unwrap_err(), "400 Unknown attribute for argument thing: nmae");
        assert_eq!(object(r#"{"a": 1, "b": 2}"#).unwrap_err(), "400 Unknown attributes for argument thing: a, b");
    }

    #[test]
    fn read_only_attributes_are_refused() {
        assert_eq!(
            object(r#"{"image": "i", "links": []}"#).unwrap_err(),
            "400 Invalid input for field/attribute links. Value: '[]'. Cannot set read only field."
        );
    }

    #[test]
    fn mandatory_attributes_are_asked_for() {
        assert_eq!(
            object("{}").unwrap_err(),
            "400 Invalid input for field/attribute image. Value: 'None'. Mandatory field missing."
        );
    }

    #[test]
    fn a_wrong_value_is_answered_with_what_is_allowed() {
        assert_eq!(
            object(r#"{"image": "i", "count": 10}"#).unwrap_err(),
            "400 Invalid input for field/attribute count. Value: '10'. Allowed: an integer from 0 to 9."
        );
        assert!(object(r#"{"image": "i", "labels": null}"#).unwrap_err().contains("Value: 'null'"));
    }

    #[test]
    fn only_json_is_read_and_no_body_needs_no_type() {
        let check = |kind, bytes: &[u8]| check_type(kind, bytes).map_err(|e| format!("{} {}", e.status(), e.detail()));
        assert!(check(Some("application/json; charset=utf-8"), b"{}").is_ok());
        assert!(check(Some("application/octet-stream"), b"").is_ok());
        assert!(check(None, b"{}").is_ok());
        for kind in ["text/plain", "application/xml", "application/json-patch+json"] {
            let refused = check(Some(kind), b"{}").unwrap_err();
            assert_eq!(refused, format!("415 Unsupported Media Type Unknown mimetype: {kind}"));
        }
        assert_eq!(
            check(Some("application/x-www-form-urlencoded"), b"name=x").unwrap_err(),
            "400 Bad Request Unknown argument: \"name\""
        );
    }
}

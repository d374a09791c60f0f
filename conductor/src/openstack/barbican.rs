//! Barbican: secrets by reference.

use base64::Engine as _;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::error::{Error, Kind, Result};
use super::http::{Call, found};
use super::{Service, Session};

const SERVICE: Service = Service::Barbican;

/// A secret without its payload.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Secret {
    /// Its name, not always unique.
    #[serde(default)]
    pub name: Option<String>,
    /// Its URL, as Barbican gives it.
    pub secret_ref: String,
}

/// Stores a text, to be given back byte for byte, and gives its reference.
///
/// # Errors
/// As every call: see [`super::Kind`].
pub async fn store(session: &Session, name: &str, payload: &SecretString) -> Result<String> {
    #[derive(Deserialize)]
    struct Stored {
        secret_ref: String,
    }
    // Barbican strips the white space around a text, but not around bytes.
    let encoded = base64::engine::general_purpose::STANDARD.encode(payload.expose_secret());
    let body = json!({
        "name": name,
        "secret_type": "opaque",
        "payload": encoded,
        "payload_content_type": "application/octet-stream",
        "payload_content_encoding": "base64",
    });
    let mut call = Call::post(SERVICE, &["secrets"], body);
    call.secrets.extend([payload.expose_secret(), &encoded]);
    Ok(session.send(call).await?.json::<Stored>()?.secret_ref)
}

/// The text of a secret; `None` where it is gone.
///
/// # Errors
/// Kind `Invalid` where `secret_ref` is not a reference to a secret.
pub async fn get(session: &Session, secret_ref: &str) -> Result<Option<SecretString>> {
    let mut call = Call::get(SERVICE, &["secrets", identifier(secret_ref)?, "payload"]);
    call.accept = "application/octet-stream";
    let Some(reply) = found(session.send(call).await)? else {
        return Ok(None);
    };
    let text = String::from_utf8(reply.body).map_err(|_| Error::protocol(SERVICE, "the secret is not a text"))?;
    Ok(Some(text.into()))
}

/// Deletes a secret; one that is gone already is fine.
///
/// # Errors
/// As [`get`].
pub async fn delete(session: &Session, secret_ref: &str) -> Result<()> {
    found(session.send(Call::delete(SERVICE, &["secrets", identifier(secret_ref)?])).await).map(drop)
}

/// The secrets of that name in the session's project, at most 100.
///
/// # Errors
/// As every call.
pub async fn find(session: &Session, name: &str) -> Result<Vec<Secret>> {
    let call = Call::get(SERVICE, &["secrets"]).query("name", name).query("limit", "100");
    let secrets: Vec<Secret> = session.send(call).await?.part("secrets")?;
    Ok(secrets.into_iter().filter(|secret| secret.name.as_deref() == Some(name)).collect())
}

/// The identifier in a reference: its host may not be the one we reach Barbican by.
fn identifier(secret_ref: &str) -> Result<&str> {
    let id = secret_ref.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    match uuid::Uuid::try_parse(id) {
        Ok(_) => Ok(id),
        Err(_) => Err(Error::new(SERVICE, Kind::Invalid, format!("{secret_ref:?} is not a reference to a secret"))),
    }
}

//! Glance: images.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::Result;
use super::http::{Call, found};
use super::{Lookup, Service, Session};

const SERVICE: Service = Service::Glance;

/// An image.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Image {
    /// Its identifier.
    pub id: String,
    /// Its name, not always unique.
    #[serde(default)]
    pub name: Option<String>,
    /// `active` where it can be used.
    #[serde(default)]
    pub status: String,
    /// The smallest root disk in GiB it boots from.
    #[serde(default)]
    pub min_disk: u64,
    /// The least memory in MiB it boots with.
    #[serde(default)]
    pub min_ram: u64,
    /// Every other property, as `os_distro`.
    #[serde(flatten)]
    pub properties: Map<String, Value>,
}

impl Image {
    /// A property's text.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name)?.as_str()
    }
}

/// The image of that identifier, else of that name.
///
/// # Errors
/// Kind `Forbidden` where the session may not see it.
pub async fn image(session: &Session, id_or_name: &str) -> Result<Lookup<Image>> {
    if id_or_name.is_empty() {
        return Ok(Lookup::None);
    }
    if uuid::Uuid::try_parse(id_or_name).is_ok()
        && let Some(reply) = found(session.send(Call::get(SERVICE, &["images", id_or_name])).await)?
    {
        return Ok(Lookup::One(reply.json()?));
    }
    let call = Call::get(SERVICE, &["images"]).query("name", id_or_name).query("limit", "100");
    let images: Vec<Image> = session.send(call).await?.part("images")?;
    Ok(Lookup::of(images.into_iter().filter(|image| image.name.as_deref() == Some(id_or_name)).collect()))
}

//! Nova: flavors, keypairs, limits.

use serde::Deserialize;

use super::error::Result;
use super::http::{Call, found};
use super::{Service, Session};

const SERVICE: Service = Service::Nova;
/// Flavors per page of a listing.
const PAGE: usize = 1000;

/// A flavor.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Flavor {
    /// Its identifier.
    pub id: String,
    /// Its name, unique in the cloud.
    pub name: String,
    /// Processors.
    pub vcpus: u64,
    /// Memory in MiB.
    pub ram: u64,
    /// Root disk in GiB; 0 means that the server boots from a volume or takes the image's size.
    pub disk: u64,
}

/// A keypair of the session's user.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Keypair {
    /// Its name.
    pub name: String,
    /// The public key, one line as in `authorized_keys`.
    pub public_key: String,
}

/// How much of something a project may have and has; a negative limit means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// The limit.
    pub limit: i64,
    /// In use.
    pub used: i64,
}

impl Room {
    /// Whether `more` still fits.
    #[must_use]
    pub fn fits(&self, more: i64) -> bool {
        self.limit < 0 || self.used.saturating_add(more) <= self.limit
    }
}

/// A project's limits at Nova.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Servers.
    pub instances: Room,
    /// Processors.
    pub cores: Room,
    /// Memory in MiB.
    pub ram: Room,
}

/// The flavor of that identifier or name.
///
/// # Errors
/// As every call: see [`super::Kind`].
pub async fn flavor(session: &Session, id_or_name: &str) -> Result<Option<Flavor>> {
    if id_or_name.is_empty() {
        return Ok(None);
    }
    // Those address the listing itself.
    if !matches!(id_or_name, "detail" | "." | "..")
        && let Some(reply) = found(session.send(Call::get(SERVICE, &["flavors", id_or_name])).await)?
    {
        return reply.part("flavor").map(Some);
    }
    let mut marker: Option<String> = None;
    loop {
        let mut call = Call::get(SERVICE, &["flavors", "detail"]).query("limit", PAGE.to_string());
        if let Some(marker) = &marker {
            call = call.query("marker", marker.as_str());
        }
        let page: Vec<Flavor> = session.send(call).await?.part("flavors")?;
        let more = page.len() >= PAGE;
        let next = page.last().map(|flavor| flavor.id.clone());
        if let Some(flavor) = page.into_iter().find(|flavor| flavor.name == id_or_name) {
            return Ok(Some(flavor));
        }
        if !more || next == marker {
            return Ok(None);
        }
        marker = next;
    }
}

/// The keypair of that name of the session's user.
///
/// # Errors
/// As every call.
pub async fn keypair(session: &Session, name: &str) -> Result<Option<Keypair>> {
    // Dots alone would address the listing.
    if matches!(name, "" | "." | "..") {
        return Ok(None);
    }
    let reply = found(session.send(Call::get(SERVICE, &["os-keypairs", name])).await)?;
    reply.map(|reply| reply.part("keypair")).transpose()
}

/// The limits of the session's project.
///
/// # Errors
/// As every call.
pub async fn limits(session: &Session) -> Result<Limits> {
    #[derive(Deserialize)]
    struct Body {
        absolute: Absolute,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Absolute {
        max_total_instances: i64,
        total_instances_used: i64,
        max_total_cores: i64,
        total_cores_used: i64,
        #[serde(rename = "maxTotalRAMSize")]
        max_ram: i64,
        #[serde(rename = "totalRAMUsed")]
        ram_used: i64,
    }
    let body: Body = session.send(Call::get(SERVICE, &["limits"])).await?.part("limits")?;
    let of = body.absolute;
    Ok(Limits {
        instances: Room { limit: of.max_total_instances, used: of.total_instances_used },
        cores: Room { limit: of.max_total_cores, used: of.total_cores_used },
        ram: Room { limit: of.max_ram, used: of.ram_used },
    })
}

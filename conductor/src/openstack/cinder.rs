//! Cinder: volume types and limits.

use serde::Deserialize;

use super::error::Result;
use super::http::{Call, found};
use super::nova::Room;
use super::{Service, Session};

const SERVICE: Service = Service::Cinder;

/// A volume type.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct VolumeType {
    /// Its identifier.
    pub id: String,
    /// Its name, unique in the cloud.
    pub name: String,
}

/// A project's limits at Cinder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Volumes.
    pub volumes: Room,
    /// Their sizes together in GiB.
    pub gigabytes: Room,
}

/// The volume type of that identifier or name.
///
/// # Errors
/// As every call: see [`super::Kind`].
pub async fn volume_type(session: &Session, id_or_name: &str) -> Result<Option<VolumeType>> {
    let Some(reply) = found(session.send(Call::get(SERVICE, &["types"])).await)? else {
        return Ok(None);
    };
    let types: Vec<VolumeType> = reply.part("volume_types")?;
    Ok(types.into_iter().find(|kind| kind.id == id_or_name || kind.name == id_or_name))
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
        max_total_volumes: i64,
        total_volumes_used: i64,
        max_total_volume_gigabytes: i64,
        total_gigabytes_used: i64,
    }
    let body: Body = session.send(Call::get(SERVICE, &["limits"])).await?.part("limits")?;
    let of = body.absolute;
    Ok(Limits {
        volumes: Room { limit: of.max_total_volumes, used: of.total_volumes_used },
        gigabytes: Room { limit: of.max_total_volume_gigabytes, used: of.total_gigabytes_used },
    })
}

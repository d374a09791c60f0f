//! Neutron: networks, subnets, floating IPs, quotas.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::{Kind, Result};
use super::http::{Call, found};
use super::nova::Room;
use super::{Lookup, Service, Session};

const SERVICE: Service = Service::Neutron;

/// A network.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Network {
    /// Its identifier.
    pub id: String,
    /// Its name, not always unique.
    pub name: String,
    /// Whether floating IPs come from it.
    #[serde(rename = "router:external", default)]
    pub external: bool,
    /// Its subnets.
    #[serde(default)]
    pub subnets: Vec<String>,
    /// Largest packet in bytes, where Neutron says it.
    #[serde(default)]
    pub mtu: Option<u32>,
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Subnet {
    /// Its identifier.
    pub id: String,
    /// Its name, not always unique.
    pub name: String,
    /// Its network.
    pub network_id: String,
    /// Its range, as `10.0.0.0/24`.
    pub cidr: String,
    /// 4 or 6.
    pub ip_version: u8,
    /// Its gateway.
    #[serde(default)]
    pub gateway_ip: Option<String>,
}

/// A floating IP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FloatingIp {
    /// Its identifier.
    pub id: String,
    /// What its maker wrote.
    #[serde(default)]
    pub description: Option<String>,
    /// The address.
    pub floating_ip_address: String,
}

/// The network of that identifier, else of that name; `external` narrows to networks that are, or are not, external.
///
/// # Errors
/// As every call: see [`super::Kind`].
pub async fn network(session: &Session, id_or_name: &str, external: Option<bool>) -> Result<Lookup<Network>> {
    let narrow: Vec<(&str, String)> =
        external.map(|external| ("router:external", external.to_string())).into_iter().collect();
    let fits = |network: &Network| external.is_none_or(|external| network.external == external);
    let all: Vec<Network> = by_id_or_name(session, "networks", id_or_name, &narrow, |network: &Network| {
        network.id == id_or_name || network.name == id_or_name
    })
    .await?;
    Ok(Lookup::of(all.into_iter().filter(fits).collect()))
}

/// The subnet of that identifier, else of that name; `network_id` narrows to that network's.
///
/// # Errors
/// As every call.
pub async fn subnet(session: &Session, id_or_name: &str, network_id: Option<&str>) -> Result<Lookup<Subnet>> {
    let narrow: Vec<(&str, String)> = network_id.map(|id| ("network_id", id.to_owned())).into_iter().collect();
    let fits = |subnet: &Subnet| network_id.is_none_or(|id| subnet.network_id == id);
    let all: Vec<Subnet> = by_id_or_name(session, "subnets", id_or_name, &narrow, |subnet: &Subnet| {
        subnet.id == id_or_name || subnet.name == id_or_name
    })
    .await?;
    Ok(Lookup::of(all.into_iter().filter(fits).collect()))
}

/// The subnets of a network.
///
/// # Errors
/// As every call.
pub async fn subnets_of(session: &Session, network_id: &str) -> Result<Vec<Subnet>> {
    let call = Call::get(SERVICE, &["subnets"]).query("network_id", network_id);
    let subnets: Vec<Subnet> = session.send(call).await?.part("subnets")?;
    Ok(subnets.into_iter().filter(|subnet| subnet.network_id == network_id).collect())
}

async fn by_id_or_name<T: DeserializeOwned>(
    session: &Session,
    collection: &str,
    id_or_name: &str,
    narrow: &[(&str, String)],
    is_it: impl Fn(&T) -> bool,
) -> Result<Vec<T>> {
    if id_or_name.is_empty() {
        return Ok(Vec::new());
    }
    let fields: &[&str] = if uuid::Uuid::try_parse(id_or_name).is_ok() { &["id", "name"] } else { &["name"] };
    for field in fields {
        let mut call = Call::get(SERVICE, &[collection]).query(field, id_or_name);
        for (name, value) in narrow {
            call = call.query(name, value.as_str());
        }
        let all: Vec<T> = session.send(call).await?.part(collection)?;
        let fitting: Vec<T> = all.into_iter().filter(&is_it).collect();
        if !fitting.is_empty() {
            return Ok(fitting);
        }
    }
    Ok(Vec::new())
}

/// The session project's quotas with their use by resource name, as `network` or `floatingip`; `None` where Neutron
/// does not offer them to the session.
///
/// # Errors
/// As every call.
pub async fn quotas(session: &Session) -> Result<Option<BTreeMap<String, Room>>> {
    #[derive(Deserialize)]
    struct Detail {
        limit: i64,
        used: i64,
        #[serde(default)]
        reserved: i64,
    }
    let project = session.project_id();
    let path = ["quotas", &project, "details.json"];
    let reply = match found(session.send(Call::get(SERVICE, &path)).await) {
        Err(error) if error.kind == Kind::Forbidden => return Ok(None),
        outcome => outcome?,
    };
    let Some(reply) = reply else { return Ok(None) };
    let details: BTreeMap<String, Detail> = reply.part("quota")?;
    let room = |detail: Detail| Room { limit: detail.limit, used: detail.used + detail.reserved };
    Ok(Some(details.into_iter().map(|(name, detail)| (name, room(detail))).collect()))
}

/// The floating IPs on a port.
///
/// # Errors
/// As every call.
pub async fn floating_ips(session: &Session, port_id: &str) -> Result<Vec<FloatingIp>> {
    session.send(Call::get(SERVICE, &["floatingips"]).query("port_id", port_id)).await?.part("floatingips")
}

/// Deletes a floating IP; one that is gone already is fine.
///
/// # Errors
/// As every call.
pub async fn delete_floating_ip(session: &Session, id: &str) -> Result<()> {
    found(session.send(Call::delete(SERVICE, &["floatingips", id])).await).map(drop)
}

//! Octavia: the load balancers that a cluster's own controllers made, to be deleted before its network.

use serde::Deserialize;

use super::error::Result;
use super::http::{Call, found};
use super::{Service, Session};

const SERVICE: Service = Service::Octavia;
/// Load balancers per page of a listing.
const PAGE: usize = 200;

/// A load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LoadBalancer {
    /// Its identifier.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// What its maker wrote.
    #[serde(default)]
    pub description: Option<String>,
    /// As `ACTIVE` or `PENDING_DELETE`.
    pub provisioning_status: String,
    /// The port of its address.
    #[serde(default)]
    pub vip_port_id: Option<String>,
    /// The network of its address.
    #[serde(default)]
    pub vip_network_id: Option<String>,
}

/// The load balancers of the session's project, on one network where `network_id` is given.
///
/// # Errors
/// As every call: see [`super::Kind`].
pub async fn load_balancers(session: &Session, network_id: Option<&str>) -> Result<Vec<LoadBalancer>> {
    let mut all: Vec<LoadBalancer> = Vec::new();
    loop {
        let mut call = Call::get(SERVICE, &["loadbalancers"])
            .query("project_id", session.project_id())
            .query("limit", PAGE.to_string());
        if let Some(network_id) = network_id {
            call = call.query("vip_network_id", network_id);
        }
        let marker = all.last().map(|balancer| balancer.id.clone());
        if let Some(marker) = &marker {
            call = call.query("marker", marker.as_str());
        }
        let page: Vec<LoadBalancer> = session.send(call).await?.part("loadbalancers")?;
        let more = page.len() >= PAGE;
        all.extend(page);
        if !more || all.last().map(|balancer| &balancer.id) == marker.as_ref() {
            break;
        }
    }
    Ok(all.into_iter().filter(|it| network_id.is_none_or(|id| it.vip_network_id.as_deref() == Some(id))).collect())
}

/// Begins to delete a load balancer with all that belongs to it; false where it is gone already.
///
/// # Errors
/// Kind `Conflict` while it is being changed.
pub async fn delete(session: &Session, id: &str) -> Result<bool> {
    let call = Call::delete(SERVICE, &["loadbalancers", id]).query("cascade", "true");
    Ok(found(session.send(call).await)?.is_some())
}

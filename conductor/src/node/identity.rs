//! Which node asks: known by the bootstrap token of its nodegroup or, once it has one, by its own certificate.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use super::report::is_node_of;
use super::{BootstrapToken, store};
use crate::certificate::{self, Kind};
use crate::column::now;
use crate::pki::proof::{Proof, body_hash, text};
use crate::{Conductor, Result, secret};

/// A node, or some node of a nodegroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its cluster's UUID.
    pub cluster_uuid: String,
    /// Its nodegroup's UUID.
    pub nodegroup_uuid: String,
    /// Its nodegroup's role.
    pub role: String,
    /// Its name, where its certificate says it; a bootstrap token is that of all nodes of its nodegroup.
    pub node: Option<String>,
}

impl From<BootstrapToken> for Holder {
    fn from(token: BootstrapToken) -> Self {
        Self { cluster_uuid: token.cluster_uuid, nodegroup_uuid: token.nodegroup_uuid, role: token.role, node: None }
    }
}

/// What a request shows as the proof of a node, as it came.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The cluster's UUID.
    pub cluster: String,
    /// The certificate as DER in base64.
    pub certificate: String,
    /// The signature in base64.
    pub signature: String,
    /// Seconds since 1970.
    pub timestamp: String,
    /// The request's method.
    pub method: String,
    /// The request's path from `/v1` on, with its query.
    pub path: String,
    /// SHA-256 of the request's body, as [`crate::node::body_hash`] gives it.
    pub body_hash: String,
}

/// SHA-256 of a body, as nodes sign it.
#[must_use]
pub fn hash(body: &[u8]) -> String {
    body_hash(body)
}

/// Who a bootstrap token belongs to; nothing when it is unknown or has expired.
///
/// # Errors
/// The database is away.
pub async fn authenticate(conductor: &Conductor, token: &str) -> Result<Option<Holder>> {
    let found = store::token(&conductor.db, &secret::token_hash(token), now()).await?;
    Ok(found.map(Holder::from))
}

/// Which node a certificate and a signature prove; nothing when they do not hold, for whatever reason.
///
/// While authorities are being replaced, certificates of either count.
///
/// # Errors
/// The database is away.
pub async fn authenticate_by_certificate(conductor: &Conductor, shown: &Shown) -> Result<Option<Holder>> {
    // Only a UUID is looked up and logged: everything here was written by a stranger until it is proved.
    let Ok(cluster) = Uuid::try_parse(&shown.cluster).map(|uuid| uuid.to_string()) else {
        tracing::info!("a node's proof is refused: it names no cluster");
        return Ok(None);
    };
    let Some(proof) = read(&cluster, shown) else {
        tracing::info!(%cluster, "a node's proof is refused: it is malformed");
        return Ok(None);
    };
    if let Err(refusal) = proof.timely(now()) {
        tracing::info!(%cluster, "a node's proof is refused: {refusal}");
        return Ok(None);
    }
    let authorities = certificate::store::recognised(&conductor.db, &cluster, Kind::Kubernetes).await?;
    let name = match certificate::aside(move || Ok(proof.check(&authorities, now()))).await? {
        Ok(name) => name,
        Err(refusal) => {
            tracing::info!(%cluster, "a node's proof is refused: {refusal}");
            return Ok(None);
        }
    };
    let groups = store::prefixes(&conductor.db, &cluster).await?;
    let group = groups.into_iter().find(|group| {
        let stack = group.stack_name.as_deref().unwrap_or_default();
        is_node_of(&drivers::node_prefix(stack, &group.name), &name)
    });
    let Some(group) = group else {
        tracing::info!(%cluster, node = %name, "a node's proof is refused: it is of none of the cluster's nodegroups");
        return Ok(None);
    };
    Ok(Some(Holder { cluster_uuid: cluster, nodegroup_uuid: group.uuid, role: group.role, node: Some(name) }))
}

fn read(cluster: &str, shown: &Shown) -> Option<Proof> {
    let timestamp = shown.timestamp.parse().ok()?;
    Some(Proof {
        certificate: STANDARD.decode(&shown.certificate).ok()?,
        signature: STANDARD.decode(&shown.signature).ok()?,
        timestamp,
        text: text(cluster, &shown.method, &shown.path, timestamp, &shown.body_hash),
    })
}

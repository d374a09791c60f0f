//! What we show and believe when we ask a cluster's own API.

use std::collections::HashMap;

use super::keep::opened;
use super::{Keypair, Kind, store};
use crate::link::Identity;
use crate::{Conductor, Error, Result};

/// The pairs of which an identity is made.
const KINDS: [Kind; 2] = [Kind::Kubernetes, Kind::Client];

/// A cluster's authority and our client certificate, as kept; the private half is not opened yet.
#[derive(Debug, Clone)]
pub(crate) struct Pairs {
    authority: Keypair,
    client: Keypair,
}

impl Pairs {
    /// The same for the same certificates, and no other.
    pub(crate) fn key(&self) -> (String, String) {
        (self.authority.uuid.clone(), self.client.uuid.clone())
    }

    /// Opens the private half.
    ///
    /// # Errors
    /// It is sealed with another key, or Barbican does not have it.
    pub(crate) async fn identity(self, conductor: &Conductor) -> Result<Identity> {
        Identity::new(&self.authority.certificate, &opened(conductor, self.client).await?)
    }
}

/// Those of many clusters by cluster, in one query; a cluster whose keys are not there yet is left out.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn identities(conductor: &Conductor, clusters: &[String]) -> Result<HashMap<String, Pairs>> {
    let (mut authorities, mut found) = (HashMap::new(), HashMap::new());
    let (authority, client): (Vec<_>, Vec<_>) =
        store::in_force(&conductor.db, clusters, &KINDS).await?.into_iter().partition(|pair| pair.kind == KINDS[0]);
    authorities.extend(authority.into_iter().map(|pair| (pair.cluster_uuid.clone(), pair)));
    for client in client {
        if let Some(authority) = authorities.remove(&client.cluster_uuid) {
            found.insert(client.cluster_uuid.clone(), Pairs { authority, client });
        }
    }
    Ok(found)
}

/// That of one cluster.
///
/// # Errors
/// Its keys are not there yet, or cannot be opened.
pub(crate) async fn identity(conductor: &Conductor, cluster: &str) -> Result<Identity> {
    let pairs = identities(conductor, &[cluster.to_owned()]).await?.remove(cluster);
    let absent = || Error::not_found(format!("The certificates of cluster {cluster} are not ready yet."));
    pairs.ok_or_else(absent)?.identity(conductor).await
}

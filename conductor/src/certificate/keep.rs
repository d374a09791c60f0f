//! The keys of a cluster: made once, kept sealed in the records or in Barbican, removed with the cluster.
//!
//! Barbican keeps both halves of a pair under the pair's name, so that a step that was killed between Barbican and the
//! records goes on with what it made, and never removes what another try has put on record meanwhile.

use drivers::Ca;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::{Keypair, Kind, aside, store};
use crate::cluster::Cluster;
use crate::column::now;
use crate::config::SecretStore;
use crate::openstack::{self, Session, barbican};
use crate::pki::{self, KeyPair, KeySettings};
use crate::{Conductor, Error, Result};

/// The generation of a cluster's first keys.
const FIRST: i32 = 1;

/// The last line of a private key, between the halves of what Barbican keeps.
const BORDER: &str = "-----END PRIVATE KEY-----\n";

/// Makes what is missing of a cluster's keys: three authorities, our client certificate, the key pair that signs service
/// account tokens. What an earlier try made is kept.
///
/// # Errors
/// Not found when the cluster is gone; the database or Barbican does not answer.
pub async fn ensure(conductor: &Conductor, cluster: &Cluster) -> Result<()> {
    let present = store::of_cluster(&conductor.db, &cluster.uuid).await?;
    let missing = |kind: Kind| !present.iter().any(|pair| pair.kind == kind);
    let settings = KeySettings::of_authorities(&conductor.config.x509);
    make_authorities(conductor, cluster, FIRST, missing).await?;
    if missing(Kind::ServiceAccount) {
        let make = move || {
            let made = pki::service_account(settings.rsa_bits)?;
            Ok(KeyPair { certificate: made.public_key, private_key: made.private_key })
        };
        keep(conductor, cluster, (Kind::ServiceAccount, FIRST), make).await?;
    }
    Ok(())
}

/// Makes those of the three authorities and our client certificate that are missing of the generation, which is below
/// zero as long as it is not in force.
pub(super) async fn make_authorities(
    conductor: &Conductor,
    cluster: &Cluster,
    generation: i32,
    missing: impl Fn(Kind) -> bool,
) -> Result<()> {
    let settings = KeySettings::of_authorities(&conductor.config.x509);
    let authorities = [Ca::Kubernetes, Ca::Etcd, Ca::FrontProxy].into_iter().filter(|ca| missing((*ca).into()));
    let making = authorities.map(|ca| {
        let name = cluster.name.clone();
        keep(conductor, cluster, (ca.into(), generation), move || pki::create(&name, ca, settings, now()))
    });
    futures::future::try_join_all(making).await?;
    if missing(Kind::Client) {
        let found = store::find(&conductor.db, &cluster.uuid, Kind::Kubernetes, generation).await?;
        let authority = opened(conductor, found.ok_or_else(|| unready(&cluster.uuid))?).await?;
        let make = move || pki::client(&authority, settings, now());
        keep(conductor, cluster, (Kind::Client, generation), make).await?;
    }
    Ok(())
}

/// Removes all of the cluster's keys, in Barbican too; none is fine.
///
/// # Errors
/// The database or Barbican does not answer.
pub async fn forget(conductor: &Conductor, cluster: &str) -> Result<()> {
    let pairs = store::of_cluster(&conductor.db, cluster).await?;
    let outside = pairs.iter().any(|pair| pair.private_key_ref.is_some());
    if outside || conductor.config.secrets.store == SecretStore::Barbican {
        forget_outside(conductor, cluster, &pairs).await?;
    }
    store::delete_all(&conductor.db, cluster).await
}

/// A key pair of the cluster with its private half.
///
/// # Errors
/// Not found while the cluster's keys are still being made.
pub(super) async fn pair(conductor: &Conductor, cluster: &str, kind: Kind) -> Result<KeyPair> {
    opened(conductor, latest(conductor, cluster, kind).await?).await
}

/// The pair with its private half, wherever that is kept.
pub(super) async fn opened(conductor: &Conductor, found: Keypair) -> Result<KeyPair> {
    let name = name(&found.cluster_uuid, found.kind, found.generation);
    let private_key = match (&found.private_key, &found.private_key_ref) {
        (Some(sealed), _) => conductor.unseal(&name, sealed)?,
        (None, Some(reference)) => {
            let session = conductor.cloud.service().await.map_err(ours)?;
            let gone = || Error::internal(format!("Barbican no longer has the private key {name}"));
            let kept = barbican::get(&session, reference).await.map_err(ours)?.ok_or_else(gone)?;
            split(&name, &kept)?.private_key
        }
        (None, None) => return Err(Error::internal(format!("the private key {name} is nowhere"))),
    };
    Ok(KeyPair { certificate: found.certificate, private_key })
}

/// The key pair of that kind that is in force, its private half as it is kept.
pub(super) async fn latest(conductor: &Conductor, cluster: &str, kind: Kind) -> Result<Keypair> {
    store::latest(&conductor.db, cluster, kind).await?.ok_or_else(|| unready(cluster))
}

fn unready(cluster: &str) -> Error {
    Error::not_found(format!("The certificates of cluster {cluster} are not ready yet."))
}

async fn keep(
    conductor: &Conductor,
    cluster: &Cluster,
    (kind, generation): (Kind, i32),
    make: impl FnOnce() -> Result<KeyPair> + Send + 'static,
) -> Result<()> {
    let name = name(&cluster.uuid, kind, generation);
    let (certificate, sealed, reference) = match conductor.config.secrets.store {
        SecretStore::Sealed => {
            let pair = aside(make).await?;
            (pair.certificate, Some(conductor.seal(&name, pair.private_key.expose_secret())?), None)
        }
        SecretStore::Barbican => {
            let (certificate, reference) = keep_outside(conductor, &name, make).await?;
            (certificate, None, Some(reference))
        }
    };
    let row = Keypair {
        id: 0,
        uuid: Uuid::new_v4().to_string(),
        cluster_uuid: cluster.uuid.clone(),
        kind,
        generation,
        certificate,
        private_key: sealed,
        private_key_ref: reference,
        created_at: now(),
    };
    store::insert_if_absent(&conductor.db, row).await.map(drop)
}

/// The certificate and the reference of the secret under that name, which an earlier try may have stored.
async fn keep_outside(
    conductor: &Conductor,
    name: &str,
    make: impl FnOnce() -> Result<KeyPair> + Send + 'static,
) -> Result<(String, String)> {
    let session = conductor.cloud.service().await.map_err(ours)?;
    for found in barbican::find(&session, name).await.map_err(ours)? {
        if let Some(kept) = barbican::get(&session, &found.secret_ref).await.map_err(ours)? {
            return Ok((split(name, &kept)?.certificate, found.secret_ref));
        }
    }
    let pair = aside(make).await?;
    let both = Zeroizing::new(format!("{}{}", pair.private_key.expose_secret(), pair.certificate));
    let reference = barbican::store(&session, name, &SecretString::from(both.as_str())).await.map_err(ours)?;
    Ok((pair.certificate, reference))
}

/// Removes from Barbican what is on record and, by name, what a killed step may have left there, also of a next
/// generation.
async fn forget_outside(conductor: &Conductor, cluster: &str, pairs: &[Keypair]) -> Result<()> {
    let session = conductor.cloud.service().await.map_err(ours)?;
    for reference in pairs.iter().filter_map(|pair| pair.private_key_ref.as_deref()) {
        barbican::delete(&session, reference).await.map_err(ours)?;
    }
    let newest = pairs.iter().map(|pair| pair.generation.abs()).max().unwrap_or(0);
    for kind in Kind::ALL {
        for generation in FIRST..=newest + 1 {
            forget_named(&session, &name(cluster, kind, generation)).await?;
        }
    }
    Ok(())
}

/// Removes the secrets of that name from Barbican; none is fine.
pub(super) async fn forget_named(session: &Session, name: &str) -> Result<()> {
    for secret in barbican::find(session, name).await.map_err(ours)? {
        barbican::delete(session, &secret.secret_ref).await.map_err(ours)?;
    }
    Ok(())
}

/// The pair's name in Barbican, and what a sealed private key is bound to; the same before and after it is in force.
pub(super) fn name(cluster: &str, kind: Kind, generation: i32) -> String {
    format!("jeroboam/{cluster}/{}/{}", kind.as_str(), generation.abs())
}

/// The halves of what Barbican keeps.
fn split(name: &str, kept: &SecretString) -> Result<KeyPair> {
    let text = kept.expose_secret();
    let border = text.find(BORDER).map(|at| at + BORDER.len());
    let foreign = || Error::internal(format!("the secret {name} in Barbican is not one of ours"));
    let (private_key, certificate) = text.split_at(border.ok_or_else(foreign)?);
    Ok(KeyPair { certificate: certificate.to_owned(), private_key: SecretString::from(private_key) })
}

/// That Barbican is away concerns the caller; a refusal is between it and us.
pub(super) fn ours(error: openstack::Error) -> Error {
    match Error::from(error) {
        away if away.kind == crate::Kind::Unavailable => away,
        other => Error::internal(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<String> = Kind::ALL.map(|kind| name("c", kind, 2)).into_iter().collect();
        assert_eq!(names.len(), 5);
        assert!(names.contains("jeroboam/c/front-proxy/2"));
        assert_eq!(name("c", Kind::Etcd, -2), name("c", Kind::Etcd, 2));
    }

    #[test]
    fn the_halves_are_found_again() {
        let made = pki::service_account(2048).unwrap();
        let both = SecretString::from(format!("{}{}", made.private_key.expose_secret(), made.public_key));
        let pair = split("n", &both).unwrap();
        assert_eq!(pair.certificate, made.public_key);
        assert_eq!(pair.private_key.expose_secret(), made.private_key.expose_secret());
        let foreign = split("n", &SecretString::from("something else")).unwrap_err().chain();
        assert!(foreign.contains("not one of ours") && !foreign.contains("something else"), "{foreign}");
    }
}

//! Which keys a cluster has, and where their private halves lie: sealed in the records, or in Barbican.

use drivers::Ca;
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::{Keypair, Kind, store};
use crate::cluster::Cluster;
use crate::column::now;
use crate::config::SecretStore;
use crate::openstack::barbican;
use crate::pki::{self, KeyPair, KeySettings};
use crate::{Conductor, Error, Result};

/// The generation of a cluster's first keys.
const FIRST: i32 = 1;

/// Makes what is missing of a cluster's keys: three authorities, our client certificate, the key pair that signs service
/// account tokens. What an earlier try made is kept.
///
/// # Errors
/// The database or Barbican does not answer.
pub(crate) async fn ensure(conductor: &Conductor, cluster: &Cluster) -> Result<()> {
    let present = store::of_cluster(&conductor.db, &cluster.uuid).await?;
    let missing = |kind: Kind| !present.iter().any(|pair| pair.kind == kind);
    let authorities = [Ca::Kubernetes, Ca::Etcd, Ca::FrontProxy].into_iter().filter(|ca| missing((*ca).into()));
    let making = authorities.map(|ca| {
        let (name, settings) = (cluster.name.clone(), KeySettings::of_authorities(&conductor.config.x509));
        async move { Ok::<_, Error>((Kind::from(ca), aside(move || pki::create(&name, ca, settings, now())).await?)) }
    });
    for (kind, pair) in futures::future::try_join_all(making).await? {
        keep(conductor, cluster, kind, pair).await?;
    }
    if missing(Kind::Client) {
        let authority = pair(conductor, &cluster.uuid, Kind::Kubernetes).await?;
        let settings = KeySettings::of_authorities(&conductor.config.x509);
        let client = aside(move || pki::client(&authority, settings, now())).await?;
        keep(conductor, cluster, Kind::Client, client).await?;
    }
    if missing(Kind::ServiceAccount) {
        let bits = conductor.config.x509.rsa_key_size;
        let made = aside(move || pki::service_account(bits)).await?;
        let pair = KeyPair { certificate: made.public_key, private_key: made.private_key };
        keep(conductor, cluster, Kind::ServiceAccount, pair).await?;
    }
    Ok(())
}

/// Removes all of the cluster's keys, in Barbican too.
///
/// # Errors
/// The database or Barbican does not answer.
pub(crate) async fn forget(conductor: &Conductor, cluster: &str) -> Result<()> {
    let pairs = store::of_cluster(&conductor.db, cluster).await?;
    let kinds = [Kind::Kubernetes, Kind::Etcd, Kind::FrontProxy, Kind::Client, Kind::ServiceAccount];
    if conductor.config.secrets.store == SecretStore::Barbican || pairs.iter().any(|pair| pair.private_key_ref.is_some()) {
        let session = conductor.cloud.service().await?;
        for kind in kinds {
            for secret in barbican::find(&session, &secret_name(cluster, kind)).await? {
                barbican::delete(&session, &secret.secret_ref).await?;
            }
        }
    }
    store::delete_all(&conductor.db, cluster).await
}

/// A key pair of the cluster with its private half.
///
/// # Errors
/// Not found while the cluster's keys are still being made.
pub(super) async fn pair(conductor: &Conductor, cluster: &str, kind: Kind) -> Result<KeyPair> {
    let found = latest(conductor, cluster, kind).await?;
    let private_key = match (&found.private_key, &found.private_key_ref) {
        (Some(sealed), _) => conductor.unseal(&context(cluster, kind), sealed)?,
        (None, Some(reference)) => {
            let session = conductor.cloud.service().await?;
            let gone = || Error::internal(format!("Barbican no longer has the private key of {cluster}, {kind:?}"));
            barbican::get(&session, reference).await?.ok_or_else(gone)?
        }
        (None, None) => return Err(Error::internal(format!("the private key of {cluster}, {kind:?}, is nowhere"))),
    };
    Ok(KeyPair { certificate: found.certificate, private_key })
}

/// The newest key pair of that kind, its private half as it is kept.
pub(super) async fn latest(conductor: &Conductor, cluster: &str, kind: Kind) -> Result<Keypair> {
    let found = store::latest(&conductor.db, cluster, kind).await?;
    found.ok_or_else(|| Error::not_found(format!("The certificates of cluster {cluster} are not ready yet.")))
}

async fn keep(conductor: &Conductor, cluster: &Cluster, kind: Kind, pair: KeyPair) -> Result<()> {
    let (sealed, reference) = match conductor.config.secrets.store {
        SecretStore::Sealed => {
            (Some(conductor.seal(&context(&cluster.uuid, kind), pair.private_key.expose_secret())?), None)
        }
        SecretStore::Barbican => (None, Some(in_barbican(conductor, &cluster.uuid, kind, &pair.private_key).await?)),
    };
    let row = Keypair {
        id: 0,
        uuid: Uuid::new_v4().to_string(),
        cluster_uuid: cluster.uuid.clone(),
        kind,
        generation: FIRST,
        certificate: pair.certificate,
        private_key: sealed,
        private_key_ref: reference,
        created_at: now(),
    };
    store::insert_if_absent(&conductor.db, row).await.map(drop)
}

/// Stores a private key under its name. One of that name is left over from a try whose row was never written: nobody
/// uses it, and it goes.
async fn in_barbican(conductor: &Conductor, cluster: &str, kind: Kind, key: &SecretString) -> Result<String> {
    let session = conductor.cloud.service().await?;
    let name = secret_name(cluster, kind);
    for orphan in barbican::find(&session, &name).await? {
        barbican::delete(&session, &orphan.secret_ref).await?;
    }
    Ok(barbican::store(&session, &name, key).await?)
}

fn secret_name(cluster: &str, kind: Kind) -> String {
    format!("jeroboam/{cluster}/{}/{FIRST}", kind.as_str())
}

/// What a sealed private key is bound to.
fn context(cluster: &str, kind: Kind) -> String {
    format!("cluster/{cluster}/key/{}", kind.as_str())
}

/// Key generation takes a noticeable part of a second: it must not hold up other requests.
async fn aside<T: Send + 'static>(make: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(make).await.map_err(Error::internal)?
}

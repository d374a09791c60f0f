//! New authorities beside the present ones: made or given up, and what was before forgotten.

use super::keep::{forget_named, make_authorities, name, ours};
use super::{Keypair, Kind, store};
use crate::cluster::Cluster;
use crate::config::SecretStore;
use crate::openstack::barbican;
use crate::{Conductor, Result};

/// What is replaced together. The key of service accounts is not: every token in the cluster hangs on it.
const REPLACED: [Kind; 4] = [Kind::Kubernetes, Kind::Etcd, Kind::FrontProxy, Kind::Client];

/// Makes what is missing of the generation, beside the one in force.
///
/// # Errors
/// Not found when the cluster is gone; the database or Barbican does not answer.
pub(crate) async fn introduce(conductor: &Conductor, cluster: &Cluster, generation: i32) -> Result<()> {
    let present = store::of_cluster(&conductor.db, &cluster.uuid).await?;
    let missing = |kind| !present.iter().any(|pair| pair.kind == kind && pair.generation == -generation);
    make_authorities(conductor, cluster, -generation, missing).await
}

/// Removes everything of generations other than the one in force, also what failed rotations left.
///
/// # Errors
/// The database or Barbican does not answer.
pub(crate) async fn forget_past(conductor: &Conductor, cluster: &str, generation: i32) -> Result<()> {
    let pairs = store::of_cluster(&conductor.db, cluster).await?;
    for pair in pairs.iter().filter(|pair| REPLACED.contains(&pair.kind) && pair.generation != generation) {
        forget_outside(conductor, pair).await?;
        store::delete(&conductor.db, &pair.uuid).await?;
    }
    Ok(())
}

/// Destroys the keys of a generation that does not come in force. Its Kubernetes certificate stays, by which nodes that
/// had taken one of its certificates are still known, until a later rotation succeeds.
///
/// # Errors
/// The database or Barbican does not answer.
pub(crate) async fn give_up(conductor: &Conductor, cluster: &str, generation: i32) -> Result<()> {
    if conductor.config.secrets.store == SecretStore::Barbican {
        // A killed step may have stored a secret that is on no record.
        let session = conductor.cloud.service().await.map_err(ours)?;
        for kind in REPLACED {
            forget_named(&session, &name(cluster, kind, generation)).await?;
        }
    }
    let pairs = store::of_cluster(&conductor.db, cluster).await?;
    for pair in pairs.iter().filter(|pair| pair.generation == -generation) {
        forget_outside(conductor, pair).await?;
        if pair.kind == Kind::Kubernetes {
            store::drop_private_key(&conductor.db, &pair.uuid).await?;
        } else {
            store::delete(&conductor.db, &pair.uuid).await?;
        }
    }
    Ok(())
}

async fn forget_outside(conductor: &Conductor, pair: &Keypair) -> Result<()> {
    let Some(reference) = &pair.private_key_ref else { return Ok(()) };
    let session = conductor.cloud.service().await.map_err(ours)?;
    barbican::delete(&session, reference).await.map_err(ours)
}

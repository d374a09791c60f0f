//! Letting nodes in: the tokens by which they are known.

use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::{BootstrapToken, store};
use crate::column::Moment;
use crate::nodegroup::Nodegroup;
use crate::{Conductor, Error, Result, secret};

/// A nodegroup's bootstrap token of that generation: the same each time it is asked for.
///
/// # Errors
/// The sealing key cannot be used.
pub(crate) fn bootstrap_token(conductor: &Conductor, group: &Nodegroup, generation: u32) -> Result<SecretString> {
    let uuid = |text: &str| Uuid::try_parse(text).map_err(Error::internal);
    let (cluster, group) = (uuid(&group.cluster_uuid)?, uuid(&group.uuid)?);
    conductor.sealer.bootstrap_token(cluster, group, generation).map_err(Error::internal)
}

/// Puts the token's hash on record, so that it opens the node endpoints until then.
///
/// # Errors
/// Not found when the cluster is gone.
pub(crate) async fn admit(
    conductor: &Conductor,
    cluster: &str,
    group: &Nodegroup,
    generation: u32,
    until: Moment,
) -> Result<()> {
    let token = bootstrap_token(conductor, group, generation)?;
    let kept = BootstrapToken {
        hash: secret::token_hash(token.expose_secret()),
        cluster_uuid: cluster.to_owned(),
        nodegroup_uuid: group.uuid.clone(),
        role: group.role.clone(),
        generation: i32::try_from(generation).unwrap_or(i32::MAX),
        expires_at: until,
    };
    store::keep_token(&conductor.db, kept).await
}

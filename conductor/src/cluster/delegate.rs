//! The credential inside a cluster, seen from the other side: as somebody who asks.

use std::sync::Arc;

use super::store;
use crate::openstack::{Delegation, Identity};
use crate::{Conductor, Result};

/// The identity, with the cluster named whose trustee or application credential it acts by; while that is replaced, the
/// new one and the old one are both the cluster's.
///
/// Such a token lies inside that cluster, in the hands of whoever runs there, and carries the roles its controllers
/// need; it must not open this service as its owner's own token does.
///
/// # Errors
/// The database does not answer.
pub async fn recognise(conductor: &Conductor, identity: Arc<Identity>) -> Result<Arc<Identity>> {
    let cluster = match &identity.delegated {
        Some(Delegation::Trust { trustee_user_id, .. }) => store::of_trustee(&conductor.db, trustee_user_id).await?,
        Some(Delegation::ApplicationCredential { id, .. }) => store::of_credential(&conductor.db, id).await?,
        Some(Delegation::OAuth1) | None => None,
    };
    Ok(match cluster {
        Some(uuid) => Arc::new(Identity { cluster: Some(uuid), ..Identity::clone(&identity) }),
        None => identity,
    })
}

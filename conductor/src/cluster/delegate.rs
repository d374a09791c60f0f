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
    let (db, known) = (&conductor.db, &conductor.inside);
    let (id, is_trustee) = match &identity.delegated {
        Some(Delegation::Trust { trustee_user_id, .. }) => (trustee_user_id, true),
        Some(Delegation::ApplicationCredential { id, .. }) => (id, false),
        Some(Delegation::OAuth1) | None => return Ok(identity),
    };
    let mut cluster = known.get(id).await;
    if cluster.is_none() {
        cluster = if is_trustee { store::of_trustee(db, id).await? } else { store::of_credential(db, id).await? };
        if let Some(uuid) = &cluster {
            known.insert(id.clone(), uuid.clone()).await;
        }
    }
    Ok(match cluster {
        Some(uuid) => Arc::new(Identity { cluster: Some(uuid), ..Identity::clone(&identity) }),
        None => identity,
    })
}

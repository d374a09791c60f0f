//! Operations as callers ask for them.

use secrecy::ExposeSecret as _;

use super::store::NewOperation;
use crate::cluster::Owner;
use crate::column::Moment;
use crate::nodegroup::Nodegroup;
use crate::openstack::{Identity, REQUEST_ID};
use crate::{Conductor, Result};

/// An operation on behalf of the caller, under the present request's id.
///
/// Where the stack belongs to the requester, nobody else's token will do for Heat: the caller's is kept, sealed, until
/// Heat has accepted what needed it or the operation ends.
///
/// # Errors
/// Sealing failed.
pub(crate) fn by(
    conductor: &Conductor,
    caller: &Identity,
    kind: &str,
    cluster: (&str, &str),
    owner: Owner,
    deadline: Option<Moment>,
) -> Result<NewOperation> {
    let (uuid, project_id) = cluster;
    let token = match owner {
        Owner::Service => None,
        Owner::Requester => Some(conductor.seal(&token_context(uuid), caller.token.expose_secret())?),
    };
    Ok(NewOperation {
        cluster_uuid: uuid.to_owned(),
        nodegroup_uuid: None,
        subject: uuid.to_owned(),
        project_id: project_id.to_owned(),
        user_id: caller.user_id.clone(),
        kind: kind.to_owned(),
        input: serde_json::json!({}),
        deadline,
        request_id: REQUEST_ID.try_with(Clone::clone).ok(),
        token,
        notifies: conductor.config.notifications.url.is_some(),
    })
}

impl NewOperation {
    /// The same operation, about that nodegroup: alone on the cluster's stack, or on the nodegroup's own.
    #[must_use]
    pub fn about(mut self, group: &Nodegroup) -> Self {
        self.nodegroup_uuid = Some(group.uuid.clone());
        group.subject().clone_into(&mut self.subject);
        self
    }

    /// The same operation with what it was asked to do; no secrets.
    #[must_use]
    pub fn with(mut self, input: serde_json::Value) -> Self {
        self.input = input;
        self
    }
}

/// What a sealed token is bound to.
pub(crate) fn token_context(cluster: &str) -> String {
    format!("cluster/{cluster}/requester-token")
}

//! What an operation is when it is asked for.

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use uuid::Uuid;

use crate::cluster::Owner;
use crate::openstack::{Identity, REQUEST_ID};
use crate::{Conductor, Result};

/// An operation to be recorded, in the same transaction as the change of status it brings.
#[derive(Debug, Clone, PartialEq)]
pub struct New {
    /// Its identifier.
    pub uuid: String,
    /// The cluster it changes.
    pub cluster_uuid: String,
    /// That cluster's project.
    pub project_id: String,
    /// Who asks for it.
    pub user_id: String,
    /// What it does, as `cluster.create`.
    pub kind: String,
    /// What it is asked to do; no secrets.
    pub input: Value,
    /// When it fails unless it has ended; nothing means never.
    pub deadline: Option<DateTime<Utc>>,
    /// The request that asks for it.
    pub request_id: Option<String>,
    /// The requester's token, sealed, where it will be needed.
    pub token: Option<Vec<u8>>,
}

impl New {
    /// An operation of that kind on behalf of the caller, under the present request's id.
    #[must_use]
    pub fn by(caller: &Identity, kind: &str, cluster_uuid: &str, project_id: &str) -> Self {
        Self {
            uuid: Uuid::new_v4().to_string(),
            cluster_uuid: cluster_uuid.to_owned(),
            project_id: project_id.to_owned(),
            user_id: caller.user_id.clone(),
            kind: kind.to_owned(),
            input: Value::Object(serde_json::Map::new()),
            deadline: None,
            request_id: REQUEST_ID.try_with(Clone::clone).ok(),
            token: None,
        }
    }

    /// Keeps the caller's token, sealed, where the stack belongs to the requester: nobody else's will do.
    ///
    /// # Errors
    /// Sealing failed.
    pub fn with_token(mut self, conductor: &Conductor, owner: Owner, caller: &Identity) -> Result<Self> {
        if owner == Owner::Requester {
            let token = caller.token.expose_secret();
            self.token = Some(conductor.sealer.seal(&token_context(&self.uuid), token)?);
        }
        Ok(self)
    }
}

/// What a sealed token is bound to.
pub(crate) fn token_context(operation: &str) -> String {
    format!("operation/{operation}/token")
}

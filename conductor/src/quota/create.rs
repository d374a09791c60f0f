//! A project's own quota, as callers ask for it.

use std::sync::Arc;

use super::{Quota, store};
use crate::openstack::{Identity, Kind, keystone};
use crate::{Conductor, Error, Result};

/// Gives a project that exists a quota of its own.
///
/// The project is looked up with the caller's own token, which must be allowed to read it.
///
/// # Errors
/// `NotFound` where Keystone knows no such project, `Forbidden` where it does not let the caller read the project,
/// `Conflict` where the project has a quota already, `Unavailable` where Keystone is away.
pub async fn create(
    conductor: &Conductor,
    caller: &Arc<Identity>,
    project_id: &str,
    resource: &str,
    hard_limit: i32,
) -> Result<Quota> {
    let session = conductor.cloud.requester_of(caller);
    match keystone::project_exists(&session, project_id).await {
        Ok(true) => store::insert(&conductor.db, project_id, resource, hard_limit).await,
        Ok(false) => Err(Error::not_found(format!("The project_id {project_id} could not be found."))),
        Err(error) if error.kind == Kind::Forbidden => {
            let text = format!("Keystone does not let your token read the project {project_id}.");
            Err(Error::forbidden(text).because(error))
        }
        Err(error) => Err(error.into()),
    }
}

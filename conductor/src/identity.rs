//! Who acts at Heat for a project: the service's own user where the cloud grants it, else the requester.

use std::sync::Arc;

use crate::cluster::Owner;
use crate::config::{ActAs, Config};
use crate::openstack::{Cloud, Delegation, Identity, Kind, Session};
use crate::{Error, Result};

/// Chooses who acts in the project of the request, before anything is written.
///
/// # Errors
/// `Invalid` where the token is not scoped to a project; `Forbidden`, saying what an operator has to do, where the
/// service's user must act and may not, or where it may not and the token is delegated, so that Heat could not use it;
/// `Unavailable` where Keystone is away.
pub async fn choose(cloud: &Cloud, config: &Config, identity: &Identity) -> Result<Owner> {
    let Some(project_id) = identity.project_id.as_deref() else {
        return Err(Error::invalid(
            "The token is not scoped to a project; a cluster belongs to one. Log in with a project, as with OS_PROJECT_NAME.",
        ));
    };
    let delegated = identity.delegated.as_ref().map(described);
    match (config.heat.act_as, delegated) {
        (ActAs::Requester, None) => Ok(Owner::Requester),
        (ActAs::Requester, Some(how)) => Err(Error::forbidden(format!(
            "{how} cannot own stacks at Heat, and this service is set to act as the requester. Log in with a password, \
             or ask the operator to set [heat] act_as to \"auto\" and to run: {}",
            cloud.grant_command(project_id)
        ))),
        (ActAs::Service, _) => match may_act(cloud, project_id, true).await? {
            true => Ok(Owner::Service),
            false => Err(Error::forbidden(format!(
                "The service's user may not act in the project {project_id}. Ask the operator to run: {}",
                cloud.grant_command(project_id)
            ))),
        },
        (ActAs::Auto, None) => match may_act(cloud, project_id, false).await? {
            true => Ok(Owner::Service),
            false => Ok(Owner::Requester),
        },
        (ActAs::Auto, Some(how)) => match may_act(cloud, project_id, true).await? {
            true => Ok(Owner::Service),
            false => Err(Error::forbidden(format!(
                "{how} cannot own stacks at Heat, and the service's user may not act in the project {project_id}. Log in \
                 with a password, or ask the operator to run: {}",
                cloud.grant_command(project_id)
            ))),
        },
    }
}

/// The session that acts: our user in the project, or the request's token.
///
/// # Errors
/// As [`Cloud::in_project`].
pub async fn session(cloud: &Cloud, mode: Owner, identity: &Arc<Identity>) -> Result<Session> {
    match mode {
        Owner::Service => Ok(cloud.in_project(identity.project_id.as_deref().unwrap_or_default()).await?),
        Owner::Requester => Ok(cloud.requester_of(identity)),
    }
}

/// Whether our user may act there. A refusal that would end the request is asked for again, because an operator may
/// have granted the role since.
async fn may_act(cloud: &Cloud, project_id: &str, decisive: bool) -> Result<bool> {
    if decisive {
        cloud.forget_refusal(project_id).await;
    }
    match cloud.in_project(project_id).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind == Kind::NotGranted => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn described(delegation: &Delegation) -> &'static str {
    match delegation {
        Delegation::ApplicationCredential { .. } => "A token of an application credential",
        Delegation::Trust { .. } => "A token of a trust",
        Delegation::OAuth1 => "A token of an OAuth consumer",
    }
}

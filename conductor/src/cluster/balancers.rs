//! Load balancers that controllers inside a cluster made, with their floating IPs. They hold ports in the cluster's
//! network, which cannot be deleted before they are.

use std::time::Duration;

use chrono::TimeDelta;

use crate::column::now;
use crate::openstack::octavia::{self, LoadBalancer};
use crate::openstack::{Kind, Result, Service, Session, neutron};
use crate::operation::{Failure, Next, StepResult, Work};
use crate::{Conductor, Error};

/// How long they are waited for, from the beginning of the delete; then the stack is deleted all the same.
const PATIENCE: TimeDelta = TimeDelta::minutes(5);

/// How soon to look again.
const PAUSE: Duration = Duration::from_secs(2);

/// Deletes them and waits until they are gone.
pub(super) async fn remove(conductor: &Conductor, work: &Work) -> StepResult {
    if work.cluster.stack_id.is_none() {
        return Ok(Next::Done);
    }
    let session = super::authority::acting(conductor, &work.cluster, Some(&work.operation)).await?;
    let late = now() - work.operation.created_at > PATIENCE;
    match begin(conductor, work, &session).await {
        Ok(0) => Ok(Next::Done),
        Ok(left) if late => {
            tracing::warn!(left, "load balancers of the cluster are still there; going on without them");
            Ok(Next::Done)
        }
        Ok(_) => Ok(Next::Wait(PAUSE)),
        Err(error) if late => {
            tracing::warn!(error = %error.chain(), "load balancers made inside the cluster, if any, stay");
            Ok(Next::Done)
        }
        // Whatever it is: a cluster is not kept because of what is not its own.
        Err(error) => Err(Failure::Later(error)),
    }
}

/// Asks for the deletion of those that are there, and says how many that are. Where there is no Octavia, or it does not
/// listen to us, there are none.
pub(super) async fn begin(conductor: &Conductor, work: &Work, session: &Session) -> crate::Result<usize> {
    let driver = conductor.driver(&work.cluster.driver)?;
    let Some(ending) = driver.made_inside(&work.cluster.uuid).filter(|_| session.catalog().has(Service::Octavia))
    else {
        return Ok(0);
    };
    let ours = |description: &Option<String>| description.as_deref().is_some_and(|text| text.ends_with(&ending));
    let all = match octavia::load_balancers(session, None).await {
        Err(error) if error.kind == Kind::Forbidden => {
            tracing::warn!(%error, "load balancers made inside the cluster, if any, stay");
            return Ok(0);
        }
        all => all.map_err(Error::from)?,
    };
    let (mut left, mut trouble) = (0, None);
    for balancer in all.iter().filter(|balancer| ours(&balancer.description)) {
        left += 1;
        if balancer.provisioning_status != "PENDING_DELETE"
            && let Err(error) = delete(session, balancer, ours).await
        {
            trouble.get_or_insert(error);
        }
    }
    trouble.map_or(Ok(left), |error| Err(error.into()))
}

/// One that is being changed is asked for again the next time.
async fn delete(session: &Session, balancer: &LoadBalancer, ours: impl Fn(&Option<String>) -> bool) -> Result<()> {
    if let Some(port) = &balancer.vip_port_id {
        for address in neutron::floating_ips(session, port).await? {
            if ours(&address.description) {
                neutron::delete_floating_ip(session, &address.id).await?;
            }
        }
    }
    match octavia::delete(session, &balancer.id).await {
        Err(error) if error.kind == Kind::Conflict => Ok(()),
        Err(error) => Err(error),
        Ok(_) => {
            tracing::info!(load_balancer = %balancer.id, "deleting a load balancer made inside the cluster");
            Ok(())
        }
    }
}

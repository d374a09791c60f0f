//! The API of a cluster's COE, as far as nodes that leave are concerned.

use std::time::Duration;

use drivers::Health;

use crate::docker::Swarm;
use crate::link::{Fault, endpoints};
use crate::mesos::{self, Leader, Way};
use crate::nodegroup::MASTER;
use crate::operation::Work;
use crate::{Conductor, certificate, node};

/// Until one call to the API is given up.
const DEADLINE: Duration = Duration::from_secs(10);

/// It, by whichever of the masters answers.
pub(super) enum Coe {
    Swarm(Swarm),
    Mesos(Leader),
}

impl Coe {
    /// The one of the operation's cluster.
    ///
    /// # Errors
    /// None of the masters answers as it should.
    pub(super) async fn reach(conductor: &Conductor, work: &Work) -> Result<Self, Fault> {
        let away = |error: crate::Error| Fault::Unreachable(error.public.into_owned());
        let cluster = &work.cluster;
        let api = cluster.api_address.as_deref().unwrap_or_default();
        let health = conductor.driver(&cluster.driver).map_err(away)?.health();
        let identity = match health {
            Health::Mesos if !mesos::has_tls(api) => None,
            _ => Some(certificate::identity(conductor, &cluster.uuid).await.map_err(away)?),
        };
        let nodes = node::store::of_clusters(&conductor.db, std::slice::from_ref(&cluster.uuid)).await.map_err(away)?;
        let masters = work.nodegroups.iter().filter(|group| group.role == MASTER);
        let mut hosts: Vec<String> = masters.flat_map(|group| group.node_addresses.0.clone()).collect();
        hosts.extend(nodes.into_iter().filter(|node| node.role == MASTER).flat_map(|node| node.addresses.0));
        match (health, identity) {
            (Health::Docker, Some(identity)) => {
                Swarm::reach(&endpoints(api, &hosts), &identity, DEADLINE).await.map(Self::Swarm)
            }
            (Health::Mesos, identity) => {
                Leader::reach(&Way::to(api, &hosts, identity, DEADLINE)).await.map(Self::Mesos)
            }
            _ => Err(Fault::Unreachable("this COE is told nothing".to_owned())),
        }
    }

    /// Has the node of that name give up what it runs; what needs time to end has at most `grace`. True when nothing runs
    /// on it any more, or there is none.
    pub(super) async fn drain(&self, name: &str, grace: Duration) -> Result<bool, Fault> {
        match self {
            Self::Swarm(swarm) => swarm.drain(name).await,
            Self::Mesos(leader) => leader.drain(name, grace).await,
        }
    }

    /// Lets the node of that name run things again; none is fine.
    pub(super) async fn restore(&self, name: &str) -> Result<(), Fault> {
        match self {
            Self::Swarm(swarm) => swarm.restore(name).await,
            Self::Mesos(leader) => leader.restore(name).await,
        }
    }

    /// Forgets the node of that name; none is fine.
    pub(super) async fn remove(&self, name: &str) -> Result<(), Fault> {
        match self {
            Self::Swarm(swarm) => swarm.remove(name).await,
            Self::Mesos(leader) => leader.remove(name).await,
        }
    }

    /// The names of nodes that take no part in running things.
    pub(super) fn idle(&self) -> Vec<&str> {
        match self {
            Self::Swarm(swarm) => {
                swarm.members().iter().filter(|member| !member.ready).map(|member| member.name.as_str()).collect()
            }
            Self::Mesos(leader) => {
                leader.agents().iter().filter(|agent| !agent.active).map(|agent| agent.name.as_str()).collect()
            }
        }
    }

    /// How many tasks run on each node, by its name; nothing where the COE does not say.
    pub(super) fn tasks(&self) -> Option<impl Iterator<Item = (&str, u64)>> {
        match self {
            Self::Swarm(_) => None,
            Self::Mesos(leader) => Some(leader.agents().iter().map(|agent| (agent.name.as_str(), agent.tasks))),
        }
    }
}

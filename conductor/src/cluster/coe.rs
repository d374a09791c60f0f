//! The API of a cluster's COE, as far as nodes that leave are concerned.

use std::net::IpAddr;
use std::time::Duration;

use drivers::{Health, Role};
use ipnet::IpNet;

use super::Cluster;
use super::facts::Facts;
use crate::docker::{Member, Swarm};
use crate::kubernetes;
use crate::link::{Fault, Identity, endpoints};
use crate::mesos::{self, Leader};
use crate::node::Node;
use crate::nodegroup::MASTER;
use crate::operation::Work;
use crate::{Conductor, certificate, node};

/// Until one call to the API is given up.
const DEADLINE: Duration = Duration::from_secs(10);
/// Addresses asked at most: the API's, and those of seven masters.
const ADDRESSES: usize = 8;

/// The way to a cluster's API.
struct Way {
    /// Which API that is.
    health: Health,
    /// The API's address.
    api: String,
    /// Addresses of masters, as the stack and they themselves say.
    hosts: Vec<String>,
    /// The masters' names, and the addresses they say they have.
    masters: Vec<(String, Vec<String>)>,
    /// Nothing where the cluster has no TLS.
    identity: Option<Identity>,
}

impl Way {
    async fn to(conductor: &Conductor, work: &Work) -> crate::Result<Self> {
        let cluster = &work.cluster;
        let identity = if Facts::of(cluster)?.desired.tls_disabled {
            None
        } else {
            Some(certificate::identity(conductor, &cluster.uuid).await?)
        };
        let nodes = node::store::of_clusters(&conductor.db, std::slice::from_ref(&cluster.uuid)).await?;
        let inside = networks(conductor, cluster)?;
        let masters: Vec<_> =
            nodes.into_iter().filter(|node| node.role == MASTER).map(|node| reported(node, &inside)).collect();
        let groups = work.nodegroups.iter().filter(|group| group.role == MASTER);
        let mut hosts: Vec<String> = groups.flat_map(|group| group.node_addresses.0.clone()).collect();
        hosts.extend(masters.iter().flat_map(|(_, addresses)| addresses.clone()));
        let health = conductor.driver(&cluster.driver)?.health();
        let api = cluster.api_address.clone().unwrap_or_default();
        Ok(Self { health, api, hosts, masters, identity })
    }
}

/// Masters by name, and whether each can be reached; none where that is not known.
type Masters = Vec<(String, bool)>;

/// Those of the operation's cluster, or why it does not say: `Unreachable` where nothing answers as it should, `Refused`
/// where what answers is not well itself.
///
/// # Errors
/// It cannot be asked for want of what is ours: the database, the keys.
pub(super) async fn masters(conductor: &Conductor, work: &Work) -> crate::Result<Result<Masters, Fault>> {
    let way = Way::to(conductor, work).await?;
    if way.health != Health::Kubernetes {
        return Ok(match Coe::at(way).await {
            Ok(coe) => Ok(coe.masters().await),
            Err(fault) => Err(fault),
        });
    }
    let mut endpoints = endpoints(&way.api, &way.hosts);
    endpoints.truncate(ADDRESSES);
    Ok(kubernetes::masters(endpoints, way.identity.as_ref(), DEADLINE).await)
}

/// It, by whichever of the masters answers.
pub(super) enum Coe {
    Swarm(Swarm),
    /// With the masters' names and addresses.
    Mesos(Leader, Vec<(String, Vec<String>)>),
}

impl Coe {
    /// The one of the operation's cluster.
    ///
    /// # Errors
    /// None of the masters answers as it should.
    pub(super) async fn reach(conductor: &Conductor, work: &Work) -> Result<Self, Fault> {
        let away = |error: crate::Error| Fault::Unreachable(error.public.into_owned());
        Self::at(Way::to(conductor, work).await.map_err(away)?).await
    }

    async fn at(way: Way) -> Result<Self, Fault> {
        match way.health {
            Health::Docker => {
                let endpoints = endpoints(&way.api, &way.hosts);
                Swarm::reach(&endpoints, way.identity.as_ref(), DEADLINE).await.map(Self::Swarm)
            }
            Health::Mesos => {
                let leader = Leader::reach(&mesos::Way::to(&way.api, &way.hosts, way.identity, DEADLINE)).await?;
                Ok(Self::Mesos(leader, way.masters))
            }
            Health::Kubernetes | Health::Unasked => Err(Fault::Unreachable("this COE is told nothing".to_owned())),
        }
    }

    /// Has the node of that name give up what it runs; what needs time to end has at most `grace`. True when nothing runs
    /// on it any more, or there is none.
    pub(super) async fn drain(&self, name: &str, grace: Duration) -> Result<bool, Fault> {
        match self {
            Self::Swarm(swarm) => swarm.drain(name).await,
            Self::Mesos(leader, _) => leader.drain(name, grace).await,
        }
    }

    /// What the node of that name is let run; nothing where there is none.
    pub(super) fn availability(&self, name: &str) -> Option<String> {
        match self {
            Self::Swarm(swarm) => swarm.named(name).next().map(Member::availability),
            Self::Mesos(leader, _) => leader.named(name).next().map(|agent| agent.availability().to_owned()),
        }
    }

    /// Lets the node of that name run what it did when its availability was that; none is fine.
    pub(super) async fn restore(&self, name: &str, availability: &str) -> Result<(), Fault> {
        match self {
            Self::Swarm(swarm) => swarm.restore(name, availability).await,
            Self::Mesos(leader, _) => leader.restore(name, availability).await,
        }
    }

    /// Forgets the node of that name; none is fine.
    pub(super) async fn remove(&self, name: &str) -> Result<(), Fault> {
        match self {
            Self::Swarm(swarm) => swarm.remove(name).await,
            Self::Mesos(leader, _) => leader.remove(name).await,
        }
    }

    /// The names of nodes that take no part in running things.
    pub(super) fn idle(&self) -> Vec<&str> {
        match self {
            Self::Swarm(swarm) => {
                swarm.members().iter().filter(|member| !member.ready).map(|member| member.name.as_str()).collect()
            }
            Self::Mesos(leader, _) => {
                leader.agents().iter().filter(|agent| !agent.active).map(|agent| agent.name.as_str()).collect()
            }
        }
    }

    async fn masters(&self) -> Masters {
        match self {
            Self::Swarm(swarm) => {
                swarm.members().iter().filter_map(|member| Some((member.name.clone(), member.manager?))).collect()
            }
            Self::Mesos(leader, masters) => {
                let well: Vec<_> = leader.health().await.into_iter().filter(|(_, is)| is == &Ok(200)).collect();
                let is_well = |at: &String| well.iter().any(|(address, _)| address == at);
                let found: Vec<_> = masters.iter().map(|(name, at)| (name.clone(), at.iter().any(is_well))).collect();
                // Where none answers at its own address, there is a way to the load balancer alone.
                if found.iter().any(|(_, is)| *is) { found } else { Vec::new() }
            }
        }
    }

    /// How many tasks run on each node, by its name; nothing where the COE does not say.
    pub(super) fn tasks(&self) -> Option<impl Iterator<Item = (&str, u64)>> {
        match self {
            Self::Swarm(_) => None,
            Self::Mesos(leader, _) => Some(leader.agents().iter().map(|agent| (agent.name.as_str(), agent.tasks))),
        }
    }
}

/// Where the cluster's nodes have their addresses.
fn networks(conductor: &Conductor, cluster: &Cluster) -> Result<Vec<IpNet>, crate::Error> {
    let facts = Facts::of(cluster)?;
    let subnet = facts.network.fixed.as_ref().map(|fixed| fixed.cidr.as_str());
    let networks = conductor.driver(&cluster.driver)?.networks(&facts.desired, Role::Worker, subnet);
    networks.iter().map(|text| text.parse().map_err(crate::Error::internal)).collect()
}

/// A node's name, and those of the addresses that it gave itself which are such as its cluster has: what runs there must
/// not send us elsewhere.
fn reported(node: Node, inside: &[IpNet]) -> (String, Vec<String>) {
    let fits = |address: IpAddr| inside.iter().any(|network| network.contains(&address));
    let addresses = node.addresses.0.into_iter().filter(|text| text.parse().is_ok_and(fits));
    (node.name, addresses.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_clusters_own_networks_are_believed() {
        let now = crate::column::now();
        let given = ["10.0.0.5", "127.0.0.1", "rabbit.internal", "169.254.169.254", "10.0.1.5", ""];
        let node = Node {
            id: 1,
            cluster_uuid: String::new(),
            nodegroup_uuid: String::new(),
            name: "c-master-0".into(),
            role: MASTER.into(),
            phase: crate::node::Phase::Ready,
            step: None,
            message: None,
            log: Vec::<String>::new().into(),
            versions: crate::column::StringMap::default(),
            addresses: given.map(str::to_owned).to_vec().into(),
            first_seen: now,
            updated_at: now,
        };
        let found = reported(node, &["10.0.0.0/24".parse().unwrap()]);
        assert_eq!(found, ("c-master-0".to_owned(), vec!["10.0.0.5".to_owned()]));
    }
}

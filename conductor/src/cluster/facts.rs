//! The facts a stack is rendered from: looked up once with the requester's token, which is the authorisation to use
//! them, and kept with the cluster.

use std::sync::Arc;

use drivers::{Desired, Flavor, Image, Network, Previous};
use serde::{Deserialize, Serialize};

use super::create::Request;
use crate::openstack::nova::Room;
use crate::openstack::{Identity, cinder, neutron, nova};
use crate::operation::{Code, Failure, Fault, Next, StepResult, Work};
use crate::{Conductor, Error, Result, cluster_template, lookup};

/// What was found for a cluster, and what it was asked to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// What was asked for, after inheritance.
    pub desired: Desired,
    /// The image of all nodes.
    pub image: Image,
    /// Flavor of the workers.
    pub flavor: Flavor,
    /// Flavor of the control plane.
    pub master_flavor: Flavor,
    /// Where the cluster lives.
    pub network: Network,
    /// OpenSSH public key for the image's default user; a Nova keypair belongs to one user, so its text is kept.
    pub ssh_public_key: Option<String>,
    /// Nodes of the default nodegroups that an unfinished upgrade has left as they were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub previous: Vec<Previous>,
}

impl Facts {
    /// Looks everything up at once; the first failure in the contract's order (4.3-10, 4.3-11) is reported.
    pub(super) async fn look_up(
        conductor: &Conductor,
        caller: &Arc<Identity>,
        template: &cluster_template::ClusterTemplate,
        new: &Request,
        desired: Desired,
    ) -> Result<Self> {
        let session = conductor.cloud.requester_of(caller);
        let worker = new.flavor_id.as_deref().or(template.flavor_id.as_deref()).unwrap_or("None");
        let master = new.master_flavor_id.as_deref().or(template.master_flavor_id.as_deref()).unwrap_or(worker);
        let network = new.fixed_network.as_deref().or(template.fixed_network.as_deref());
        let subnet = new.fixed_subnet.as_deref().or(template.fixed_subnet.as_deref());
        let (flavor, master_flavor, fixed, external, image, key) = tokio::join!(
            lookup::flavor(&session, worker),
            lookup::flavor(&session, master),
            lookup::fixed_network(&session, network, subnet),
            lookup::external_network(&session, template.external_network_id.as_deref()),
            lookup::image(&session, &template.image_id),
            key(&session, new.keypair.as_deref(), template.keypair_id.as_deref()),
        );
        let (flavor, master_flavor) = (flavor?, master_flavor?);
        for flavor in [&flavor, &master_flavor] {
            lookup::root_volume(flavor, &desired.labels, conductor.config.cluster_template.default_boot_volume_size)?;
        }
        let network = Network { fixed: fixed?, external_id: external? };
        Ok(Self { image: image?, flavor, master_flavor, network, ssh_public_key: key?, desired, previous: Vec::new() })
    }

    /// As kept in the cluster's row.
    pub(super) fn to_json(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).map_err(Error::internal)
    }

    /// As kept in the cluster's row.
    pub(crate) fn of(cluster: &super::Cluster) -> Result<Self> {
        let json = cluster.spec.clone().ok_or_else(|| Error::internal("the cluster's facts are not on record"))?;
        serde_json::from_value(json).map_err(Error::internal)
    }
}

/// Whether facts as kept in a cluster's row say that its API speaks TLS, without reading the rest of them.
pub(super) fn have_tls(facts: &serde_json::Value) -> bool {
    facts["desired"]["tls_disabled"] != true
}

/// The public key. A keypair named by the request must be the requester's; the template's may be its author's, and
/// counts only if the requester has one of that name (the contract's B-38).
async fn key(
    session: &crate::openstack::Session,
    given: Option<&str>,
    inherited: Option<&str>,
) -> Result<Option<String>> {
    match (given, inherited) {
        (Some(name), _) => lookup::keypair(session, name).await.map(Some),
        (None, Some(name)) => match lookup::keypair(session, name).await {
            Err(error) if error.kind == crate::Kind::NotFound => Ok(None),
            other => other.map(Some),
        },
        (None, None) => Ok(None),
    }
}

/// What nodes take of the cloud.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    instances: i64,
    cores: i64,
    ram_mib: i64,
    volumes: i64,
    gigabytes: i64,
    ports: i64,
    floating_ips: i64,
}

impl Need {
    /// What so many nodes take, each with volumes of these sizes in GiB, 0 being none.
    pub(crate) fn of_nodes(count: i64, flavor: &Flavor, volumes: &[i64], floating: bool) -> Self {
        let volumes = || volumes.iter().filter(|size| **size > 0);
        Self {
            instances: count,
            cores: count * i64::from(flavor.vcpus),
            ram_mib: count * i64::from(flavor.ram_mib),
            volumes: count * i64::try_from(volumes().count()).unwrap_or(0),
            gigabytes: count * volumes().sum::<i64>(),
            ports: count,
            floating_ips: if floating { count } else { 0 },
        }
    }
}

/// Compares what the cluster needs with what the project's quotas leave.
pub(super) async fn quota(conductor: &Conductor, work: &Work) -> StepResult {
    if work.cluster.stack_id.is_some() {
        return Ok(Next::Done);
    }
    fits(conductor, work, &need(&Facts::of(&work.cluster)?), "the cluster").await
}

/// Compares a need with what the project's quotas leave, so that a shortage is told now and not half-way through. A
/// service that does not answer in time is no obstacle: Heat will say.
pub(crate) async fn fits(conductor: &Conductor, work: &Work, need: &Need, what: &str) -> StepResult {
    let session = super::authority::acting(conductor, &work.cluster, Some(&work.operation)).await?;
    let (compute, network, volume) =
        tokio::join!(nova::limits(&session), neutron::quotas(&session), cinder::limits(&session));
    let mut short = Vec::new();
    if let Some(limits) = said(compute) {
        short.extend(lack("instances", need.instances, &limits.instances));
        short.extend(lack("cores", need.cores, &limits.cores));
        short.extend(lack("MiB of memory", need.ram_mib, &limits.ram));
    }
    if let Some(quota) = said(network).flatten() {
        for (name, what, need) in [("port", "ports", need.ports), ("floatingip", "floating IPs", need.floating_ips)] {
            short.extend(quota.get(name).and_then(|room| lack(what, need, room)));
        }
    }
    if let Some(limits) = said(volume) {
        short.extend(lack("volumes", need.volumes, &limits.volumes));
        short.extend(lack("GiB of volumes", need.gigabytes, &limits.gigabytes));
    }
    if short.is_empty() {
        return Ok(Next::Done);
    }
    let text = format!("The project's quota does not hold {what}: {}", short.join("; "));
    Err(Failure::Final(Fault::new(Code::CloudQuota, text)))
}

fn said<T>(answer: crate::openstack::Result<T>) -> Option<T> {
    answer.inspect_err(|error| tracing::info!(%error, "a quota cannot be read and is not checked")).ok()
}

fn lack(what: &str, need: i64, room: &Room) -> Option<String> {
    (!room.fits(need))
        .then(|| format!("{need} {what} needed, {} of {} left", (room.limit - room.used).max(0), room.limit))
}

fn need(facts: &Facts) -> Need {
    let (desired, masters, workers) =
        (&facts.desired, i64::from(facts.desired.master_count), i64::from(facts.desired.node_count));
    let nodes = masters + workers;
    let size = |label: &str| desired.label(label).and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    let per_node = [i64::from(desired.docker_volume_size.unwrap_or(0)), size("boot_volume_size")];
    let etcd = size("etcd_volume_size").max(size("etcd_blockdevice_size"));
    let count = |size: &i64| i64::from(*size > 0);
    let floating = if desired.floating_ip_enabled { nodes } else { 0 };
    Need {
        instances: nodes,
        cores: masters * i64::from(facts.master_flavor.vcpus) + workers * i64::from(facts.flavor.vcpus),
        ram_mib: masters * i64::from(facts.master_flavor.ram_mib) + workers * i64::from(facts.flavor.ram_mib),
        volumes: per_node.iter().map(count).sum::<i64>() * nodes + count(&etcd) * masters,
        gigabytes: per_node.iter().sum::<i64>() * nodes + etcd * masters,
        ports: nodes + i64::from(desired.master_lb_enabled),
        floating_ips: floating,
    }
}

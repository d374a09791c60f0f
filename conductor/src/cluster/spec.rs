//! From records to what a driver is given.

use chrono::TimeDelta;
use drivers::{CaBundle, ClusterSpec, Flavor, Image, NodegroupSpec, Role, Stack, Tokens};
use secrecy::ExposeSecret as _;

use super::facts::Facts;
use super::{Cluster, store};
use crate::column::now;
use crate::nodegroup::Nodegroup;
use crate::scope::Scope;
use crate::{Conductor, Error, Result, node, nodegroup};

/// How long a bootstrap token opens the node endpoints: the longest a create may take, and a node's later repair.
const VALID: TimeDelta = TimeDelta::days(1);

/// The specification of a cluster as its records have it, with its nodes' bootstrap tokens.
pub(crate) async fn of(conductor: &Conductor, cluster: &Cluster, nodegroups: &[Nodegroup]) -> Result<ClusterSpec> {
    let facts = Facts::of(cluster)?;
    let group = |role: Role| {
        nodegroups
            .iter()
            .find(|group| group.is_default && group.role == role.to_string())
            .ok_or_else(|| Error::internal(format!("the cluster has no default {role} nodegroup")))
    };
    let (masters, workers) = (group(Role::Master)?, group(Role::Worker)?);
    let tokens = Tokens { master: token(conductor, masters)?, worker: token(conductor, workers)? };
    Ok(ClusterSpec {
        uuid: cluster.uuid.clone(),
        project_id: cluster.project_id.clone(),
        stack_name: cluster.stack_name.clone().unwrap_or_default(),
        masters: group_spec(masters, facts.master_flavor, facts.image.clone()),
        workers: group_spec(workers, facts.flavor, facts.image),
        network: facts.network,
        ssh_public_key: cluster.ssh_public_key.clone(),
        api_url: format!("{}/v1", conductor.config.public_url()),
        api_ca: authority(conductor)?,
        node_reports: super::submit::nodes_report(conductor, cluster),
        tokens,
        desired: facts.desired,
    })
}

/// The same for the own stack of a nodegroup that did not come with the cluster: its workers are that one's.
pub(crate) async fn of_nodegroup(
    conductor: &Conductor,
    cluster: &Cluster,
    nodegroups: &[Nodegroup],
    group: &Nodegroup,
) -> Result<ClusterSpec> {
    let facts = nodegroup::Facts::of(group)?;
    let mut spec = of(conductor, cluster, nodegroups).await?;
    spec.desired.os_distro.clone_from(&facts.image.os_distro);
    spec.workers = group_spec(group, facts.flavor, facts.image);
    spec.tokens.worker = token(conductor, group)?;
    Ok(spec)
}

/// A nodegroup as drivers know it.
fn group_spec(group: &Nodegroup, flavor: Flavor, image: Image) -> NodegroupSpec {
    let taints = group.node_taints.iter().flat_map(|taints| &taints.0);
    NodegroupSpec {
        uuid: group.uuid.clone(),
        name: group.name.clone(),
        role: group.node_role(),
        count: u32::try_from(group.node_count).unwrap_or_default(),
        flavor,
        image,
        labels: group.labels.0.clone(),
        docker_volume_size: group.docker_volume_size.and_then(|size| u32::try_from(size).ok()),
        role_name: group.role.clone(),
        node_labels: group.node_labels.clone().unwrap_or_default().0,
        node_taints: taints.map(ToString::to_string).collect(),
    }
}

/// The present bootstrap token of the nodegroup's nodes.
fn token(conductor: &Conductor, group: &Nodegroup) -> Result<String> {
    node::bootstrap_token(conductor, group, generation(group)).map(|token| token.expose_secret().to_owned())
}

/// Puts the hashes of the nodes' bootstrap tokens on record, so that they open the node endpoints.
pub(crate) async fn admit_nodes(conductor: &Conductor, cluster: &Cluster, nodegroups: &[Nodegroup]) -> Result<()> {
    // Nodes of a nodegroup may come at any time until a newer generation takes over.
    let until = now() + VALID;
    for group in nodegroups {
        node::admit(conductor, &cluster.uuid, group, generation(group), until).await?;
    }
    Ok(())
}

/// Which of the nodegroup's bootstrap tokens is the present one.
pub(super) fn generation(group: &Nodegroup) -> u32 {
    u32::try_from(group.token_generation).unwrap_or_default()
}

/// The stack's name and the stack, as it was or would be submitted.
///
/// # Errors
/// Not found; or the records and this version's driver do not fit.
pub async fn render(conductor: &Conductor, uuid: &str) -> Result<(String, Stack)> {
    let view = store::view(&conductor.db, &Scope::All, uuid).await?;
    let spec = of(conductor, &view.cluster, &view.nodegroups).await?;
    let stack = conductor.driver(&view.cluster.driver)?.stack(&spec).map_err(Error::internal)?;
    Ok((spec.stack_name, stack))
}

/// The authority that nodes need to verify our endpoint; the image's own trust store where none is set.
fn authority(conductor: &Conductor) -> Result<Option<CaBundle>> {
    let Some(path) = &conductor.config.api.public_cafile else { return Ok(None) };
    let pem = std::fs::read_to_string(path)
        .map_err(|cause| Error::internal(format!("[api] public_cafile {} cannot be read: {cause}", path.display())))?;
    Ok(Some(CaBundle { pem }))
}

//! Clusters as clients read them: in short, in full, and in full with their faults.

use std::collections::BTreeMap;

use conductor::cluster::{HealthStatus, Status, View};
use conductor::nodegroup::Nodegroup;
use serde::Serialize;
use utoipa::ToSchema;

use crate::links::{Base, Link};
use crate::microversion::Microversion;
use crate::time;

/// Since then the backend's identifier is called `cluster_id` instead of `stack_id`.
const CLUSTER_ID: Microversion = Microversion(13);

/// The role of control plane nodegroups; every other one is a worker's.
const MASTER: &str = "master";

type Labels = BTreeMap<String, String>;

/// A cluster in short.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClusterSummary)]
pub struct Summary {
    /// Its identifier.
    uuid: String,
    /// Its name, which need not be unique.
    name: String,
    /// UUID of its cluster template.
    cluster_template_id: String,
    /// Nova keypair it was made with.
    keypair: Option<String>,
    /// Workers in all nodegroups.
    node_count: i32,
    /// Control plane nodes.
    master_count: i32,
    /// GiB of the container volume of each node.
    docker_volume_size: Option<i32>,
    /// Labels, after inheritance from the template.
    labels: Labels,
    /// Flavor of the control plane.
    master_flavor_id: Option<String>,
    /// Flavor of the workers.
    flavor_id: Option<String>,
    /// Minutes until an unfinished create fails; nothing or 0 means no limit.
    create_timeout: Option<i32>,
    /// Itself, with and without the version.
    links: Vec<Link>,
    /// Heat's identifier of its stack, since version 1.13.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    cluster_id: Option<Option<String>>,
    /// Heat's identifier of its stack, before version 1.13.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    stack_id: Option<Option<String>>,
    /// Where its life stands.
    #[schema(value_type = String)]
    status: Status,
    /// Whether its COE works.
    #[schema(value_type = Option<String>)]
    health_status: Option<HealthStatus>,
    /// Always false; it only means something in a request.
    merge_labels: bool,
}

impl Summary {
    /// The cluster in short, at that version.
    pub fn of(view: View, base: &Base, version: Microversion) -> Self {
        let count = |masters: bool| -> i32 {
            view.nodegroups.iter().filter(|group| (group.role == MASTER) == masters).map(|group| group.node_count).sum()
        };
        let (master_count, node_count) = (count(true), count(false));
        let cluster = view.cluster;
        let (cluster_id, stack_id) = match version >= CLUSTER_ID {
            true => (Some(cluster.stack_id), None),
            false => (None, Some(cluster.stack_id)),
        };
        Self {
            links: base.object("clusters", &cluster.uuid),
            uuid: cluster.uuid,
            name: cluster.name,
            cluster_template_id: cluster.cluster_template_id,
            keypair: cluster.keypair,
            node_count,
            master_count,
            docker_volume_size: cluster.docker_volume_size,
            labels: cluster.labels.0,
            master_flavor_id: cluster.master_flavor_id,
            flavor_id: cluster.flavor_id,
            create_timeout: cluster.create_timeout,
            cluster_id,
            stack_id,
            status: cluster.status,
            health_status: cluster.health_status,
            merge_labels: false,
        }
    }
}

/// A cluster in full.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cluster)]
pub struct Full {
    /// What the short form says.
    #[serde(flatten)]
    summary: Summary,
    /// Why its life stands so, for people.
    status_reason: Option<String>,
    /// What was found about its COE.
    health_status_reason: Labels,
    /// Kept for clients.
    discovery_url: Option<String>,
    /// The COE's API as a URL.
    api_address: Option<String>,
    /// Version of the COE.
    coe_version: Option<String>,
    /// Version of the container runtime.
    container_version: Option<String>,
    /// The project that owns it.
    project_id: String,
    /// The user who made it.
    user_id: String,
    /// Addresses of the workers.
    node_addresses: Vec<String>,
    /// Addresses of the control plane.
    master_addresses: Vec<String>,
    /// The user's own network.
    fixed_network: Option<String>,
    /// The user's own subnet.
    fixed_subnet: Option<String>,
    /// Floating IPs for nodes.
    floating_ip_enabled: bool,
    /// The template's value of each label that the cluster has with another value.
    labels_overridden: Labels,
    /// Labels that the template does not have.
    labels_added: Labels,
    /// The template's labels that the cluster does not have.
    labels_skipped: Labels,
    /// A load balancer in front of the control plane.
    master_lb_enabled: bool,
    /// When it was made.
    created_at: String,
    /// When it was last changed.
    updated_at: Option<String>,
    /// What went wrong, by nodegroup; only of one failed cluster that is asked for alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    faults: Option<Labels>,
}

impl Full {
    /// The cluster in full, at that version.
    pub fn of(view: View, base: &Base, version: Microversion) -> Self {
        let (cluster, template) = (view.cluster.clone(), view.template_labels.0.clone());
        let compared = Compared::of(&cluster.labels.0, template);
        Self {
            status_reason: cluster.status_reason,
            health_status_reason: cluster.health_status_reason.0,
            discovery_url: cluster.discovery_url,
            api_address: cluster.api_address,
            coe_version: cluster.coe_version,
            container_version: cluster.container_version,
            project_id: cluster.project_id,
            user_id: cluster.user_id,
            node_addresses: addresses(&view.nodegroups, |role| role != MASTER),
            master_addresses: addresses(&view.nodegroups, |role| role == MASTER),
            fixed_network: cluster.fixed_network,
            fixed_subnet: cluster.fixed_subnet,
            floating_ip_enabled: cluster.floating_ip_enabled,
            labels_overridden: compared.overridden,
            labels_added: compared.added,
            labels_skipped: compared.skipped,
            master_lb_enabled: cluster.master_lb_enabled,
            created_at: time::text(cluster.created_at),
            updated_at: cluster.updated_at.map(time::text),
            faults: None,
            summary: Summary::of(view, base, version),
        }
    }

    /// The same, and if it has failed, what failed.
    pub fn with_faults(view: View, base: &Base, version: Microversion) -> Self {
        let faults = view.cluster.status.is_failed().then(|| {
            let failed = view.nodegroups.iter().filter(|group| group.status.is_failed());
            failed.map(|group| (group.name.clone(), group.status_reason.clone().unwrap_or_default())).collect()
        });
        Self { faults, ..Self::of(view, base, version) }
    }
}

fn addresses(nodegroups: &[Nodegroup], which: impl Fn(&str) -> bool) -> Vec<String> {
    nodegroups
        .iter()
        .filter(|group| which(&group.role))
        .flat_map(|group| group.node_addresses.iter().cloned())
        .collect()
}

/// How labels differ from those of the parent they were inherited from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Compared {
    /// The parent's value of each label that both have with different values.
    pub(crate) overridden: Labels,
    /// Labels that the parent does not have.
    pub(crate) added: Labels,
    /// The parent's labels that the object does not have.
    pub(crate) skipped: Labels,
}

impl Compared {
    /// Compares them.
    pub(crate) fn of(own: &Labels, parent: Labels) -> Self {
        let added = own.iter().filter(|(key, _)| !parent.contains_key(*key));
        let added = added.map(|(key, value)| (key.clone(), value.clone())).collect();
        let (present, skipped): (Labels, Labels) = parent.into_iter().partition(|(key, _)| own.contains_key(key));
        let overridden = present.into_iter().filter(|(key, value)| own.get(key) != Some(value)).collect();
        Self { overridden, added, skipped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn labels_are_compared_with_the_parents_values() {
        let compared = Compared::of(
            &labels(&[("same", "1"), ("changed", "mine"), ("new", "mine")]),
            labels(&[("same", "1"), ("changed", "parent"), ("left", "parent")]),
        );
        assert_eq!(compared.overridden, labels(&[("changed", "parent")]));
        assert_eq!(compared.added, labels(&[("new", "mine")]));
        assert_eq!(compared.skipped, labels(&[("left", "parent")]));
    }
}

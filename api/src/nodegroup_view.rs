//! Nodegroups as clients read them: in short, and in full.

use std::collections::BTreeMap;

use conductor::cluster::Status;
use conductor::nodegroup::{Nodegroup, Taint};
use serde::Serialize;
use utoipa::ToSchema;

use crate::cluster_view::Compared;
use crate::links::{Base, Link};
use crate::time;

type Labels = BTreeMap<String, String>;

/// A nodegroup in short.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NodegroupSummary)]
pub struct Summary {
    /// Its identifier.
    uuid: String,
    /// Its name, unique within the cluster.
    name: String,
    /// Flavor of its servers.
    flavor_id: Option<String>,
    /// Image of its servers.
    image_id: Option<String>,
    /// Nodes it should have.
    node_count: i32,
    /// `master`, or any other word for a group of workers.
    role: String,
    /// Fewest nodes it may have.
    min_node_count: i32,
    /// Most nodes it may have.
    max_node_count: Option<i32>,
    /// Whether it came with the cluster.
    is_default: bool,
    /// Heat's identifier of the stack that holds it.
    stack_id: Option<String>,
    /// Where its life stands.
    #[schema(value_type = String)]
    status: Status,
    /// Always false; it only means something in a request.
    merge_labels: bool,
}

impl Summary {
    /// The nodegroup in short.
    pub fn of(group: Nodegroup) -> Self {
        Self {
            uuid: group.uuid,
            name: group.name,
            flavor_id: group.flavor_id,
            image_id: group.image_id,
            node_count: group.node_count,
            role: group.role,
            min_node_count: group.min_node_count,
            max_node_count: group.max_node_count,
            is_default: group.is_default,
            stack_id: group.stack_id,
            status: group.status,
            merge_labels: false,
        }
    }
}

/// A nodegroup in full.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Nodegroup)]
pub struct Full {
    /// What the short form says.
    #[serde(flatten)]
    summary: Summary,
    /// Its number.
    id: i64,
    /// Its cluster's identifier.
    cluster_id: String,
    /// The project that owns it.
    project_id: String,
    /// GiB of the container volume of each node.
    docker_volume_size: Option<i32>,
    /// Labels, after inheritance from the cluster.
    labels: Labels,
    /// The cluster's value of each label that the nodegroup has with another value.
    labels_overridden: Labels,
    /// Labels that the cluster does not have.
    labels_added: Labels,
    /// The cluster's labels that the nodegroup does not have.
    labels_skipped: Labels,
    /// Addresses of its nodes.
    node_addresses: Vec<String>,
    /// Why its life stands so, for people.
    status_reason: Option<String>,
    /// Version of the COE on its nodes.
    version: Option<String>,
    /// Kubernetes labels of its nodes.
    node_labels: Option<Labels>,
    /// Kubernetes taints of its nodes.
    #[schema(value_type = Option<Vec<Object>>)]
    node_taints: Option<Vec<Taint>>,
    /// Itself, with and without the version.
    links: Vec<Link>,
    /// When it was made.
    created_at: String,
    /// When it was last changed.
    updated_at: Option<String>,
}

impl Full {
    /// The nodegroup in full; `cluster` are the labels of its cluster.
    pub fn of(group: Nodegroup, cluster: Labels, base: &Base) -> Self {
        let compared = Compared::of(&group.labels.0, cluster);
        let shown = group.clone();
        Self {
            id: group.id,
            links: base.object(&format!("clusters/{}/nodegroups", group.cluster_uuid), &group.uuid),
            cluster_id: group.cluster_uuid,
            project_id: group.project_id,
            docker_volume_size: group.docker_volume_size,
            labels: group.labels.0,
            labels_overridden: compared.overridden,
            labels_added: compared.added,
            labels_skipped: compared.skipped,
            node_addresses: group.node_addresses.0,
            status_reason: group.status_reason,
            version: group.version,
            node_labels: group.node_labels.map(|labels| labels.0),
            node_taints: group.node_taints.map(|taints| taints.0),
            created_at: time::text(group.created_at),
            updated_at: group.updated_at.map(time::text),
            summary: Summary::of(shown),
        }
    }
}

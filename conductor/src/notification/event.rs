//! CADF events, key by key as Magnum writes them.

use serde_json::{Value, json};
use uuid::Uuid;

use super::Outcome;
use crate::cluster::{Status, View};
use crate::column::{Moment, now};
use crate::nodegroup::{MASTER, Nodegroup};
use crate::operation::{Kind, Operation};

/// What a cluster is in CADF's words.
const CLUSTER: &str = "service/magnum/cluster";

/// What an operation of that kind does to its cluster.
pub(super) fn action(kind: &str) -> &'static str {
    match kind {
        "cluster.create" => "create",
        "cluster.delete" => "delete",
        _ => "update",
    }
}

/// The event.
pub(super) fn payload(operation: &Operation, view: &View, outcome: Outcome) -> Value {
    let identifier = || Uuid::new_v4().to_string();
    json!({
        "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event",
        "eventType": "activity",
        "id": identifier(),
        "eventTime": time(now()),
        "action": action(&operation.kind),
        "outcome": outcome.as_str(),
        "observer": {"typeURI": CLUSTER, "id": identifier()},
        "initiator": {
            "typeURI": "service/security/account/user",
            "id": operation.user_id,
            "user_id": operation.user_id,
            "project_id": operation.project_id,
        },
        "target": {
            "typeURI": CLUSTER,
            "id": view.cluster.uuid,
            "name": view.cluster.name,
            "attachments": [
                {"name": "cluster_data", "typeURI": CLUSTER, "content": content(view, status(operation, view, outcome))},
            ],
        },
    })
}

/// The cluster's status when the operation has come so far, whether its row says so already or not.
fn status(operation: &Operation, view: &View, outcome: Outcome) -> Status {
    match (outcome, action(&operation.kind)) {
        (Outcome::Pending, _) => view.cluster.status,
        (Outcome::Success, "create") => Status::CreateComplete,
        (Outcome::Success, "delete") => Status::DeleteComplete,
        (Outcome::Success, _) => Status::UpdateComplete,
        (Outcome::Failure, _) if view.cluster.status == Status::RollbackComplete => Status::RollbackComplete,
        (Outcome::Failure, _) => Kind::find(&operation.kind).map_or(Status::UpdateFailed, |kind| kind.cluster.failed()),
    }
}

fn content(view: &View, status: Status) -> Value {
    let cluster = &view.cluster;
    let groups = |masters: bool| view.nodegroups.iter().filter(move |group| (group.role == MASTER) == masters);
    let count = |masters| groups(masters).map(|group| group.node_count).sum::<i32>();
    let addresses = |masters| groups(masters).flat_map(addresses_of).collect::<Vec<_>>();
    json!({
        "status": status,
        "status_reason": cluster.status_reason,
        "project_id": cluster.project_id,
        "created_at": time(cluster.created_at),
        "updated_at": cluster.updated_at.map(time),
        "cluster_template_id": cluster.cluster_template_id,
        "keypair": cluster.keypair,
        // As Magnum spells it, and as it is meant.
        "docker_volume_size:": cluster.docker_volume_size,
        "docker_volume_size": cluster.docker_volume_size,
        "labels": cluster.labels,
        "master_flavor_id": cluster.master_flavor_id,
        "flavor_id": cluster.flavor_id,
        "stack_id": cluster.stack_id,
        "health_status": cluster.health_status,
        "create_timeout": cluster.create_timeout,
        "api_address": cluster.api_address,
        "discovery_url": cluster.discovery_url,
        "node_addresses": addresses(false),
        "master_addresses": addresses(true),
        "node_count": count(false),
        "master_count": count(true),
    })
}

fn addresses_of(group: &Nodegroup) -> &[String] {
    &group.node_addresses
}

fn time(moment: Moment) -> String {
    moment.format("%Y-%m-%dT%H:%M:%S%.6f+0000").to_string()
}

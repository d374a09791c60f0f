//! Changes of `/v1/clusters/{cluster}`: `PATCH`, and `actions/resize`.

use axum::Json;
use axum::extract::State;
use conductor::cluster::{self, HealthStatus, View};
use conductor::column::StringMap;
use conductor::nodegroup::{DEFAULT_WORKER, MASTER};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Api;
use crate::authorize;
use crate::body::{Field, Null, Payload};
use crate::caller::Caller;
use crate::clusters::{Accepted, NODES, NOT_NEGATIVE, no_zero};
use crate::coerce::{Kind, TEXT};
use crate::error::{Error, Result};
use crate::ident::Ident;
use crate::microversion::Microversion;
use crate::patch::{self, Rules};
use crate::query::{Arguments, Given, Nothing, Query};

/// Since then a patch may say that a failure is to be undone.
const ROLLBACK: Microversion = Microversion(3);

/// Since then there is an action to resize.
const RESIZE: Microversion = Microversion(7);

/// What a patch may name; most of it may only be given the value that it has.
const PATCHED: &[Field] = &[
    Field::optional("name", Kind::Any),
    Field::optional("cluster_template_id", Kind::Any),
    Field::optional("keypair", Kind::Any),
    Field::optional("node_count", NODES).null(Null::Refused),
    Field::optional("master_count", NOT_NEGATIVE),
    Field::optional("docker_volume_size", NOT_NEGATIVE),
    Field::optional("labels", Kind::Labels),
    Field::optional("master_flavor_id", Kind::Any),
    Field::optional("flavor_id", Kind::Any),
    Field::optional("create_timeout", NOT_NEGATIVE),
    Field::optional("discovery_url", Kind::Any),
    Field::optional("fixed_network", Kind::Any),
    Field::optional("fixed_subnet", Kind::Any),
    Field::optional("floating_ip_enabled", Kind::Boolean),
    Field::optional("master_lb_enabled", Kind::Boolean),
    Field::optional("status", Kind::Any),
    Field::optional("status_reason", Kind::Any),
    Field::optional("coe_version", Kind::Any),
    Field::optional("container_version", Kind::Any),
    Field::optional("health_status", Kind::OneOf(&["HEALTHY", "UNHEALTHY", "UNKNOWN"])),
    Field::optional("health_status_reason", Kind::Labels),
];

const PATCHES: Rules = Rules {
    fields: PATCHED,
    internal: &[
        "id",
        "uuid",
        "project_id",
        "user_id",
        "links",
        "created_at",
        "updated_at",
        "stack_id",
        "cluster_id",
        "api_address",
        "node_addresses",
        "master_addresses",
        "ca_cert_ref",
        "magnum_cert_ref",
        "etcd_ca_cert_ref",
        "front_proxy_ca_cert_ref",
        "trust_id",
        "trustee_username",
        "trustee_user_id",
        "trustee_password",
    ],
    // To remove the number of workers means nothing; it is not taken for 1.
    mandatory: &["cluster_template_id", "node_count"],
};

/// The attributes that tell a cluster's health.
const HEALTH: [&str; 2] = ["health_status", "health_status_reason"];

/// The rule of policy to tell it.
const UPDATE_HEALTH: &str = "cluster:update_health_status";

/// The attributes that a patch may really change.
const CHANGEABLE: [&str; 3] = ["node_count", HEALTH[0], HEALTH[1]];

/// The body of a resize.
pub(crate) const RESIZE_FIELDS: &[Field] = &[
    Field::mandatory("node_count", NODES),
    Field::optional("nodes_to_remove", Kind::Texts),
    Field::optional("nodegroup", TEXT),
];

/// A resize, well-formed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resize {
    node_count: u32,
    nodes_to_remove: Vec<String>,
    nodegroup: Option<String>,
}

/// What may stand behind the path of a patch.
pub struct Undo {
    /// Whether a change that fails is to be undone.
    rollback: Option<bool>,
}

impl Arguments for Undo {
    fn take(given: &mut Given) -> Result<Self> {
        Ok(Self { rollback: given.boolean("rollback")? })
    }
}

impl Undo {
    /// Whether it was asked for, which old versions do not know.
    fn at(&self, version: Microversion) -> Result<bool> {
        match self.rollback {
            Some(_) if version < ROLLBACK => Err(Error::invalid("Unknown argument: \"rollback\"")),
            given => Ok(given.unwrap_or(false)),
        }
    }
}

/// Accepts another number of workers in the default nodegroup, or records what was found about the cluster's health.
#[utoipa::path(patch, operation_id = "update_cluster", path = "/v1/clusters/{cluster_ident}", tag = "clusters",
    params(("cluster_ident" = String, Path, description = "UUID or name"),
        ("rollback" = Option<bool>, Query, description = "Whether a change that fails is undone; since 1.3")),
    request_body(content = Vec<crate::openapi::PatchOperation>),
    responses((status = 202, description = "The cluster will be changed", body = Accepted)))]
pub async fn update(
    State(api): State<Api>,
    caller: Caller,
    version: Microversion,
    Ident(ident): Ident,
    Query(undo): Query<Undo>,
    payload: Payload,
) -> Result<(StatusCode, Json<Accepted>)> {
    let rollback = undo.at(version)?;
    let changes = patch::read(&payload, &PATCHES)?;
    let scope = api.scope(&caller, "cluster:update_all_projects")?;
    let view = cluster::store::view(&api.conductor.db, &scope, &ident).await?;
    let target = || Some(authorize::target(&view.cluster));
    // What runs inside a cluster may tell the cluster's health, and change nothing.
    let health_only = !changes.is_empty() && changes.iter().all(of_health);
    let inside = caller.0.cluster.is_some();
    api.allow(&caller, if inside && health_only { UPDATE_HEALTH } else { "cluster:update" }, target())?;
    let request = cluster::update::Request { rollback, ..requested(&changes, &view, version)? };
    if request.health_status.is_some() || request.health_status_reason.is_some() {
        api.allow(&caller, UPDATE_HEALTH, target())?;
    }
    cluster::update(&api.conductor, &caller.0, &view.cluster, request).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { uuid: view.cluster.uuid })))
}

/// Accepts another number of nodes in a nodegroup, and says which go.
#[utoipa::path(post, operation_id = "resize_cluster", path = "/v1/clusters/{cluster_ident}/actions/resize", tag = "clusters",
    params(("cluster_ident" = String, Path, description = "UUID or name")),
    request_body(content = crate::openapi::Resize),
    responses((status = 202, description = "The nodegroup will be resized", body = Accepted)))]
pub async fn resize(
    State(api): State<Api>,
    caller: Caller,
    version: Microversion,
    Ident(ident): Ident,
    Query(Nothing): Query<Nothing>,
    payload: Payload,
) -> Result<(StatusCode, Json<Accepted>)> {
    version.at_least(RESIZE, "resize")?;
    let given: Resize = payload.object("cluster_resize_req", RESIZE_FIELDS)?.into()?;
    no_zero(Some(given.node_count), version)?;
    let scope = api.scope(&caller, "cluster:resize_all_projects")?;
    let cluster = cluster::store::find(&api.conductor.db, &scope, &ident).await?;
    api.allow(&caller, "cluster:resize", Some(authorize::target(&cluster)))?;
    let Resize { node_count, nodes_to_remove, nodegroup } = given;
    let request = cluster::resize::Request { nodegroup, node_count, nodes_to_remove };
    cluster::resize(&api.conductor, &caller.0, &cluster, request).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { uuid: cluster.uuid })))
}

fn of_health(change: &patch::Change) -> bool {
    HEALTH.iter().any(|name| change.names(name))
}

/// What a patch changes of a cluster.
fn requested(changes: &[patch::Change], view: &View, version: Microversion) -> Result<cluster::update::Request> {
    let before = document(view)?;
    let after = patch::apply(changes, &before, &PATCHES)?;
    let changed = |name: &str| after.get(name) != before.get(name);
    let fixed: Vec<&str> =
        after.keys().map(String::as_str).filter(|name| changed(name) && !CHANGEABLE.contains(name)).collect();
    if !fixed.is_empty() {
        return Err(Error::invalid(format!("cannot change cluster property(ies) {}.", fixed.join(", "))));
    }
    let named = |name: &str| changes.iter().any(|change| change.names(name));
    let node_count: Option<u32> = named("node_count").then(|| read(&after["node_count"])).transpose()?;
    no_zero(node_count.filter(|_| changed("node_count")), version)?;
    let health: Option<Option<HealthStatus>> =
        changed("health_status").then(|| read(&after["health_status"])).transpose()?;
    let found: Option<StringMap> =
        changed("health_status_reason").then(|| read(&after["health_status_reason"])).transpose()?;
    Ok(cluster::update::Request { node_count, rollback: false, health_status: health, health_status_reason: found })
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T> {
    serde_json::from_value(value.clone()).map_err(|why| conductor::Error::internal(why).into())
}

/// The cluster as a patch sees it: its number of workers is that of the default nodegroup.
fn document(view: &View) -> Result<Map<String, Value>> {
    let View { cluster, nodegroups, .. } = view;
    let masters: i32 = nodegroups.iter().filter(|group| group.role == MASTER).map(|group| group.node_count).sum();
    let workers = nodegroups.iter().find(|group| group.name == DEFAULT_WORKER).map(|group| group.node_count);
    let document = json!({
        "name": cluster.name,
        "cluster_template_id": cluster.cluster_template_id,
        "keypair": cluster.keypair,
        "node_count": workers,
        "master_count": masters,
        "docker_volume_size": cluster.docker_volume_size,
        "labels": cluster.labels,
        "master_flavor_id": cluster.master_flavor_id,
        "flavor_id": cluster.flavor_id,
        "create_timeout": cluster.create_timeout,
        "discovery_url": cluster.discovery_url,
        "fixed_network": cluster.fixed_network,
        "fixed_subnet": cluster.fixed_subnet,
        "floating_ip_enabled": cluster.floating_ip_enabled,
        "master_lb_enabled": cluster.master_lb_enabled,
        "status": cluster.status,
        "status_reason": cluster.status_reason,
        "coe_version": cluster.coe_version,
        "container_version": cluster.container_version,
        "health_status": cluster.health_status,
        "health_status_reason": cluster.health_status_reason,
    });
    match document {
        Value::Object(document) => Ok(document),
        _ => Err(conductor::Error::internal("a cluster is no object").into()),
    }
}

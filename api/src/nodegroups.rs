//! `/v1/clusters/{cluster}/nodegroups`.

use axum::Json;
use axum::extract::State;
use conductor::cluster::{self, View};
use conductor::nodegroup::{self, Nodegroup, Taint};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::body::{Field, Null, Payload};
use crate::caller::Caller;
use crate::clusters::NODES;
use crate::coerce::{Kind, TEXT};
use crate::error::Result;
use crate::ident::Segments;
use crate::links::Base;
use crate::microversion::Microversion;
use crate::nodegroup_view::{Full, Summary};
use crate::page::{self, Listing};
use crate::patch::{self, Rules};
use crate::query::{Arguments, Given, Nothing, Query};

/// Since then there are nodegroups.
const NODEGROUPS: Microversion = Microversion(9);

const POSITIVE: Kind = Kind::Integer { min: 1, max: i32::MAX as i64 };
const NOT_NEGATIVE: Kind = Kind::Integer { min: 0, max: i32::MAX as i64 };

/// Every attribute a client may name when it makes a nodegroup.
pub(crate) const FIELDS: &[Field] = &[
    Field::mandatory("name", TEXT),
    Field::optional("docker_volume_size", POSITIVE),
    Field::optional("labels", Kind::Labels),
    Field::optional("merge_labels", Kind::Boolean),
    Field::optional("flavor_id", TEXT),
    Field::optional("image_id", TEXT),
    Field::optional("node_count", NODES).null(Null::Refused),
    Field::optional("role", TEXT).null(Null::Refused),
    Field::optional("min_node_count", NOT_NEGATIVE).null(Null::Refused),
    Field::optional("max_node_count", NOT_NEGATIVE),
    Field::optional("node_labels", Kind::NodeLabels),
    Field::optional("node_taints", Kind::Taints),
    Field::ignored("id"),
    Field::ignored("uuid"),
    Field::ignored("cluster_id"),
    Field::ignored("is_default"),
    Field::ignored("status"),
    Field::ignored("status_reason"),
    Field::ignored("version"),
    Field::ignored("labels_overridden"),
    Field::ignored("labels_added"),
    Field::ignored("labels_skipped"),
    Field::read_only("project_id"),
    Field::read_only("node_addresses"),
    Field::read_only("stack_id"),
    Field::read_only("links"),
    Field::read_only("created_at"),
    Field::read_only("updated_at"),
];

/// What may be patched; the number of nodes changes by a resize.
const PATCHES: Rules = Rules {
    fields: &[
        Field::optional("min_node_count", NOT_NEGATIVE).null(Null::Refused),
        Field::optional("max_node_count", NOT_NEGATIVE),
        Field::optional("node_labels", Kind::NodeLabels).null(Null::Refused),
        Field::optional("node_taints", Kind::Taints).null(Null::Refused),
    ],
    internal: &[
        "id",
        "uuid",
        "name",
        "cluster_id",
        "project_id",
        "docker_volume_size",
        "labels",
        "merge_labels",
        "labels_overridden",
        "labels_added",
        "labels_skipped",
        "flavor_id",
        "image_id",
        "node_addresses",
        "node_count",
        "role",
        "is_default",
        "stack_id",
        "status",
        "status_reason",
        "version",
        "links",
        "created_at",
        "updated_at",
    ],
    mandatory: &[],
};

/// The body of a create, well-formed.
#[derive(Debug, Deserialize)]
struct New {
    name: String,
    docker_volume_size: Option<u32>,
    labels: Option<std::collections::BTreeMap<String, String>>,
    #[serde(default)]
    merge_labels: bool,
    flavor_id: Option<String>,
    image_id: Option<String>,
    node_count: Option<u32>,
    role: Option<String>,
    min_node_count: Option<u32>,
    max_node_count: Option<u32>,
    node_labels: Option<std::collections::BTreeMap<String, String>>,
    node_taints: Option<Value>,
}

impl New {
    fn request(self) -> Result<nodegroup::Request> {
        Ok(nodegroup::Request {
            name: self.name,
            role: self.role,
            node_count: self.node_count,
            min_node_count: self.min_node_count,
            max_node_count: self.max_node_count,
            docker_volume_size: self.docker_volume_size,
            flavor_id: self.flavor_id,
            image_id: self.image_id,
            labels: self.labels,
            merge_labels: self.merge_labels,
            node_labels: self.node_labels,
            node_taints: self.node_taints.as_ref().map(taints).transpose()?,
        })
    }
}

/// Which nodegroups are asked for.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Only those of this role.
    role: Option<String>,
    #[param(ignore)]
    listing: Listing,
}

impl Arguments for Wanted {
    fn take(given: &mut Given) -> Result<Self> {
        Ok(Self { role: given.text("role"), listing: Listing::take(given)? })
    }
}

/// A page of nodegroups, in short.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Nodegroups)]
pub struct Summaries {
    /// The nodegroups.
    nodegroups: Vec<Summary>,
    /// The next page, when this one is full.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Lists a cluster's nodegroups, in short.
#[utoipa::path(get, operation_id = "list_nodegroups", path = "/v1/clusters/{cluster_id}/nodegroups", tag = "nodegroups",
    params(("cluster_id" = String, Path, description = "UUID or name"), Wanted, crate::openapi::PageParameters),
    responses((status = 200, description = "A page of nodegroups", body = Summaries)))]
pub async fn list(
    State(api): State<Api>,
    caller: Caller,
    base: Base,
    version: Microversion,
    mut path: Segments,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Summaries>> {
    version.at_least(NODEGROUPS, "get_all")?;
    let rules = ["nodegroup:get_all", "nodegroup:get_all_all_projects"];
    let view = cluster_of(&api, &caller, &mut path, rules).await?;
    let page = wanted.listing.page(api.conductor.config.api.max_limit)?;
    let (cluster, role) = (&view.cluster.uuid, wanted.role.as_deref());
    let groups = nodegroup::store::list(&api.conductor.db, cluster, role, &page).await?;
    let filters: Vec<_> = role.map(|role| ("role", role)).into_iter().collect();
    let last = groups.last().map(|group| group.uuid.as_str());
    let next = page::next(&base, &format!("clusters/{cluster}/nodegroups"), &page, &filters, groups.len(), last);
    Ok(Json(Summaries { nodegroups: groups.into_iter().map(Summary::of).collect(), next }))
}

/// Shows one nodegroup, by UUID or name.
#[utoipa::path(get, operation_id = "show_nodegroup", path = "/v1/clusters/{cluster_id}/nodegroups/{nodegroup_id}",
    tag = "nodegroups", params(("cluster_id" = String, Path, description = "UUID or name"),
        ("nodegroup_id" = String, Path, description = "UUID or name")),
    responses((status = 200, description = "The nodegroup", body = Full)))]
pub async fn show(
    State(api): State<Api>,
    caller: Caller,
    base: Base,
    version: Microversion,
    mut path: Segments,
    Query(Nothing): Query<Nothing>,
) -> Result<Json<Full>> {
    version.at_least(NODEGROUPS, "get_one")?;
    let rules = ["nodegroup:get", "nodegroup:get_one_all_projects"];
    let view = cluster_of(&api, &caller, &mut path, rules).await?;
    let group = group_of(&api, &view, &mut path).await?;
    Ok(Json(Full::of(group, view.cluster.labels.0, &base)))
}

/// Accepts a nodegroup; its making goes on after the answer.
#[utoipa::path(post, operation_id = "create_nodegroup", path = "/v1/clusters/{cluster_id}/nodegroups", tag = "nodegroups",
    params(("cluster_id" = String, Path, description = "UUID or name")),
    request_body(content = crate::openapi::NewNodegroup),
    responses((status = 202, description = "The nodegroup will be made", body = Full)))]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    base: Base,
    version: Microversion,
    mut path: Segments,
    Query(Nothing): Query<Nothing>,
    payload: Payload,
) -> Result<(StatusCode, Json<Full>)> {
    version.at_least(NODEGROUPS, "post")?;
    let new: New = payload.object("nodegroup", FIELDS)?.into()?;
    let rules = ["nodegroup:create", "nodegroup:create_all_projects"];
    let view = cluster_of(&api, &caller, &mut path, rules).await?;
    let labels = view.cluster.labels.0.clone();
    let group = nodegroup::create(&api.conductor, &caller.0, view, new.request()?).await?;
    Ok((StatusCode::ACCEPTED, Json(Full::of(group, labels, &base))))
}

/// Changes a nodegroup by a JSON patch: how many nodes it may have, and the labels and taints of nodes made from now on.
#[utoipa::path(patch, operation_id = "update_nodegroup", path = "/v1/clusters/{cluster_id}/nodegroups/{nodegroup_id}",
    tag = "nodegroups", params(("cluster_id" = String, Path, description = "UUID or name"),
        ("nodegroup_id" = String, Path, description = "UUID or name")),
    request_body(content = Vec<crate::openapi::PatchOperation>),
    responses((status = 202, description = "The nodegroup is changed", body = Full)))]
pub async fn update(
    State(api): State<Api>,
    caller: Caller,
    base: Base,
    version: Microversion,
    mut path: Segments,
    Query(Nothing): Query<Nothing>,
    payload: Payload,
) -> Result<(StatusCode, Json<Full>)> {
    version.at_least(NODEGROUPS, "patch")?;
    let changes = patch::read(&payload, &PATCHES)?;
    let rules = ["nodegroup:update", "nodegroup:update_all_projects"];
    let view = cluster_of(&api, &caller, &mut path, rules).await?;
    let group = group_of(&api, &view, &mut path).await?;
    let wanted = patched(&group, &changes)?;
    let group = nodegroup::update(&api.conductor, &caller.0, &view.cluster, &group, &wanted).await?;
    Ok((StatusCode::ACCEPTED, Json(Full::of(group, view.cluster.labels.0, &base))))
}

/// Accepts the deletion of a nodegroup that did not come with its cluster.
#[utoipa::path(delete, operation_id = "delete_nodegroup", path = "/v1/clusters/{cluster_id}/nodegroups/{nodegroup_id}",
    tag = "nodegroups", params(("cluster_id" = String, Path, description = "UUID or name"),
        ("nodegroup_id" = String, Path, description = "UUID or name")),
    responses((status = 204, description = "The nodegroup will be removed")))]
pub async fn delete(
    State(api): State<Api>,
    caller: Caller,
    version: Microversion,
    mut path: Segments,
    Query(Nothing): Query<Nothing>,
) -> Result<StatusCode> {
    version.at_least(NODEGROUPS, "delete")?;
    let rules = ["nodegroup:delete", "nodegroup:delete_all_projects"];
    let view = cluster_of(&api, &caller, &mut path, rules).await?;
    let group = group_of(&api, &view, &mut path).await?;
    nodegroup::delete(&api.conductor, &caller.0, &view.cluster, &group).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The cluster that the path names, once the policy has allowed the rule.
async fn cluster_of(
    api: &Api,
    caller: &Caller,
    path: &mut Segments,
    [rule, all_projects]: [&'static str; 2],
) -> Result<View> {
    api.allow(caller, rule, None)?;
    let scope = api.scope(caller, all_projects)?;
    Ok(cluster::store::view(&api.conductor.db, &scope, &path.take("cluster_id")?).await?)
}

async fn group_of(api: &Api, view: &View, path: &mut Segments) -> Result<Nodegroup> {
    Ok(nodegroup::store::find(&api.conductor.db, &view.cluster.uuid, &path.take("nodegroup_id")?).await?)
}

/// The nodegroup's attributes after the patch.
fn patched(group: &Nodegroup, changes: &[patch::Change]) -> Result<nodegroup::Wanted> {
    let labels = group.node_labels.clone().unwrap_or_default();
    let taints_now = group.node_taints.clone().unwrap_or_default();
    let document = Map::from_iter([
        ("min_node_count".to_owned(), json!(group.min_node_count)),
        ("max_node_count".to_owned(), json!(group.max_node_count)),
        ("node_labels".to_owned(), json!(labels.0)),
        ("node_taints".to_owned(), json!(taints_now)),
    ]);
    let patched = patch::apply(changes, &document, &PATCHES)?;
    let number = |name: &str| patched[name].as_i64().and_then(|number| i32::try_from(number).ok());
    let label = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    let labels = patched["node_labels"].as_object().into_iter().flatten();
    Ok(nodegroup::Wanted {
        min_node_count: number("min_node_count").unwrap_or(0),
        max_node_count: number("max_node_count"),
        node_labels: labels.filter_map(label).collect(),
        node_taints: taints(&patched["node_taints"])?,
    })
}

/// Taints whose members were found to be text; what is wrong with them otherwise is a conflict, as it always was.
fn taints(given: &Value) -> Result<Vec<Taint>> {
    let taint = |given: &Value| {
        serde_json::from_value(given.clone())
            .map_err(|why| conductor::Error::conflict(format!("node_taints is invalid ({why}).")).into())
    };
    given.as_array().into_iter().flatten().map(taint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &Value) -> Result<nodegroup::Request, (u16, String)> {
        let text = |error: crate::error::Error| (error.status().as_u16(), error.detail().to_owned());
        let new = Payload::new(body.to_string()).object("nodegroup", FIELDS).and_then(|object| object.into::<New>());
        new.and_then(New::request).map_err(text)
    }

    #[test]
    fn a_nodegroup_needs_a_name_and_no_more() {
        assert_eq!(read(&json!({"name": "n"})).unwrap().name, "n");
        for body in [json!({}), json!({"name": null}), json!({"name": ""}), json!([]), json!(null)] {
            assert_eq!(read(&body).unwrap_err().0, 400, "{body}");
        }
    }

    #[test]
    fn what_only_the_server_sets_has_no_effect_or_is_refused() {
        let owned =
            json!({"name": "n", "id": 7, "uuid": "x", "is_default": true, "status": "CREATE_FAILED", "version": "1"});
        assert!(read(&owned).is_ok());
        for name in ["project_id", "stack_id", "node_addresses", "links"] {
            assert!(read(&json!({"name": "n", name: "x"})).unwrap_err().1.ends_with("read only field."), "{name}");
        }
        for name in ["node_count", "min_node_count", "role"] {
            assert_eq!(read(&json!({"name": "n", name: null})).unwrap_err().0, 400, "{name}");
        }
    }

    #[test]
    fn labels_and_taints_of_nodes_are_objects_with_text() {
        let given = read(&json!({"name": "n", "labels": {}, "node_labels": {"a": "b"},
            "node_taints": [{"key": "gpu", "effect": "NoSchedule"}]}));
        let given = given.unwrap();
        assert_eq!((given.labels.unwrap().len(), given.node_taints.unwrap()[0].key.as_str()), (0, "gpu"));
        assert_eq!(read(&json!({"name": "n", "node_labels": {"a": 1}})).unwrap_err().0, 400);
        assert_eq!(read(&json!({"name": "n", "node_taints": ["gpu"]})).unwrap_err().0, 400);
        for taint in
            [json!({"key": "a"}), json!({"effect": "NoSchedule"}), json!({"key": "a", "effect": "x", "y": "z"})]
        {
            assert_eq!(read(&json!({"name": "n", "node_taints": [taint]})).unwrap_err().0, 409, "{taint}");
        }
    }
}

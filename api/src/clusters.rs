//! `/v1/clusters`.

use axum::Json;
use axum::extract::State;
use conductor::cluster::{self, Request};
use conductor::{Kind as ErrorKind, cluster_template};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Api;
use crate::authorize::target;
use crate::body::{Field, Null, Payload};
use crate::caller::Caller;
use crate::cluster_view::{Full, Summary};
use crate::coerce::{Kind, TEXT};
use crate::error::{Error, Result};
use crate::ident::Ident;
use crate::links::Base;
use crate::microversion::Microversion;
use crate::page::{self, Listing};
use crate::query::{Nothing, Query};

const COLLECTION: &str = "clusters";

/// Since then a cluster may have no workers, and an unknown template is 404 instead of 400.
const ZERO_NODES: Microversion = Microversion(10);

/// Minutes until an unfinished create fails when the request does not say.
const CREATE_TIMEOUT: u32 = 60;

const POSITIVE: Kind = Kind::Integer { min: 1, max: i32::MAX as i64 };
pub(crate) const NOT_NEGATIVE: Kind = Kind::Integer { min: 0, max: i32::MAX as i64 };
/// Nodes of one nodegroup, each of which has a name and maybe a record: ten times what Heat lets a stack hold by default.
pub(crate) const NODES: Kind = Kind::Integer { min: 0, max: 10_000 };

/// Every attribute a client may name when it makes a cluster.
pub(crate) const FIELDS: &[Field] = &[
    Field::optional("name", Kind::ClusterName),
    Field::mandatory("cluster_template_id", TEXT).null(Null::Kept),
    Field::optional("keypair", TEXT),
    Field::optional("node_count", NODES),
    Field::optional("master_count", POSITIVE).null(Null::Refused),
    Field::optional("docker_volume_size", POSITIVE),
    Field::optional("labels", Kind::Labels),
    Field::optional("merge_labels", Kind::Boolean),
    Field::optional("master_flavor_id", TEXT),
    Field::optional("flavor_id", TEXT),
    Field::optional("create_timeout", NOT_NEGATIVE).null(Null::Kept),
    Field::optional("fixed_network", TEXT),
    Field::optional("fixed_subnet", TEXT),
    Field::optional("floating_ip_enabled", Kind::Boolean),
    Field::optional("master_lb_enabled", Kind::Boolean),
    Field::optional("discovery_url", Kind::Text { min: 0, max: 65535 }),
    Field::ignored("uuid"),
    Field::ignored("status"),
    Field::ignored("status_reason"),
    Field::ignored("health_status"),
    Field::ignored("health_status_reason"),
    Field::ignored("faults"),
    Field::ignored("labels_overridden"),
    Field::ignored("labels_added"),
    Field::ignored("labels_skipped"),
    Field::read_only("cluster_id"),
    Field::read_only("stack_id"),
    Field::read_only("api_address"),
    Field::read_only("node_addresses"),
    Field::read_only("master_addresses"),
    Field::read_only("coe_version"),
    Field::read_only("container_version"),
    Field::read_only("project_id"),
    Field::read_only("user_id"),
    Field::read_only("links"),
    Field::read_only("created_at"),
    Field::read_only("updated_at"),
];

/// The body of a create, well-formed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Given {
    name: Option<String>,
    cluster_template_id: Option<String>,
    keypair: Option<String>,
    node_count: Option<u32>,
    master_count: Option<u32>,
    docker_volume_size: Option<u32>,
    labels: Option<std::collections::BTreeMap<String, String>>,
    merge_labels: bool,
    master_flavor_id: Option<String>,
    flavor_id: Option<String>,
    create_timeout: Option<u32>,
    fixed_network: Option<String>,
    fixed_subnet: Option<String>,
    floating_ip_enabled: Option<bool>,
    master_lb_enabled: Option<bool>,
    discovery_url: Option<String>,
}

impl Given {
    fn read(payload: &Payload, version: Microversion) -> Result<Self> {
        let mut object = payload.object("cluster", FIELDS)?;
        // Left out means an hour, `null` means no limit.
        object.0.entry("create_timeout").or_insert_with(|| CREATE_TIMEOUT.into());
        let given: Self = object.into()?;
        no_zero(given.node_count, version)?;
        Ok(given)
    }

    /// The template's UUID or name; `null` names none.
    fn template(&self) -> &str {
        self.cluster_template_id.as_deref().unwrap_or_default()
    }

    fn request(self, admin: bool) -> Request {
        Request {
            name: self.name,
            keypair: self.keypair,
            node_count: self.node_count,
            master_count: self.master_count,
            docker_volume_size: self.docker_volume_size,
            labels: self.labels,
            merge_labels: self.merge_labels,
            master_flavor_id: self.master_flavor_id,
            flavor_id: self.flavor_id,
            create_timeout: self.create_timeout,
            discovery_url: self.discovery_url,
            fixed_network: self.fixed_network,
            fixed_subnet: self.fixed_subnet,
            floating_ip_enabled: self.floating_ip_enabled,
            master_lb_enabled: self.master_lb_enabled,
            admin,
        }
    }
}

/// Refuses to have no workers where the version does not know that.
///
/// # Errors
/// 400.
pub(crate) fn no_zero(node_count: Option<u32>, version: Microversion) -> Result<()> {
    if node_count == Some(0) && version < ZERO_NODES {
        return Err(Error::invalid("Resizing a nodegroup to zero is not supported in the provided microversion."));
    }
    Ok(())
}

/// The answer to a request whose work goes on after it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// The cluster.
    pub uuid: String,
}

/// A page of clusters, in short.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Clusters)]
pub struct Summaries {
    /// The clusters.
    clusters: Vec<Summary>,
    /// The next page, when this one is full.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A page of clusters, in full.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClustersInFull)]
pub struct Details {
    /// The clusters.
    clusters: Vec<Full>,
    /// The next page, when this one is full.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Lists the clusters one may see, in short.
#[utoipa::path(get, operation_id = "list_clusters", path = "/v1/clusters", tag = "clusters", params(crate::openapi::PageParameters),
    responses((status = 200, description = "A page of clusters", body = Summaries)))]
pub async fn list(
    State(api): State<Api>,
    caller: Caller,
    base: Base,
    version: Microversion,
    Query(listing): Query<Listing>,
) -> Result<Json<Summaries>> {
    let rules = ["cluster:get_all", "cluster:get_all_all_projects"];
    let (views, next) = page_of(&api, &caller, &base, listing, rules, COLLECTION).await?;
    let clusters = views.into_iter().map(|view| Summary::of(view, &base, version)).collect();
    Ok(Json(Summaries { clusters, next }))
}

/// Lists the clusters one may see, in full.
#[utoipa::path(get, operation_id = "list_clusters_in_full", path = "/v1/clusters/detail", tag = "clusters", params(crate::openapi::PageParameters),
    responses((status = 200, description = "A page of clusters", body = Details)))]
pub async fn detail(
    State(api): State<Api>,
    caller: Caller,
    base: Base,
    version: Microversion,
    Query(listing): Query<Listing>,
) -> Result<Json<Details>> {
    let rules = ["cluster:detail", "cluster:detail_all_projects"];
    let (views, next) = page_of(&api, &caller, &base, listing, rules, "clusters/detail").await?;
    let clusters = views.into_iter().map(|view| Full::of(view, &base, version)).collect();
    Ok(Json(Details { clusters, next }))
}

async fn page_of(
    api: &Api,
    caller: &Caller,
    base: &Base,
    listing: Listing,
    [rule, all_projects]: [&'static str; 2],
    path: &str,
) -> Result<(Vec<cluster::View>, Option<String>)> {
    api.allow(caller, rule, None)?;
    let scope = api.scope(caller, all_projects)?;
    let page = listing.page(api.conductor.config.api.max_limit)?;
    let views = cluster::store::list(&api.conductor.db, &scope, &page).await?;
    let last = views.last().map(|view| view.cluster.uuid.as_str());
    let next = page::next(base, path, &page, &[], views.len(), last);
    Ok((views, next))
}

/// Shows one cluster, by UUID or name; with its faults when it has failed.
#[utoipa::path(get, operation_id = "show_cluster", path = "/v1/clusters/{cluster_ident}", tag = "clusters",
    params(("cluster_ident" = String, Path, description = "UUID or name")),
    responses((status = 200, description = "The cluster", body = Full)))]
pub async fn show(
    State(api): State<Api>,
    caller: Caller,
    base: Base,
    version: Microversion,
    Ident(ident): Ident,
    Query(Nothing): Query<Nothing>,
) -> Result<Json<Full>> {
    let scope = api.scope(&caller, "cluster:get_one_all_projects")?;
    let view = cluster::store::view(&api.conductor.db, &scope, &ident).await?;
    api.allow(&caller, "cluster:get", Some(target(&view.cluster)))?;
    Ok(Json(Full::with_faults(view, &base, version)))
}

/// Accepts a cluster; its making goes on after the answer.
#[utoipa::path(post, operation_id = "create_cluster", path = "/v1/clusters", tag = "clusters",
    request_body(content = crate::openapi::NewCluster),
    responses((status = 202, description = "The cluster will be made", body = Accepted)))]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    version: Microversion,
    Query(Nothing): Query<Nothing>,
    payload: Payload,
) -> Result<(StatusCode, Json<Accepted>)> {
    let given = Given::read(&payload, version)?;
    api.allow(&caller, "cluster:create", None)?;
    let scope = api.scope(&caller, "clustertemplate:get_one_all_projects")?;
    let template = cluster_template::store::find(&api.conductor.db, &scope, given.template()).await;
    let template = template.map_err(|error| unknown_template(error, version))?;
    let admin = api.is_admin(&caller);
    let view = cluster::create(&api.conductor, &caller.0, template, given.request(admin)).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { uuid: view.cluster.uuid })))
}

/// Old versions say that the request is wrong, newer ones that the template is absent.
fn unknown_template(mut error: conductor::Error, version: Microversion) -> conductor::Error {
    if error.kind == ErrorKind::NotFound && version < ZERO_NODES {
        error.kind = ErrorKind::Invalid;
    }
    error
}

/// Accepts the deletion of a cluster in whatever state; may be repeated until it is gone.
#[utoipa::path(delete, operation_id = "delete_cluster", path = "/v1/clusters/{cluster_ident}", tag = "clusters",
    params(("cluster_ident" = String, Path, description = "UUID or name")),
    responses((status = 204, description = "The cluster will be removed")))]
pub async fn delete(
    State(api): State<Api>,
    caller: Caller,
    Ident(ident): Ident,
    Query(Nothing): Query<Nothing>,
) -> Result<StatusCode> {
    let scope = api.scope(&caller, "cluster:delete_all_projects")?;
    let cluster = cluster::store::find(&api.conductor.db, &scope, &ident).await?;
    api.allow(&caller, "cluster:delete", Some(target(&cluster)))?;
    cluster::delete(&api.conductor, &caller.0, &cluster).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str, version: u32) -> Result<Given, String> {
        Given::read(&Payload::new(body.to_owned()), Microversion(version)).map_err(|error| error.detail().to_owned())
    }

    #[test]
    fn a_create_timeout_left_out_is_an_hour_and_null_is_no_limit() {
        let timeout = |body| read(body, 1).unwrap().create_timeout;
        assert_eq!(timeout(r#"{"cluster_template_id": "t"}"#), Some(60));
        assert_eq!(timeout(r#"{"cluster_template_id": "t", "create_timeout": null}"#), None);
        assert_eq!(timeout(r#"{"cluster_template_id": "t", "create_timeout": "7"}"#), Some(7));
    }

    #[test]
    fn no_workers_need_a_newer_version() {
        let body = r#"{"cluster_template_id": "t", "node_count": 0}"#;
        let refused = read(body, 9).unwrap_err();
        assert_eq!(refused, "Resizing a nodegroup to zero is not supported in the provided microversion.");
        assert_eq!(read(body, 10).unwrap().node_count, Some(0));
    }

    #[test]
    fn null_means_what_the_contract_says() {
        let given = read(
            r#"{"cluster_template_id": null, "name": null, "node_count": null, "labels": null, "keypair": null,
                "floating_ip_enabled": null, "discovery_url": null, "status": "CREATE_COMPLETE"}"#,
            1,
        );
        let given = given.unwrap();
        assert_eq!((given.template(), given.node_count, given.floating_ip_enabled), ("", None, None));
        assert!(read(r#"{"cluster_template_id": "t", "master_count": null}"#, 1).is_err());
    }

    #[test]
    fn horizons_strings_are_understood() {
        let given = read(
            r#"{"cluster_template_id": "t", "node_count": "2", "master_count": "1", "create_timeout": "60",
                "master_lb_enabled": "False", "discovery_url": "", "labels": {"a": true, "b": 1}}"#,
            1,
        );
        let given = given.unwrap();
        assert_eq!((given.node_count, given.master_lb_enabled), (Some(2), Some(false)));
        assert_eq!(given.labels.unwrap()["a"], "True");
    }

    #[test]
    fn a_template_must_be_named_and_server_owned_attributes_are_refused() {
        assert!(read("{}", 1).unwrap_err().ends_with("Mandatory field missing."));
        assert!(read(r#"{"cluster_template_id": "t", "stack_id": "x"}"#, 1).unwrap_err().ends_with("read only field."));
        assert!(read(r#"{"cluster_template_id": "t", "name": ""}"#, 1).is_err());
    }

    #[test]
    fn an_unknown_template_is_400_before_1_10_and_404_since() {
        let absent = || conductor::Error::not_found("ClusterTemplate x could not be found.");
        assert_eq!(unknown_template(absent(), Microversion(9)).kind, ErrorKind::Invalid);
        assert_eq!(unknown_template(absent(), Microversion(10)).kind, ErrorKind::NotFound);
    }
}

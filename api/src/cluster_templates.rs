//! `/v1/clustertemplates`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use conductor::cluster_template::{self, Draft, Publishing};
use http::StatusCode;
use http::header::{HeaderName, LOCATION};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::Api;
use crate::body::{Field, Null, Payload};
use crate::caller::Caller;
use crate::coerce::{Kind, TEXT};
use crate::error::Result;
use crate::ident::Ident;
use crate::links::{Base, Link};
use crate::page::{self, Listing};
use crate::patch::{self, Rules};
use crate::policy::Target;
use crate::query::{Nothing, Query};
use crate::time;

const COLLECTION: &str = "clustertemplates";

/// Every attribute a client may name when it makes a template.
pub(crate) const FIELDS: &[Field] = &[
    Field::optional("uuid", Kind::Uuid),
    Field::optional("name", TEXT),
    Field::optional("coe", Kind::Coe),
    Field::mandatory("image_id", TEXT),
    Field::optional("flavor_id", TEXT),
    Field::optional("master_flavor_id", TEXT),
    Field::optional("dns_nameserver", Kind::NameServers),
    Field::optional("keypair_id", TEXT),
    Field::optional("external_network_id", TEXT),
    Field::optional("fixed_network", TEXT),
    Field::optional("fixed_subnet", TEXT),
    Field::optional("network_driver", TEXT),
    Field::optional("apiserver_port", Kind::Integer { min: 1024, max: 65535 }),
    Field::optional("docker_volume_size", Kind::Integer { min: 1, max: i32::MAX as i64 }),
    Field::optional("docker_storage_driver", TEXT),
    Field::optional("cluster_distro", TEXT),
    Field::optional("http_proxy", TEXT),
    Field::optional("https_proxy", TEXT),
    Field::optional("no_proxy", TEXT),
    Field::optional("volume_driver", TEXT),
    Field::optional("registry_enabled", Kind::Boolean),
    Field::optional("labels", Kind::Labels).null(Null::Refused),
    Field::optional("tls_disabled", Kind::Boolean),
    Field::optional("public", Kind::Boolean),
    Field::optional("server_type", TEXT).null(Null::Refused),
    Field::optional("insecure_registry", TEXT),
    Field::optional("master_lb_enabled", Kind::Boolean),
    Field::optional("floating_ip_enabled", Kind::Boolean),
    Field::optional("hidden", Kind::Boolean),
    Field::optional("tags", Kind::Text { min: 0, max: 255 }),
    Field::optional("driver", TEXT),
    Field::read_only("project_id"),
    Field::read_only("user_id"),
    Field::read_only("links"),
    Field::read_only("created_at"),
    Field::read_only("updated_at"),
];

const PATCHES: Rules = Rules {
    fields: FIELDS,
    internal: &["id", "uuid", "project_id", "user_id", "links", "created_at", "updated_at"],
    mandatory: &[
        "coe",
        "image_id",
        "external_network_id",
        "network_driver",
        "cluster_distro",
        "registry_enabled",
        "tls_disabled",
        "public",
        "server_type",
        "hidden",
    ],
};

/// A cluster template as clients read it; every member is always there.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClusterTemplate)]
pub struct View {
    /// Its identifier.
    uuid: String,
    /// Its name, which need not be unique.
    name: Option<String>,
    /// The container orchestration engine.
    coe: String,
    /// Image of the nodes, by identifier or name.
    image_id: String,
    /// Flavor of workers, by identifier or name.
    flavor_id: Option<String>,
    /// Flavor of masters, by identifier or name.
    master_flavor_id: Option<String>,
    /// Comma separated IPv4 addresses.
    dns_nameserver: Option<String>,
    /// Nova keypair that clusters take unless they name their own.
    keypair_id: Option<String>,
    /// External network, by identifier or name.
    external_network_id: Option<String>,
    /// The user's own network, by identifier or name.
    fixed_network: Option<String>,
    /// The user's own subnet, by identifier or name.
    fixed_subnet: Option<String>,
    /// The COE's network plugin.
    network_driver: Option<String>,
    /// Port of the COE's API.
    apiserver_port: Option<i32>,
    /// GiB of the container volume.
    docker_volume_size: Option<i32>,
    /// The container runtime's storage driver.
    docker_storage_driver: Option<String>,
    /// The image's `os_distro`.
    cluster_distro: String,
    /// Proxy for HTTP.
    http_proxy: Option<String>,
    /// Proxy for HTTPS.
    https_proxy: Option<String>,
    /// What is reached without a proxy, comma separated.
    no_proxy: Option<String>,
    /// `cinder` or nothing.
    volume_driver: Option<String>,
    /// A registry inside the cluster.
    registry_enabled: bool,
    /// Labels.
    labels: BTreeMap<String, String>,
    /// No TLS on the COE's API.
    tls_disabled: bool,
    /// Visible to every project, unless hidden.
    public: bool,
    /// `vm` or `bm`.
    server_type: String,
    /// `host:port` of a registry without TLS.
    insecure_registry: Option<String>,
    /// A load balancer in front of the masters.
    master_lb_enabled: bool,
    /// Floating IPs for nodes.
    floating_ip_enabled: bool,
    /// Closed to new clusters.
    hidden: bool,
    /// Comma separated by convention.
    tags: Option<String>,
    /// Name of the driver.
    driver: Option<String>,
    /// The project that owns it.
    project_id: String,
    /// The user who made it.
    user_id: String,
    /// When it was made.
    created_at: String,
    /// When it was last changed.
    updated_at: Option<String>,
    /// Itself, with and without the version.
    links: Vec<Link>,
}

impl View {
    fn of(template: cluster_template::ClusterTemplate, base: &Base) -> Self {
        Self {
            links: base.object(COLLECTION, &template.uuid),
            uuid: template.uuid,
            name: template.name,
            coe: template.coe,
            image_id: template.image_id,
            flavor_id: template.flavor_id,
            master_flavor_id: template.master_flavor_id,
            dns_nameserver: template.dns_nameserver,
            keypair_id: template.keypair_id,
            external_network_id: template.external_network_id,
            fixed_network: template.fixed_network,
            fixed_subnet: template.fixed_subnet,
            network_driver: template.network_driver,
            apiserver_port: template.apiserver_port,
            docker_volume_size: template.docker_volume_size,
            docker_storage_driver: template.docker_storage_driver,
            cluster_distro: template.cluster_distro,
            http_proxy: template.http_proxy,
            https_proxy: template.https_proxy,
            no_proxy: template.no_proxy,
            volume_driver: template.volume_driver,
            registry_enabled: template.registry_enabled,
            labels: template.labels.0,
            tls_disabled: template.tls_disabled,
            public: template.public,
            server_type: template.server_type,
            insecure_registry: template.insecure_registry,
            master_lb_enabled: template.master_lb_enabled,
            floating_ip_enabled: template.floating_ip_enabled,
            hidden: template.hidden,
            tags: template.tags,
            driver: template.driver,
            project_id: template.project_id,
            user_id: template.user_id,
            created_at: time::text(template.created_at),
            updated_at: template.updated_at.map(time::text),
        }
    }
}

/// A page of cluster templates.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClusterTemplates)]
pub struct Views {
    /// The templates.
    clustertemplates: Vec<View>,
    /// The next page, when this one is full.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Lists the cluster templates one may see.
#[utoipa::path(get, operation_id = "list_cluster_templates", path = "/v1/clustertemplates", tag = "cluster templates", params(crate::openapi::PageParameters),
    responses((status = 200, description = "A page of cluster templates", body = Views)))]
pub async fn list(
    State(api): State<Api>,
    caller: Caller,
    base: Base,
    Query(listing): Query<Listing>,
) -> Result<Json<Views>> {
    let rules = ["clustertemplate:get_all", "clustertemplate:get_all_all_projects"];
    page_of(&api, &caller, &base, listing, rules, COLLECTION).await
}

/// Lists the cluster templates one may see; the same as the plain list, under a policy rule of its own.
#[utoipa::path(get, operation_id = "list_cluster_templates_in_full", path = "/v1/clustertemplates/detail", tag = "cluster templates",
    params(crate::openapi::PageParameters),
    responses((status = 200, description = "A page of cluster templates", body = Views)))]
pub async fn detail(
    State(api): State<Api>,
    caller: Caller,
    base: Base,
    Query(listing): Query<Listing>,
) -> Result<Json<Views>> {
    let rules = ["clustertemplate:detail", "clustertemplate:detail_all_projects"];
    page_of(&api, &caller, &base, listing, rules, "clustertemplates/detail").await
}

async fn page_of(
    api: &Api,
    caller: &Caller,
    base: &Base,
    listing: Listing,
    [rule, all_projects]: [&'static str; 2],
    path: &str,
) -> Result<Json<Views>> {
    api.allow(caller, rule, None)?;
    let scope = api.scope(caller, all_projects)?;
    let page = listing.page(api.conductor.config.api.max_limit)?;
    let templates = cluster_template::store::list(&api.conductor.db, &scope, &page).await?;
    let last = templates.last().map(|template| template.uuid.as_str());
    let next = page::next(base, path, &page, &[], templates.len(), last);
    let clustertemplates = templates.into_iter().map(|template| View::of(template, base)).collect();
    Ok(Json(Views { clustertemplates, next }))
}

/// Shows one cluster template, by UUID or name.
#[utoipa::path(get, operation_id = "show_cluster_template", path = "/v1/clustertemplates/{cluster_template_ident}", tag = "cluster templates",
    params(("cluster_template_ident" = String, Path, description = "UUID or name")),
    responses((status = 200, description = "The cluster template", body = View)))]
pub async fn show(
    State(api): State<Api>,
    caller: Caller,
    base: Base,
    Ident(ident): Ident,
    Query(Nothing): Query<Nothing>,
) -> Result<Json<View>> {
    let scope = api.scope(&caller, "clustertemplate:get_one_all_projects")?;
    let template = cluster_template::store::find(&api.conductor.db, &scope, &ident).await?;
    if !template.public || template.hidden {
        api.allow(&caller, "clustertemplate:get", Some(Target::object(&template.project_id, &template.user_id)))?;
    }
    Ok(Json(View::of(template, &base)))
}

/// Makes a cluster template.
#[utoipa::path(post, operation_id = "create_cluster_template", path = "/v1/clustertemplates", tag = "cluster templates",
    request_body(content = crate::openapi::NewClusterTemplate),
    responses((status = 201, description = "The cluster template made", body = View)))]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    base: Base,
    Query(Nothing): Query<Nothing>,
    payload: Payload,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<View>)> {
    let mut object = payload.object("cluster_template", FIELDS)?;
    api.allow(&caller, "clustertemplate:create", None)?;
    let uuid = object.0.shift_remove("uuid").and_then(|uuid| uuid.as_str().map(str::to_owned));
    let draft: Draft = object.into()?;
    let publishing = publishing(&api, &caller);
    let template = cluster_template::create(&api.conductor, &caller.0, uuid, draft, publishing).await?;
    let view = View::of(template, &base);
    Ok((StatusCode::CREATED, [(LOCATION, view.links[0].href.clone())], Json(view)))
}

/// Changes a cluster template by a JSON patch.
#[utoipa::path(patch, operation_id = "update_cluster_template", path = "/v1/clustertemplates/{cluster_template_ident}", tag = "cluster templates",
    params(("cluster_template_ident" = String, Path, description = "UUID or name")),
    request_body(content = Vec<crate::openapi::PatchOperation>),
    responses((status = 200, description = "The changed cluster template", body = View)))]
pub async fn update(
    State(api): State<Api>,
    caller: Caller,
    base: Base,
    Ident(ident): Ident,
    Query(Nothing): Query<Nothing>,
    payload: Payload,
) -> Result<Json<View>> {
    let changes = patch::read(&payload, &PATCHES)?;
    let scope = api.scope(&caller, "clustertemplate:update_all_projects")?;
    let template = cluster_template::store::find(&api.conductor.db, &scope, &ident).await?;
    api.allow(&caller, "clustertemplate:update", Some(Target::object(&template.project_id, &template.user_id)))?;
    let draft = patched(&template, &changes)?;
    let template =
        cluster_template::update(&api.conductor, &caller.0, template, draft, publishing(&api, &caller)).await?;
    Ok(Json(View::of(template, &base)))
}

/// Removes a cluster template that no cluster refers to.
#[utoipa::path(delete, operation_id = "delete_cluster_template", path = "/v1/clustertemplates/{cluster_template_ident}", tag = "cluster templates",
    params(("cluster_template_ident" = String, Path, description = "UUID or name")),
    responses((status = 204, description = "It is gone")))]
pub async fn delete(
    State(api): State<Api>,
    caller: Caller,
    Ident(ident): Ident,
    Query(Nothing): Query<Nothing>,
) -> Result<StatusCode> {
    let scope = api.scope(&caller, "clustertemplate:delete_all_projects")?;
    let template = cluster_template::store::find(&api.conductor.db, &scope, &ident).await?;
    api.allow(&caller, "clustertemplate:delete", Some(Target::object(&template.project_id, &template.user_id)))?;
    cluster_template::delete(&api.conductor, &template).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn patched(template: &cluster_template::ClusterTemplate, changes: &[patch::Change]) -> Result<Draft> {
    let document = match serde_json::to_value(Draft::of(template)) {
        Ok(Value::Object(document)) => document,
        Ok(_) => serde_json::Map::new(),
        Err(why) => return Err(conductor::Error::internal(why).into()),
    };
    let patched = patch::apply(changes, &document, &PATCHES)?;
    serde_json::from_value(patched.into()).map_err(|why| conductor::Error::internal(why).into())
}

fn publishing(api: &Api, caller: &Caller) -> Publishing {
    match api.allow(caller, "clustertemplate:publish", None) {
        Ok(()) => Publishing::Allowed,
        Err(_) => Publishing::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Access;

    #[test]
    fn every_attribute_of_a_draft_can_be_given_and_patched() {
        let Value::Object(draft) = serde_json::to_value(Draft::default()).unwrap() else { unreachable!() };
        for name in draft.keys() {
            let field = FIELDS.iter().find(|field| field.name == name).unwrap();
            assert!(matches!(field.access, Access::Optional | Access::Mandatory), "{name}");
            assert!(!PATCHES.internal.contains(&field.name), "{name}");
        }
        let writable = FIELDS.iter().filter(|field| field.access != Access::ReadOnly && field.name != "uuid");
        assert_eq!(writable.count(), draft.len());
    }
}

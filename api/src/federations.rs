//! `/v1/federations`: there are none, and none can be made.
//!
//! Magnum answers 202 here and then does nothing. We check a request as it does, and refuse it.

use axum::Json;
use axum::extract::State;
use conductor::cluster;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Api;
use crate::body::{Field, Null, Payload};
use crate::caller::Caller;
use crate::coerce::{Kind, TEXT};
use crate::error::{Error, Result};
use crate::ident::Ident;
use crate::page::Listing;
use crate::query::{Nothing, Query};

/// Every attribute a client may name when it asks for a federation.
pub(crate) const FIELDS: &[Field] = &[
    Field::optional("name", TEXT),
    Field::mandatory("hostcluster_id", TEXT),
    Field::mandatory("properties", Kind::Labels).null(Null::Refused),
    Field::ignored("member_ids"),
    Field::ignored("uuid"),
    Field::ignored("status"),
    Field::ignored("status_reason"),
    Field::read_only("links"),
    Field::read_only("created_at"),
    Field::read_only("updated_at"),
];

#[derive(Deserialize)]
struct New {
    hostcluster_id: String,
    properties: std::collections::BTreeMap<String, String>,
}

/// A page of federations.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Federations {
    /// Always empty.
    #[schema(value_type = Vec<Object>)]
    federations: [(); 0],
}

/// Lists federations, of which there are none.
#[utoipa::path(get, operation_id = "list_federations", path = "/v1/federations", tag = "federations",
    params(crate::openapi::PageParameters), responses((status = 200, description = "None", body = Federations)))]
pub async fn list(State(api): State<Api>, caller: Caller, Query(listing): Query<Listing>) -> Result<Json<Federations>> {
    none(&api, &caller, "federation:get_all", listing)
}

/// Lists federations in full, of which there are none.
#[utoipa::path(get, operation_id = "list_federations_in_full", path = "/v1/federations/detail", tag = "federations",
    params(crate::openapi::PageParameters), responses((status = 200, description = "None", body = Federations)))]
pub async fn detail(
    State(api): State<Api>,
    caller: Caller,
    Query(listing): Query<Listing>,
) -> Result<Json<Federations>> {
    none(&api, &caller, "federation:detail", listing)
}

fn none(api: &Api, caller: &Caller, rule: &'static str, listing: Listing) -> Result<Json<Federations>> {
    api.allow(caller, rule, None)?;
    listing.page(api.conductor.config.api.max_limit)?;
    Ok(Json(Federations::default()))
}

/// Shows a federation, of which there are none.
#[utoipa::path(get, operation_id = "show_federation", path = "/v1/federations/{federation_ident}", tag = "federations",
    params(("federation_ident" = String, Path, description = "UUID or name")),
    responses((status = 404, description = "There is none")))]
pub async fn show(
    State(api): State<Api>,
    caller: Caller,
    Ident(ident): Ident,
    Query(Nothing): Query<Nothing>,
) -> Result<StatusCode> {
    api.allow(&caller, "federation:get", None)?;
    Err(absent(&ident))
}

/// Refuses a federation, after saying what else is wrong with the request.
#[utoipa::path(post, operation_id = "create_federation", path = "/v1/federations", tag = "federations",
    request_body(content = crate::openapi::NewFederation),
    responses((status = 400, description = "Federations are not supported")))]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    Query(Nothing): Query<Nothing>,
    payload: Payload,
) -> Result<StatusCode> {
    let new: New = payload.object("federation", FIELDS)?.into()?;
    api.allow(&caller, "federation:create", None)?;
    let scope = api.scope(&caller, "cluster:get_one_all_projects")?;
    cluster::store::find(&api.conductor.db, &scope, &new.hostcluster_id).await?;
    if !new.properties.contains_key("dns-zone") {
        return Err(Error::field("properties", "None", "Mandatory key missing: dns-zone."));
    }
    Err(Error::invalid("Federations are not supported by this service."))
}

/// Changes a federation, of which there are none.
#[utoipa::path(patch, operation_id = "update_federation", path = "/v1/federations/{federation_ident}", tag = "federations",
    params(("federation_ident" = String, Path, description = "UUID or name")),
    request_body(content = Vec<crate::openapi::PatchOperation>),
    responses((status = 404, description = "There is none")))]
pub async fn update(
    State(api): State<Api>,
    caller: Caller,
    Ident(ident): Ident,
    Query(Nothing): Query<Nothing>,
    payload: Payload,
) -> Result<StatusCode> {
    let patch = payload.json("patch")?;
    if !patch.is_array() {
        return Err(Error::field("patch", &patch.to_string(), "Allowed: a list of changes."));
    }
    api.allow(&caller, "federation:update", None)?;
    Err(absent(&ident))
}

/// Removes a federation, of which there are none.
#[utoipa::path(delete, operation_id = "delete_federation", path = "/v1/federations/{federation_ident}", tag = "federations",
    params(("federation_ident" = String, Path, description = "UUID or name")),
    responses((status = 404, description = "There is none")))]
pub async fn delete(
    State(api): State<Api>,
    caller: Caller,
    Ident(ident): Ident,
    Query(Nothing): Query<Nothing>,
) -> Result<StatusCode> {
    api.allow(&caller, "federation:delete", None)?;
    Err(absent(&ident))
}

fn absent(ident: &str) -> Error {
    conductor::Error::not_found(format!("Federation {ident} could not be found.")).into()
}

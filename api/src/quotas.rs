//! `/v1/quotas`: how many clusters a project may have.

use axum::Json;
use axum::extract::State;
use conductor::quota::{self, CLUSTER, Quota};
use conductor::scope::Scope;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::body::{Field, Null, Payload};
use crate::caller::Caller;
use crate::coerce::{Kind, TEXT};
use crate::error::{Error, Result};
use crate::ident::Segments;
use crate::links::Base;
use crate::page::{self, Listing};
use crate::query::{Arguments, Given, Nothing, Query};
use crate::time;

const COLLECTION: &str = "quotas";

/// The limit of a new quota that names none.
const HARD_LIMIT: i32 = 1;

const RESOURCE: Field = Field::optional("resource", Kind::OneOf(&[CLUSTER]));
const LIMIT: Field = Field::optional("hard_limit", Kind::Integer { min: 0, max: i32::MAX as i64 }).null(Null::Refused);

/// Every attribute a client may name when it gives a project a quota.
pub(crate) const FIELDS: &[Field] = &[
    Field::mandatory("project_id", TEXT),
    RESOURCE,
    LIMIT,
    Field::ignored("id"),
    Field::read_only("created_at"),
    Field::read_only("updated_at"),
];

/// Every attribute a client may name when it changes a quota; which one it is, the path says.
pub(crate) const CHANGES: &[Field] = &[
    LIMIT,
    Field::ignored("project_id"),
    Field::ignored("resource"),
    Field::ignored("id"),
    Field::read_only("created_at"),
    Field::read_only("updated_at"),
];

#[derive(Deserialize)]
struct New {
    project_id: String,
    #[serde(default = "cluster")]
    resource: String,
    #[serde(default = "one")]
    hard_limit: i32,
}

fn cluster() -> String {
    CLUSTER.to_owned()
}

fn one() -> i32 {
    HARD_LIMIT
}

#[derive(Deserialize)]
struct Change {
    hard_limit: Option<i32>,
}

/// A project's quota.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Quota)]
pub struct View {
    /// Its identifier; none for the default that a project has without a quota of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    /// The project.
    project_id: String,
    /// What is limited: `Cluster`.
    resource: String,
    /// How many there may be.
    hard_limit: i64,
    /// When it was made; not for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    /// When it was last changed; not for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    updated_at: Option<Option<String>>,
}

impl From<Quota> for View {
    fn from(quota: Quota) -> Self {
        Self {
            id: Some(quota.id),
            project_id: quota.project_id,
            resource: quota.resource,
            hard_limit: quota.hard_limit.into(),
            created_at: Some(time::text(quota.created_at)),
            updated_at: Some(quota.updated_at.map(time::text)),
        }
    }
}

/// A page of quotas.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quotas)]
pub struct Views {
    /// The quotas.
    quotas: Vec<View>,
    /// The next page, when this one is full.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The part of the listing that is asked for.
pub struct Wanted {
    listing: Listing,
    all_tenants: bool,
}

impl Arguments for Wanted {
    fn take(given: &mut Given) -> Result<Self> {
        let all_tenants = given.boolean("all_tenants")?.unwrap_or(false);
        Ok(Self { listing: Listing::by_number(given)?, all_tenants })
    }
}

/// Which quotas are listed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what Wanted reads")]
pub struct WantedParameters {
    /// Most entries.
    #[param(minimum = 1)]
    limit: Option<i64>,
    /// The `id` of the entry after which the page starts.
    marker: Option<i64>,
    /// The column to sort by.
    sort_key: Option<String>,
    /// `asc` or `desc`.
    sort_dir: Option<String>,
    /// Whether those of all projects are listed, or of one's own only.
    all_tenants: Option<bool>,
}

/// Lists quotas: one's own project's, or with `all_tenants` everybody's.
#[utoipa::path(get, operation_id = "list_quotas", path = "/v1/quotas", tag = "quotas", params(WantedParameters),
    responses((status = 200, description = "A page of quotas", body = Views)))]
pub async fn list(
    State(api): State<Api>,
    caller: Caller,
    base: Base,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Views>> {
    api.allow(&caller, "quota:get_all", None)?;
    let (scope, filters): (_, &[_]) = match wanted.all_tenants {
        // A policy that lets others list quotas does not give them everybody's.
        true if !api.is_admin(&caller) => return Err(not_authorized()),
        true => (Scope::All, &[("all_tenants", "True")]),
        false => (Scope::Project(caller.project()?.to_owned()), &[]),
    };
    let page = wanted.listing.page(api.conductor.config.api.max_limit)?;
    let quotas = quota::store::list(&api.conductor.db, &scope, &page).await?;
    let last = quotas.last().map(|quota| quota.id.to_string());
    let next = page::next(&base, COLLECTION, &page, filters, quotas.len(), last.as_deref());
    Ok(Json(Views { quotas: quotas.into_iter().map(View::from).collect(), next }))
}

/// Shows a project's quota, or the default that it has without one.
#[utoipa::path(get, operation_id = "show_quota", path = "/v1/quotas/{project_id}/{resource}", tag = "quotas",
    params(("project_id" = String, Path, description = "The project"), ("resource" = String, Path, description = "`Cluster`")),
    responses((status = 200, description = "The quota", body = View)))]
pub async fn show(
    State(api): State<Api>,
    caller: Caller,
    mut segments: Segments,
    Query(Nothing): Query<Nothing>,
) -> Result<Json<View>> {
    let (project_id, resource) = (segments.take("project_id")?, segments.take("resource")?);
    api.allow(&caller, "quota:get", None)?;
    if !api.is_admin(&caller) && caller.project()? != project_id {
        return Err(not_authorized());
    }
    let found = quota::store::find(&api.conductor.db, &project_id, &resource).await?;
    let view = match found {
        Some(quota) => quota.into(),
        None if resource == CLUSTER => View {
            id: None,
            project_id,
            resource,
            hard_limit: api.conductor.config.quota.clusters_per_project.into(),
            created_at: None,
            updated_at: None,
        },
        None => return Err(quota::absent(&project_id, &resource).into()),
    };
    Ok(Json(view))
}

/// Gives a project a quota of its own.
#[utoipa::path(post, operation_id = "create_quota", path = "/v1/quotas", tag = "quotas",
    request_body(content = crate::openapi::NewQuota),
    responses((status = 201, description = "The quota", body = View)))]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    Query(Nothing): Query<Nothing>,
    payload: Payload,
) -> Result<(StatusCode, Json<View>)> {
    api.allow(&caller, "quota:create", None)?;
    let new: New = payload.object("quota", FIELDS)?.into()?;
    let quota = quota::create(&api.conductor, &caller.0, &new.project_id, &new.resource, new.hard_limit).await?;
    Ok((StatusCode::CREATED, Json(quota.into())))
}

/// Changes the limit of a project's own quota.
#[utoipa::path(patch, operation_id = "update_quota", path = "/v1/quotas/{project_id}/{resource}", tag = "quotas",
    params(("project_id" = String, Path, description = "The project"), ("resource" = String, Path, description = "`Cluster`")),
    request_body(content = crate::openapi::QuotaChange),
    responses((status = 202, description = "The quota", body = View)))]
pub async fn update(
    State(api): State<Api>,
    caller: Caller,
    mut segments: Segments,
    Query(Nothing): Query<Nothing>,
    payload: Payload,
) -> Result<(StatusCode, Json<View>)> {
    let (project_id, resource) = (segments.take("project_id")?, segments.take("resource")?);
    api.allow(&caller, "quota:update", None)?;
    let change: Change = payload.object("quotapatch", CHANGES)?.into()?;
    let db = &api.conductor.db;
    let quota = match change.hard_limit {
        Some(limit) => quota::store::update(db, &project_id, &resource, limit).await?,
        None => quota::store::find(db, &project_id, &resource)
            .await?
            .ok_or_else(|| quota::absent(&project_id, &resource))?,
    };
    Ok((StatusCode::ACCEPTED, Json(quota.into())))
}

/// Takes a project's own quota away; the default holds from then on.
#[utoipa::path(delete, operation_id = "delete_quota", path = "/v1/quotas/{project_id}/{resource}", tag = "quotas",
    params(("project_id" = String, Path, description = "The project"), ("resource" = String, Path, description = "`Cluster`")),
    responses((status = 204, description = "The quota is gone")))]
pub async fn delete(
    State(api): State<Api>,
    caller: Caller,
    mut segments: Segments,
    Query(Nothing): Query<Nothing>,
) -> Result<StatusCode> {
    let (project_id, resource) = (segments.take("project_id")?, segments.take("resource")?);
    api.allow(&caller, "quota:delete", None)?;
    quota::store::delete(&api.conductor.db, &project_id, &resource).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn not_authorized() -> Error {
    conductor::Error::forbidden("Not authorized.").into()
}

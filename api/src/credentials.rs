//! `/v1/credentials`: the credential of the controllers inside a cluster.

use axum::Json;
use axum::extract::State;
use conductor::cluster;
use conductor::scope::Scope;
use http::StatusCode;

use crate::Api;
use crate::body::Payload;
use crate::caller::Caller;
use crate::certificates::Rotated;
use crate::error::Result;
use crate::ident::Ident;
use crate::microversion::Microversion;
use crate::query::{Nothing, Query};

/// Credentials can be rotated.
const ROTATION: Microversion = Microversion(12);

/// Accepts the rotation of a cluster's credential; the present one stays valid until the rotation has succeeded.
///
/// As with Magnum, the default rule knows no administrator: it is for members of the cluster's project.
#[utoipa::path(patch, operation_id = "rotate_credential", path = "/v1/credentials/{cluster_ident}", tag = "credentials",
    params(("cluster_ident" = String, Path, description = "UUID or name of the cluster")),
    responses((status = 202, description = "The credential will be replaced", body = Rotated)))]
pub async fn rotate(
    State(api): State<Api>,
    caller: Caller,
    version: Microversion,
    Ident(ident): Ident,
    Query(Nothing): Query<Nothing>,
    payload: Payload,
) -> Result<(StatusCode, Json<Rotated>)> {
    version.at_least(ROTATION, "rotate")?;
    payload.nothing()?;
    api.allow(&caller, "credential:rotate", None)?;
    let scope = Scope::Project(caller.project()?.to_owned());
    let view = cluster::store::view(&api.conductor.db, &scope, &ident).await?;
    cluster::rotate_credential(&api.conductor, &caller.0, &view).await?;
    Ok((StatusCode::ACCEPTED, Json(Rotated { uuid: view.cluster.uuid })))
}

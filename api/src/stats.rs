//! `/v1/stats`: how much there is.

use axum::Json;
use axum::extract::State;
use conductor::cluster;
use conductor::scope::Scope;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::query::{Arguments, Given, Query};

/// What to count.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// A project; absent means one's own, and for an administrator the whole cloud.
    project_id: Option<String>,
    /// `cluster`, in any case.
    #[param(rename = "type")]
    #[expect(dead_code, reason = "checked when it is read; there is only one value")]
    kind: Option<String>,
}

impl Arguments for Wanted {
    fn take(given: &mut Given) -> Result<Self> {
        let (project_id, kind) = (given.text("project_id"), given.text("type"));
        match &kind {
            Some(kind) if !kind.eq_ignore_ascii_case("cluster") => {
                Err(Error::invalid("Invalid stats type. Allowed values are 'cluster'"))
            }
            _ => Ok(Self { project_id, kind }),
        }
    }
}

/// How much there is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stats {
    /// Clusters.
    clusters: i64,
    /// Nodes in them, those of the control plane too.
    nodes: i64,
}

/// Counts clusters and nodes.
#[utoipa::path(get, path = "/v1/stats", tag = "stats", params(Wanted),
    responses((status = 200, description = "The counts", body = Stats)))]
pub async fn show(State(api): State<Api>, caller: Caller, Query(wanted): Query<Wanted>) -> Result<Json<Stats>> {
    api.allow(&caller, "stats:get_all", None)?;
    let scope = match (wanted.project_id, api.is_admin(&caller)) {
        (None, true) => Scope::All,
        (Some(project), true) => Scope::Project(project),
        (project, false) => {
            let own = caller.project()?;
            if project.is_some_and(|project| project != own) {
                return Err(conductor::Error::forbidden("Not authorized.").into());
            }
            Scope::Project(own.to_owned())
        }
    };
    let stats = cluster::store::stats(&api.conductor.db, &scope).await?;
    Ok(Json(Stats { clusters: stats.clusters, nodes: stats.nodes }))
}

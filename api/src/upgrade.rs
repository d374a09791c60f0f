//! `/v1/clusters/{cluster}/actions/upgrade`.

use axum::Json;
use axum::extract::State;
use conductor::cluster::{self, upgrade};
use conductor::cluster_template;
use http::StatusCode;
use serde::Deserialize;

use crate::Api;
use crate::authorize;
use crate::body::{Field, Payload};
use crate::caller::Caller;
use crate::clusters::Accepted;
use crate::coerce::{Kind, TEXT};
use crate::error::{Error, Result};
use crate::ident::Ident;
use crate::microversion::Microversion;
use crate::query::{Nothing, Query};

/// Since then there are actions.
const ACTIONS: Microversion = Microversion(7);

/// Since then there are upgrades.
const UPGRADE: Microversion = Microversion(8);

/// Every attribute a client may name when it asks for an upgrade.
pub(crate) const FIELDS: &[Field] = &[
    Field::mandatory("cluster_template", TEXT),
    Field::optional("max_batch_size", Kind::Integer { min: 1, max: i32::MAX as i64 }),
    Field::optional("nodegroup", TEXT),
];

/// The body, well-formed.
#[derive(Debug, Deserialize)]
struct Given {
    cluster_template: String,
    max_batch_size: Option<u32>,
    nodegroup: Option<String>,
}

/// Accepts the upgrade of a cluster to another cluster template, or of a nodegroup to that of its cluster.
#[utoipa::path(post, operation_id = "upgrade_cluster", path = "/v1/clusters/{cluster_ident}/actions/upgrade", tag = "clusters",
    params(("cluster_ident" = String, Path, description = "UUID or name")),
    request_body(content = crate::openapi::UpgradeRequest),
    responses((status = 202, description = "The nodes will be replaced", body = Accepted)))]
pub async fn upgrade(
    State(api): State<Api>,
    caller: Caller,
    version: Microversion,
    Ident(ident): Ident,
    Query(Nothing): Query<Nothing>,
    payload: Payload,
) -> Result<(StatusCode, Json<Accepted>)> {
    version.at_least(ACTIONS, "upgrade")?;
    if version < UPGRADE {
        return Err(Error::invalid(format!("Upgrading a cluster is not supported in the microversion {version}.")));
    }
    let given: Given = payload.object("cluster_upgrade_req", FIELDS)?.into()?;
    let scope = api.scope(&caller, "cluster:upgrade_all_projects")?;
    let view = cluster::store::view(&api.conductor.db, &scope, &ident).await?;
    api.allow(&caller, "cluster:upgrade", Some(authorize::target(&view.cluster)))?;
    let scope = api.scope(&caller, "clustertemplate:get_one_all_projects")?;
    let template = cluster_template::store::find(&api.conductor.db, &scope, &given.cluster_template).await?;
    let uuid = view.cluster.uuid.clone();
    let max_batch_size = given.max_batch_size.unwrap_or(1);
    let request = upgrade::Request { template, max_batch_size, nodegroup: given.nodegroup };
    upgrade::upgrade(&api.conductor, &caller.0, view, request).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { uuid })))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(body: &Value) -> Result<Given, u16> {
        let read = Payload::new(body.to_string()).object("cluster_upgrade_req", FIELDS);
        read.and_then(|object| object.into()).map_err(|error| error.status().as_u16())
    }

    #[test]
    fn a_template_must_be_named_and_a_batch_has_a_node_at_least() {
        let given = read(&json!({"cluster_template": "t", "max_batch_size": null, "nodegroup": null})).unwrap();
        assert_eq!((given.max_batch_size, given.nodegroup), (None, None));
        assert_eq!(read(&json!({"cluster_template": "t", "max_batch_size": "3"})).unwrap().max_batch_size, Some(3));
        for body in [
            json!({}),
            json!({"cluster_template": null}),
            json!({"cluster_template": ""}),
            json!({"cluster_template": "t", "max_batch_size": 0}),
            json!({"cluster_template": "t", "nodegroup": ""}),
            json!([]),
        ] {
            assert_eq!(read(&body).unwrap_err(), 400, "{body}");
        }
    }
}

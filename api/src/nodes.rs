//! What nodes say of themselves and may fetch, below `/v1/clusters/{uuid}/nodes/{name}`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use conductor::node::{self, Report};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::Api;
use crate::body::Payload;
use crate::caller::Node;
use crate::coerce::shown;
use crate::error::{Error, Result, excerpt};
use crate::ident::Segments;
use crate::query::{Nothing, Query};

/// The key pair that signs service account tokens.
#[derive(Serialize, ToSchema)]
pub struct ServiceAccount {
    /// PEM.
    private_key: String,
    /// PEM.
    public_key: String,
}

/// Which node it is about.
struct Which {
    cluster: String,
    node: String,
}

impl Which {
    fn of(mut segments: Segments) -> Result<Self> {
        Ok(Self { cluster: segments.take("cluster_uuid")?, node: segments.take("node_name")? })
    }
}

/// Takes a node's report: how far it has come, or what failed.
#[utoipa::path(post, operation_id = "report_node", path = "/v1/clusters/{cluster_uuid}/nodes/{node_name}/report", tag = "nodes",
    params(("cluster_uuid" = String, Path, description = "UUID of the cluster"),
        ("node_name" = String, Path, description = "Name of the node's server")),
    request_body(content = crate::openapi::NodeReport), security(("bootstrap" = [])),
    responses((status = 204, description = "The report is on record")))]
pub async fn report(
    State(api): State<Api>,
    Node(holder): Node,
    segments: Segments,
    Query(Nothing): Query<Nothing>,
    payload: Payload,
) -> Result<StatusCode> {
    let Which { cluster, node } = Which::of(segments)?;
    node::report(&api.conductor, &holder, &cluster, &node, read(&payload)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads a report member by member, so that a refusal names the one that is wrong.
fn read(payload: &Payload) -> Result<Report> {
    let mut given = match payload.json("report")? {
        Value::Object(given) => given,
        other => return Err(Error::field("report", &other.to_string(), "Allowed: a JSON object.")),
    };
    let report = Report {
        phase: member(&mut given, "phase")?.ok_or_else(|| Error::field("phase", "None", "Mandatory field missing."))?,
        step: member(&mut given, "step")?,
        message: member(&mut given, "message")?,
        log: member(&mut given, "log")?.unwrap_or_default(),
        versions: member(&mut given, "versions")?.unwrap_or_default(),
        addresses: member(&mut given, "addresses")?.unwrap_or_default(),
    };
    match given.keys().next() {
        None => Ok(report),
        Some(name) => Err(Error::invalid(format!("Unknown attribute for argument report: {}", excerpt(name)))),
    }
}

/// Takes a member out; `null` is the same as absent.
fn member<T: DeserializeOwned>(given: &mut Map<String, Value>, name: &str) -> Result<Option<T>> {
    let Some(value) = given.remove(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let read = T::deserialize(&value).map(Some);
    read.map_err(|why| Error::field(name, &shown(&value), &format!("It is not as it must be: {why}.")))
}

/// Gives a control plane node the key pair that signs service account tokens.
#[utoipa::path(get, operation_id = "show_service_account", path = "/v1/clusters/{cluster_uuid}/nodes/{node_name}/service-account", tag = "nodes",
    params(("cluster_uuid" = String, Path, description = "UUID of the cluster"),
        ("node_name" = String, Path, description = "Name of the node's server")),
    security(("bootstrap" = [])),
    responses((status = 200, description = "The key pair", body = ServiceAccount)))]
pub async fn service_account(
    State(api): State<Api>,
    Node(holder): Node,
    segments: Segments,
    Query(Nothing): Query<Nothing>,
) -> Result<Json<ServiceAccount>> {
    let Which { cluster, node } = Which::of(segments)?;
    let pair = node::service_account(&api.conductor, &holder, &cluster, &node).await?;
    let private_key = pair.private_key.expose_secret().to_owned();
    Ok(Json(ServiceAccount { private_key, public_key: pair.public_key }))
}

/// Gives a control plane node the credential of the cluster's own controllers.
#[utoipa::path(get, operation_id = "show_cloud_config", path = "/v1/clusters/{cluster_uuid}/nodes/{node_name}/cloud-config", tag = "nodes",
    params(("cluster_uuid" = String, Path, description = "UUID of the cluster"),
        ("node_name" = String, Path, description = "Name of the node's server")),
    security(("bootstrap" = [])),
    responses((status = 200, description = "A cloud.conf", body = String, content_type = "text/plain")))]
pub async fn cloud_config(
    State(api): State<Api>,
    Node(holder): Node,
    segments: Segments,
    Query(Nothing): Query<Nothing>,
) -> Result<Response> {
    let Which { cluster, node } = Which::of(segments)?;
    let text = node::cloud_config(&api.conductor, &holder, &cluster, &node).await?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

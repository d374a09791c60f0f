//! What nodes say of themselves and may fetch, below `/v1/clusters/{uuid}/nodes/{name}`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use conductor::join_token::{self, HandedIn};
use conductor::node::{self, Report};
use conductor::order::{self, Outcome, State as Fared, Task};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};
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

/// What lets a node join its cluster.
#[derive(Serialize, ToSchema)]
pub struct JoinToken {
    /// The token of the node's role.
    token: String,
    /// Control plane nodes: what opens their state after a restart, where it is locked.
    #[serde(skip_serializing_if = "Option::is_none")]
    unlock_key: Option<String>,
}

/// What opens the state of a control plane node.
#[derive(Serialize, ToSchema)]
pub struct UnlockKey {
    /// The key.
    unlock_key: String,
}

/// What a node is to do now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Orders {
    /// The order's identifier, which the answer names; none where there is nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<String>,
    /// `nothing`; `trust`, `leaf`, `return`, `commit` or `back` (hold the authorities given here); `credential` or
    /// `credential-back` (put the cluster's credential, as it is now, into the cluster); `join-tokens` (rotate the join
    /// tokens, and hand in the new ones).
    kind: &'static str,
    /// `<authority>_trust`: the certificates to trust; `<authority>_issuer`: the one that signs. All in PEM.
    #[serde(flatten)]
    authorities: BTreeMap<String, String>,
}

impl From<Option<Task>> for Orders {
    fn from(task: Option<Task>) -> Self {
        let Some(task) = task else {
            return Self { uuid: None, kind: "nothing", authorities: BTreeMap::new() };
        };
        let named = |authority: order::Authority| {
            let name = authority.ca.as_str();
            [(format!("{name}_trust"), authority.trust), (format!("{name}_issuer"), authority.issuer)]
        };
        let authorities = task.authorities.into_iter().flat_map(named).collect();
        Self { uuid: Some(task.uuid), kind: task.kind.as_str(), authorities }
    }
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
    request_body(content = crate::openapi::NodeReport), security(("bootstrap" = []), ("node" = [])),
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
    let mut given = object(payload, "report")?;
    let report = Report {
        phase: member(&mut given, "phase")?.ok_or_else(|| Error::field("phase", "None", "Mandatory field missing."))?,
        step: member(&mut given, "step")?,
        message: member(&mut given, "message")?,
        log: member(&mut given, "log")?.unwrap_or_default(),
        versions: member(&mut given, "versions")?.unwrap_or_default(),
        addresses: member(&mut given, "addresses")?.unwrap_or_default(),
    };
    nothing_else(&given, "report").map(|()| report)
}

fn object(payload: &Payload, argument: &str) -> Result<Map<String, Value>> {
    match payload.json(argument)? {
        Value::Object(given) => Ok(given),
        other => Err(Error::field(argument, &other.to_string(), "Allowed: a JSON object.")),
    }
}

/// Refuses what is left over.
fn nothing_else(given: &Map<String, Value>, argument: &str) -> Result<()> {
    match given.keys().next() {
        None => Ok(()),
        Some(name) => Err(Error::invalid(format!("Unknown attribute for argument {argument}: {}", excerpt(name)))),
    }
}

/// Takes a member out; `null` is the same as absent.
fn member<T: DeserializeOwned>(given: &mut Map<String, Value>, name: &str) -> Result<Option<T>> {
    let Some(value) = given.remove(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let read = T::deserialize(&value).map(Some);
    read.map_err(|why| Error::field(name, &shown(&value), &format!("It is not as it must be: {why}.")))
}

/// Tells a node what it has to do now; most often nothing.
#[utoipa::path(get, operation_id = "show_orders", path = "/v1/clusters/{cluster_uuid}/nodes/{node_name}/orders", tag = "nodes",
    params(("cluster_uuid" = String, Path, description = "UUID of the cluster"),
        ("node_name" = String, Path, description = "Name of the node's server")),
    security(("bootstrap" = []), ("node" = [])),
    responses((status = 200, description = "What is to be done", body = Orders)))]
pub async fn orders(
    State(api): State<Api>,
    Node(holder): Node,
    segments: Segments,
    Query(Nothing): Query<Nothing>,
) -> Result<Json<Orders>> {
    let Which { cluster, node } = Which::of(segments)?;
    Ok(Json(order::task(&api.conductor, &holder, &cluster, &node).await?.into()))
}

/// Takes a node's answer to an order: that it is carried out, or why it could not be.
#[utoipa::path(post, operation_id = "answer_order", path = "/v1/clusters/{cluster_uuid}/nodes/{node_name}/orders", tag = "nodes",
    params(("cluster_uuid" = String, Path, description = "UUID of the cluster"),
        ("node_name" = String, Path, description = "Name of the node's server")),
    request_body(content = crate::openapi::OrderAnswer), security(("bootstrap" = []), ("node" = [])),
    responses((status = 204, description = "The answer is on record")))]
pub async fn answer(
    State(api): State<Api>,
    Node(holder): Node,
    segments: Segments,
    Query(Nothing): Query<Nothing>,
    payload: Payload,
) -> Result<StatusCode> {
    let Which { cluster, node } = Which::of(segments)?;
    order::answer(&api.conductor, &holder, &cluster, &node, read_answer(&payload)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read_answer(payload: &Payload) -> Result<Outcome> {
    let mut given = object(payload, "answer")?;
    let missing = |name: &str| Error::field(name, "None", "Mandatory field missing.");
    let outcome = Outcome {
        uuid: member(&mut given, "uuid")?.ok_or_else(|| missing("uuid"))?,
        state: member::<Fared>(&mut given, "state")?.ok_or_else(|| missing("state"))?,
        message: member(&mut given, "message")?,
        log: member(&mut given, "log")?.unwrap_or_default(),
    };
    nothing_else(&given, "answer").map(|()| outcome)
}

/// Takes the tokens that let nodes join, from a control plane node that made or rotated them.
#[utoipa::path(post, operation_id = "hand_in_join_tokens", path = "/v1/clusters/{cluster_uuid}/nodes/{node_name}/join-tokens", tag = "nodes",
    params(("cluster_uuid" = String, Path, description = "UUID of the cluster"),
        ("node_name" = String, Path, description = "Name of the node's server")),
    request_body(content = crate::openapi::NewJoinTokens), security(("bootstrap" = []), ("node" = [])),
    responses((status = 204, description = "The tokens are kept, sealed")))]
pub async fn hand_in_join_tokens(
    State(api): State<Api>,
    Node(holder): Node,
    segments: Segments,
    Query(Nothing): Query<Nothing>,
    payload: Payload,
) -> Result<StatusCode> {
    let Which { cluster, node } = Which::of(segments)?;
    join_token::hand_in(&api.conductor, &holder, &cluster, &node, read_tokens(&payload)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read_tokens(payload: &Payload) -> Result<HandedIn> {
    let mut given = object(payload, "tokens")?;
    let unlock_key = secret(&mut given, "unlock_key")?.filter(|key| !key.expose_secret().is_empty());
    let missing = |name: &str| Error::field(name, "None", "Mandatory field missing.");
    let tokens = HandedIn {
        manager: secret(&mut given, "manager")?.ok_or_else(|| missing("manager"))?,
        worker: secret(&mut given, "worker")?.ok_or_else(|| missing("worker"))?,
        unlock_key,
    };
    nothing_else(&given, "tokens").map(|()| tokens)
}

/// Takes a text out that no refusal may repeat.
fn secret(given: &mut Map<String, Value>, name: &str) -> Result<Option<SecretString>> {
    match given.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.into())),
        Some(_) => Err(Error::field(name, "(not shown)", "Allowed: text.")),
    }
}

/// Gives a node that boots the token that lets it join its cluster.
#[utoipa::path(post, operation_id = "ask_for_join_token", path = "/v1/clusters/{cluster_uuid}/nodes/{node_name}/join-token", tag = "nodes",
    params(("cluster_uuid" = String, Path, description = "UUID of the cluster"),
        ("node_name" = String, Path, description = "Name of the node's server")),
    request_body(content = crate::openapi::JoinTokenRequest), security(("bootstrap" = []), ("node" = [])),
    responses((status = 200, description = "What lets the node in", body = JoinToken),
        (status = 404, description = "There is none yet; ask again"),
        (status = 409, description = "Another one is being made; ask again")))]
pub async fn join_token(
    State(api): State<Api>,
    Node(holder): Node,
    segments: Segments,
    Query(Nothing): Query<Nothing>,
    payload: Payload,
) -> Result<Json<JoinToken>> {
    let Which { cluster, node } = Which::of(segments)?;
    let mut given = object(&payload, "request")?;
    let refused: Option<String> = member(&mut given, "refused")?;
    nothing_else(&given, "request")?;
    let given = join_token::give(&api.conductor, &holder, &cluster, &node, refused.as_deref()).await?;
    let text = |secret: SecretString| secret.expose_secret().to_owned();
    Ok(Json(JoinToken { token: text(given.token), unlock_key: given.unlock_key.map(text) }))
}

/// Gives a control plane node the key that opens its state, which is locked after every start.
#[utoipa::path(get, operation_id = "show_unlock_key", path = "/v1/clusters/{cluster_uuid}/nodes/{node_name}/unlock-key", tag = "nodes",
    params(("cluster_uuid" = String, Path, description = "UUID of the cluster"),
        ("node_name" = String, Path, description = "Name of the node's server")),
    security(("bootstrap" = []), ("node" = [])),
    responses((status = 200, description = "The key", body = UnlockKey),
        (status = 404, description = "The cluster's state is not locked")))]
pub async fn unlock_key(
    State(api): State<Api>,
    Node(holder): Node,
    segments: Segments,
    Query(Nothing): Query<Nothing>,
) -> Result<Json<UnlockKey>> {
    let Which { cluster, node } = Which::of(segments)?;
    let key = join_token::unlock_key(&api.conductor, &holder, &cluster, &node).await?;
    Ok(Json(UnlockKey { unlock_key: key.expose_secret().to_owned() }))
}

/// Gives a control plane node the key pair that signs service account tokens.
#[utoipa::path(get, operation_id = "show_service_account", path = "/v1/clusters/{cluster_uuid}/nodes/{node_name}/service-account", tag = "nodes",
    params(("cluster_uuid" = String, Path, description = "UUID of the cluster"),
        ("node_name" = String, Path, description = "Name of the node's server")),
    security(("bootstrap" = []), ("node" = [])),
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
    security(("bootstrap" = []), ("node" = [])),
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

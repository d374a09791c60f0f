//! `/v1/certificates`: the authorities of clusters, and what they sign for users and nodes.

use axum::Json;
use axum::extract::State;
use conductor::node::Holder;
use conductor::{Kind, certificate, cluster};
use drivers::Ca;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::authorize::target;
use crate::body::{Field, Payload};
use crate::caller::{Caller, Principal};
use crate::coerce::{self, TEXT};
use crate::error::{Error, Result};
use crate::ident::{Ident, Segments};
use crate::links::{Base, Link};
use crate::query::{Arguments, Given, Nothing, Query};

/// The words for each authority; the first of each is ours.
const AUTHORITIES: [(&str, Ca); 6] = [
    ("kubernetes", Ca::Kubernetes),
    ("kubelet", Ca::Kubernetes),
    ("", Ca::Kubernetes),
    ("etcd", Ca::Etcd),
    ("front-proxy", Ca::FrontProxy),
    ("front_proxy", Ca::FrontProxy),
];

/// All of them.
const WORDS: &[&str] = &["kubernetes", "kubelet", "", "etcd", "front-proxy", "front_proxy"];

/// Every attribute a client may name when it asks for a signature.
pub(crate) const FIELDS: &[Field] = &[
    Field::mandatory("cluster_uuid", TEXT),
    Field::mandatory("csr", coerce::Kind::Text { min: 1, max: 65535 }),
    Field::optional("ca_cert_type", coerce::Kind::OneOf(WORDS)),
    Field::ignored("pem"),
    Field::read_only("links"),
    Field::read_only("created_at"),
    Field::read_only("updated_at"),
];

fn authority(word: &str) -> Result<Ca> {
    let known = AUTHORITIES.iter().find(|(name, _)| *name == word);
    known
        .map(|(_, ca)| *ca)
        .ok_or_else(|| Error::field("ca_cert_type", word, "Allowed: kubernetes, kubelet, etcd, front-proxy."))
}

/// Which authority is meant.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// `kubernetes` (also when absent), `etcd` or `front-proxy`.
    ca_cert_type: Option<String>,
}

impl Arguments for Wanted {
    fn take(given: &mut Given) -> Result<Self> {
        Ok(Self { ca_cert_type: given.text("ca_cert_type") })
    }
}

/// An authority's certificate.
#[derive(Debug, Serialize, ToSchema)]
pub struct Authority {
    /// The cluster.
    cluster_uuid: String,
    /// Which authority it is.
    ca_cert_type: &'static str,
    /// The certificate.
    pem: String,
    /// Itself, with and without the version.
    links: Vec<Link>,
}

/// A certificate that was signed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Signed {
    /// The cluster.
    cluster_uuid: String,
    /// Which authority signed it.
    ca_cert_type: &'static str,
    /// The request.
    csr: String,
    /// The certificate.
    pem: String,
    /// The authority, with and without the version.
    links: Vec<Link>,
}

#[derive(Deserialize)]
struct Request {
    cluster_uuid: String,
    csr: String,
    #[serde(default)]
    ca_cert_type: String,
}

/// Shows the certificate of one of a cluster's authorities.
#[utoipa::path(get, operation_id = "show_authority", path = "/v1/certificates/{cluster_ident}", tag = "certificates",
    params(("cluster_ident" = String, Path, description = "UUID or name of the cluster"), Wanted),
    security(("token" = []), ("bootstrap" = []), ("node" = [])),
    responses((status = 200, description = "The authority's certificate", body = Authority)))]
pub async fn show(
    State(api): State<Api>,
    principal: Principal,
    base: Base,
    mut segments: Segments,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Authority>> {
    let word = wanted.ca_cert_type.unwrap_or_default();
    authority_of(&api, &principal, &base, &segments.take("cluster_ident")?, &word).await
}

/// The same, the authority being a part of the path.
#[utoipa::path(get, operation_id = "show_authority_of_type", path = "/v1/certificates/{cluster_ident}/{ca_cert_type}", tag = "certificates",
    params(("cluster_ident" = String, Path, description = "UUID or name of the cluster"),
        ("ca_cert_type" = String, Path, description = "Which authority")),
    security(("token" = []), ("bootstrap" = []), ("node" = [])),
    responses((status = 200, description = "The authority's certificate", body = Authority)))]
pub async fn show_of_type(
    State(api): State<Api>,
    principal: Principal,
    base: Base,
    mut segments: Segments,
    Query(Nothing): Query<Nothing>,
) -> Result<Json<Authority>> {
    let word = segments.take("ca_cert_type")?;
    authority_of(&api, &principal, &base, &segments.take("cluster_ident")?, &word).await
}

async fn authority_of(
    api: &Api,
    principal: &Principal,
    base: &Base,
    ident: &str,
    word: &str,
) -> Result<Json<Authority>> {
    let ca = authority(word)?;
    let cluster_uuid = match principal {
        Principal::User(identity) => {
            let caller = Caller(identity.clone());
            let cluster = find(api, &caller, ident, Kind::NotFound).await?;
            api.allow(&caller, "certificate:get", Some(target(&cluster)))?;
            cluster.uuid
        }
        Principal::Node(holder) => own(holder, ident)?,
    };
    let pem = certificate::authority(&api.conductor, &cluster_uuid, ca).await?;
    let links = base.object("certificates", &cluster_uuid);
    Ok(Json(Authority { cluster_uuid, ca_cert_type: ca.as_str(), pem, links }))
}

/// Signs a certificate: whatever a user asks for within the contract's limits, and for a node what its role needs.
#[utoipa::path(post, operation_id = "sign_certificate", path = "/v1/certificates", tag = "certificates",
    request_body(content = crate::openapi::NewCertificate),
    security(("token" = []), ("bootstrap" = []), ("node" = [])),
    responses((status = 201, description = "The certificate", body = Signed)))]
pub async fn sign(
    State(api): State<Api>,
    principal: Principal,
    base: Base,
    Query(Nothing): Query<Nothing>,
    payload: Payload,
) -> Result<(StatusCode, Json<Signed>)> {
    let request: Request = payload.object("certificate", FIELDS)?.into()?;
    let ca = authority(&request.ca_cert_type)?;
    let (cluster_uuid, pem) = match &principal {
        Principal::User(identity) => {
            let caller = Caller(identity.clone());
            // An unknown cluster in the body makes the request wrong, not the path.
            let cluster = find(&api, &caller, &request.cluster_uuid, Kind::Invalid).await?;
            api.allow(&caller, "certificate:create", Some(target(&cluster)))?;
            let pem = certificate::sign(&api.conductor, &cluster.uuid, ca, &request.csr).await?;
            (cluster.uuid, pem)
        }
        Principal::Node(holder) => {
            let uuid = own(holder, &request.cluster_uuid)?;
            let pem = certificate::sign_for_node(&api.conductor, holder, ca, &request.csr).await?;
            (uuid, pem)
        }
    };
    let links = base.object("certificates", &cluster_uuid);
    let signed = Signed { cluster_uuid, ca_cert_type: ca.as_str(), csr: request.csr, pem, links };
    Ok((StatusCode::CREATED, Json(signed)))
}

/// The cluster whose authorities or credential are being replaced.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rotated {
    /// Its UUID.
    pub(crate) uuid: String,
}

/// Accepts the rotation of a cluster's authorities; its certificates stay valid until it has succeeded.
#[utoipa::path(patch, operation_id = "rotate_authorities", path = "/v1/certificates/{cluster_ident}", tag = "certificates",
    params(("cluster_ident" = String, Path, description = "UUID or name of the cluster")),
    responses((status = 202, description = "The authorities will be replaced", body = Rotated)))]
pub async fn rotate(
    State(api): State<Api>,
    caller: Caller,
    Ident(ident): Ident,
    Query(Nothing): Query<Nothing>,
    payload: Payload,
) -> Result<(StatusCode, Json<Rotated>)> {
    payload.nothing()?;
    let scope = api.scope(&caller, "cluster:get_one_all_projects")?;
    let view = cluster::store::view(&api.conductor.db, &scope, &ident).await?;
    api.allow(&caller, "certificate:rotate_ca", Some(target(&view.cluster)))?;
    cluster::rotate_authorities(&api.conductor, &caller.0, &view).await?;
    Ok((StatusCode::ACCEPTED, Json(Rotated { uuid: view.cluster.uuid })))
}

/// The cluster; `absent` says what it means that there is none.
async fn find(api: &Api, caller: &Caller, ident: &str, absent: Kind) -> Result<cluster::Cluster> {
    let scope = api.scope(caller, "cluster:get_one_all_projects")?;
    let found = cluster::store::find(&api.conductor.db, &scope, ident).await;
    Ok(found.map_err(|error| match error.kind {
        Kind::NotFound => conductor::Error { kind: absent, ..error },
        _ => error,
    })?)
}

/// The cluster of a node, which knows no other.
fn own(holder: &Holder, uuid: &str) -> Result<String> {
    if holder.cluster_uuid == uuid {
        return Ok(uuid.to_owned());
    }
    Err(conductor::Error::not_found(format!("Cluster {uuid} could not be found.")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_have_their_words_and_others_are_refused() {
        assert_eq!(AUTHORITIES.map(|(word, _)| word), *WORDS);
        for (word, ca) in AUTHORITIES {
            assert_eq!(authority(word).unwrap(), ca);
        }
        assert!(authority("vault").unwrap_err().detail().contains("Allowed: kubernetes, kubelet, etcd, front-proxy."));
    }

    #[test]
    fn a_request_for_a_signature_needs_a_cluster_and_a_csr() {
        for (body, text) in [
            (r#"{"csr": "x"}"#, "cluster_uuid"),
            (r#"{"cluster_uuid": "x"}"#, "csr"),
            (r#"{"bay_uuid": "x", "csr": "x"}"#, "Unknown attribute for argument certificate: bay_uuid"),
        ] {
            let error = Payload::new(body).object("certificate", FIELDS).unwrap_err();
            assert!(error.status() == 400 && error.detail().contains(text), "{}", error.detail());
        }
    }
}

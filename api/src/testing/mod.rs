//! Tests of the crate as a whole, and what they share: reading answers, and an edge around routes of their own.

mod cloud;
mod clusters;
#[path = "../../../conductor/tests/support/databases.rs"]
#[allow(dead_code, missing_docs, unreachable_pub, reason = "a part of it is used here")]
mod databases;
mod edge;
mod federations;
mod inside;
mod join_tokens;
mod many;
mod nodegroups;
mod quotas;
mod rotation;
#[path = "../../../conductor/tests/store/sample.rs"]
#[allow(dead_code, unreachable_pub, reason = "a part of it is used here")]
mod sample;
mod server;
mod stale;
mod templates;
mod updates;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use conductor::node::Holder;
use conductor::openstack::{Catalog, Identity};
use futures::FutureExt;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::body::Limits;
use crate::caller::{Credential, Gate, Principal};
use crate::edge::{Settings, around};

/// Status, headers and JSON body of an answer; an empty body reads as `null`.
pub(crate) async fn read(response: Response) -> (u16, HeaderMap, Value) {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    (parts.status.as_u16(), parts.headers, body)
}

/// A gate that knows the token `good`, takes proofs with the signature `good` for a node that says what was proved, and finds Keystone away for the token `away`.
pub(crate) fn gate() -> Gate {
    Gate {
        judge: Arc::new(|credential| {
            async move {
                match credential {
                    Credential::Token(token) if token == "good" => {
                        Ok(Some(Principal::User(Arc::new(identity("user", Some("project"), &["member", "reader"])))))
                    }
                    Credential::Token(token) if token == "away" => {
                        Err(conductor::Error::unavailable("Keystone").into())
                    }
                    Credential::Proof(shown) if shown.signature == "good" => {
                        let holder = Holder {
                            cluster_uuid: shown.cluster.clone(),
                            nodegroup_uuid: shown.body_hash.clone(),
                            role: "worker".into(),
                            node: Some(format!("{} {} {}", shown.method, shown.path, shown.timestamp)),
                        };
                        Ok(Some(Principal::Node(Arc::new(holder))))
                    }
                    _ => Ok(None),
                }
            }
            .boxed()
        }),
        keystone: "http://keystone/v3".into(),
    }
}

/// An identity with a token of no Keystone.
pub(crate) fn identity(user_id: &str, project_id: Option<&str>, roles: &[&str]) -> Identity {
    Identity {
        user_id: user_id.into(),
        user_name: user_id.into(),
        user_domain_id: "default".into(),
        user_domain_name: "Default".into(),
        project_id: project_id.map(Into::into),
        project_name: project_id.map(Into::into),
        project_domain_id: project_id.map(|_| "default".into()),
        domain_id: None,
        system: false,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        expires_at: chrono::Utc::now() + chrono::TimeDelta::hours(1),
        delegated: None,
        cluster: None,
        catalog: Catalog::default(),
        token: "good".to_owned().into(),
    }
}

/// Routes behind an edge with small limits.
pub(crate) fn behind_edge(routes: Router) -> Router {
    around(
        routes,
        Settings {
            gate: gate(),
            limits: Limits { body: 1000, body_time: Duration::from_millis(200) },
            timeout: Duration::from_millis(500),
            origins: ["https://pages.example".to_owned()].into(),
            public_url: None,
        },
    )
}

/// Sends one request, given as `METHOD path` and `name: value` headers.
pub(crate) async fn send(
    routes: &Router,
    line: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> (u16, HeaderMap, Value) {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path).header("host", "h:9511");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    read(routes.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap()).await
}

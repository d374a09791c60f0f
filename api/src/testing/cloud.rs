//! A cloud on loopback that speaks as much of Keystone, Glance, Nova and Neutron as the API asks them.
//!
//! A token says who it is: `<user>:<project>:<role>,<role>`, and by what it is lent: `:trust=<trustee>` or
//! `:credential=<id>`; every other text is no token.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use conductor::{Conductor, Config};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::send;
use crate::policy::Enforcer;
use crate::{Api, routes};

pub(super) const MEMBER: &str = "alice:p1:member,reader";
pub(super) const COLLEAGUE: &str = "bob:p1:member,reader";
pub(super) const READER: &str = "carol:p1:reader";
pub(super) const STRANGER: &str = "dave:p2:member,reader";
pub(super) const ADMIN: &str = "root:p9:admin,member,reader";

/// The service with its stand-in cloud; ends with the test.
pub(super) struct Service {
    pub(super) api: Api,
    routes: Router,
    _state: TempDir,
}

impl Service {
    pub(super) async fn start() -> Self {
        Self::configured(|_| {}).await
    }

    pub(super) async fn configured(change: impl FnOnce(&mut Config)) -> Self {
        Self::opened(change, |_| {}).await
    }

    /// Like [`Self::configured`]; `watch` gets the conductor before anybody else has it.
    pub(super) async fn opened(change: impl FnOnce(&mut Config), watch: impl FnOnce(&mut Conductor)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, cloud(&base)).into_future());
        let state = tempfile::tempdir().unwrap();
        let mut config = Config { state_dir: state.path().to_owned(), ..Config::default() };
        config.keystone.auth_url = format!("{base}/v3");
        config.api.max_limit = 5;
        change(&mut config);
        let policy = Enforcer::open(config.policy.file.as_deref(), config.x509.project_wide).unwrap();
        let mut conductor = Conductor::open(config).await.unwrap();
        watch(&mut conductor);
        let conductor = Arc::new(conductor);
        let api = Api { conductor, policy: Arc::new(policy) };
        Self { routes: routes(api.clone()), api, _state: state }
    }

    /// Sends one request as somebody; an empty body is none, an empty token is nobody.
    pub(super) async fn ask(&self, who: &str, line: &str, body: Value) -> (u16, HeaderMap, Value) {
        self.ask_at("1.14", who, line, body).await
    }

    pub(super) async fn ask_at(&self, version: &str, who: &str, line: &str, body: Value) -> (u16, HeaderMap, Value) {
        let version = format!("container-infra {version}");
        let mut headers = vec![("content-type", "application/json"), ("openstack-api-version", version.as_str())];
        headers.extend(Some(("x-auth-token", who)).filter(|(_, who)| !who.is_empty()));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        send(&self.routes, line, &headers, body).await
    }

    /// The status and the text of a refusal.
    pub(super) async fn refused(&self, who: &str, line: &str, body: Value) -> (u16, String) {
        let (status, _, body) = self.ask(who, line, body).await;
        (status, body["errors"][0]["detail"].as_str().unwrap_or_default().to_owned())
    }

    /// Makes a template that only differs from the usual one in `change`, and returns it.
    pub(super) async fn template(&self, who: &str, change: Value) -> Value {
        let (status, _, body) = self.ask(who, "POST /v1/clustertemplates", usual(change)).await;
        assert_eq!(status, 201, "{body}");
        body
    }

    /// Makes a cluster from the template, and returns its UUID.
    pub(super) async fn cluster(&self, who: &str, template: &Value, change: Value) -> String {
        let mut body = json!({"name": "ci", "cluster_template_id": template["uuid"]});
        merge(&mut body, change);
        let (status, _, body) = self.ask(who, "POST /v1/clusters", body).await;
        assert_eq!(status, 202, "{body}");
        body["uuid"].as_str().unwrap().to_owned()
    }
}

/// The body of a template that can be made.
pub(super) fn usual(change: Value) -> Value {
    let mut body = json!({"name": "k8s", "coe": "kubernetes", "image_id": "ubuntu", "flavor_id": "small",
        "master_flavor_id": "small", "external_network_id": "public"});
    merge(&mut body, change);
    body
}

fn merge(body: &mut Value, change: Value) {
    let Value::Object(change) = change else { return };
    for (name, value) in change {
        body[name] = value;
    }
}

fn cloud(base: &str) -> Router {
    Router::new()
        .route("/v3/auth/tokens", post(log_in).get(validate))
        .route(
            "/v3/projects/{id}",
            get(async |Path(id): Path<String>| match id.as_str() {
                "absent" => StatusCode::NOT_FOUND.into_response(),
                "closed" => StatusCode::FORBIDDEN.into_response(),
                id => Json(json!({"project": {"id": id, "name": id}})).into_response(),
            }),
        )
        .route("/image/v2/images", get(images))
        .route("/image/v2/images/{id}", get(absent))
        .route("/compute/v2.1/flavors/{id}", get(flavor))
        .route("/compute/v2.1/flavors/detail", get(async || Json(json!({"flavors": []}))))
        .route("/compute/v2.1/os-keypairs/{name}", get(keypair))
        .route("/network/v2.0/networks", get(networks))
        .route("/network/v2.0/subnets", get(subnets))
        .with_state(base.to_owned())
}

async fn absent() -> StatusCode {
    StatusCode::NOT_FOUND
}

async fn log_in(State(base): State<String>, Json(body): Json<Value>) -> Response {
    let project = body["auth"]["scope"]["project"]["id"].as_str().unwrap_or("service");
    let token = identity(&base, "jeroboam", project, &["admin", "service"]);
    (StatusCode::CREATED, [("x-subject-token", "jeroboam:service:admin,service")], Json(token)).into_response()
}

async fn validate(State(base): State<String>, headers: HeaderMap) -> Response {
    let token = headers["x-subject-token"].to_str().unwrap();
    let parts: Vec<&str> = token.split(':').collect();
    match parts[..] {
        [user, project, roles] => {
            let roles: Vec<&str> = roles.split(',').collect();
            Json(identity(&base, user, project, &roles)).into_response()
        }
        [user, project, roles, lent] => {
            let roles: Vec<&str> = roles.split(',').collect();
            let mut body = identity(&base, user, project, &roles);
            match lent.split_once('=') {
                Some(("trust", trustee)) => {
                    let trust = json!({"id": "t", "trustor_user": {"id": user}, "trustee_user": {"id": trustee}});
                    body["token"]["OS-TRUST:trust"] = trust;
                }
                Some((_, id)) => body["token"]["application_credential"] = json!({"id": id, "restricted": true}),
                None => return StatusCode::NOT_FOUND.into_response(),
            }
            Json(body).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn identity(base: &str, user: &str, project: &str, roles: &[&str]) -> Value {
    let endpoint = |kind: &str, path: &str| {
        let place = json!({"interface": "public", "region_id": "RegionOne", "url": format!("{base}/{path}")});
        json!({"type": kind, "name": kind, "endpoints": [place]})
    };
    let domain = json!({"id": "default", "name": "Default"});
    let roles: Vec<Value> = roles.iter().map(|role| json!({"id": role, "name": role})).collect();
    let mut token = json!({
        "user": {"id": user, "name": user, "domain": domain},
        "roles": roles,
        "expires_at": (chrono::Utc::now() + chrono::TimeDelta::hours(1)).to_rfc3339(),
        "catalog": [endpoint("identity", ""), endpoint("image", "image"), endpoint("compute", "compute"),
            endpoint("network", "network")],
    });
    match project {
        "" => token["system"] = json!({"all": true}),
        project => token["project"] = json!({"id": project, "name": project, "domain": domain}),
    }
    json!({"token": token})
}

async fn images(Query(wanted): Query<HashMap<String, String>>) -> Response {
    let image = |properties: Value| {
        let mut image =
            json!({"id": "0d9b4e0a-54f7-4a4e-8c36-3bd5f1b54d5e", "name": wanted["name"], "status": "active"});
        merge(&mut image, properties);
        image
    };
    let found = match wanted["name"].as_str() {
        "ubuntu" => vec![image(json!({"os_distro": "ubuntu"}))],
        "debian" => vec![image(json!({"os_distro": "debian"}))],
        "plan9" => vec![image(json!({"os_distro": "plan9"}))],
        "bare" => vec![image(json!({}))],
        "odd-driver" => vec![image(json!({"os_distro": "ubuntu", "magnum_driver": "k8s_capi_helm"}))],
        "queued" => vec![image(json!({"os_distro": "ubuntu", "status": "queued"}))],
        "twins" => vec![image(json!({"os_distro": "ubuntu"})), image(json!({"os_distro": "ubuntu"}))],
        "secret" => return StatusCode::FORBIDDEN.into_response(),
        "broken" => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        _ => vec![],
    };
    Json(json!({"images": found})).into_response()
}

async fn flavor(Path(id): Path<String>) -> Response {
    let disk = match id.as_str() {
        "small" => 20,
        "diskless" => 0,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    Json(json!({"flavor": {"id": id, "name": id, "vcpus": 2, "ram": 4096, "disk": disk}})).into_response()
}

/// A keypair belongs to one user.
async fn keypair(Path(name): Path<String>, headers: HeaderMap) -> Response {
    if name != "alices" || !headers["x-auth-token"].to_str().unwrap().starts_with("alice:") {
        return StatusCode::NOT_FOUND.into_response();
    }
    Json(json!({"keypair": {"name": name, "public_key": "ssh-ed25519 AAAA alice"}})).into_response()
}

async fn networks(Query(wanted): Query<HashMap<String, String>>) -> Json<Value> {
    let all = [("public", true), ("twins", true), ("twins", true), ("private", false), ("empty", false)];
    let found: Vec<Value> = all
        .into_iter()
        .filter(|(name, _)| wanted.get("name").is_some_and(|wanted| wanted == name))
        .map(|(name, external)| json!({"id": format!("id-of-{name}"), "name": name, "router:external": external}))
        .collect();
    Json(json!({"networks": found}))
}

async fn subnets(Query(wanted): Query<HashMap<String, String>>) -> Json<Value> {
    let all = [("nodes", "id-of-private"), ("elsewhere", "id-of-another")];
    let fits = |key: &str, value: &str| wanted.get(key).is_none_or(|wanted| wanted == value);
    let found: Vec<Value> = all
        .into_iter()
        .filter(|(name, network)| fits("name", name) && fits("network_id", network))
        .map(|(name, network)| {
            json!({"id": format!("id-of-{name}"), "name": name, "network_id": network, "cidr": "10.1.0.0/24",
                "ip_version": 4})
        })
        .collect();
    Json(json!({"subnets": found}))
}

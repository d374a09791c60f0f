//! A small cloud on a local port for tests of faults: a Keystone that issues numbered tokens, and one service whose
//! behaviour each test writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::Cloud;
use crate::Config;

/// What the stage's Keystone does and has seen.
pub(super) struct Keystone {
    pub(super) url: String,
    pub(super) logins: AtomicUsize,
    pub(super) validations: AtomicUsize,
    /// Seconds an issued token lives.
    pub(super) lifetime: i64,
    /// Whether it refuses the scope of a project by identifier.
    pub(super) refuses_projects: std::sync::atomic::AtomicBool,
    /// When not 200, the status of every answer.
    pub(super) status: AtomicUsize,
}

impl Keystone {
    fn token(&self, expires_at: DateTime<Utc>) -> Value {
        let url = format!("{}/heat/v1/p", self.url);
        json!({"token": {
            "user": {"id": "u", "name": "n", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": "p", "name": "p", "domain": {"id": "default", "name": "Default"}},
            "roles": [{"id": "r", "name": "member"}],
            "expires_at": expires_at,
            "catalog": [{"type": "orchestration", "endpoints": [{"interface": "public", "region_id": "R", "url": url}]}],
        }})
    }

    fn down(&self) -> Option<Response> {
        let status = StatusCode::from_u16(u16::try_from(self.status.load(Ordering::SeqCst)).unwrap()).unwrap();
        (status != StatusCode::OK).then(|| status.into_response())
    }
}

/// Listens on a free port and serves until the test's runtime ends; gives the URL.
pub(super) async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

/// A cloud whose Heat is `heat` (its paths begin with `/heat/v1/p`), and its Keystone.
pub(super) async fn cloud(heat: Router, lifetime: i64) -> (Cloud, Arc<Keystone>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let keystone = Arc::new(Keystone {
        url: url.clone(),
        logins: 0.into(),
        validations: 0.into(),
        lifetime,
        refuses_projects: false.into(),
        status: 200.into(),
    });
    let tokens = Router::new().route("/v3/auth/tokens", post(log_in).get(validate)).with_state(keystone.clone());
    let router = tokens.merge(heat);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (Cloud::new(&config(&url)).unwrap(), keystone)
}

/// A configuration for the Keystone at `url`, with a deadline of two seconds.
pub(super) fn config(url: &str) -> Config {
    let mut config = Config::default();
    config.keystone.auth_url = url.to_owned();
    config.keystone.password = "canary-password".to_owned().into();
    config.keystone.timeout_s = 2;
    config
}

async fn log_in(State(keystone): State<Arc<Keystone>>, body: Bytes) -> Response {
    if let Some(answer) = keystone.down() {
        return answer;
    }
    let body: Value = serde_json::from_slice(&body).unwrap();
    let number = keystone.logins.fetch_add(1, Ordering::SeqCst) + 1;
    if keystone.refuses_projects.load(Ordering::SeqCst) && body["auth"]["scope"]["project"]["id"].is_string() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let token = keystone.token(Utc::now() + TimeDelta::seconds(keystone.lifetime));
    (StatusCode::CREATED, [("x-subject-token", format!("token-{number}"))], axum::Json(token)).into_response()
}

/// Knows the tokens that begin with `user`; slowly, so that validations overlap.
async fn validate(State(keystone): State<Arc<Keystone>>, headers: HeaderMap) -> Response {
    if let Some(answer) = keystone.down() {
        return answer;
    }
    keystone.validations.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let subject = headers["x-subject-token"].to_str().unwrap();
    match subject.starts_with("user") {
        true => axum::Json(keystone.token(Utc::now() + TimeDelta::seconds(keystone.lifetime))).into_response(),
        false => StatusCode::NOT_FOUND.into_response(),
    }
}

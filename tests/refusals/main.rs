//! Bad requests to a real service on the real cloud: each is refused with a status and a text that name the field, its
//! value and what is allowed, and leaves nothing behind.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod certificates;
mod nodes;
mod requests;
mod rights;
mod standing;
mod tokens;
mod versions;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use support::cloud::CLOUD;
use support::http::Answer;
use support::service::Service;
use support::shared::Shared;
use support::unique;

static SERVICE: Shared<Service> = Shared::new(|| Service::start(&[]));

/// A service in which no cluster is ever made.
fn service() -> Arc<Service> {
    SERVICE.get()
}

/// A token of the user, one for all tests: Keystone takes its time with passwords.
fn token(user: &str) -> String {
    static KNOWN: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(user.to_owned()).or_insert_with(|| CLOUD.token(user)).clone()
}

/// Names of the stacks in `demo`'s project that carry that text.
fn stacks(named: &str) -> Vec<String> {
    let path = format!("/v1/{}/stacks", CLOUD.project("demo"));
    let answer = CLOUD.call("heat", &token("demo"), "GET", &path, None);
    assert_eq!(answer.status, 200, "{}", answer.text);
    let listed = answer.json()["stacks"].as_array().unwrap().clone();
    let names = listed.iter().map(|stack| stack["stack_name"].as_str().unwrap().to_owned());
    names.filter(|name| name.contains(named)).collect()
}

/// The answer is that refusal, in the contract's body, and says all of these words.
fn assert_refused(answer: &Answer, status: u16, words: &[&str]) {
    assert_eq!(answer.status, status, "{}", answer.text);
    let body = answer.json();
    let [error] = &body["errors"].as_array().unwrap_or_else(|| panic!("{body}"))[..] else { panic!("{body}") };
    assert_eq!(error["status"], status, "{body}");
    assert_eq!(error["request_id"], "", "{body}");
    assert_eq!(error["links"], json!([]), "{body}");
    let (title, detail) = (error["title"].as_str().unwrap(), error["detail"].as_str().unwrap());
    for word in words {
        assert!(detail.contains(word), "{word:?} is not in {detail:?}");
    }
    if !detail.is_empty() && error["code"] != "" {
        assert_eq!(error["code"], if status < 500 { "client" } else { "server" }, "{body}");
        assert_eq!(title, detail.split('.').next().unwrap(), "{body}");
    }
    let id = answer.header("x-openstack-request-id").expect("a request id");
    assert!(id.starts_with("req-") && id.len() == 40, "{id}");
}

/// No row of a cluster and no reservation of a quota is there.
fn assert_no_clusters(service: &Service) {
    let tables = ["cluster", "nodegroup", "operation", "x509_keypair", "bootstrap_token", "node"];
    let counts: Vec<_> = tables.iter().map(|table| format!("(SELECT count(*) FROM {table})")).collect();
    let query = format!("SELECT {}, (SELECT coalesce(sum(clusters), 0) FROM project_usage)", counts.join(", "));
    assert_eq!(service.rows(&query), json!([[0, 0, 0, 0, 0, 0, 0]]));
    assert_none_listed(service);
}

fn assert_none_listed(service: &Service) {
    let token = token("demo");
    assert_eq!(service.call(&token, "GET", "/clusters", None).json(), json!({"clusters": []}));
    assert_eq!(service.call(&token, "GET", "/stats", None).json(), json!({"clusters": 0, "nodes": 0}));
}

/// A template that differs from a good one in `more` is refused, and not kept.
fn template_refused(more: Value, status: u16, words: &[&str]) {
    let service = service();
    let (token, name) = (token("demo"), unique("refused"));
    let mut body = json!({
        "name": name, "coe": "kubernetes", "image_id": "ubuntu-24.04", "external_network_id": "public",
        "flavor_id": "m1.small", "master_flavor_id": "m1.small", "network_driver": "flannel",
    });
    lay_over(&mut body, more);
    let answer = service.call(&token, "POST", "/clustertemplates", Some(&body));
    assert_refused(&answer, status, words);
    assert_eq!(service.call(&token, "GET", &format!("/clustertemplates/{name}"), None).status, 404);
}

/// A cluster that differs from a good one in `more`, of a template that differs from a good one in `template`, is
/// refused, and nothing is kept or made.
fn cluster_refused(template: Value, more: Value, status: u16, words: &[&str]) {
    let service = service();
    let token = token("demo");
    let template = service.template(&token, template);
    let name = unique("refused");
    let mut body = json!({"name": name, "cluster_template_id": template, "node_count": 1, "master_count": 1});
    lay_over(&mut body, more);
    let answer = service.call(&token, "POST", "/clusters", Some(&body));
    assert_refused(&answer, status, words);
    assert_no_clusters(&service);
    assert!(stacks(&name).is_empty());
    assert_eq!(service.call(&token, "DELETE", &format!("/clustertemplates/{template}"), None).status, 204);
}

fn lay_over(body: &mut Value, more: Value) {
    let (Value::Object(body), Value::Object(more)) = (body, more) else { panic!("objects") };
    body.extend(more);
}

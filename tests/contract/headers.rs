//! 1.3: what answers carry besides their body.

use serde_json::json;

use super::ask::*;
use super::world::{cluster_body, template, template_body};

const NAME: &str = "container-infrastructure-management";

#[test]
fn every_answer_with_a_body_is_json() {
    for answer in [
        get("/").by(NOBODY).send(),
        get("/v1/clusters?limit=1").send(),
        get("/v1/clusters/x").send(),
        get("/v1/clusters").by(NOBODY).send(),
    ] {
        assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.text);
    }
}

#[test]
fn every_answer_names_its_request() {
    let mut seen = std::collections::BTreeSet::new();
    for asked in [
        get("/").by(NOBODY),
        get("/healthcheck").by(NOBODY),
        get("/v1/clusters?limit=1"),
        get("/v1/clusters/x"),
        get("/v1/clusters").by(NOBODY),
        get("/nonsense"),
        ask("PUT", "/v1/clusters"),
        get("/v1/clusters").at("1.99"),
    ] {
        let id = asked.send().header("x-openstack-request-id").unwrap().to_owned();
        assert!(id.starts_with("req-") && uuid(&id[4..]), "{id}");
        assert!(seen.insert(id));
    }
}

fn uuid(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

#[test]
fn answers_below_v1_name_the_range_of_versions_and_the_one_used() {
    for asked in [get("/v1").by(NOBODY), get("/v1/clusters?limit=1"), get("/v1/clusters/x"), get("/nonsense")] {
        let answer = asked.at("1.9").send();
        assert_eq!(answer.header("openstack-api-minimum-version"), Some(&*format!("{NAME} 1.1")));
        assert_eq!(answer.header("openstack-api-maximum-version"), Some(&*format!("{NAME} 1.14")));
        assert_eq!(answer.header("openstack-api-version"), Some(&*format!("{NAME} 1.9")));
        assert_eq!(answer.header("vary"), Some("OpenStack-API-Version"));
    }
}

#[test]
fn the_root_names_no_versions_in_its_headers() {
    let answer = get("/").by(NOBODY).status(200);
    for name in ["openstack-api-minimum-version", "openstack-api-maximum-version", "openstack-api-version", "vary"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
}

#[test]
fn only_a_new_template_has_a_location() {
    let answer = post("/v1/clustertemplates").with(template_body(json!({}))).status(201);
    let uuid = answer.json()["uuid"].as_str().unwrap().to_owned();
    let location = answer.header("location").unwrap();
    assert!(
        location.starts_with("http://") && location.ends_with(&format!("/v1/clustertemplates/{uuid}")),
        "{location}"
    );
    assert_eq!(post("/v1/clusters").with(cluster_body(json!({}))).status(202).header("location"), None);
}

#[test]
fn a_204_has_no_body() {
    let uuid = template(json!({}))["uuid"].as_str().unwrap().to_owned();
    assert_eq!(delete(format!("/v1/clustertemplates/{uuid}")).status(204).text, "");
}

#[test]
fn a_401_names_the_keystone() {
    let answer = get("/v1/clusters").by(NOBODY).status(401);
    let named = answer.header("www-authenticate").unwrap();
    assert!(named.starts_with("Keystone uri=\"http://") && named.ends_with("/v3\""), "{named}");
}

#[test]
fn pages_of_other_origins_may_read_nothing_unless_configured() {
    let asked = get("/v1/clusters?limit=1").header("origin", "https://pages.example");
    assert_eq!(asked.status(200).header("access-control-allow-origin"), None);
}

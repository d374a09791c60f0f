//! 1.6: what a request's version changes, and three ways to be refused for it.

use serde_json::{Value, json};

use super::ask::*;
use super::world::{cluster, cluster_body, complete};

const NAME: &str = "container-infrastructure-management";

fn negotiated(header: &str) -> String {
    let answer = get("/v1/clusters?limit=1").unversioned().header("openstack-api-version", header).status(200);
    answer.header("openstack-api-version").unwrap().to_owned()
}

#[test]
fn no_header_means_1_1() {
    let answer = get("/v1/clusters?limit=1").unversioned().status(200);
    assert_eq!(answer.header("openstack-api-version"), Some(&*format!("{NAME} 1.1")));
}

#[test]
fn latest_in_any_case_means_the_newest() {
    for word in ["latest", "LATEST", "Latest"] {
        assert_eq!(negotiated(&format!("container-infra {word}")), format!("{NAME} 1.14"));
    }
}

#[test]
fn the_service_has_three_names() {
    for name in ["container-infra", "container-infrastructure", NAME] {
        assert_eq!(negotiated(&format!("{name} 1.9")), format!("{NAME} 1.9"));
    }
}

/// Ours: Magnum refuses lists (B-21).
#[test]
fn a_list_of_services_is_searched_for_this_one() {
    assert_eq!(negotiated("compute 2.90, container-infra 1.7"), format!("{NAME} 1.7"));
}

#[test]
fn a_header_of_another_shape_is_a_plain_406_without_version_headers() {
    for value in ["container-infra", "1.9", "container-infra 1", "container-infra 1.x", "container-infra 1.9 x"] {
        let asked = get("/v1/clusters").unversioned().header("openstack-api-version", value);
        plain_406(asked, "Invalid value for OpenStack-API-Version header");
    }
}

#[test]
fn a_header_for_other_services_only_is_a_plain_406_without_version_headers() {
    for value in ["compute 2.90", "Container-Infra 1.9", "magnum 1.9"] {
        let asked = get("/v1/clusters").unversioned().header("openstack-api-version", value);
        plain_406(asked, "Invalid service type for OpenStack-API-Version header");
    }
}

fn plain_406(asked: Ask<'_>, text: &str) {
    let answer = asked.status(406);
    let error = &answer.json()["errors"][0];
    assert_eq!((&error["status"], &error["detail"]), (&json!(406), &json!(text)));
    assert_eq!(answer.header("openstack-api-version"), None);
    assert_eq!(answer.header("openstack-api-maximum-version"), None);
}

#[test]
fn a_version_outside_the_range_is_the_special_406() {
    for version in ["1.0", "1.15", "2.1", "0.9"] {
        let answer = get("/v1/clusters").at(version).status(406);
        let error = &answer.json()["errors"][0];
        assert_eq!(keys(error), ["code", "description", "links", "max_version", "min_version", "title"]);
        assert_eq!(error["code"], "magnum.microversion-unsupported");
        assert_eq!(error["title"], "Requested microversion is unsupported");
        assert_eq!((&error["min_version"], &error["max_version"]), (&json!("1.1"), &json!("1.14")));
        let help = "http://docs.openstack.org/api-guide/compute/microversions.html";
        assert_eq!(error["links"], json!([{"rel": "help", "href": help}]));
        let text = error["description"].as_str().unwrap();
        assert!([version, "1.1", "1.14"].iter().all(|part| text.contains(part)), "{text}");
        assert_eq!(answer.header("openstack-api-version"), Some(&*format!("{NAME} {version}")));
        assert_eq!(answer.header("openstack-api-maximum-version"), Some(&*format!("{NAME} 1.14")));
    }
}

#[test]
fn the_header_is_checked_on_v1_even_without_a_token_and_ignored_on_the_root() {
    get("/v1").by(NOBODY).at("1.99").status(406);
    get("/").by(NOBODY).at("1.99").status(200);
}

#[test]
fn a_verb_that_a_version_lacks_is_a_406_that_names_both() {
    let path = format!("/v1/clusters/{}", cluster(json!({})));
    for (asked, version, name) in [
        (post(format!("{path}/actions/resize")).with(json!({"node_count": 1})), "1.6", "resize"),
        (post(format!("{path}/actions/upgrade")).with(json!({"cluster_template": "x"})), "1.6", "upgrade"),
        (get(format!("{path}/nodegroups")), "1.8", "get_all"),
        (get(format!("{path}/nodegroups/default-worker")), "1.8", "get_one"),
        (post(format!("{path}/nodegroups")).with(json!({"name": "n"})), "1.8", "post"),
        (patch(format!("{path}/nodegroups/default-worker")).with(json!([])), "1.8", "patch"),
        (delete(format!("{path}/nodegroups/n")), "1.8", "delete"),
    ] {
        let answer = asked.at(version).status(406);
        let error = &answer.json()["errors"][0];
        let text =
            format!("Version {version} was requested but the requested API {name} is not supported for this version.");
        assert_eq!(error["detail"], text);
        assert_eq!(answer.header("openstack-api-version"), Some(&*format!("{NAME} {version}")));
    }
}

#[test]
fn since_1_12_credentials_can_be_rotated() {
    let uuid = complete(json!({}));
    let error = patch(format!("/v1/credentials/{uuid}")).at("1.11").ok(406)["errors"][0].clone();
    let text = error["detail"].as_str().unwrap();
    assert!(text.starts_with("Version 1.11 was requested but the requested API "), "{text}");
}

/// At every version, as on Magnum's master: only bays, which are gone, were ever made synchronously.
#[test]
fn clusters_are_made_asynchronously_since_1_1() {
    let body = post("/v1/clusters").at("1.1").with(cluster_body(json!({}))).ok(202);
    assert_eq!(keys(&body), ["uuid"]);
}

#[test]
fn since_1_3_a_change_may_ask_to_be_undone_when_it_fails() {
    let path = format!("/v1/clusters/{}?rollback=true", complete(json!({})));
    for version in ["1.1", "1.2"] {
        patch(&path).at(version).with(json!([])).expect(400, "Unknown argument: \"rollback\"");
    }
    patch(&path).at("1.3").with(json!([])).status(202);
}

/// As Magnum, which documents 1.4 and 1.6 for them (B-20).
#[test]
fn stats_and_quotas_answer_at_every_version() {
    get("/v1/stats").at("1.1").status(200);
    get("/v1/quotas").at("1.1").by(ADMIN).status(200);
}

#[test]
fn until_1_9_a_cluster_must_have_workers() {
    let body = cluster_body(json!({"node_count": 0}));
    let text = "Resizing a nodegroup to zero is not supported in the provided microversion.";
    post("/v1/clusters").at("1.9").with(&body).expect(400, text);
    post("/v1/clusters").at("1.10").with(&body).status(202);
}

/// B-02.
#[test]
fn until_1_9_an_unknown_template_is_400_and_since_then_404() {
    let body = cluster_body(json!({"cluster_template_id": "no-such"}));
    for (version, status) in [("1.1", 400), ("1.9", 400), ("1.10", 404), ("latest", 404)] {
        post("/v1/clusters").at(version).with(&body).expect(status, "ClusterTemplate no-such could not be found.");
    }
}

#[test]
fn bays_and_baymodels_are_gone_at_every_version() {
    for version in ["1.1", "1.10", "1.11"] {
        get("/v1/bays").at(version).framework(404, "Not Found");
        get("/v1/baymodels").at(version).framework(404, "Not Found");
    }
}

#[test]
fn since_1_13_the_backends_identifier_is_called_cluster_id_instead_of_stack_id() {
    let path = format!("/v1/clusters/{}", complete(json!({})));
    let (old, new) = (get(&path).at("1.12").ok(200), get(&path).at("1.13").ok(200));
    assert!(old["stack_id"].is_string() && old.get("cluster_id").is_none(), "{old}");
    assert!(new["cluster_id"].is_string() && new.get("stack_id").is_none(), "{new}");
    assert_eq!(old["stack_id"], new["cluster_id"]);
    for list in ["/v1/clusters?limit=1", "/v1/clusters/detail?limit=1"] {
        let first = |version: &str| get(list).at(version).ok(200)["clusters"][0].clone();
        assert!(first("1.12").get("cluster_id").is_none() && first("1.13").get("stack_id").is_none());
    }
}

#[test]
fn fields_that_came_without_a_version_are_there_at_1_1() {
    let full = get(format!("/v1/clusters/{}", cluster(json!({})))).at("1.1").ok(200);
    for field in [
        "keypair",
        "docker_volume_size",
        "labels",
        "flavor_id",
        "master_flavor_id",
        "project_id",
        "user_id",
        "health_status",
        "health_status_reason",
        "fixed_network",
        "fixed_subnet",
        "floating_ip_enabled",
        "merge_labels",
        "labels_overridden",
        "labels_added",
        "labels_skipped",
        "master_lb_enabled",
    ] {
        assert!(full.get(field).is_some(), "{field}: {full}");
    }
    let template = super::world::template(json!({}));
    let path = format!("/v1/clustertemplates/{}", template["uuid"].as_str().unwrap());
    assert_eq!(get(path).at("1.1").ok(200), template);
}

/// Ours: openstacksdk never names a version, and could use neither action otherwise (B-46).
#[test]
fn the_two_actions_without_a_version_are_answered_as_at_1_8() {
    for action in ["resize", "upgrade"] {
        let path = format!("/v1/clusters/no-such/actions/{action}");
        let answer = post(path).unversioned().with(Value::Object(serde_json::Map::new())).send();
        assert_ne!(answer.status, 406, "{}", answer.text);
        assert_eq!(answer.header("openstack-api-version"), Some(&*format!("{NAME} 1.8")));
    }
}

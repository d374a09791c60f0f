//! 4.5: changing a cluster by a patch. (In which statuses: `gates`.)

use serde_json::{Value, json};

use super::ask::*;
use super::world::{complete, rests, shown, world};

fn path(uuid: &str) -> String {
    format!("/v1/clusters/{uuid}")
}

fn refused(change: Value, text: &str) {
    patch(path(&complete(json!({})))).with(change).expect(400, text);
}

fn accepted(uuid: &str, change: Value) {
    assert_eq!(patch(path(uuid)).with(change).ok(202), json!({"uuid": uuid}));
}

#[test]
fn another_number_of_workers_is_accepted_and_shown_at_once() {
    let uuid = complete(json!({}));
    let before = shown(&uuid)["updated_at"].clone();
    accepted(&uuid, replace("/node_count", 3));
    let shown = shown(&uuid);
    assert_eq!((&shown["status"], &shown["node_count"]), (&json!("UPDATE_IN_PROGRESS"), &json!(3)));
    assert_ne!(shown["updated_at"], before);
}

/// Ours: Magnum answers 400 (B-07).
#[test]
fn the_number_may_come_as_a_string() {
    let uuid = complete(json!({}));
    accepted(&uuid, replace("/node_count", "2"));
    assert_eq!(shown(&uuid)["node_count"], 2);
}

#[test]
fn no_workers_are_400_until_1_9() {
    let uuid = complete(json!({}));
    let text = "Resizing a nodegroup to zero is not supported in the provided microversion.";
    patch(path(&uuid)).at("1.9").with(replace("/node_count", 0)).expect(400, text);
    patch(path(&uuid)).at("1.10").with(replace("/node_count", 0)).status(202);
}

#[test]
fn the_number_is_the_default_workers_alone() {
    let uuid = complete(json!({"node_count": 2}));
    world().write(&format!("UPDATE nodegroup SET node_count = 2 WHERE cluster_uuid = '{uuid}' AND role = 'worker'"));
    accepted(&uuid, replace("/node_count", 4));
    let groups = world()
        .service
        .rows(&format!("SELECT name, node_count FROM nodegroup WHERE cluster_uuid = '{uuid}' ORDER BY name"));
    assert_eq!(groups, json!([["default-master", 1], ["default-worker", 4]]));
}

/// Ours: for Magnum it means one (B-43).
#[test]
fn the_number_cannot_be_removed() {
    refused(remove("/node_count"), "'/node_count' is a mandatory attribute and can not be removed");
}

#[test]
fn the_number_cannot_be_added_since_it_is_there() {
    let text = "The attribute /node_count has existed, please use 'replace' operation instead.";
    refused(add("/node_count", 2), text);
}

#[test]
fn everything_else_but_health_cannot_be_changed() {
    for (field, value) in [
        ("name", json!("other")),
        ("keypair", json!("other")),
        ("master_count", json!(3)),
        ("docker_volume_size", json!(9)),
        ("labels", json!("{'a': 'b'}")),
        ("flavor_id", json!("m1.medium")),
        ("master_flavor_id", json!("m1.medium")),
        ("create_timeout", json!(1)),
        ("fixed_network", json!("x")),
        ("fixed_subnet", json!("x")),
        ("floating_ip_enabled", json!(true)),
        ("master_lb_enabled", json!(true)),
        ("discovery_url", json!("x")),
        ("cluster_template_id", json!("x")),
        ("coe_version", json!("x")),
        ("container_version", json!("x")),
    ] {
        refused(replace(&format!("/{field}"), value), &format!("cannot change cluster property(ies) {field}."));
    }
    refused(add("/labels/a", "b"), "cannot change cluster property(ies) labels.");
}

#[test]
fn all_that_cannot_be_changed_is_named_at_once() {
    let change = json!([{"op": "replace", "path": "/name", "value": "x"},
        {"op": "replace", "path": "/flavor_id", "value": "x"}]);
    let text = patch(path(&complete(json!({})))).with(change).refused(400, &["name", "flavor_id"]);
    assert!(text.starts_with("cannot change cluster property(ies) "), "{text}");
}

#[test]
fn what_has_that_value_already_may_be_set() {
    let uuid = complete(json!({}));
    let name = shown(&uuid)["name"].clone();
    accepted(&uuid, replace("/name", name));
    accepted(&uuid, replace("/node_count", 1));
    assert_eq!(shown(&uuid)["status"], "CREATE_COMPLETE");
}

#[test]
fn an_empty_patch_is_accepted() {
    accepted(&complete(json!({})), json!([]));
}

#[test]
fn what_only_the_server_sets_is_internal() {
    for field in [
        "uuid",
        "project_id",
        "user_id",
        "links",
        "created_at",
        "updated_at",
        "stack_id",
        "cluster_id",
        "api_address",
        "node_addresses",
        "master_addresses",
        "ca_cert_ref",
        "magnum_cert_ref",
        "etcd_ca_cert_ref",
        "front_proxy_ca_cert_ref",
        "id",
    ] {
        let text = format!("'/{field}' is an internal attribute and can not be updated");
        refused(replace(&format!("/{field}"), "x"), &text);
    }
}

#[test]
fn merge_labels_is_no_attribute() {
    patch(path(&complete(json!({})))).with(replace("/merge_labels", true)).refused(400, &["non-existent"]);
}

#[test]
fn health_is_recorded_and_leaves_the_status_as_it_is() {
    let uuid = complete(json!({}));
    let reason = "{'api': 'ok', 'node-0.Ready': 'False'}";
    let change = json!([{"op": "replace", "path": "/health_status", "value": "UNHEALTHY"},
        {"op": "replace", "path": "/health_status_reason", "value": reason}]);
    // As the auto-healer sends it.
    let change = if shown(&uuid)["health_status"] == Value::Null { change } else { panic!() };
    accepted(&uuid, change);
    let shown = shown(&uuid);
    assert_eq!((&shown["status"], &shown["health_status"]), (&json!("CREATE_COMPLETE"), &json!("UNHEALTHY")));
    assert_eq!(shown["health_status_reason"], json!({"api": "ok", "node-0.Ready": "False"}));
}

/// Ours: Magnum reads Python only (B-42).
#[test]
fn the_reason_of_health_may_be_json_or_an_object() {
    for value in [json!("{\"api\": \"ok\"}"), json!({"api": "ok"})] {
        let uuid = complete(json!({}));
        accepted(&uuid, replace("/health_status_reason", value));
        assert_eq!(shown(&uuid)["health_status_reason"], json!({"api": "ok"}));
    }
}

#[test]
fn health_is_one_of_three_words() {
    let text = invalid("health_status", "FINE", "Allowed: HEALTHY, UNHEALTHY, UNKNOWN.");
    refused(replace("/health_status", "FINE"), &text);
}

/// Ours: Magnum looks every flavor up for every patch (B-31).
#[test]
fn health_can_be_told_when_the_flavor_is_gone() {
    let uuid = complete(json!({}));
    world().write(&format!("UPDATE cluster SET flavor_id = 'gone' WHERE uuid = '{uuid}'"));
    accepted(&uuid, replace("/health_status", "HEALTHY"));
}

#[test]
fn a_patch_is_a_list_before_the_cluster_is_looked_for() {
    patch("/v1/clusters/no-such").with(json!({"op": "replace"})).refused(400, &["Value not a valid list"]);
    patch("/v1/clusters/no-such").with(json!([])).expect(404, "Cluster no-such could not be found.");
}

#[test]
fn undoing_is_asked_for_by_a_boolean() {
    let uuid = complete(json!({}));
    for word in ["true", "True", "1", "false"] {
        rests(&uuid, "CREATE_COMPLETE");
        patch(format!("{}?rollback={word}", path(&uuid))).with(json!([])).status(202);
    }
    // As the client writes the path.
    patch(format!("{}/?rollback=True", path(&uuid))).with(json!([])).status(202);
    let text = invalid("rollback", "zzz", "Allowed: true or false.");
    patch(format!("{}?rollback=zzz", path(&uuid))).with(json!([])).expect(400, &text);
}

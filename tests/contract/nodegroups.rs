//! 5.1 and 5.2: nodegroups, and what they may be asked to be.

use serde_json::{Value, json};

use super::ask::*;
use super::world::{cluster, complete, shown};

const SUMMARY: [&str; 12] = [
    "flavor_id",
    "image_id",
    "is_default",
    "max_node_count",
    "merge_labels",
    "min_node_count",
    "name",
    "node_count",
    "role",
    "stack_id",
    "status",
    "uuid",
];

const DETAIL: [&str; 16] = [
    "cluster_id",
    "created_at",
    "docker_volume_size",
    "id",
    "labels",
    "labels_added",
    "labels_overridden",
    "labels_skipped",
    "links",
    "node_addresses",
    "node_labels",
    "node_taints",
    "project_id",
    "status_reason",
    "updated_at",
    "version",
];

fn path(cluster: &str) -> String {
    format!("/v1/clusters/{cluster}/nodegroups")
}

fn listed(cluster: &str, query: &str) -> Vec<Value> {
    get(format!("{}{query}", path(cluster))).ok(200)["nodegroups"].as_array().unwrap().clone()
}

/// A new nodegroup of a new cluster, as answered.
fn made(more: Value) -> Value {
    made_in(&complete(json!({})), more)
}

fn made_in(cluster: &str, more: Value) -> Value {
    let mut body = json!({"name": "gpu"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    post(path(cluster)).with(body).ok(202)
}

fn one(cluster: &str, ident: &str) -> Value {
    get(format!("{}/{ident}", path(cluster))).ok(200)
}

#[test]
fn every_cluster_has_two_default_nodegroups_from_its_beginning() {
    let groups = listed(&cluster(json!({"node_count": 2})), "");
    let seen: Vec<_> = groups
        .iter()
        .map(|group| (&group["name"], &group["role"], &group["is_default"], &group["node_count"]))
        .collect();
    assert_eq!(json!(seen), json!([["default-master", "master", true, 1], ["default-worker", "worker", true, 2]]));
}

#[test]
fn the_list_shows_nodegroups_in_short() {
    for group in listed(&complete(json!({})), "") {
        assert_eq!(keys(&group), SUMMARY);
    }
}

/// Ours: Magnum's list shows 0 and null whatever is there (B-10).
#[test]
fn the_list_shows_real_bounds() {
    let uuid = complete(json!({}));
    made_in(&uuid, json!({"node_count": 2, "min_node_count": 1, "max_node_count": 7}));
    let group = listed(&uuid, "").pop().unwrap();
    assert_eq!(
        (&group["name"], &group["min_node_count"], &group["max_node_count"]),
        (&json!("gpu"), &json!(1), &json!(7))
    );
}

#[test]
fn one_nodegroup_is_shown_in_full_by_uuid_or_name() {
    let uuid = complete(json!({}));
    let by_name = one(&uuid, "default-worker");
    let mut members = [&SUMMARY[..], &DETAIL[..]].concat();
    members.sort_unstable();
    assert_eq!(keys(&by_name), members);
    assert_eq!(one(&uuid, by_name["uuid"].as_str().unwrap()), by_name);
    assert_eq!(by_name["cluster_id"], uuid);
}

#[test]
fn the_cluster_may_be_named() {
    let uuid = complete(json!({}));
    let name = shown(&uuid)["name"].as_str().unwrap().to_owned();
    assert_eq!(listed(&name, ""), listed(&uuid, ""));
}

#[test]
fn a_list_may_be_of_one_role_and_keeps_it_on_the_next_page() {
    let uuid = complete(json!({}));
    assert_eq!(listed(&uuid, "?role=worker").len(), 1);
    assert_eq!(listed(&uuid, "?role=none").len(), 0);
    // The filter in the link is ours: Magnum loses it (B-11).
    let page = get(format!("{}?role=worker&limit=1", path(&uuid))).ok(200);
    let last = page["nodegroups"][0]["uuid"].as_str().unwrap();
    let next = page["next"].as_str().unwrap();
    let end = format!("/v1/clusters/{uuid}/nodegroups?sort_key=id&sort_dir=asc&role=worker&limit=1&marker={last}");
    assert!(next.ends_with(&end), "{next}");
}

#[test]
fn detail_is_the_name_of_a_nodegroup() {
    let uuid = complete(json!({}));
    get(format!("{}/detail", path(&uuid))).expect(404, "Nodegroup detail could not be found.");
}

#[test]
fn an_unknown_cluster_or_nodegroup_is_404() {
    get(path("no-such")).expect(404, "Cluster no-such could not be found.");
    let uuid = complete(json!({}));
    get(format!("{}/x", path(&uuid))).expect(404, "Nodegroup x could not be found.");
    delete(format!("{}/x", path(&uuid))).expect(404, "Nodegroup x could not be found.");
}

/// Ours: Magnum also takes the database's number (B-25).
#[test]
fn the_databases_number_names_no_nodegroup() {
    let uuid = complete(json!({}));
    let id = one(&uuid, "default-worker")["id"].clone();
    get(format!("{}/{id}", path(&uuid))).expect(404, &format!("Nodegroup {id} could not be found."));
}

#[test]
fn a_new_nodegroup_is_answered_202_in_full_and_the_cluster_is_being_updated() {
    let uuid = complete(json!({}));
    let group = made_in(&uuid, json!({}));
    let mut members = [&SUMMARY[..], &DETAIL[..]].concat();
    members.sort_unstable();
    assert_eq!(keys(&group), members);
    assert_eq!(group["status"], "CREATE_IN_PROGRESS");
    assert_eq!(shown(&uuid)["status"], "UPDATE_IN_PROGRESS");
    assert_eq!(one(&uuid, "gpu"), group);
}

/// As the CLI does.
#[test]
fn a_slash_at_the_end_is_tolerated() {
    let uuid = complete(json!({}));
    post(format!("{}/", path(&uuid))).with(json!({"name": "gpu"})).status(202);
    get(format!("{}/", path(&uuid))).status(200);
}

#[test]
fn what_is_not_given_has_its_default() {
    let uuid = complete(json!({"labels": {"a": "1"}, "docker_volume_size": 5, "flavor_id": "m1.medium"}));
    let group = made_in(&uuid, json!({}));
    for (field, value) in [
        ("node_count", json!(1)),
        ("min_node_count", json!(0)),
        ("max_node_count", Value::Null),
        ("role", json!("worker")),
        ("is_default", json!(false)),
        ("docker_volume_size", Value::Null),
        ("labels", json!({"a": "1"})),
        ("flavor_id", json!("m1.medium")),
        ("image_id", json!("ubuntu-24.04")),
        ("merge_labels", json!(false)),
        ("node_labels", Value::Null),
        ("node_taints", Value::Null),
        ("stack_id", Value::Null),
    ] {
        assert_eq!(group[field], value, "{field}");
    }
}

#[test]
fn labels_replace_the_clusters_or_are_laid_over_them_and_none_stays_none() {
    let own = |more: Value| made_in(&complete(json!({"labels": {"a": "1"}})), more)["labels"].clone();
    assert_eq!(own(json!({"labels": {"b": "2"}})), json!({"b": "2"}));
    assert_eq!(own(json!({"labels": {"b": "2"}, "merge_labels": true})), json!({"a": "1", "b": "2"}));
    assert_eq!(own(json!({"labels": {}})), json!({}));
    assert_eq!(own(json!({"labels": null})), json!({"a": "1"}));
}

#[test]
fn labels_are_compared_with_the_clusters() {
    let uuid = complete(json!({"labels": {"a": "1", "c": "3"}}));
    let group = made_in(&uuid, json!({"labels": {"a": "9", "b": "2"}}));
    assert_eq!(group["labels_overridden"], json!({"a": "1"}));
    assert_eq!(group["labels_added"], json!({"b": "2"}));
    assert_eq!(group["labels_skipped"], json!({"c": "3"}));
}

/// Ours: Magnum takes them, and breaks (B-12).
#[test]
fn what_the_server_says_later_may_be_given_and_is_not_believed() {
    let given = json!({"id": 4711, "uuid": "x", "is_default": true, "status": "CREATE_FAILED", "version": "v0"});
    let group = made(given.clone());
    for field in ["id", "uuid", "is_default", "status", "version"] {
        assert_ne!(group[field], given[field], "{field}");
    }
}

#[test]
fn what_only_the_server_says_cannot_be_given() {
    let uuid = complete(json!({}));
    for field in ["project_id", "stack_id", "node_addresses", "links", "created_at", "updated_at"] {
        let text = invalid(field, "x", "Cannot set read only field.");
        post(path(&uuid)).with(json!({"name": "gpu", field: "x"})).expect(400, &text);
    }
}

/// Ours: Magnum answers 500 (B-08).
#[test]
fn a_nodegroup_needs_a_name_and_numbers_are_not_null() {
    let uuid = complete(json!({}));
    post(path(&uuid)).with(json!({})).expect(400, &invalid("name", "None", "Mandatory field missing."));
    for field in ["name", "node_count", "min_node_count", "role"] {
        let mut body = json!({"name": "gpu"});
        body[field] = Value::Null;
        post(path(&uuid)).with(body).refused(400, &[field]);
    }
}

#[test]
fn there_may_be_no_nodes_at_1_9_already() {
    let uuid = complete(json!({}));
    post(path(&uuid)).at("1.9").with(json!({"name": "gpu", "node_count": 0})).status(202);
}

/// As Magnum, which documents 1.14 for them (B-45).
#[test]
fn labels_and_taints_of_nodes_are_taken_and_shown_at_1_9() {
    let uuid = complete(json!({}));
    let taints = json!([{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]);
    let body = json!({"name": "gpu", "node_labels": {"example.org/gpu": "yes"}, "node_taints": taints});
    let group = post(path(&uuid)).at("1.9").with(body).ok(202);
    assert_eq!((&group["node_labels"], &group["node_taints"]), (&json!({"example.org/gpu": "yes"}), &taints));
}

#[test]
fn bounds_can_be_replaced_and_removed() {
    let uuid = complete(json!({}));
    let worker = format!("{}/default-worker", path(&uuid));
    assert_eq!(patch(&worker).with(add("/max_node_count", 7)).ok(202)["max_node_count"], 7);
    assert_eq!(patch(&worker).with(replace("/max_node_count", 9)).ok(202)["max_node_count"], 9);
    assert_eq!(patch(&worker).with(replace("/min_node_count", 1)).ok(202)["min_node_count"], 1);
    assert_eq!(patch(&worker).with(remove("/max_node_count")).ok(202)["max_node_count"], Value::Null);
    assert_eq!(patch(&worker).with(remove("/min_node_count")).ok(202)["min_node_count"], 0);
}

#[test]
fn nothing_else_of_a_nodegroup_can_be_patched() {
    let worker = format!("{}/default-worker", path(&complete(json!({}))));
    for field in ["id", "uuid", "name", "node_count", "role", "flavor_id", "labels", "is_default", "status", "links"] {
        let text = format!("'/{field}' is an internal attribute and can not be updated");
        patch(&worker).with(replace(&format!("/{field}"), "x")).expect(400, &text);
    }
}

#[test]
fn labels_and_taints_of_nodes_are_replaced_as_python_or_json_text() {
    for (labels, taints) in [
        (json!("{'a': 'b'}"), json!("[{'key': 'k', 'effect': 'NoSchedule'}]")),
        (json!("{\"a\": \"b\"}"), json!("[{\"key\": \"k\", \"effect\": \"NoSchedule\"}]")),
    ] {
        let worker = format!("{}/default-worker", path(&complete(json!({}))));
        let change = json!([{"op": "replace", "path": "/node_labels", "value": labels},
            {"op": "replace", "path": "/node_taints", "value": taints}]);
        let group = patch(worker).with(change).ok(202);
        assert_eq!(group["node_labels"], json!({"a": "b"}));
        assert_eq!(group["node_taints"][0]["key"], "k");
    }
}

#[test]
fn a_nodegroup_is_deleted_with_204() {
    let uuid = complete(json!({}));
    made_in(&uuid, json!({}));
    super::world::rests(&uuid, "CREATE_COMPLETE");
    delete(format!("{}/gpu", path(&uuid))).status(204);
    assert_eq!(one(&uuid, "gpu")["status"], "DELETE_IN_PROGRESS");
    assert_eq!(shown(&uuid)["status"], "UPDATE_IN_PROGRESS");
    delete(format!("{}/gpu", path(&uuid))).status(204);
}

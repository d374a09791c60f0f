//! 7: the dialect of JSON patch, on cluster templates.

use serde_json::{Value, json};

use super::ask::*;
use super::world::template;

fn made() -> String {
    let made = template(json!({"labels": {"a": "1"}, "tags": "t"}));
    format!("/v1/clustertemplates/{}", made["uuid"].as_str().unwrap())
}

fn refused(change: Value, text: &str) {
    patch(made()).with(change).expect(400, text);
}

fn patched(change: Value) -> Value {
    patch(made()).with(change).ok(200)
}

#[test]
fn a_patch_is_a_list_and_that_is_checked_before_the_object_is_looked_for() {
    for path in [made(), "/v1/clustertemplates/no-such".to_owned()] {
        patch(path).with(json!({"op": "replace"})).refused(400, &["Value not a valid list: {\"op\":\"replace\"}"]);
    }
    patch("/v1/federations/no-such").with(json!({})).refused(400, &["patch"]);
}

#[test]
fn there_are_three_operations() {
    for op in ["test", "copy", "ADD", ""] {
        let text = invalid("op", op, "Allowed: add, replace, remove.");
        refused(json!([{"op": op, "path": "/tags", "value": "x"}]), &text);
    }
    refused(json!([{"op": "move", "path": "/tags"}]), &invalid("op", "move", "Allowed: add, replace, remove."));
}

/// Ours: openstacksdk sends it for an object made from a bare id (B-46).
#[test]
fn moving_the_uuid_to_the_id_means_nothing() {
    let change = json!([{"op": "move", "from": "/uuid", "path": "/id"},
        {"op": "replace", "path": "/tags", "value": "x"}]);
    assert_eq!(patched(change)["tags"], "x");
}

#[test]
fn a_path_names_an_attribute_or_a_key_below_one() {
    for path in ["", "tags", "/", "//", "/labels/"] {
        let text = invalid("path", path, "Allowed: /attribute or /attribute/key.");
        refused(json!([{"op": "replace", "path": path, "value": "x"}]), &text);
    }
}

/// Ours: Magnum's grammar has no such keys (B-41).
#[test]
fn keys_may_hold_dots_slashes_and_tildes() {
    for (path, key) in [("/labels/kube.tag", "kube.tag"), ("/labels/a~1b", "a/b"), ("/labels/a~0b", "a~b")] {
        assert_eq!(patched(add(path, "x"))["labels"][key], "x");
    }
}

#[test]
fn operation_and_path_are_mandatory() {
    refused(json!([{"path": "/tags", "value": "x"}]), &invalid("op", "None", "Mandatory field missing."));
    refused(json!([{"op": "remove"}]), &invalid("path", "None", "Mandatory field missing."));
}

#[test]
fn other_members_are_unknown() {
    let change = json!([{"op": "remove", "path": "/tags", "from": "/x"}]);
    refused(change, "Unknown attribute for argument patch: from");
}

#[test]
fn add_and_replace_need_a_value() {
    for op in ["add", "replace"] {
        for change in [json!([{"op": op, "path": "/tags"}]), json!([{"op": op, "path": "/tags", "value": null}])] {
            refused(change, "'add' and 'replace' operations needs value");
        }
    }
}

#[test]
fn add_is_for_what_has_no_value_yet() {
    refused(add("/tags", "x"), "The attribute /tags has existed, please use 'replace' operation instead.");
    assert_eq!(patched(add("/docker_volume_size", 3))["docker_volume_size"], 3);
}

#[test]
fn add_makes_no_new_attributes() {
    refused(add("/colour", "x"), "Adding a new attribute /colour to the root of the resource is not allowed.");
}

#[test]
fn what_is_not_there_can_be_neither_replaced_nor_removed() {
    for change in [replace("/colour", "x"), remove("/colour"), remove("/labels/z"), replace("/labels/z", "x")] {
        let text = patch(made()).with(change).refused(400, &["Reason: "]);
        assert!(text.starts_with("Couldn't apply patch '["), "{text}");
    }
}

#[test]
fn what_is_null_already_may_be_removed() {
    assert_eq!(patched(remove("/dns_nameserver"))["dns_nameserver"], Value::Null);
}

#[test]
fn keys_of_labels_are_added_replaced_and_removed() {
    assert_eq!(patched(add("/labels/b", "2"))["labels"], json!({"a": "1", "b": "2"}));
    assert_eq!(patched(add("/labels/a", "2"))["labels"], json!({"a": "2"}));
    assert_eq!(patched(replace("/labels/a", "2"))["labels"], json!({"a": "2"}));
    assert_eq!(patched(remove("/labels/a"))["labels"], json!({}));
    assert_eq!(patched(remove("/labels"))["labels"], json!({}));
}

#[test]
fn whole_labels_come_as_python_prints_them() {
    let change = replace("/labels", "{'b': '2', 'c': True, 'd': 1.5}");
    assert_eq!(patched(change)["labels"], json!({"b": "2", "c": "True", "d": "1.5"}));
}

/// Ours: Magnum reads Python only, and no objects (B-42).
#[test]
fn whole_labels_come_as_json_or_as_an_object_too() {
    for value in [json!("{\"b\": true}"), json!({"b": true})] {
        assert_eq!(patched(replace("/labels", value))["labels"], json!({"b": "True"}));
    }
}

#[test]
fn labels_that_cannot_be_read_are_400() {
    for value in [json!("b=2"), json!("[]"), json!("null"), json!("{'b': ["), json!(5)] {
        patch(made()).with(replace("/labels", value)).refused(400, &["labels"]);
    }
}

/// Ours: Magnum answers 400 with a text of Python's (B-07).
#[test]
fn numbers_may_come_as_strings_as_horizon_and_terraform_send_them() {
    assert_eq!(patched(replace("/docker_volume_size", "7"))["docker_volume_size"], 7);
    assert_eq!(patched(replace("/master_lb_enabled", "true"))["master_lb_enabled"], true);
}

#[test]
fn values_obey_the_rules_of_bodies() {
    for (field, value) in [
        ("docker_volume_size", json!(0)),
        ("apiserver_port", json!(80)),
        ("name", json!("")),
        ("tls_disabled", json!(7)),
    ] {
        patch(made()).with(replace(&format!("/{field}"), value)).refused(400, &[field, "Allowed: "]);
    }
}

#[test]
fn a_patch_is_applied_whole_or_not_at_all() {
    let path = made();
    let before = get(&path).ok(200);
    let change = json!([{"op": "replace", "path": "/tags", "value": "x"},
        {"op": "replace", "path": "/apiserver_port", "value": 80}]);
    patch(&path).with(change).status(400);
    assert_eq!(get(&path).ok(200), before);
}

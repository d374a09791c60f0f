//! 1.2: how values are understood, so that Horizon's strings and Terraform's numbers mean what they say.

use serde_json::{Value, json};

use super::ask::*;
use super::world::{cluster, cluster_body, shown, template, template_body};

fn cluster_with(field: &str, value: Value) -> Value {
    shown(&cluster(json!({field: value})))[field].clone()
}

fn template_with(field: &str, value: Value) -> Value {
    template(json!({field: value}))[field].clone()
}

fn refused(field: &str, value: Value) -> String {
    post("/v1/clusters").with(cluster_body(json!({field: value}))).refused(400, &[])
}

#[test]
fn an_integer_may_come_as_a_number_or_as_digits() {
    for value in [json!(2), json!("2"), json!(2.0)] {
        assert_eq!(cluster_with("node_count", value), 2);
    }
}

#[test]
fn a_fraction_is_cut_to_an_integer() {
    assert_eq!(cluster_with("node_count", json!(2.5)), 2);
}

#[test]
fn what_is_no_integer_is_400_with_field_value_and_range() {
    let allowed = "Allowed: an integer from 0 to 10000.";
    assert_eq!(refused("node_count", json!("many")), invalid("node_count", "many", allowed));
    assert_eq!(refused("node_count", json!(-1)), invalid("node_count", "-1", allowed));
    assert_eq!(refused("node_count", json!([])), invalid("node_count", "[]", allowed));
    assert_eq!(refused("node_count", json!(10_001)), invalid("node_count", "10001", allowed));
}

#[test]
fn a_boolean_may_come_as_one_as_0_or_1_or_as_a_word() {
    for value in [json!(true), json!(1), json!("true"), json!("Yes"), json!("ON"), json!("1"), json!("t"), json!("y")] {
        assert_eq!(template_with("registry_enabled", value.clone()), true, "{value}");
    }
    for value in [json!(false), json!(0), json!("False"), json!("no"), json!("off"), json!("0"), json!("f"), json!("N")]
    {
        assert_eq!(template_with("floating_ip_enabled", value.clone()), false, "{value}");
    }
}

#[test]
fn null_for_a_boolean_is_its_default() {
    assert_eq!(template_with("registry_enabled", Value::Null), false);
    assert_eq!(template_with("floating_ip_enabled", Value::Null), true);
}

/// Ours: Magnum answers 500 (B-06).
#[test]
fn what_is_no_boolean_is_400() {
    for value in [json!("maybe"), json!(2), json!({})] {
        let body = template_body(json!({"public": value}));
        post("/v1/clustertemplates").with(body).refused(400, &["public", "Allowed: true or false."]);
    }
}

#[test]
fn a_string_must_be_one() {
    assert!(refused("keypair", json!(5)).starts_with(&invalid("keypair", "5", "Allowed: a string")));
}

#[test]
fn an_empty_string_is_too_short_for_most_fields() {
    for field in ["keypair", "flavor_id", "master_flavor_id", "fixed_network", "fixed_subnet"] {
        let text = invalid(field, "", "Allowed: a string of 1 to 255 characters.");
        assert_eq!(refused(field, json!("")), text);
    }
}

#[test]
fn a_string_has_at_most_255_characters() {
    let body = template_body(json!({"name": "ä".repeat(255)}));
    post("/v1/clustertemplates").with(body).status(201);
    let body = template_body(json!({"name": "ä".repeat(256)}));
    post("/v1/clustertemplates").with(body).refused(400, &["name", "1 to 255"]);
}

#[test]
fn labels_may_be_strings_numbers_and_booleans_and_come_back_as_python_spells_them() {
    let given = json!({"a": "x", "b": true, "c": false, "d": 1, "e": 1.5, "f": 1000.0});
    let kept = json!({"a": "x", "b": "True", "c": "False", "d": "1", "e": "1.5", "f": "1000.0"});
    assert_eq!(template_with("labels", given.clone()), kept);
    assert_eq!(cluster_with("labels", given), kept);
}

#[test]
fn lists_and_objects_as_labels_are_400() {
    for value in [json!([]), json!({"a": 1})] {
        let body = template_body(json!({"labels": {"x": value}}));
        post("/v1/clustertemplates").with(body).refused(400, &["x", "string"]);
    }
}

/// Ours: Magnum answers 500 (B-08).
#[test]
fn a_label_without_a_value_is_400() {
    post("/v1/clustertemplates").with(template_body(json!({"labels": {"x": null}}))).refused(400, &["x"]);
    post("/v1/clusters").with(cluster_body(json!({"labels": {"x": null}}))).refused(400, &["x"]);
}

#[test]
fn words_of_a_choice_count_with_their_case() {
    let body = template_body(json!({"coe": "Kubernetes"}));
    post("/v1/clustertemplates").with(body).refused(400, &["coe", "Kubernetes", "kubernetes"]);
    post("/v1/quotas").by(ADMIN).with(json!({"project_id": "x", "resource": "cluster"})).refused(400, &["resource"]);
}

//! 4.4: labels, and where they come from.

use serde_json::{Value, json};

use super::ask::*;
use super::world::{cluster, shown, template};

/// A cluster of a template with the labels `a: 1` and `b: 2`.
fn of_parent(more: Value) -> Value {
    let template = template(json!({"labels": {"a": "1", "b": "2"}}));
    let mut body = json!({"cluster_template_id": template["uuid"]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    shown(&cluster(body))
}

#[test]
fn without_labels_a_cluster_has_the_template_s() {
    for more in [json!({}), json!({"labels": {}}), json!({"labels": null}), json!({"merge_labels": true})] {
        assert_eq!(of_parent(more)["labels"], json!({"a": "1", "b": "2"}));
    }
}

#[test]
fn given_labels_replace_the_template_s() {
    assert_eq!(of_parent(json!({"labels": {"c": "3"}}))["labels"], json!({"c": "3"}));
    assert_eq!(of_parent(json!({"labels": {"c": "3"}, "merge_labels": false}))["labels"], json!({"c": "3"}));
}

#[test]
fn given_labels_are_laid_over_the_template_s_where_asked() {
    let shown = of_parent(json!({"labels": {"b": "9", "c": "3"}, "merge_labels": true}));
    assert_eq!(shown["labels"], json!({"a": "1", "b": "9", "c": "3"}));
}

#[test]
fn a_cluster_tells_what_it_overrides_adds_and_skips_with_the_values_of_where_it_is() {
    let shown = of_parent(json!({"labels": {"b": "9", "c": "3"}}));
    assert_eq!(shown["labels_overridden"], json!({"b": "2"}));
    assert_eq!(shown["labels_added"], json!({"c": "3"}));
    assert_eq!(shown["labels_skipped"], json!({"a": "1"}));
}

#[test]
fn equal_labels_are_neither_overridden_nor_added_nor_skipped() {
    let shown = of_parent(json!({}));
    for member in ["labels_overridden", "labels_added", "labels_skipped"] {
        assert_eq!(shown[member], json!({}), "{member}");
    }
}

#[test]
fn labels_that_no_driver_knows_are_kept() {
    assert_eq!(of_parent(json!({"labels": {"my.own/label": "x"}}))["labels"], json!({"my.own/label": "x"}));
}

#[test]
fn min_node_count_is_the_default_workers_minimum() {
    let uuid = cluster(json!({"labels": {"min_node_count": "1", "max_node_count": "4"}, "node_count": 2}));
    let group = get(format!("/v1/clusters/{uuid}/nodegroups/default-worker")).ok(200);
    assert_eq!((&group["min_node_count"], &group["max_node_count"]), (&json!(1), &json!(4)));
}

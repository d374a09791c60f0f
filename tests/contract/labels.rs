//! 4.4: labels, and where they come from.

use serde_json::{Value, json};

use super::ask::*;
use super::support::service::Service;
use super::world::{cluster, shown, template, template_body};

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

/// Ours: Magnum says nothing of labels that nobody reads, or that have lost their effect.
#[test]
fn an_accepted_cluster_tells_which_labels_have_no_effect() {
    let shown = of_parent(json!({"labels": {"kube_tga": "v1.35.3", "tiller_tag": "v2.16.7"}}));
    let reason = shown["status_reason"].as_str().unwrap();
    assert!(reason.contains("labels.kube_tga is not known to the driver; the nearest is kube_tag"), "{reason}");
    assert!(reason.contains("labels.tiller_tag has no effect: "), "{reason}");
}

/// Ours: with `labels_unknown = "refuse"` a typing error is refused wherever it is made, and nothing is kept of it.
#[test]
fn unknown_labels_are_refused_with_the_nearest_name_where_the_operator_wants_it() {
    let service = Service::prepare("api", &[("JEROBOAM__DRIVERS__LABELS_UNKNOWN", "refuse")]).started();
    let words = [
        "labels.kube_tga is \"v1.35.3\"",
        "the nearest is kube_tag",
        "labels.foreign is \"x\"",
        "not known to the driver",
    ];
    let typo = json!({"kube_tga": "v1.35.3", "foreign": "x"});
    let wrong = template_body(json!({"labels": typo}));
    post("/v1/clustertemplates").of(&service).with(wrong).refused(400, &words);
    let good =
        post("/v1/clustertemplates").of(&service).with(template_body(json!({"labels": {"tiller_tag": "x"}}))).ok(201);
    let uuid = good["uuid"].as_str().unwrap();
    let change = json!([{"op": "replace", "path": "/labels", "value": typo}]);
    patch(format!("/v1/clustertemplates/{uuid}")).of(&service).with(change).refused(400, &words);
    let cluster = json!({"name": "c", "cluster_template_id": uuid, "master_count": 2, "labels": typo});
    let text = post("/v1/clusters").of(&service).with(cluster).refused(400, &words);
    assert!(text.contains("master_count is \"2\"; allowed: an odd number from 1 to 7"), "all at once: {text}");
    assert_eq!(get("/v1/clusters").of(&service).ok(200)["clusters"], json!([]));
    let kept = get("/v1/clustertemplates").of(&service).ok(200)["clustertemplates"].as_array().unwrap().len();
    assert_eq!(kept, 1);
}

#[test]
fn min_node_count_is_the_default_workers_minimum() {
    let uuid = cluster(json!({"labels": {"min_node_count": "1", "max_node_count": "4"}, "node_count": 2}));
    let group = get(format!("/v1/clusters/{uuid}/nodegroups/default-worker")).ok(200);
    assert_eq!((&group["min_node_count"], &group["max_node_count"]), (&json!(1), &json!(4)));
}

//! 5.3: what is refused of nodegroups.

use serde_json::{Value, json};

use super::ask::*;
use super::world::{cluster, complete, shown};

fn refused(more: Value, status: u16, words: &[&str]) -> String {
    let uuid = complete(json!({}));
    let mut body = json!({"name": "gpu"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let text = post(format!("/v1/clusters/{uuid}/nodegroups")).with(body).refused(status, words);
    assert_eq!(shown(&uuid)["status"], "CREATE_COMPLETE");
    text
}

fn labels(labels: Value, status: u16, words: &[&str]) {
    refused(json!({"node_labels": labels}), status, words);
}

fn taints(taints: Value, status: u16, words: &[&str]) {
    refused(json!({"node_taints": taints}), status, words);
}

#[test]
fn a_cluster_without_an_address_takes_none() {
    let path = format!("/v1/clusters/{}/nodegroups", cluster(json!({})));
    post(path).with(json!({"name": "gpu"})).expect(409, "Cluster API address is not available yet");
}

#[test]
fn a_name_is_unique_in_its_cluster() {
    let uuid = complete(json!({}));
    let path = format!("/v1/clusters/{uuid}/nodegroups");
    post(&path).with(json!({"name": "gpu"})).status(202);
    let name = shown(&uuid)["name"].as_str().unwrap().to_owned();
    let text = format!("A node group with name gpu already exists in the cluster {name}.");
    post(&path).with(json!({"name": "gpu"})).expect(409, &text);
    refused(json!({"name": "default-worker"}), 409, &["already exists in the cluster"]);
}

#[test]
fn masters_cannot_be_added() {
    let text = refused(json!({"role": "master"}), 400, &[]);
    assert_eq!(text, "Creating master nodegroups is currently not supported.");
}

#[test]
fn the_maximum_is_no_less_than_the_minimum_and_the_number() {
    for more in [
        json!({"min_node_count": 3, "max_node_count": 2, "node_count": 3}),
        json!({"max_node_count": 2, "node_count": 3}),
    ] {
        let text = refused(more, 409, &[]);
        assert!(text.starts_with("max_node_count for gpu is invalid ("), "{text}");
    }
}

#[test]
fn the_minimum_is_no_more_than_the_number() {
    let text = refused(json!({"min_node_count": 2, "node_count": 1}), 409, &[]);
    assert!(text.starts_with("min_node_count for gpu is invalid ("), "{text}");
}

#[test]
fn patched_bounds_obey_the_same_rules() {
    let path = format!("/v1/clusters/{}/nodegroups/default-worker", complete(json!({"node_count": 2})));
    patch(&path).with(replace("/min_node_count", 3)).refused(409, &["min_node_count for default-worker is invalid ("]);
    patch(&path).with(add("/max_node_count", 1)).refused(409, &["max_node_count for default-worker is invalid ("]);
}

#[test]
fn nodes_of_the_control_plane_have_neither_labels_nor_taints_of_their_own() {
    let path = format!("/v1/clusters/{}/nodegroups/default-master", complete(json!({})));
    let text = "node_labels for default-master is invalid (node_labels may not be set on master nodegroups).";
    patch(&path).with(replace("/node_labels", "{'a': 'b'}")).expect(409, text);
    let change = replace("/node_taints", "[{'key': 'k', 'effect': 'NoSchedule'}]");
    patch(&path).with(change).refused(409, &["node_taints for default-master is invalid ("]);
}

#[test]
fn labels_in_kubernetes_own_domains_are_409() {
    for key in ["kubernetes.io/x", "k8s.io/x", "sub.kubernetes.io/x", "node-role.kubernetes.io/gpu", "a.k8s.io/x"] {
        labels(json!({key: "y"}), 409, &["node_labels for gpu is invalid (", key]);
    }
}

#[test]
fn labels_that_a_kubelet_may_give_its_node_are_accepted() {
    let keys = [
        "kubelet.kubernetes.io/x",
        "node.kubernetes.io/x",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "beta.kubernetes.io/os",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "kubernetes.io/arch",
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "node.kubernetes.io/instance-type",
        "node.kubernetes.io/windows-build",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "example.org/x",
        "plain",
    ];
    let labels: serde_json::Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), json!("y"))).collect();
    let path = format!("/v1/clusters/{}/nodegroups", complete(json!({})));
    let group = post(path).with(json!({"name": "gpu", "node_labels": labels})).ok(202);
    assert_eq!(group["node_labels"], Value::Object(labels));
}

#[test]
fn taints_have_a_key_one_of_three_effects_and_perhaps_a_value() {
    for effect in ["NoSchedule", "PreferNoSchedule", "NoExecute"] {
        let path = format!("/v1/clusters/{}/nodegroups", complete(json!({})));
        let taint = json!([{"key": "k", "effect": effect}]);
        post(path).with(json!({"name": "gpu", "node_taints": taint})).status(202);
    }
    taints(json!([{"key": "k", "effect": "Never"}]), 409, &["node_taints", "Never", "NoSchedule"]);
    taints(json!([{"effect": "NoSchedule"}]), 409, &["node_taints", "key"]);
    taints(json!([{"key": "k", "effect": "NoSchedule", "colour": "red"}]), 409, &["node_taints", "colour"]);
}

#[test]
fn labels_that_are_no_text_and_taints_that_are_no_objects_are_400() {
    labels(json!({"a": 1}), 400, &["node_labels"]);
    labels(json!([]), 400, &["node_labels"]);
    taints(json!(["gpu"]), 400, &["node_taints"]);
    taints(json!("gpu"), 400, &["node_taints"]);
}

/// Ours: Magnum does not look, and the nodes would not join.
#[test]
fn labels_and_taints_must_be_kubernetes_own_syntax() {
    labels(json!({"a b": "c"}), 409, &["a b"]);
    labels(json!({"a": "x".repeat(64)}), 409, &["node_labels"]);
    taints(json!([{"key": "a b", "effect": "NoSchedule"}]), 409, &["a b"]);
}

#[test]
fn an_unknown_flavor_or_one_without_a_disk_is_400() {
    assert_eq!(refused(json!({"flavor_id": "m9.huge"}), 400, &[]), "Unable to find flavor m9.huge.");
    refused(json!({"flavor_id": "ds-zero"}), 400, &["Flavor with zero root volume size is not supported"]);
}

/// Ours: Magnum takes any image, and the stack fails.
#[test]
fn an_unknown_image_is_400() {
    assert_eq!(refused(json!({"image_id": "no-such"}), 400, &[]), "Image no-such could not be found.");
}

#[test]
fn default_nodegroups_cannot_be_deleted() {
    let path = format!("/v1/clusters/{}/nodegroups", complete(json!({})));
    for name in ["default-master", "default-worker"] {
        delete(format!("{path}/{name}")).expect(400, "Deleting a default nodegroup is not supported.");
    }
}

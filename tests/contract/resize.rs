//! 4.7: resizing a nodegroup. (In which statuses: `gates`; which nodes go: `tests/update.rs`.)

use serde_json::{Value, json};

use super::ask::*;
use super::world::{complete, shown, world};

fn resize<'a>(uuid: &str, body: Value) -> Ask<'a> {
    post(format!("/v1/clusters/{uuid}/actions/resize")).with(body)
}

fn refused(body: Value, text: &str) {
    resize(&complete(json!({})), body).expect(400, text);
}

#[test]
fn a_resize_is_accepted_and_shown_at_once() {
    let uuid = complete(json!({}));
    assert_eq!(resize(&uuid, json!({"node_count": 3})).ok(202), json!({"uuid": uuid}));
    let shown = shown(&uuid);
    assert_eq!((&shown["status"], &shown["node_count"]), (&json!("UPDATE_IN_PROGRESS"), &json!(3)));
}

#[test]
fn the_number_is_mandatory_and_no_less_than_0() {
    refused(json!({}), &invalid("node_count", "None", "Mandatory field missing."));
    resize(&complete(json!({})), json!({"node_count": -1})).refused(400, &["node_count", "-1", "from 0"]);
}

#[test]
fn no_workers_are_400_until_1_9() {
    let text = "Resizing a nodegroup to zero is not supported in the provided microversion.";
    let uuid = complete(json!({}));
    resize(&uuid, json!({"node_count": 0})).at("1.9").expect(400, text);
    resize(&uuid, json!({"node_count": 0})).at("1.10").status(202);
}

#[test]
fn without_a_nodegroup_it_is_the_default_workers() {
    for body in [
        json!({"node_count": 2}),
        json!({"node_count": 2, "nodegroup": null, "nodes_to_remove": null}),
        json!({"node_count": 2, "nodegroup": "default-worker", "nodes_to_remove": []}),
        json!({"node_count": "2"}),
    ] {
        let uuid = complete(json!({}));
        resize(&uuid, body).status(202);
        assert_eq!(shown(&uuid)["node_count"], 2);
    }
}

#[test]
fn a_nodegroup_goes_by_uuid_too() {
    let uuid = complete(json!({}));
    let groups =
        world().service.rows(&format!("SELECT uuid FROM nodegroup WHERE cluster_uuid = '{uuid}' AND role = 'worker'"));
    resize(&uuid, json!({"node_count": 2, "nodegroup": groups[0][0]})).status(202);
}

#[test]
fn an_unknown_nodegroup_is_404_and_an_empty_one_400() {
    let uuid = complete(json!({}));
    resize(&uuid, json!({"node_count": 2, "nodegroup": "x"})).expect(404, "Nodegroup x could not be found.");
    resize(&uuid, json!({"node_count": 2, "nodegroup": ""})).refused(400, &["nodegroup", "1 to 255"]);
}

#[test]
fn the_number_lies_within_the_nodegroups_bounds() {
    let uuid = complete(json!({"node_count": 2, "labels": {"min_node_count": "1", "max_node_count": "4"}}));
    for count in [0, 5] {
        let text = "Resizing default-worker outside the allowed range: min_node_count = 1, max_node_count = 4";
        resize(&uuid, json!({"node_count": count})).expect(400, text);
    }
    resize(&uuid, json!({"node_count": 4})).status(202);
}

#[test]
fn a_maximum_of_0_or_none_is_no_bound() {
    let uuid = complete(json!({"node_count": 2, "labels": {"min_node_count": "1"}}));
    let text = "Resizing default-worker outside the allowed range: min_node_count = 1, max_node_count = None";
    resize(&uuid, json!({"node_count": 0})).expect(400, text);
    world().write(&format!("UPDATE nodegroup SET max_node_count = 0 WHERE cluster_uuid = '{uuid}'"));
    resize(&uuid, json!({"node_count": 40})).status(202);
}

#[test]
fn masters_cannot_be_resized() {
    let text = "Resizing the master nodegroup is not supported by this driver.";
    refused(json!({"node_count": 3, "nodegroup": "default-master"}), text);
}

#[test]
fn nodes_to_remove_are_a_list() {
    let body = json!({"node_count": 1, "nodes_to_remove": "x"});
    resize(&complete(json!({})), body).refused(400, &["nodes_to_remove", "list"]);
}

/// Ours: Magnum does so only for its own project's (B-05).
#[test]
fn administrators_resize_every_projects_clusters() {
    resize(&complete(json!({})), json!({"node_count": 2})).by(ADMIN).status(202);
}

//! 4.8: going over to another cluster template. (In which statuses: `gates`.)

use serde_json::{Value, json};

use super::ask::*;
use super::world::{complete, shared_template, shown, template};

/// A cluster whose only master can be replaced without losing the cluster's state.
fn upgradable() -> String {
    complete(json!({"labels": {"etcd_volume_size": "2"}}))
}

fn upgrade<'a>(uuid: &str, body: Value) -> Ask<'a> {
    post(format!("/v1/clusters/{uuid}/actions/upgrade")).with(body)
}

fn another() -> Value {
    template(json!({"labels": {"etcd_volume_size": "2"}}))["uuid"].clone()
}

#[test]
fn an_upgrade_is_accepted_and_shown_at_once() {
    let uuid = upgradable();
    let body = json!({"cluster_template": another(), "max_batch_size": 1, "nodegroup": null});
    assert_eq!(upgrade(&uuid, body).ok(202), json!({"uuid": uuid}));
    assert_eq!(shown(&uuid)["status"], "UPDATE_IN_PROGRESS");
}

/// 15b: as Terraform sends it, at 1.8.
#[test]
fn the_template_alone_is_enough() {
    upgrade(&upgradable(), json!({"cluster_template": another()})).at("1.8").status(202);
}

#[test]
fn at_1_7_there_are_no_upgrades_yet() {
    upgrade(&upgradable(), json!({"cluster_template": another()})).at("1.7").refused(400, &["microversion"]);
}

#[test]
fn the_template_may_be_named() {
    let template = template(json!({"name": super::support::unique("named")}));
    upgrade(&upgradable(), json!({"cluster_template": template["name"]})).status(202);
}

#[test]
fn an_unknown_template_is_404() {
    let text = "ClusterTemplate no-such could not be found.";
    upgrade(&upgradable(), json!({"cluster_template": "no-such"})).expect(404, text);
}

/// Ours: Magnum answers 500 (B-08).
#[test]
fn without_a_template_it_is_400() {
    let text = invalid("cluster_template", "None", "Mandatory field missing.");
    upgrade(&upgradable(), json!({})).expect(400, &text);
}

#[test]
fn a_batch_has_a_node_at_least() {
    let body = json!({"cluster_template": another(), "max_batch_size": 0});
    upgrade(&upgradable(), body).refused(400, &["max_batch_size", "'0'", "from 1"]);
}

#[test]
fn an_unknown_nodegroup_is_404() {
    let body = json!({"cluster_template": shared_template(), "nodegroup": "x"});
    upgrade(&upgradable(), body).expect(404, "Nodegroup x could not be found.");
}

#[test]
fn another_nodegroup_goes_no_further_than_its_cluster() {
    let uuid = upgradable();
    let group = post(format!("/v1/clusters/{uuid}/nodegroups")).with(json!({"name": "gpu"})).ok(202);
    super::world::rests(&uuid, "CREATE_COMPLETE");
    let text = format!(
        "Cluster Template is not valid for upgrade: Nodegroup gpu can be upgraded only to match cluster's template ({}).",
        shared_template()
    );
    upgrade(&uuid, json!({"cluster_template": another(), "nodegroup": group["uuid"]})).expect(409, &text);
    upgrade(&uuid, json!({"cluster_template": shared_template(), "nodegroup": "gpu"})).status(202);
}

/// Ours: Magnum's drivers lost the cluster.
#[test]
fn a_cluster_whose_state_would_be_lost_is_refused() {
    let uuid = complete(json!({}));
    upgrade(&uuid, json!({"cluster_template": another()})).refused(400, &["etcd_volume_size"]);
    assert_eq!(shown(&uuid)["status"], "CREATE_COMPLETE");
}

/// Ours: Magnum checks no versions.
#[test]
fn there_is_no_way_back_to_an_older_version_nor_past_a_minor_one() {
    let of = |tag: &str| template(json!({"labels": {"etcd_volume_size": "2", "kube_tag": tag}}))["uuid"].clone();
    let uuid = complete(json!({"cluster_template_id": of("v1.34.1")}));
    let words = ["v1.33.1", "v1.34.1 or later"];
    upgrade(&uuid, json!({"cluster_template": of("v1.33.1")})).refused(400, &words);
    let words = ["v1.36.0", "v1.34 or v1.35: one minor version at a time"];
    upgrade(&uuid, json!({"cluster_template": of("v1.36.0")})).refused(400, &words);
    upgrade(&uuid, json!({"cluster_template": of("v1.34.2")})).status(202);
}

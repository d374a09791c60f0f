//! 4.3: what is checked of a new cluster, and in which order. (Each look-up that fails: `refusals::requests`.)

use serde_json::{Value, json};

use super::ask::*;
use super::world::{cluster_body, template, world};

const HIDDEN: &str = "Not authorized.";
const LB: &str = "master_count must be 1 when master_lb_enabled is False";
const ROOTLESS: &str = "Flavor with zero root volume size is not supported when boot_volume_size is zero.";

fn refused(more: Value, status: u16, text: &str) {
    post("/v1/clusters").with(cluster_body(more)).expect(status, text);
}

#[test]
fn checks_come_in_the_contracts_order() {
    let all = [
        ("node_count", json!("many"), 400, "node_count. Value: 'many'"),
        ("cluster_template_id", json!("no-such"), 404, "ClusterTemplate no-such could not be found."),
        ("labels", json!({"kube_tag": "latest"}), 400, "kube_tag"),
        ("flavor_id", json!("m9.huge"), 400, "Unable to find flavor m9.huge."),
        ("fixed_network", json!("no-such"), 400, "Unable to find fixed network no-such."),
        ("keypair", json!("no-such"), 404, "Unable to find keypair no-such."),
        ("master_count", json!(3), 400, LB),
    ];
    for first in 0..all.len() {
        let mut body = cluster_body(json!({}));
        for (field, value, _, _) in &all[first..] {
            body[*field] = value.clone();
        }
        post("/v1/clusters").with(body).refused(all[first].2, &[all[first].3]);
    }
}

/// Ours: Magnum tells a reader what is wrong with the template first (B-24).
#[test]
fn rights_are_checked_before_the_template_is_looked_for() {
    let text = "Policy doesn't allow cluster:create to be performed.";
    for template in ["no-such", &super::world::shared_template()] {
        let body = cluster_body(json!({"cluster_template_id": template}));
        post("/v1/clusters").by(READER).with(body).expect(403, text);
    }
}

#[test]
fn a_foreign_private_template_does_not_exist() {
    let made = template(json!({}));
    let uuid = made["uuid"].as_str().unwrap();
    let body = json!({"cluster_template_id": uuid});
    let text = format!("ClusterTemplate {uuid} could not be found.");
    post("/v1/clusters").by(STRANGER).with(body).expect(404, &text);
}

/// B-35: even to its owner.
#[test]
fn a_hidden_template_makes_clusters_for_administrators_only() {
    let made = template(json!({}));
    let path = format!("/v1/clustertemplates/{}", made["uuid"].as_str().unwrap());
    patch(path).by(OWN_ADMIN).with(replace("/hidden", true)).status(200);
    refused(json!({"cluster_template_id": made["uuid"]}), 403, HIDDEN);
    let body = cluster_body(json!({"cluster_template_id": made["uuid"]}));
    post("/v1/clusters").by(OWN_ADMIN).with(body).status(202);
}

#[test]
fn several_masters_need_a_load_balancer() {
    refused(json!({"master_count": 3}), 400, LB);
    refused(json!({"master_count": 3, "master_lb_enabled": false}), 400, LB);
    post("/v1/clusters").with(cluster_body(json!({"master_count": 3, "master_lb_enabled": true}))).status(202);
}

#[test]
fn flavors_must_be_known_and_have_a_disk() {
    for field in ["flavor_id", "master_flavor_id"] {
        refused(json!({field: "m9.huge"}), 400, "Unable to find flavor m9.huge.");
        refused(json!({field: "ds-zero"}), 400, ROOTLESS);
    }
    let made = template(json!({"flavor_id": null}));
    refused(json!({"cluster_template_id": made["uuid"]}), 400, "Unable to find flavor None.");
    let body = json!({"cluster_template_id": made["uuid"], "flavor_id": "m1.small"});
    post("/v1/clusters").with(cluster_body(body)).status(202);
}

#[test]
fn devicemapper_needs_three_gibibytes() {
    let made = template(json!({"docker_storage_driver": "devicemapper", "docker_volume_size": 3}));
    let body = json!({"cluster_template_id": made["uuid"], "docker_volume_size": 2});
    post("/v1/clusters").with(cluster_body(body)).refused(400, &["docker"]);
}

/// Ours: Magnum counts in the API and writes in the conductor, so requests at once all pass (B-27).
#[test]
fn a_quota_is_reserved_in_the_transaction_that_writes_the_cluster() {
    let (before, body) = (usage(), cluster_body(json!({"keypair": "no-such"})));
    post("/v1/clusters").with(body).status(404);
    let made = post("/v1/clusters").by(ADMIN).with(cluster_body(json!({}))).ok(202);
    assert!(made["uuid"].is_string() && usage() > before);
}

/// Clusters of the administrator's project, in which only few rules make any.
fn usage() -> i64 {
    let project = super::support::cloud::CLOUD.project(ADMIN);
    let query = format!("SELECT coalesce(sum(clusters), 0) FROM project_usage WHERE project_id = '{project}'");
    world().service.rows(&query)[0][0].as_i64().unwrap()
}

#[test]
fn a_refused_cluster_leaves_nothing_behind() {
    let name = super::support::unique("refused");
    refused(json!({"name": name, "keypair": "no-such"}), 404, "Unable to find keypair no-such.");
    get(format!("/v1/clusters/{name}")).expect(404, &format!("Cluster {name} could not be found."));
}

/// Ours: Magnum's drivers find such only while they build.
#[test]
fn labels_that_the_driver_cannot_follow_are_refused_all_at_once() {
    let labels = json!({"kube_tag": "latest", "etcd_volume_size": "-1", "flannel_network_subnetlen": "99"});
    let body = cluster_body(json!({"labels": labels}));
    post("/v1/clusters").with(body).refused(400, &["kube_tag", "etcd_volume_size", "flannel_network_subnetlen"]);
}

/// Ours: Kubernetes has no port without TLS any more; the template may say so for the sake of its clients.
#[test]
fn without_tls_there_is_no_kubernetes_cluster() {
    let open = template(json!({"tls_disabled": true}));
    let body = cluster_body(json!({"cluster_template_id": open["uuid"]}));
    post("/v1/clusters").with(body).refused(400, &["tls_disabled", "allowed: false"]);
}

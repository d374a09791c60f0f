//! 6.4 and 6.5: statistics, and the conductor as clients see it.

use serde_json::{Value, json};

use super::ask::*;
use super::support::cloud::CLOUD;
use super::world::{cluster, world};

fn stats(who: &'static str, query: &str) -> Value {
    get(format!("/v1/stats{query}")).by(who).ok(200)
}

#[test]
fn stats_count_clusters_and_nodes_of_ones_own_project() {
    let one = |who| stats(who, "")["clusters"].as_i64().unwrap();
    let before = one(MEMBER);
    cluster(json!({}));
    assert!(one(MEMBER) > before && one(READER) > before);
    assert_eq!(keys(&stats(MEMBER, "")), ["clusters", "nodes"]);
}

/// B-29.
#[test]
fn nodes_of_the_control_plane_count_too() {
    let project = CLOUD.project("closed");
    let query = format!("?project_id={project}");
    let before = stats(ADMIN, &query);
    let body = super::world::cluster_body(json!({"node_count": 2, "master_count": 3, "master_lb_enabled": true}));
    post("/v1/clusters").by("closed").with(body).status(202);
    let after = stats(ADMIN, &query);
    let more = |field: &str| after[field].as_i64().unwrap() - before[field].as_i64().unwrap();
    assert_eq!((more("clusters"), more("nodes")), (1, 5));
}

#[test]
fn another_projects_stats_are_403() {
    let theirs = format!("/v1/stats?project_id={}", CLOUD.project(MEMBER));
    get(&theirs).status(200);
    get(&theirs).by(STRANGER).expect(403, "Not authorized.");
}

#[test]
fn administrators_count_the_whole_cloud_or_any_project() {
    cluster(json!({}));
    let theirs = stats(ADMIN, &format!("?project_id={}", CLOUD.project(MEMBER)));
    assert!(stats(ADMIN, "")["clusters"].as_i64() >= theirs["clusters"].as_i64());
    assert!(theirs["clusters"].as_i64() > Some(0));
}

#[test]
fn the_only_type_of_stats_is_cluster_in_any_case() {
    for word in ["cluster", "Cluster", "CLUSTER"] {
        stats(MEMBER, &format!("?type={word}"));
    }
    get("/v1/stats?type=bay").expect(400, "Invalid stats type. Allowed values are 'cluster'");
}

#[test]
fn services_are_for_administrators() {
    let text = "Policy doesn't allow magnum-service:get_all to be performed.";
    for who in [MEMBER, READER, STRANGER] {
        get("/v1/mservices").by(who).expect(403, text);
    }
}

#[test]
fn without_a_conductor_there_is_no_service() {
    assert_eq!(get("/v1/mservices").by(ADMIN).ok(200), json!({"mservices": []}));
}

#[test]
fn however_many_processes_there_are_one_conductor_with_the_number_1_is_shown() {
    let world = world();
    let page = get("/v1/mservices").of(&world.living().service).by(ADMIN).ok(200);
    let [only] = &page["mservices"].as_array().unwrap()[..] else { panic!("{page}") };
    let members =
        ["binary", "created_at", "disabled", "disabled_reason", "host", "id", "report_count", "state", "updated_at"];
    assert_eq!(keys(only), members);
    assert_eq!((&only["id"], &only["binary"]), (&json!(1), &json!("magnum-conductor")));
    assert_eq!((&only["state"], &only["disabled"]), (&json!("up"), &json!(false)));
    assert!(only["report_count"].as_i64().unwrap() > 0);
}

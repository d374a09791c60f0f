//! 4.1, 4.6 and 8.1: clusters as they are made, shown and removed.

use serde_json::{Value, json};

use super::ask::*;
use super::world::{cluster, cluster_body, cluster_in, complete, rests, shown, world};

const SUMMARY: [&str; 17] = [
    "cluster_id",
    "cluster_template_id",
    "create_timeout",
    "docker_volume_size",
    "flavor_id",
    "health_status",
    "keypair",
    "labels",
    "links",
    "master_count",
    "master_flavor_id",
    "merge_labels",
    "name",
    "node_count",
    "status",
    "uuid",
    "",
];

const DETAIL: [&str; 20] = [
    "api_address",
    "coe_version",
    "container_version",
    "created_at",
    "discovery_url",
    "fixed_network",
    "fixed_subnet",
    "floating_ip_enabled",
    "health_status_reason",
    "labels_added",
    "labels_overridden",
    "labels_skipped",
    "master_addresses",
    "master_lb_enabled",
    "node_addresses",
    "project_id",
    "status_reason",
    "updated_at",
    "user_id",
    "",
];

fn members(of: &[&'static str]) -> Vec<&'static str> {
    let mut members: Vec<_> = of.iter().copied().filter(|name| !name.is_empty()).collect();
    members.sort_unstable();
    members
}

fn listed(list: &str, uuid: &str) -> Value {
    let page = get(list).ok(200);
    let all = page["clusters"].as_array().unwrap();
    all.iter().find(|cluster| cluster["uuid"] == uuid).unwrap_or_else(|| panic!("{uuid} is not in {list}")).clone()
}

#[test]
fn a_new_cluster_is_answered_202_with_its_uuid_and_nothing_else() {
    let body = post("/v1/clusters").with(cluster_body(json!({}))).ok(202);
    assert_eq!(keys(&body), ["uuid"]);
}

/// Ours: Magnum writes cluster and nodegroups later, and answers 404 or 400 until then (B-01, 8.2).
#[test]
fn a_new_cluster_is_there_at_once_with_its_nodegroups_alone_and_in_lists() {
    let uuid = cluster(json!({"node_count": 3}));
    for seen in [shown(&uuid), listed("/v1/clusters", &uuid), listed("/v1/clusters/detail", &uuid)] {
        assert_eq!(seen["status"], "CREATE_IN_PROGRESS");
        assert_eq!((&seen["node_count"], &seen["master_count"]), (&json!(3), &json!(1)));
    }
}

#[test]
fn the_plain_list_shows_clusters_in_short() {
    let uuid = cluster(json!({}));
    assert_eq!(keys(&listed("/v1/clusters", &uuid)), members(&SUMMARY));
}

#[test]
fn the_detailed_list_shows_them_in_full_without_faults() {
    let uuid = cluster_in("CREATE_FAILED", json!({}));
    assert_eq!(keys(&listed("/v1/clusters/detail", &uuid)), members(&[&SUMMARY[..], &DETAIL[..]].concat()));
}

#[test]
fn one_cluster_is_shown_in_full() {
    let uuid = cluster(json!({}));
    let one = shown(&uuid);
    assert_eq!(keys(&one), members(&[&SUMMARY[..], &DETAIL[..]].concat()));
    assert_eq!(one, listed("/v1/clusters/detail", &uuid));
}

#[test]
fn a_failed_cluster_shown_alone_tells_its_faults_by_nodegroup() {
    for status in ["CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED", "ROLLBACK_FAILED", "RESUME_FAILED"] {
        let uuid = cluster_in(status, json!({}));
        let groups = format!("cluster_uuid = '{uuid}' AND role = 'worker'");
        world().write(&format!("UPDATE nodegroup SET status_reason = 'no host' WHERE {groups}"));
        world().write(&format!(
            "UPDATE nodegroup SET status = 'CREATE_COMPLETE' WHERE cluster_uuid = '{uuid}' AND role = 'master'"
        ));
        assert_eq!(shown(&uuid)["faults"], json!({"default-worker": "no host"}), "{status}");
    }
}

#[test]
fn a_cluster_that_has_not_failed_has_no_faults() {
    for status in ["CREATE_COMPLETE", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"] {
        let uuid = cluster_in(status, json!({}));
        assert_eq!(shown(&uuid).get("faults"), None, "{status}");
    }
}

#[test]
fn every_status_of_the_contract_is_shown_as_it_is() {
    let uuid = complete(json!({}));
    for status in [
        "CREATE_IN_PROGRESS",
        "CREATE_FAILED",
        "CREATE_COMPLETE",
        "UPDATE_IN_PROGRESS",
        "UPDATE_FAILED",
        "UPDATE_COMPLETE",
        "DELETE_IN_PROGRESS",
        "DELETE_FAILED",
        "DELETE_COMPLETE",
        "RESUME_COMPLETE",
        "RESUME_FAILED",
        "RESTORE_COMPLETE",
        "ROLLBACK_IN_PROGRESS",
        "ROLLBACK_FAILED",
        "ROLLBACK_COMPLETE",
        "SNAPSHOT_COMPLETE",
        "CHECK_COMPLETE",
        "ADOPT_COMPLETE",
    ] {
        world().write(&format!("UPDATE cluster SET status = '{status}' WHERE uuid = '{uuid}'"));
        assert_eq!(shown(&uuid)["status"], status);
    }
}

#[test]
fn every_health_status_is_shown_as_it_is() {
    let uuid = complete(json!({}));
    assert_eq!(shown(&uuid)["health_status"], Value::Null);
    for status in ["HEALTHY", "UNHEALTHY", "UNKNOWN"] {
        world().write(&format!("UPDATE cluster SET health_status = '{status}' WHERE uuid = '{uuid}'"));
        assert_eq!(shown(&uuid)["health_status"], status);
    }
}

#[test]
fn a_project_sees_its_own_clusters_only_and_administrators_see_all() {
    let uuid = cluster(json!({}));
    for (who, sees) in
        [(MEMBER, true), (PEER, true), (READER, true), (OWN_ADMIN, true), (ADMIN, true), (STRANGER, false)]
    {
        for list in ["/v1/clusters", "/v1/clusters/detail"] {
            assert_eq!(get(list).by(who).status(200).text.contains(&uuid), sees, "{list} by {who}");
        }
        get(format!("/v1/clusters/{uuid}")).by(who).status(if sees { 200 } else { 404 });
    }
}

#[test]
fn a_delete_is_answered_204_and_shown_at_once() {
    let uuid = cluster(json!({}));
    let answer = delete(format!("/v1/clusters/{uuid}")).status(204);
    assert_eq!(answer.text, "");
    assert_eq!(shown(&uuid)["status"], "DELETE_IN_PROGRESS");
}

#[test]
fn a_cluster_may_be_deleted_in_any_status() {
    let uuid = complete(json!({}));
    for status in [
        "CREATE_IN_PROGRESS",
        "CREATE_FAILED",
        "CREATE_COMPLETE",
        "UPDATE_IN_PROGRESS",
        "UPDATE_FAILED",
        "UPDATE_COMPLETE",
        "DELETE_IN_PROGRESS",
        "DELETE_FAILED",
        "ROLLBACK_FAILED",
        "RESUME_FAILED",
    ] {
        rests(&uuid, "CREATE_COMPLETE");
        world().write(&format!("UPDATE cluster SET status = '{status}' WHERE uuid = '{uuid}'"));
        delete(format!("/v1/clusters/{uuid}")).status(204);
        assert_eq!(shown(&uuid)["status"], "DELETE_IN_PROGRESS", "{status}");
    }
}

#[test]
fn a_delete_may_be_asked_for_again_and_by_name() {
    let uuid = cluster(json!({}));
    let name = shown(&uuid)["name"].as_str().unwrap().to_owned();
    for ident in [&uuid, &name, &uuid] {
        delete(format!("/v1/clusters/{ident}")).status(204);
    }
    let active = format!("SELECT count(*) FROM operation WHERE cluster_uuid = '{uuid}' AND kind = 'cluster.delete'");
    assert_eq!(world().service.rows(&active), json!([[1]]));
}

#[test]
fn a_reader_cannot_delete_and_learns_that_it_is_there() {
    let uuid = cluster(json!({}));
    let text = "Policy doesn't allow cluster:delete to be performed.";
    delete(format!("/v1/clusters/{uuid}")).by(READER).expect(403, text);
    delete("/v1/clusters/no-such").by(READER).expect(404, "Cluster no-such could not be found.");
}

//! 9: who may do what, and what is said to the others. (Every route for everybody: `personas`.)

use serde_json::json;

use super::ask::*;
use super::support::cloud::CLOUD;
use super::world::{cluster, cluster_body, complete, template, template_body, world};

fn denied(rule: &str) -> String {
    format!("Policy doesn't allow {rule} to be performed.")
}

#[test]
fn readers_may_read_templates_clusters_stats_and_their_quota() {
    let (uuid, made) = (cluster(json!({})), template(json!({})));
    for path in [
        "/v1/clustertemplates".to_owned(),
        "/v1/clustertemplates/detail".to_owned(),
        format!("/v1/clustertemplates/{}", made["uuid"].as_str().unwrap()),
        "/v1/clusters".to_owned(),
        "/v1/clusters/detail".to_owned(),
        format!("/v1/clusters/{uuid}"),
        "/v1/stats".to_owned(),
        format!("/v1/quotas/{}/Cluster", CLOUD.project(READER)),
    ] {
        get(path).by(READER).status(200);
    }
}

#[test]
fn readers_may_not_make_change_or_delete() {
    let (uuid, made) = (cluster(json!({})), template(json!({})));
    let item = format!("/v1/clustertemplates/{}", made["uuid"].as_str().unwrap());
    for (asked, rule) in [
        (post("/v1/clustertemplates").with(template_body(json!({}))), "clustertemplate:create"),
        (patch(&item).with(replace("/tags", "x")), "clustertemplate:update"),
        (delete(&item), "clustertemplate:delete"),
        (post("/v1/clusters").with(cluster_body(json!({}))), "cluster:create"),
        (delete(format!("/v1/clusters/{uuid}")), "cluster:delete"),
    ] {
        asked.by(READER).expect(403, &denied(rule));
    }
}

#[test]
fn members_change_and_delete_what_others_of_their_project_have_made() {
    let (uuid, made) = (cluster(json!({})), template(json!({})));
    let item = format!("/v1/clustertemplates/{}", made["uuid"].as_str().unwrap());
    patch(&item).by(PEER).with(replace("/tags", "x")).status(200);
    delete(&item).by(PEER).status(204);
    delete(format!("/v1/clusters/{uuid}")).by(PEER).status(204);
}

/// B-17: the default, which `[x509] project_wide` changes.
#[test]
fn certificates_are_for_the_clusters_creator_and_administrators() {
    let uuid = cluster(json!({}));
    let path = format!("/v1/certificates/{uuid}");
    let sign = || post("/v1/certificates").with(json!({"cluster_uuid": uuid, "csr": "x"}));
    for who in [PEER, READER] {
        get(&path).by(who).expect(403, &denied("certificate:get"));
        sign().by(who).expect(403, &denied("certificate:create"));
    }
    for who in [MEMBER, OWN_ADMIN, ADMIN] {
        // Allowed: this cluster's keys are still to be made.
        get(&path).by(who).status(404);
        sign().by(who).refused(400, &["csr"]);
    }
}

#[test]
fn a_stranger_learns_nothing_of_a_clusters_certificates() {
    let uuid = cluster(json!({}));
    let text = format!("Cluster {uuid} could not be found.");
    get(format!("/v1/certificates/{uuid}")).by(STRANGER).expect(404, &text);
    post("/v1/certificates").by(STRANGER).with(json!({"cluster_uuid": uuid, "csr": "x"})).expect(400, &text);
}

#[test]
fn readers_may_not_resize_upgrade_or_change_clusters() {
    let path = format!("/v1/clusters/{}", complete(json!({})));
    let resize = post(format!("{path}/actions/resize")).with(json!({"node_count": 2}));
    resize.by(READER).expect(403, &denied("cluster:resize"));
    patch(&path).by(READER).with(replace("/node_count", 2)).expect(403, &denied("cluster:update"));
    let upgrade = post(format!("{path}/actions/upgrade")).with(json!({"cluster_template": "x"}));
    upgrade.by(READER).expect(403, &denied("cluster:upgrade"));
}

#[test]
fn readers_may_read_nodegroups_and_not_change_them() {
    let path = format!("/v1/clusters/{}/nodegroups", complete(json!({})));
    get(&path).by(READER).status(200);
    get(format!("{path}/default-worker")).by(READER).status(200);
    post(&path).by(READER).with(json!({"name": "n"})).expect(403, &denied("nodegroup:create"));
    patch(format!("{path}/default-worker")).by(READER).with(json!([])).expect(403, &denied("nodegroup:update"));
    delete(format!("{path}/default-worker")).by(READER).expect(403, &denied("nodegroup:delete"));
}

#[test]
fn readers_may_not_rotate_certificates_or_credentials() {
    let uuid = complete(json!({}));
    patch(format!("/v1/certificates/{uuid}")).by(READER).expect(403, &denied("certificate:rotate_ca"));
    patch(format!("/v1/credentials/{uuid}")).by(READER).expect(403, &denied("credential:rotate"));
}

/// B-50: they need to be members of its project.
#[test]
fn rotating_credentials_has_no_exception_for_administrators() {
    let uuid = complete(json!({}));
    patch(format!("/v1/credentials/{uuid}")).by(ADMIN).expect(404, &format!("Cluster {uuid} could not be found."));
}

/// As with Magnum, whose rule asks about whoever sends the patch, so that every member passes (B-30).
#[test]
fn health_is_told_by_every_member_of_the_project_and_by_administrators() {
    let path = format!("/v1/clusters/{}", complete(json!({})));
    for (who, word) in [(MEMBER, "UNHEALTHY"), (PEER, "HEALTHY"), (ADMIN, "UNKNOWN")] {
        patch(&path).by(who).with(replace("/health_status", word)).status(202);
    }
    let change = replace("/health_status", "HEALTHY");
    patch(&path).by(READER).with(change).expect(403, &denied("cluster:update"));
}

#[test]
fn every_project_and_user_column_is_the_tokens_whatever_the_role() {
    let body = cluster_body(json!({}));
    let made = post("/v1/clusters").by(OWN_ADMIN).with(body).ok(202);
    let uuid = made["uuid"].as_str().unwrap();
    let rows = world().service.rows(&format!("SELECT project_id, user_id FROM cluster WHERE uuid = '{uuid}'"));
    assert_eq!(rows, json!([[CLOUD.project(OWN_ADMIN), CLOUD.user(OWN_ADMIN)]]));
}

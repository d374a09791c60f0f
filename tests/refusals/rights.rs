//! What quotas and policies refuse.

use std::time::Duration;

use serde_json::json;

use super::support::cloud::CLOUD;
use super::support::service::Service;
use super::support::{unique, wait_for};
use super::{assert_no_clusters, assert_refused, service};
use super::{stacks, token};

#[test]
fn a_quota_that_is_used_up() {
    let service = Service::start(&[("JEROBOAM__QUOTA__CLUSTERS_PER_PROJECT", "1")]);
    let token = token("demo");
    let template = service.template(&token, json!({"labels": {"node_reports": "false"}}));
    let cluster = service.cluster(&token, &template, json!({"node_count": 0}));
    let body = json!({"name": unique("second"), "cluster_template_id": template, "node_count": 0});
    let usage = || service.rows("SELECT clusters FROM project_usage");
    for _ in 0..2 {
        let words = [
            "Resource limit exceeded: You have reached the maximum clusters per project, 1. You may delete a cluster to \
             make room for a new one.",
        ];
        assert_refused(&service.call(&token, "POST", "/clusters", Some(&body)), 403, &words);
        assert_eq!(usage(), json!([[1]]));
        assert_eq!(service.rows("SELECT count(*), (SELECT count(*) FROM nodegroup) FROM cluster"), json!([[1, 2]]));
    }
    assert!(stacks(body["name"].as_str().unwrap()).is_empty());
    service.gone(&token, &cluster);
    assert_eq!(usage(), json!([[0]]));
    let again = service.cluster(&token, &template, json!({"node_count": 0}));
    service.gone(&token, &again);
}

#[test]
fn no_quota_at_all() {
    let service = Service::start(&[("JEROBOAM__QUOTA__CLUSTERS_PER_PROJECT", "0")]);
    let token = token("demo");
    let template = service.template(&token, json!({}));
    let answer = service.call(&token, "POST", "/clusters", Some(&json!({"cluster_template_id": template})));
    assert_refused(&answer, 403, &["maximum clusters per project, 0"]);
    assert_no_clusters(&service);
}

#[test]
fn a_reader_may_look_and_not_touch() {
    let service = service();
    let (reader, member) = (token("reader"), token("demo"));
    let template = service.template(&member, json!({}));
    for path in ["/clusters", "/clusters/detail", "/clustertemplates", "/stats"] {
        assert_eq!(service.call(&reader, "GET", path, None).status, 200, "{path}");
    }
    let path = format!("/clustertemplates/{template}");
    let new = json!({"coe": "kubernetes", "image_id": "ubuntu-24.04", "external_network_id": "public"});
    let changed = json!([{"op": "replace", "path": "/tags", "value": "x"}]);
    for (method, path, body, rule) in [
        ("POST", "/clusters", Some(json!({"cluster_template_id": template})), "cluster:create"),
        // Whether it exists is none of a reader's business.
        ("POST", "/clusters", Some(json!({"cluster_template_id": "no-such-template"})), "cluster:create"),
        ("POST", "/clustertemplates", Some(new), "clustertemplate:create"),
        ("PATCH", &path, Some(changed), "clustertemplate:update"),
        ("DELETE", &path, None, "clustertemplate:delete"),
    ] {
        let answer = service.call(&reader, method, path, body.as_ref());
        assert_refused(&answer, 403, &[&format!("Policy doesn't allow {rule} to be performed.")]);
    }
    assert_no_clusters(&service);
    assert_eq!(service.call(&reader, "GET", &path, None).json()["tags"], json!(null));
}

#[test]
fn a_policy_file_denies_and_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("policy.yaml");
    std::fs::write(&file, "# Nobody.\n\"clustertemplate:create\": \"!\"\n\"stats:get_all\": \"role:reader\"\n")
        .unwrap();
    let service = Service::start(&[("JEROBOAM__POLICY__FILE", file.to_str().unwrap())]);
    let token = token("demo");
    let body = json!({"coe": "kubernetes", "image_id": "ubuntu-24.04", "external_network_id": "public"});
    let make = || service.call(&token, "POST", "/clustertemplates", Some(&body));
    let counted = || service.rows("SELECT count(*) FROM cluster_template");
    assert_refused(&make(), 403, &["Policy doesn't allow clustertemplate:create to be performed."]);
    assert_refused(
        &service.call(&token, "POST", "/clusters", Some(&json!({"cluster_template_id": "x"}))),
        404,
        &["ClusterTemplate x could not be found."],
    );
    assert_eq!(counted(), json!([[0]]));

    // What the file no longer denies is allowed as soon as it has been read again.
    std::fs::write(&file, "\"cluster:create\": \"!\"\n").unwrap();
    wait_for("the changed policy to hold", Duration::from_secs(10), || (make().status == 201).then_some(()));
    let answer = service.call(&token, "POST", "/clusters", Some(&json!({"cluster_template_id": "x"})));
    assert_refused(&answer, 403, &["Policy doesn't allow cluster:create to be performed."]);

    // A broken file is told in the log, and changes nothing.
    std::fs::write(&file, "\"cluster:create\": [\n").unwrap();
    wait_for("the broken policy to be told", Duration::from_secs(10), || {
        let answer = service.call(&token, "POST", "/clusters", Some(&json!({"cluster_template_id": "x"})));
        assert_eq!(answer.status, 403, "{}", answer.text);
        service.log().contains("the rules before it stay").then_some(())
    });
}

/// A token that is scoped to no project owns nothing, and may ask for nothing.
#[test]
fn a_token_without_a_project() {
    let service = service();
    let token = CLOUD.token_for(&json!({"identity": CLOUD.password_of("nobody")}));
    for path in ["/clusters", "/clustertemplates", "/stats", "/mservices", "/clusters/x", "/certificates/x"] {
        assert_refused(&service.call(&token, "GET", path, None), 403, &[]);
    }
    let answer = service.call(&token, "POST", "/clusters", Some(&json!({"cluster_template_id": "x"})));
    assert_refused(&answer, 403, &[]);
    assert_no_clusters(&service);
}

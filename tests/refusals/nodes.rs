//! Bootstrap tokens open one nodegroup's part of one cluster, and nothing else.

use serde_json::json;

use super::assert_refused;
use super::standing::STANDING;
use super::token;

#[test]
fn an_unknown_node() {
    let standing = STANDING.get();
    let cluster = &standing.first;
    let report = json!({"phase": "booted"});
    let worker = cluster.node("worker");
    for name in ["no-such-node", &format!("{worker}-0"), &cluster.node("master"), &worker[..worker.len() - 1], "..%2f"]
    {
        let path = format!("/clusters/{}/nodes/{name}/report", cluster.uuid);
        let answer = standing.node(&cluster.worker_token, "POST", &path, Some(&report));
        assert_eq!(answer.status, 404, "{name}: {}", answer.text);
    }
    let path = format!("/clusters/{}/nodes/{}/report", "1f0ad0d2-6f0e-4ad1-a6f0-2f3a1f0b9e11", worker);
    let answer = standing.node(&cluster.worker_token, "POST", &path, Some(&report));
    assert_refused(&answer, 404, &[&format!("Node {worker} could not be found.")]);
    assert_eq!(standing.service.rows("SELECT count(*) FROM node"), json!([[0]]));
}

#[test]
fn a_report_that_is_not_understood() {
    let standing = STANDING.get();
    let cluster = &standing.first;
    let path = format!("/clusters/{}/nodes/{}/report", cluster.uuid, cluster.node("worker"));
    for (report, words) in [
        (json!({"phase": "asleep"}), &["phase", "'asleep'", "booted", "ready"][..]),
        (json!({"step": "etcd"}), &["phase", "Mandatory field missing."]),
        (json!({"phase": "booted", "colour": "red"}), &["Unknown attribute for argument report: colour"]),
        (json!([]), &["report", "a JSON object"]),
        (json!({"phase": "failed", "log": "text"}), &["log", "'text'", "a sequence"]),
        (json!({"phase": "failed", "step": 5}), &["step", "'5'", "a string"]),
    ] {
        let answer = standing.node(&cluster.worker_token, "POST", &path, Some(&report));
        assert_refused(&answer, 400, words);
    }
    assert_eq!(standing.service.rows("SELECT count(*) FROM node"), json!([[0]]));
}

/// The token of one cluster's node knows no other cluster.
#[test]
fn a_token_of_another_cluster() {
    let standing = STANDING.get();
    let (own, other) = (&standing.first, &standing.second);
    for token in [&own.master_token, &own.worker_token] {
        for part in ["service-account", "agent-secret", "cloud-config"] {
            let path = format!("/clusters/{}/nodes/{}/{part}", other.uuid, other.node("master"));
            assert_refused(&standing.node(token, "GET", &path, None), 404, &["could not be found"]);
        }
        let path = format!("/clusters/{}/nodes/{}/report", other.uuid, other.node("worker"));
        let answer = standing.node(token, "POST", &path, Some(&json!({"phase": "failed"})));
        assert_refused(&answer, 404, &["could not be found"]);
        let answer = standing.node(token, "GET", &format!("/certificates/{}", other.uuid), None);
        assert_refused(&answer, 404, &["could not be found"]);
        let body = json!({"cluster_uuid": other.uuid, "csr": "x"});
        let answer = standing.node(token, "POST", "/certificates", Some(&body));
        assert_refused(&answer, 404, &["could not be found"]);
    }
    assert_eq!(standing.service.rows("SELECT count(*) FROM node"), json!([[0]]));
}

#[test]
fn a_worker_that_reads_what_masters_may() {
    let standing = STANDING.get();
    let cluster = &standing.first;
    for part in ["service-account", "cloud-config"] {
        let path = format!("/clusters/{}/nodes/{}/{part}", cluster.uuid, cluster.node("worker"));
        let answer = standing.node(&cluster.worker_token, "GET", &path, None);
        assert_refused(&answer, 403, &["Only control plane nodes may read this."]);
        // Nor under a master's name.
        let path = format!("/clusters/{}/nodes/{}/{part}", cluster.uuid, cluster.node("master"));
        assert_refused(&standing.node(&cluster.worker_token, "GET", &path, None), 404, &["could not be found"]);
    }
    let path = format!("/clusters/{}/nodes/{}/service-account", cluster.uuid, cluster.node("master"));
    let answer = standing.node(&cluster.master_token, "GET", &path, None);
    assert_eq!(answer.status, 200);
    assert!(answer.json()["private_key"].as_str().unwrap().contains("PRIVATE KEY"));
    let path = format!("/clusters/{}/nodes/{}/agent-secret", cluster.uuid, cluster.node("master"));
    let answer = standing.node(&cluster.master_token, "GET", &path, None);
    assert_refused(&answer, 404, &["have no secret of this kind"]);
}

/// Nodes are no users, and users no nodes.
#[test]
fn a_token_of_the_other_kind() {
    let standing = STANDING.get();
    let cluster = &standing.first;
    for path in ["/clusters", "/clusters/detail", "/clustertemplates", "/stats", "/mservices"] {
        assert_eq!(standing.node(&cluster.master_token, "GET", path, None).status, 401, "{path}");
    }
    let path = format!("/clusters/{}", cluster.uuid);
    for method in ["GET", "DELETE"] {
        assert_eq!(standing.node(&cluster.master_token, method, &path, None).status, 401);
    }
    for user in ["demo", "admin"] {
        let path = format!("/clusters/{}/nodes/{}/service-account", cluster.uuid, cluster.node("master"));
        assert_eq!(standing.service.call(&token(user), "GET", &path, None).status, 401);
    }
    let path = format!("/certificates/{}", cluster.uuid);
    assert_eq!(standing.node("A".repeat(43).as_str(), "GET", &path, None).status, 401);
    assert_eq!(standing.node(&cluster.worker_token, "GET", &path, None).status, 200);
}

//! Whole lives of clusters on the real cloud: made by the unmodified client, complete, deleted, nothing left behind.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::process::{Command, Output};

use serde_json::json;
use support::cloud::CLOUD;
use support::service::Service;
use support::unique;

fn text(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The first thing that must be true, by the commands users type.
#[test]
fn a_cluster_by_the_unmodified_client() {
    let service = Service::start(&[]);
    let login = CLOUD.login("demo");
    let openstack = |arguments: &[&str]| text(&CLOUD.openstack(&login, &service.endpoint(), arguments));
    let before = CLOUD.census();

    let template = unique("k8s");
    let made = openstack(&[
        "coe",
        "cluster",
        "template",
        "create",
        &template,
        "--coe",
        "kubernetes",
        "--image",
        "ubuntu-24.04",
        "--external-network",
        "public",
        "--flavor",
        "m1.small",
        "--master-flavor",
        "m1.medium",
        "--network-driver",
        "flannel",
        "--keypair",
        "testkey",
        "-f",
        "value",
        "-c",
        "name",
    ]);
    assert_eq!(made.trim(), template);

    let name = unique("life");
    let accepted =
        openstack(&["coe", "cluster", "create", &name, "--cluster-template", &template, "--node-count", "2"]);
    assert!(accepted.contains("has been accepted"), "{accepted}");
    let token = CLOUD.token("demo");
    let shown = service.complete(&token, &name);
    let uuid = shown["uuid"].as_str().unwrap();
    assert!(shown["api_address"].as_str().unwrap().starts_with("https://"), "{shown}");
    assert_eq!(shown["master_addresses"].as_array().unwrap().len(), 1, "{shown}");
    assert_eq!(shown["node_addresses"].as_array().unwrap().len(), 2, "{shown}");

    let listed = openstack(&["coe", "cluster", "list", "-f", "value", "-c", "uuid", "-c", "status"]);
    assert!(listed.contains(&format!("{uuid} CREATE_COMPLETE")), "{listed}");

    kubeconfig_verifies(&service, &name, &openstack);

    openstack(&["coe", "cluster", "delete", &name]);
    service.gone(&token, uuid);
    openstack(&["coe", "cluster", "template", "delete", &template]);
    assert_eq!(CLOUD.census()["ours"], before["ours"]);
}

/// `coe cluster config` writes a kubeconfig whose certificate the cluster's authority has signed.
fn kubeconfig_verifies(service: &Service, name: &str, openstack: &dyn Fn(&[&str]) -> String) {
    let dir = service.dir().join("config");
    std::fs::create_dir(&dir).unwrap();
    openstack(&["coe", "cluster", "config", name, "--dir", dir.to_str().unwrap(), "--output-certs"]);
    let verified = Command::new("openssl")
        .args(["verify", "-x509_strict", "-purpose", "sslclient", "-CAfile"])
        .args([dir.join("ca.pem"), dir.join("cert.pem")])
        .output()
        .unwrap();
    assert!(text(&verified).ends_with("OK\n"));
    let config: serde_yaml::Value =
        serde_yaml::from_str(&std::fs::read_to_string(dir.join("config")).unwrap()).unwrap();
    assert!(config["clusters"][0]["cluster"]["server"].as_str().unwrap().starts_with("https://"));
}

/// A delete at any moment ends in absence.
#[test]
fn a_delete_during_create_leaves_nothing() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let before = CLOUD.census();
    let template = service.template(&token, json!({}));
    for pause_ms in [0, 200, 800, 2500] {
        let cluster = service.cluster(&token, &template, json!({}));
        std::thread::sleep(std::time::Duration::from_millis(pause_ms));
        service.gone(&token, &cluster);
    }
    assert_eq!(service.call(&token, "DELETE", &format!("/clustertemplates/{template}"), None).status, 204);
    assert_eq!(CLOUD.census()["ours"], before["ours"]);
}

/// The failing resource, its type and its own words, in `status_reason` and `faults`.
#[test]
fn a_failed_stack_names_its_cause() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({}));
    let name = unique("nohost");
    let _faults = CLOUD.faults(vec![json!({
        "type": "OS::Nova::Server", "stack": name, "name": "kube-minion", "action": "CREATE",
        "fail": "No valid host was found. There are not enough hosts available.",
    })]);
    let cluster = service.cluster(&token, &template, json!({"name": name}));
    let shown = service.settled(&token, &cluster);
    assert_eq!(shown["status"], "CREATE_FAILED");
    let reason = shown["status_reason"].as_str().unwrap();
    for part in ["OS::Nova::Server", "kube_minions/0/kube-minion", "No valid host was found", "[stack-failed]"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert!(shown["faults"]["default-worker"].as_str().unwrap().contains("No valid host"), "{shown}");
    service.gone(&token, &cluster);
}

/// A node that fails fails the cluster at once, with its step and the end of its log.
#[test]
fn a_failed_node_names_its_step() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({}));
    let name = unique("badnode");
    let _nodes = CLOUD.nodes(vec![
        json!({"name": format!("{name}.*-worker-0"), "fail": "runtime", "message": "containerd did not start"}),
    ]);
    let cluster = service.cluster(&token, &template, json!({"name": name}));
    let shown = service.settled(&token, &cluster);
    assert_eq!(shown["status"], "CREATE_FAILED");
    let reason = shown["status_reason"].as_str().unwrap();
    for part in ["-worker-0", "runtime", "containerd did not start", "[node-failed]"] {
        assert!(reason.contains(part), "{reason}");
    }
    service.gone(&token, &cluster);
}

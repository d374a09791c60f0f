//! openstacksdk (the contract's section 11.3): what it does, and what it must be refused.

use std::process::Command;

use serde_json::json;

use crate::support::cloud::CLOUD;
use crate::support::service::Service;
use crate::support::unique;
use crate::with_cluster;

/// Runs one part of the program beside this file, as `demo`.
fn program(service: &Service, part: &str, template: &str, name: &str) {
    let output = Command::new(CLOUD.text("/paths/python"))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/sdk.py"))
        .args([part, template, name])
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        .env("HOME", service.dir())
        .env("PYTHONWARNINGS", "ignore")
        .envs(service.login(&CLOUD.login("demo")))
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{part}: {}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(text(&output.stdout), "done\n");
}

#[test]
fn the_sdk_discovers_the_service_and_keeps_templates() {
    let service = Service::start(&[]);
    program(&service, "discovery", "-", "-");
    program(&service, "templates", "-", &unique("sdk"));
}

#[test]
fn the_sdk_makes_looks_at_and_deletes_clusters() {
    let service = Service::start(&[]);
    let template = service.template(&CLOUD.token("demo"), json!({}));
    program(&service, "clusters", &template, &unique("sdk"));
}

#[test]
fn the_sdk_updates_clusters() {
    let (service, template, cluster) = with_cluster("demo");
    program(&service, "update", &template, &cluster);
    service.gone(&CLOUD.token("demo"), &cluster);
}

#[test]
fn the_sdk_resizes_clusters() {
    let (service, template, cluster) = with_cluster("demo");
    program(&service, "resize", &template, &cluster);
    service.gone(&CLOUD.token("demo"), &cluster);
}

#[test]
fn the_sdk_upgrades_clusters() {
    let (service, _, cluster) = with_cluster("demo");
    let next =
        service.template(&CLOUD.token("demo"), json!({"labels": {"kube_tag": "v1.31.2", "etcd_volume_size": "1"}}));
    program(&service, "upgrade", &next, &cluster);
    service.gone(&CLOUD.token("demo"), &cluster);
}

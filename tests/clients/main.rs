//! Unmodified clients against the running service: the command line, the SDK, and what Terraform and Horizon send.
//!
//! What has not been seen to pass yet says so in its `ignore`; nothing else keeps it from running.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

#[path = "../support/mod.rs"]
mod support;

mod command_line;
mod horizon;
mod replay;
mod sdk;
mod terraform;

use serde_json::{Value, json};
use support::cloud::CLOUD;
use support::service::Service;

/// A service with one complete cluster of the user, which can be upgraded, its template's UUID and its own.
fn with_cluster(user: &str) -> (Service, String, String) {
    let service = Service::start(&[]);
    let token = CLOUD.token(user);
    let template = service.template(&token, json!({"labels": {"kube_tag": "v1.31.1", "etcd_volume_size": "1"}}));
    let cluster = service.cluster(&token, &template, json!({"labels": {}}));
    service.complete(&token, &cluster);
    (service, template, cluster)
}

/// Waits until the cluster has come to rest with that status.
fn settles_as(service: &Service, cluster: &str, status: &str) -> Value {
    let shown = service.settled(&CLOUD.token("demo"), cluster);
    assert_eq!(shown["status"], status, "{}", shown["status_reason"]);
    shown
}

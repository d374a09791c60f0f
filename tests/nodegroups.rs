//! Nodegroups of their own on the real cloud: made side by side, failed with a cause, changed, deleted without a rest.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::cloud::CLOUD;
use support::relay::Relay;
use support::service::{Service, tail};
use support::{unique, wait_for};

/// A complete cluster with one worker, and its name.
fn cluster(service: &Service, token: &str) -> (String, String) {
    let name = unique("groups");
    let template = service.template(token, json!({}));
    let cluster = service.cluster(token, &template, json!({"name": name}));
    service.complete(token, &cluster);
    (cluster, name)
}

/// Asks for a nodegroup and gives what the answer shows.
fn group(service: &Service, token: &str, cluster: &str, body: Value) -> Value {
    // As the unmodified client writes the path.
    let answer = service.call(token, "POST", &format!("/clusters/{cluster}/nodegroups/"), Some(&body));
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()
}

fn show(service: &Service, token: &str, cluster: &str, group: &str) -> Value {
    let answer = service.call(token, "GET", &format!("/clusters/{cluster}/nodegroups/{group}"), None);
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// Waits until the nodegroup has settled, and gives it.
fn settled(service: &Service, token: &str, cluster: &str, group: &str) -> Value {
    wait_for("the nodegroup to settle", Duration::from_secs(400), || {
        let shown = show(service, token, cluster, group);
        (!shown["status"].as_str().unwrap().ends_with("IN_PROGRESS")).then_some(shown)
    })
}

fn complete(service: &Service, token: &str, cluster: &str, group: &str, status: &str) -> Value {
    let shown = settled(service, token, cluster, group);
    assert_eq!(shown["status"], status, "{}\n{}", shown["status_reason"], tail(&service.log()));
    shown
}

/// Deletes the nodegroup and waits until it is absent.
fn gone(service: &Service, token: &str, cluster: &str, group: &str) {
    let path = format!("/clusters/{cluster}/nodegroups/{group}");
    assert_eq!(service.call(token, "DELETE", &path, None).status, 204);
    wait_for("the nodegroup to be gone", Duration::from_secs(120), || {
        (service.call(token, "GET", &path, None).status == 404).then_some(())
    });
}

/// A stack's place in Heat.
fn path(stack: &Value) -> String {
    let text = |key: &str| stack[key].as_str().unwrap().to_owned();
    format!("/v1/{}/stacks/{}/{}", CLOUD.project("demo"), text("stack_name"), text("id"))
}

/// Of a stack, by the name of an output.
fn output(stack: &Value, name: &str) -> Value {
    let shown = CLOUD.call("heat", &CLOUD.token("demo"), "GET", &path(stack), None).json();
    let outputs = shown["stack"]["outputs"].as_array().unwrap();
    outputs.iter().find(|output| output["output_key"] == name).unwrap()["output_value"].clone()
}

/// Settings of the nodes whose names begin so, by what their user data write.
fn settings(prefix: &str) -> Vec<String> {
    CLOUD.user_data(prefix).iter().map(|text| support::node_settings(text)).collect()
}

#[test]
fn nodegroups_side_by_side() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let (cluster, name) = cluster(&service, &token);
    let before = service.call(&token, "GET", "/stats", None).json()["nodes"].as_i64().unwrap();
    let gpu = json!({"name": "gpu", "role": "compute", "node_count": 2, "min_node_count": 1, "max_node_count": 4,
        "flavor_id": "m1.medium", "docker_volume_size": 2, "labels": {"availability_zone": "nova"}, "merge_labels": true,
        "node_labels": {"example.org/gpu": "yes"}, "node_taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]});
    let accepted = group(&service, &token, &cluster, gpu);
    assert_eq!((&accepted["status"], &accepted["stack_id"]), (&json!("CREATE_IN_PROGRESS"), &Value::Null));
    // The other one is made meanwhile.
    let small = group(&service, &token, &cluster, json!({"name": "small"}));
    assert_eq!(service.show(&token, &cluster)["status"], "UPDATE_IN_PROGRESS");
    let shown = complete(&service, &token, &cluster, "gpu", "CREATE_COMPLETE");
    let other = complete(&service, &token, &cluster, small["uuid"].as_str().unwrap(), "CREATE_COMPLETE");
    let whole = service.settled(&token, &cluster);
    assert_eq!(whole["status"], "UPDATE_COMPLETE", "{}", whole["status_reason"]);
    assert_eq!((&whole["node_count"], whole["node_addresses"].as_array().unwrap().len()), (&json!(4), 4), "{whole}");
    assert_eq!(shown["node_addresses"].as_array().unwrap().len(), 2);
    assert!(shown["version"].as_str().unwrap().starts_with('v'), "{shown}");
    assert!(service.call(&token, "GET", "/stats", None).json()["nodes"].as_i64().unwrap() >= before + 3);

    // What in-cluster controllers read.
    let stacks = CLOUD.stacks("demo", &name);
    assert_eq!(stacks.len(), 3, "{stacks:?}");
    let stack = stacks.iter().find(|stack| stack["id"] == shown["stack_id"]).unwrap();
    let members = output(stack, "node_servers");
    assert_eq!(members.as_object().unwrap().len(), 2, "{members}");
    let prefix = format!("{}-gpu-", whole["name"].as_str().unwrap());
    let node = settings(&name).into_iter().find(|text| text.contains("NODEGROUP_NAME='gpu'")).expect(&prefix);
    for setting in ["NODE_LABELS='example.org/gpu=yes'", "NODE_TAINTS='gpu=yes:NoSchedule'", "NODEGROUP_ROLE='compute'"]
    {
        assert!(node.contains(setting), "{node}");
    }
    // Its tokens open nothing more.
    assert_eq!(service.rows("SELECT count(*) FROM bootstrap_token"), json!([[0]]));

    listed(&service, &token, &cluster);
    let text = "A node group with name gpu already exists in the cluster";
    refused(&service, &token, &cluster, json!({"name": "gpu"}), 409, text);
    refused(&service, &token, &cluster, json!({"name": "GPU"}), 409, "like those of gpu");
    refused(&service, &token, &cluster, json!({"name": "worker"}), 409, "like those of default-worker");
    patched(&service, &token, &cluster);

    gone(&service, &token, &cluster, "gpu");
    let whole = service.settled(&token, &cluster);
    assert_eq!((&whole["status"], &whole["node_count"]), (&json!("UPDATE_COMPLETE"), &json!(2)), "{whole}");
    assert_eq!(CLOUD.stacks("demo", &name).len(), 2);
    assert_eq!(service.rows("SELECT count(*) FROM node WHERE name LIKE '%-gpu-%'"), json!([[0]]));
    // The cluster takes the other one with it.
    service.gone(&token, &cluster);
    CLOUD.no_stack("demo", &name);
    assert!(!CLOUD.census().to_string().contains(other["uuid"].as_str().unwrap()));
    for table in ["nodegroup", "node", "bootstrap_token", "x509_keypair"] {
        assert_eq!(service.rows(&format!("SELECT count(*) FROM {table}")), json!([[0]]), "{table}");
    }
}

fn refused(service: &Service, token: &str, cluster: &str, body: Value, status: u16, text: &str) {
    let answer = service.call(token, "POST", &format!("/clusters/{cluster}/nodegroups"), Some(&body));
    assert_eq!(answer.status, status, "{}", answer.text);
    assert!(answer.detail().contains(text), "{}", answer.text);
}

/// Real bounds, and a filter that the next page keeps.
fn listed(service: &Service, token: &str, cluster: &str) {
    let path = format!("/clusters/{cluster}/nodegroups");
    let all = service.call(token, "GET", &path, None).json();
    let names: Vec<_> = all["nodegroups"].as_array().unwrap().iter().map(|group| group["name"].clone()).collect();
    assert_eq!(names, ["default-master", "default-worker", "gpu", "small"]);
    let gpu = &all["nodegroups"][2];
    assert_eq!((&gpu["min_node_count"], &gpu["max_node_count"]), (&json!(1), &json!(4)), "{gpu}");
    let page = service.call(token, "GET", &format!("{path}?role=worker&limit=1"), None).json();
    assert_eq!(page["nodegroups"][0]["name"], "default-worker");
    let next = page["next"].as_str().unwrap();
    assert!(next.contains("role=worker") && next.contains(&path), "{next}");
    let answer = support::http::request(
        "GET",
        next,
        &[("x-auth-token", token), ("openstack-api-version", "container-infra latest")],
        None,
    );
    assert_eq!(answer.json()["nodegroups"][0]["name"], "small", "{}", answer.text);
}

/// Bounds change at once; labels and taints change the stack, but none of its nodes.
fn patched(service: &Service, token: &str, cluster: &str) {
    let path = format!("/clusters/{cluster}/nodegroups/gpu");
    let servers = || {
        let shown = show(service, token, cluster, "gpu");
        let name = service.show(token, cluster)["name"].as_str().unwrap().to_owned();
        let stacks = CLOUD.stacks("demo", &name);
        output(stacks.iter().find(|stack| stack["id"] == shown["stack_id"]).unwrap(), "node_servers")
    };
    let before = servers();
    let bounds = json!([{"op": "replace", "path": "/min_node_count", "value": "2"}, {"op": "remove", "path": "/max_node_count"}]);
    let answer = service.call(token, "PATCH", &path, Some(&bounds));
    assert_eq!(answer.status, 202, "{}", answer.text);
    let shown = answer.json();
    assert_eq!((&shown["min_node_count"], &shown["max_node_count"]), (&json!(2), &Value::Null), "{shown}");
    assert_eq!(shown["status"], "CREATE_COMPLETE", "nothing else happens");
    let labels = json!([{"op": "replace", "path": "/node_labels", "value": "{'example.org/gpu': 'new'}"},
        {"op": "replace", "path": "/node_taints", "value": [{"key": "gpu", "effect": "NoExecute"}]}]);
    let answer = service.call(token, "PATCH", &path, Some(&labels));
    assert_eq!((answer.status, &answer.json()["status"]), (202, &json!("UPDATE_IN_PROGRESS")), "{}", answer.text);
    complete(service, token, cluster, "gpu", "UPDATE_COMPLETE");
    assert_eq!(service.settled(token, cluster)["status"], "UPDATE_COMPLETE");
    assert_eq!(servers(), before, "no node is touched");
    let refused = |patch: Value, status: u16| {
        let answer = service.call(token, "PATCH", &path, Some(&patch));
        assert_eq!(answer.status, status, "{}", answer.text);
    };
    refused(json!([{"op": "replace", "path": "/min_node_count", "value": 3}]), 409);
    refused(json!([{"op": "replace", "path": "/node_count", "value": 3}]), 400);
    refused(json!([{"op": "add", "path": "/node_labels", "value": {"a": "b"}}]), 400);
    refused(json!([{"op": "replace", "path": "/node_labels", "value": {"kubernetes.io/x": "b"}}]), 409);
}

/// The nodegroup says what failed, and the cluster repeats it: a resource in Heat, a node, one that nobody heard of in
/// time, a delete that Heat does not carry out. Without what has failed the cluster is whole again.
#[test]
fn a_nodegroup_that_fails() {
    let service = Service::start(&[("JEROBOAM__HEAT__POLL_INTERVAL_S", "1")]);
    let token = CLOUD.token("demo");
    let (cluster, name) = cluster(&service, &token);
    let faults = CLOUD.faults(vec![json!({
        "type": "OS::Nova::Server", "stack": name, "name": "kube-minion", "action": "CREATE",
        "fail": "No valid host was found. There are not enough hosts available.",
    })]);
    group(&service, &token, &cluster, json!({"name": "gpu"}));
    let shown = settled(&service, &token, &cluster, "gpu");
    assert_eq!(shown["status"], "CREATE_FAILED", "{shown}");
    let own = CLOUD.stacks("demo", &name).into_iter().find(|stack| stack["id"] == shown["stack_id"]).unwrap();
    let whole = service.settled(&token, &cluster);
    assert_eq!(whole["status"], "UPDATE_FAILED", "{whole}");
    assert!(whole["faults"]["gpu"].as_str().unwrap().contains("No valid host"), "{whole}");
    assert_eq!(whole["faults"].as_object().unwrap().len(), 1, "{whole}");
    drop(faults);
    // A node that fails, in another one, and one that says nothing, in a third.
    let _nodes = CLOUD.nodes(vec![
        json!({"name": format!("{name}.*-bad-0"), "fail": "runtime", "message": "no runtime"}),
        json!({"name": format!("{name}.*-mute-0"), "silent": true}),
    ]);
    group(&service, &token, &cluster, json!({"name": "bad"}));
    group(&service, &token, &cluster, json!({"name": "mute"}));
    let shown = settled(&service, &token, &cluster, "bad");
    assert!(shown["status_reason"].as_str().unwrap().contains("no runtime"), "{shown}");
    // Meanwhile the first one is to go, which Heat fails to do.
    let faults = CLOUD.faults(vec![json!({
        "type": "OS::Nova::Server", "stack": own["stack_name"], "name": "kube-minion", "action": "DELETE",
        "fail": "The host is away.",
    })]);
    let answer = service.call(&token, "DELETE", &format!("/clusters/{cluster}/nodegroups/gpu"), None);
    assert_eq!(answer.status, 204, "{}", answer.text);
    wait_for("the silent node to be all that is missing", Duration::from_secs(300), || {
        let seen =
            "SELECT step, observed_status FROM operation WHERE kind = 'nodegroup.create' AND finished_at IS NULL";
        (service.rows(seen) == json!([["nodegroup.create/await", "CREATE_COMPLETE"]])).then_some(())
    });
    service.write("UPDATE operation SET deadline = created_at WHERE kind = 'nodegroup.create' AND finished_at IS NULL");
    let shown = settled(&service, &token, &cluster, "gpu");
    told(&shown, "DELETE_FAILED", &["OS::Nova::Server", "/kube-minion", "The host is away", "[stack-failed]"]);
    let tries = format!("json_extract(progress, '$.stacks.\"{}\"')", own["id"].as_str().unwrap());
    let tries = service.rows(&format!("SELECT state, {tries} FROM operation WHERE kind = 'nodegroup.delete'"));
    assert_eq!(tries, json!([["failed", 5]]), "Heat was asked again");
    let shown = settled(&service, &token, &cluster, "mute");
    let late = "ran out in step nodegroup.create/await: the stack is CREATE_COMPLETE; not ready: ";
    told(&shown, "CREATE_FAILED", &[late, "-mute-0 (never reported)", "[timed-out]"]);
    let whole = service.settled(&token, &cluster);
    assert_eq!(whole["status"], "UPDATE_FAILED", "{whole}");
    for (other, text) in [("bad", "no runtime"), ("gpu", "The host is away"), ("mute", "[timed-out]")] {
        assert!(whole["faults"][other].as_str().unwrap().contains(text), "{other}: {whole}");
    }
    drop(faults);
    gone(&service, &token, &cluster, "gpu");
    assert_eq!(service.settled(&token, &cluster)["status"], "UPDATE_FAILED");
    gone(&service, &token, &cluster, "bad");
    gone(&service, &token, &cluster, "mute");
    assert_eq!(service.settled(&token, &cluster)["status"], "UPDATE_COMPLETE");
    assert_eq!(CLOUD.stacks("demo", &name).len(), 1);
    service.gone(&token, &cluster);
}

/// A nodegroup has that status, with all of these words in its reason.
fn told(shown: &Value, status: &str, parts: &[&str]) {
    assert_eq!(shown["status"], status, "{shown}");
    let reason = shown["status_reason"].as_str().unwrap();
    assert!(parts.iter().all(|part| reason.contains(part)), "{parts:?}: {reason}");
}

/// The old drivers' defect 10: the cluster's stack was deleted while those of its nodegroups were still there.
#[test]
fn a_cluster_s_stack_outlives_those_of_its_nodegroups() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let (cluster, name) = cluster(&service, &token);
    let stacks = CLOUD.stacks("demo", &name);
    assert_eq!(stacks.len(), 1, "{stacks:?}");
    group(&service, &token, &cluster, json!({"name": "gpu"}));
    let shown = complete(&service, &token, &cluster, "gpu", "CREATE_COMPLETE");
    let status = |id: &Value| {
        let found = CLOUD.stacks("demo", &name).into_iter().find(|stack| stack["id"] == *id);
        found.map(|stack| stack["stack_status"].as_str().unwrap().to_owned())
    };
    let own = CLOUD.stacks("demo", &name).into_iter().find(|stack| stack["id"] == shown["stack_id"]).unwrap();
    let held = CLOUD.faults(vec![json!({
        "type": "OS::Nova::Server", "stack": own["stack_name"], "action": "DELETE", "hold": true,
    })]);
    assert_eq!(service.call(&token, "DELETE", &format!("/clusters/{cluster}"), None).status, 204);
    wait_for("the nodegroup's stack to be going", Duration::from_secs(60), || {
        let step = service.rows("SELECT step FROM operation WHERE kind = 'cluster.delete'");
        let going = status(&own["id"]).as_deref() == Some("DELETE_IN_PROGRESS");
        (going && step == json!([["cluster.delete/nodegroups"]])).then_some(())
    });
    // As the watcher sees it: stacks are listed until the nodegroup's is gone.
    let listings = || service.log().lines().filter(|line| line.contains("/stacks\"")).count();
    let before = listings();
    wait_for("two more looks at it", Duration::from_secs(60), || (listings() >= before + 2).then_some(()));
    assert_eq!(status(&own["id"]).as_deref(), Some("DELETE_IN_PROGRESS"));
    assert_eq!(status(&stacks[0]["id"]).as_deref(), Some("CREATE_COMPLETE"));
    drop(held);
    service.absent(&token, &cluster);
    CLOUD.no_stack("demo", &name);
}

/// The old drivers' defect 12: the cluster's stack was said to be missing where a nodegroup's was.
#[test]
fn a_nodegroup_whose_stack_is_gone_says_so() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let (cluster, name) = cluster(&service, &token);
    group(&service, &token, &cluster, json!({"name": "gpu"}));
    let shown = complete(&service, &token, &cluster, "gpu", "CREATE_COMPLETE");
    let own = CLOUD.stacks("demo", &name).into_iter().find(|stack| stack["id"] == shown["stack_id"]).unwrap();
    let deleted = CLOUD.call("heat", &token, "DELETE", &path(&own), None);
    assert_eq!(deleted.status, 204, "{}", deleted.text);
    wait_for("the nodegroup's stack to be gone", Duration::from_secs(60), || {
        (CLOUD.stacks("demo", &name).len() == 1).then_some(())
    });
    let body = json!({"node_count": 2, "nodegroup": "gpu"});
    let answer = service.call(&token, "POST", &format!("/clusters/{cluster}/actions/resize"), Some(&body));
    assert_eq!(answer.status, 202, "{}", answer.text);
    let shown = settled(&service, &token, &cluster, "gpu");
    let whole = service.settled(&token, &cluster);
    assert_eq!((&shown["status"], &whole["status"]), (&json!("UPDATE_FAILED"), &json!("UPDATE_FAILED")), "{whole}");
    assert_eq!(whole["faults"].as_object().unwrap().keys().collect::<Vec<_>>(), ["gpu"], "{whole}");
    for reason in [&shown["status_reason"], &whole["status_reason"], &whole["faults"]["gpu"]] {
        let reason = reason.as_str().unwrap();
        assert!(reason.contains("deleted outside this service") && reason.ends_with("[vanished]"), "{reason}");
        assert!(reason.contains(own["stack_name"].as_str().unwrap()) && !reason.contains("cluster's"), "{reason}");
    }
    service.gone(&token, &cluster);
    CLOUD.no_stack("demo", &name);
}

/// Heat has made the stack and nobody heard so; and the cluster is deleted while a nodegroup is made.
#[test]
fn a_killed_create_is_finished_once_and_a_delete_takes_its_place() {
    let relay = Relay::start();
    let mut service = Service::start(&[("JEROBOAM__KEYSTONE__AUTH_URL", &relay.auth_url())]);
    let token = CLOUD.token("demo");
    let (cluster, name) = cluster(&service, &token);
    let held = relay.hold("POST", "/stacks");
    group(&service, &token, &cluster, json!({"name": "gpu"}));
    held.wait();
    service.kill();
    drop(held);
    service.restart();
    complete(&service, &token, &cluster, "gpu", "CREATE_COMPLETE");
    assert_eq!(CLOUD.stacks("demo", &name).len(), 2);
    assert!(service.log().contains("adopting the stack"));

    let held = relay.hold("POST", "/stacks");
    group(&service, &token, &cluster, json!({"name": "late"}));
    held.wait();
    assert_eq!(service.call(&token, "DELETE", &format!("/clusters/{cluster}"), None).status, 204);
    service.kill();
    drop(held);
    service.restart();
    service.absent(&token, &cluster);
    CLOUD.no_stack("demo", &name);
}

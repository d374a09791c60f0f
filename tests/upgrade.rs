//! Upgrades on the real cloud: each node is replaced once, under its rules, whatever happens in between.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use support::cloud::CLOUD;
use support::service::{Service, tail};
use support::{loopback_subnet, node_settings, unique, wait_for};

const BEFORE: &str = "v1.33.0";
const AFTER: &str = "v1.34.0";

/// The servers of a cluster by name, each with its identifier, its image and the version in its user data.
fn servers(name: &str) -> BTreeMap<String, (String, String, String)> {
    let version = |server: &Value| {
        let settings = node_settings(server["user_data"].as_str().unwrap());
        let line = settings.lines().find_map(|line| line.strip_prefix("KUBE_VERSION='")).unwrap_or_default();
        line.trim_end_matches('\'').to_owned()
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = CLOUD.servers(name).into_iter();
    all.map(|server| {
        let name = text(&server["name"]);
        let short = name.splitn(5, '-').last().unwrap_or_default().to_owned();
        (short, (text(&server["id"]), text(&server["image"]["name"]), version(&server)))
    })
    .collect()
}

/// A template with the later version and another image.
fn later(service: &Service, token: &str, more: Value) -> String {
    let mut body = json!({"image_id": "debian-12", "labels": {"kube_tag": AFTER}});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    service.template(token, body)
}

/// A complete cluster of the earlier version.
fn cluster(service: &Service, token: &str, template: Value, more: Value) -> (String, String) {
    let name = unique("up");
    let mut of_template = json!({"labels": {"kube_tag": BEFORE, "etcd_volume_size": "1"}});
    for (key, value) in template.as_object().unwrap() {
        of_template[key] = value.clone();
    }
    let template = service.template(token, of_template);
    let mut body = json!({"name": name, "node_count": 2});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    let cluster = service.cluster(token, &template, body);
    service.complete(token, &cluster);
    (cluster, name)
}

fn upgrade(service: &Service, token: &str, cluster: &str, body: &Value) {
    let answer = service.call(token, "POST", &format!("/clusters/{cluster}/actions/upgrade"), Some(body));
    assert_eq!((answer.status, answer.json()["uuid"].as_str()), (202, Some(cluster)), "{}", answer.text);
}

fn settled(service: &Service, token: &str, cluster: &str, status: &str) -> Value {
    let shown = wait_for("the cluster to settle", Duration::from_secs(400), || {
        let shown = service.show(token, cluster);
        (!shown["status"].as_str().unwrap().ends_with("IN_PROGRESS")).then_some(shown)
    });
    assert_eq!(shown["status"], status, "{}\n{}", shown["status_reason"], tail(&service.log()));
    shown
}

fn names(servers: &BTreeMap<String, (String, String, String)>) -> Vec<&str> {
    servers.keys().map(String::as_str).collect()
}

/// Of the cluster's own stack.
fn resource(cluster: &Value, name: &str) -> String {
    let stacks = CLOUD.stacks("demo", cluster["name"].as_str().unwrap());
    let stack = stacks.iter().find(|stack| stack["id"] == cluster["cluster_id"]).unwrap();
    let (stack_name, id) = (stack["stack_name"].as_str().unwrap(), stack["id"].as_str().unwrap());
    let path = format!("/v1/{}/stacks/{stack_name}/{id}/resources/{name}", CLOUD.project("demo"));
    let shown = CLOUD.call("heat", &CLOUD.token("demo"), "GET", &path, None).json();
    shown["resource"]["physical_resource_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_cluster_and_then_its_nodegroup() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let (cluster, name) = cluster(&service, &token, json!({}), json!({"labels": {"mine": "1"}, "merge_labels": true}));
    let body = json!({"name": "gpu", "labels": {"kubelet_options": "--v=3"}, "merge_labels": true});
    let path = format!("/clusters/{cluster}/nodegroups");
    assert_eq!(service.call(&token, "POST", &path, Some(&body)).status, 202);
    let whole = settled(&service, &token, &cluster, "UPDATE_COMPLETE");
    let (before, volume) = (servers(&name), resource(&whole, "etcd_volume_0"));
    assert_eq!(names(&before), ["gpu-0", "master-0", "worker-0", "worker-1"]);
    refusals(&service, &token, &cluster);

    let template = later(&service, &token, json!({}));
    upgrade(&service, &token, &cluster, &json!({"cluster_template": template}));
    let answer = service.call(&token, "POST", &path, Some(&json!({"name": "late"})));
    assert_eq!(answer.status, 409, "an upgrade is alone on its cluster: {}", answer.text);
    let answer = service.call(&token, "DELETE", &format!("/clustertemplates/{template}"), None);
    assert_eq!(answer.status, 400, "a template that a cluster is upgraded to stays: {}", answer.text);
    let whole = settled(&service, &token, &cluster, "UPDATE_COMPLETE");
    assert_eq!(whole["cluster_template_id"], template.as_str());
    assert_eq!(whole["labels"], json!({"kube_tag": AFTER, "etcd_volume_size": "1", "mine": "1"}));
    assert_eq!((&whole["coe_version"], &whole["node_count"]), (&json!(AFTER), &json!(3)), "{whole}");
    let reason = "Stack UPDATE completed successfully. Note: labels.mine is not known to the driver";
    assert_eq!(whole["status_reason"], reason);
    let after = servers(&name);
    // The next two indices and no more: each was replaced once, and the last update replaced nothing.
    assert_eq!(names(&after), ["gpu-0", "master-0", "worker-2", "worker-3"]);
    assert_eq!(after["gpu-0"], before["gpu-0"], "its nodegroup is upgraded by itself");
    assert_ne!(after["master-0"].0, before["master-0"].0);
    for node in ["master-0", "worker-2", "worker-3"] {
        assert_eq!((after[node].1.as_str(), after[node].2.as_str()), ("debian-12", AFTER), "{node}");
    }
    assert_eq!(resource(&whole, "etcd_volume_0"), volume, "the cluster's state stays where it was");
    assert_eq!(service.rows("SELECT count(*) FROM bootstrap_token"), json!([[0]]));

    upgrade(
        &service,
        &token,
        &cluster,
        &json!({"cluster_template": template, "nodegroup": "gpu", "max_batch_size": 2}),
    );
    settled(&service, &token, &cluster, "UPDATE_COMPLETE");
    let last = servers(&name);
    assert_eq!(names(&last), ["gpu-1", "master-0", "worker-2", "worker-3"]);
    assert_eq!((last["gpu-1"].1.as_str(), last["gpu-1"].2.as_str()), ("debian-12", AFTER));
    let group = service.call(&token, "GET", &format!("{path}/gpu"), None).json();
    assert_eq!((&group["version"], &group["labels"]["kubelet_options"]), (&json!(AFTER), &json!("--v=3")), "{group}");
    assert_eq!(group["status_reason"], "Stack UPDATE completed successfully", "its cluster has told the rest");

    // What comes from now on is of the new version.
    let patch = json!([{"op": "replace", "path": "/node_labels", "value": {"a": "b"}}]);
    let answer = service.call(&token, "PATCH", &format!("{path}/default-worker"), Some(&patch));
    assert_eq!(answer.status, 202, "{}", answer.text);
    settled(&service, &token, &cluster, "UPDATE_COMPLETE");
    let ids = |servers: &BTreeMap<String, (String, String, String)>| {
        servers.iter().map(|(name, (id, ..))| (name.clone(), id.clone())).collect::<Vec<_>>()
    };
    assert_eq!(ids(&servers(&name)), ids(&last));
    service.gone(&token, &cluster);
    CLOUD.no_stack("demo", &name);
}

fn refusals(service: &Service, token: &str, cluster: &str) {
    let older = service.template(token, json!({"labels": {"kube_tag": "v1.32.9"}}));
    let path = format!("/clusters/{cluster}/actions/upgrade");
    for (body, status, text) in [
        (json!({"cluster_template": older}), 400, "v1.32.9; allowed: v1.33.0 or later"),
        (
            json!({"cluster_template": older, "nodegroup": "gpu"}),
            409,
            "can be upgraded only to match cluster's template",
        ),
        (json!({"cluster_template": "nothing"}), 404, "ClusterTemplate nothing could not be found."),
        (json!({"cluster_template": older, "nodegroup": "nothing"}), 404, "Nodegroup nothing could not be found."),
        (json!({}), 400, "cluster_template"),
    ] {
        let answer = service.call(token, "POST", &path, Some(&body));
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        assert!(answer.detail().contains(text), "{body}: {}", answer.text);
    }
}

/// A single master with etcd on its root disk would take the cluster's state with it.
#[test]
fn a_master_that_cannot_be_replaced() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let (cluster, _) = cluster(&service, &token, json!({"labels": {"kube_tag": BEFORE}}), json!({"node_count": 0}));
    let body = json!({"cluster_template": later(&service, &token, json!({}))});
    let answer = service.call(&token, "POST", &format!("/clusters/{cluster}/actions/upgrade"), Some(&body));
    assert_eq!(answer.status, 400, "{}", answer.text);
    for part in ["3 masters", "etcd_volume_size"] {
        assert!(answer.detail().contains(part), "{}", answer.text);
    }
    assert_eq!(service.show(&token, &cluster)["status"], "CREATE_COMPLETE");
    service.gone(&token, &cluster);
}

/// Three masters without etcd volumes, two workers at once, and the process killed twice. Nothing answers at the masters'
/// addresses, so nobody can be asked how they are.
#[test]
fn three_masters_and_a_killed_process() {
    let mut service = Service::start(&[("JEROBOAM__DRIVERS__DRAIN_TIMEOUT_S", "60")]);
    let token = CLOUD.token("demo");
    let labels = json!({"kube_tag": BEFORE, "fixed_subnet_cidr": loopback_subnet()});
    let template = json!({"master_lb_enabled": true, "labels": labels});
    let (cluster, name) = cluster(&service, &token, template, json!({"master_count": 3}));
    let before = servers(&name);
    let template = later(&service, &token, json!({"master_lb_enabled": true}));
    upgrade(&service, &token, &cluster, &json!({"cluster_template": template, "max_batch_size": 2}));
    wait_for("a master to be taken out", Duration::from_secs(120), || {
        (!servers(&name).contains_key("master-1")).then_some(())
    });
    service.kill();
    service.restart();
    wait_for("the surge of workers", Duration::from_secs(240), || {
        (servers(&name).keys().filter(|name| name.starts_with("worker-")).count() > 2).then_some(())
    });
    service.kill();
    service.restart();
    let complete = settled(&service, &token, &cluster, "UPDATE_COMPLETE");
    let reason = complete["status_reason"].as_str().unwrap();
    assert!(reason.contains("Masters were replaced without asking whether the others stay a majority: "), "{reason}");
    let after = servers(&name);
    assert_eq!(names(&after), ["master-0", "master-1", "master-2", "worker-2", "worker-3"]);
    for (node, (id, image, version)) in &after {
        assert_eq!((image.as_str(), version.as_str()), ("debian-12", AFTER), "{node}");
        assert!(before.values().all(|(old, ..)| old != id), "{node} is another server");
    }
    // What the machines themselves were given; the cloud's own record follows the template.
    for (node, (id, ..)) in after.iter().filter(|(node, _)| node.starts_with("master-")) {
        let settings = CLOUD.dir().join("nodes").join(id).join("root/etc/jeroboam/node.env");
        assert!(std::fs::read_to_string(settings).unwrap().contains("ETCD_STATE='existing'"), "{node}");
    }
    service.gone(&token, &cluster);
}

/// The old nodes stay, whether a new one fails or is not heard of in time; what is new and well is not made again.
#[test]
fn a_new_node_that_fails_stops_the_upgrade() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let (cluster, name) = cluster(&service, &token, json!({}), json!({}));
    let before = servers(&name);
    let nodes =
        CLOUD.nodes(vec![json!({"name": format!("{name}.*-worker-2$"), "fail": "kubelet", "message": "no kubelet"})]);
    let template = later(&service, &token, json!({}));
    upgrade(&service, &token, &cluster, &json!({"cluster_template": template}));
    let whole = settled(&service, &token, &cluster, "UPDATE_FAILED");
    let reason = whole["status_reason"].as_str().unwrap();
    for part in ["no kubelet", "Upgraded so far: 1 of 1 masters, 0 of 2 workers", "[node-failed]"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert_ne!(whole["cluster_template_id"], template.as_str());
    let half = servers(&name);
    // The cloud's record of a server's user data follows the template, though its machine never sees it.
    let untouched = |servers: &BTreeMap<String, (String, String, String)>, node: &str| {
        (servers[node].0.clone(), servers[node].1.clone())
    };
    for node in ["worker-0", "worker-1"] {
        assert_eq!(untouched(&half, node), untouched(&before, node), "{node}");
    }
    drop(nodes);

    // The one in its place says nothing until it is gone, and the time of its round ends.
    let _silent = CLOUD.nodes(vec![json!({"name": format!("{name}.*-worker-3$"), "silent": true})]);
    upgrade(&service, &token, &cluster, &json!({"cluster_template": template}));
    wait_for("the new node to be waited for", Duration::from_secs(300), || {
        let waits = "SELECT step, json_array_length(progress, '$.nodes') FROM operation WHERE finished_at IS NULL";
        (service.rows(waits) == json!([["cluster.upgrade/workers", 1]])).then_some(())
    });
    let renewed =
        "SELECT julianday(deadline) > julianday(created_at, '+60 minutes') FROM operation WHERE finished_at IS NULL";
    assert_eq!(service.rows(renewed), json!([[1]]), "a round has a deadline of its own");
    service.write("UPDATE operation SET deadline = created_at WHERE finished_at IS NULL");
    let whole = settled(&service, &token, &cluster, "UPDATE_FAILED");
    let reason = whole["status_reason"].as_str().unwrap();
    for part in [
        "ran out in step cluster.upgrade/workers: the stack is complete; not ready: ",
        "-worker-3 (never reported)",
        "Upgraded so far: 1 of 1 masters, 0 of 2 workers",
        "[timed-out]",
    ] {
        assert!(reason.contains(part), "{reason}");
    }
    assert!(!reason.contains("-worker-0") && !reason.contains("-master-0"), "{reason}");
    assert!(whole["faults"]["default-worker"].as_str().unwrap().contains("[timed-out]"), "{whole}");
    assert_ne!(whole["cluster_template_id"], template.as_str());
    let late = servers(&name);
    for node in ["worker-0", "worker-1"] {
        assert_eq!(untouched(&late, node), untouched(&before, node), "{node}");
    }

    upgrade(&service, &token, &cluster, &json!({"cluster_template": template}));
    let whole = settled(&service, &token, &cluster, "UPDATE_COMPLETE");
    assert_eq!(whole["cluster_template_id"], template.as_str());
    let after = servers(&name);
    assert_eq!(names(&after), ["master-0", "worker-4", "worker-5"]);
    assert_eq!(after["master-0"], half["master-0"], "it was new already");
    service.gone(&token, &cluster);
}

/// API servers at these addresses, with a certificate that the cluster's authority signed for them. Ends when dropped.
struct ApiServers(Child);

impl Drop for ApiServers {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
}

impl ApiServers {
    fn start(service: &Service, token: &str, cluster: &str, addresses: &[String], nodes: &Path) -> Self {
        let dir = service.dir();
        let names: Vec<_> = addresses.iter().map(|address| format!("IP:{address}")).collect();
        let request = Command::new("openssl")
            .args(["req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=api", "-keyout"])
            .arg(dir.join("api.key"))
            .args(["-addext", "extendedKeyUsage=serverAuth", "-addext"])
            .arg(format!("subjectAltName={}", names.join(",")))
            .output()
            .unwrap();
        assert!(request.status.success(), "{}", String::from_utf8_lossy(&request.stderr));
        let request = json!({"cluster_uuid": cluster, "csr": String::from_utf8(request.stdout).unwrap()});
        let signed = service.call(token, "POST", "/certificates", Some(&request)).json();
        let authority = service.call(token, "GET", &format!("/certificates/{cluster}"), None).json();
        for (file, answer) in [("api.pem", signed), ("api-ca.pem", authority)] {
            std::fs::write(dir.join(file), answer["pem"].as_str().unwrap()).unwrap();
        }
        let mut child = Command::new("tests/support/api-server")
            .args(["api.pem", "api.key", "api-ca.pem"].map(|file| dir.join(file)))
            .arg(nodes)
            .args(addresses)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "listening\n");
        Self(child)
    }
}

/// The one that no longer speaks is replaced first; as it does not come back, the others are let be.
#[test]
fn masters_stay_whose_going_leaves_no_majority() {
    let service = Service::start(&[("JEROBOAM__DRIVERS__DRAIN_TIMEOUT_S", "60")]);
    let token = CLOUD.token("demo");
    let labels = json!({"kube_tag": BEFORE, "fixed_subnet_cidr": loopback_subnet()});
    let template = json!({"master_lb_enabled": true, "labels": labels});
    let (cluster, name) = cluster(&service, &token, template, json!({"master_count": 3, "node_count": 1}));
    let before = servers(&name);
    let shown = service.show(&token, &cluster);
    let addresses: Vec<String> = serde_json::from_value(shown["master_addresses"].clone()).unwrap();
    let rows = service.rows(&format!("SELECT name FROM node WHERE cluster_uuid = '{cluster}' AND role = 'master'"));
    let masters: Vec<_> = rows.as_array().unwrap().iter().map(|row| row[0].as_str().unwrap().to_owned()).collect();
    let nodes = service.dir().join("nodes.json");
    let ready = |name: &String| json!([name, if name.ends_with("-2") { "Unknown" } else { "True" }]);
    std::fs::write(&nodes, Value::from_iter(masters.iter().map(ready)).to_string()).unwrap();
    let _servers = ApiServers::start(&service, &token, &cluster, &addresses, &nodes);

    let template = later(&service, &token, json!({"master_lb_enabled": true}));
    upgrade(&service, &token, &cluster, &json!({"cluster_template": template}));
    let failed = settled(&service, &token, &cluster, "UPDATE_FAILED");
    let reason = failed["status_reason"].as_str().unwrap();
    for part in ["master-0 1 of 3 masters would be left, no majority; not reachable: ", "master-2", "No other master"] {
        assert!(reason.contains(part), "{reason}");
    }
    let after = servers(&name);
    let replaced: Vec<_> = names(&after).into_iter().filter(|node| after[*node].0 != before[*node].0).collect();
    assert_eq!(replaced, ["master-2"]);
    service.gone(&token, &cluster);
}

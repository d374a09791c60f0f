//! Clusters that exist are changed: more, fewer and other workers; what fails says why, and is tried again or undone.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use support::cloud::CLOUD;
use support::http::Answer;
use support::relay::Relay;
use support::service::Service;
use support::{unique, wait_for};

/// A cluster with its service and whoever made it.
struct World {
    service: Service,
    user: &'static str,
    token: String,
    cluster: String,
    name: String,
}

impl World {
    fn new(service: Service, user: &'static str, more: Value) -> Self {
        let token = CLOUD.token(user);
        let name = unique("update");
        let template = service.template(&token, more);
        let cluster = service.cluster(&token, &template, json!({"name": name}));
        service.complete(&token, &cluster);
        Self { service, user, token, cluster, name }
    }

    fn resize(&self, body: &Value) -> Answer {
        self.service.call(&self.token, "POST", &format!("/clusters/{}/actions/resize", self.cluster), Some(body))
    }

    fn patch(&self, query: &str, count: &Value) -> Answer {
        let body = json!([{"op": "replace", "path": "/node_count", "value": count}]);
        self.service.call(&self.token, "PATCH", &format!("/clusters/{}{query}", self.cluster), Some(&body))
    }

    fn shown(&self) -> Value {
        self.service.show(&self.token, &self.cluster)
    }

    fn settled(&self) -> Value {
        self.service.settled(&self.token, &self.cluster)
    }

    fn updated(&self, workers: usize) -> Value {
        let shown = self.service.updated(&self.token, &self.cluster);
        assert_eq!(shown["node_count"], workers, "{shown}");
        assert_eq!(shown["node_addresses"].as_array().unwrap().len(), workers, "{shown}");
        assert_eq!(shown["status_reason"], "Stack UPDATE completed successfully");
        assert_eq!(self.members().len(), workers);
        let rows = self.service.rows("SELECT count(*) FROM node WHERE role = 'worker' AND phase = 'ready'");
        assert_eq!(rows, json!([[workers]]), "a row for each node, and for no other");
        assert_eq!(self.service.rows("SELECT count(*) FROM bootstrap_token"), json!([[0]]), "no token opens anything");
        shown
    }

    /// The workers' servers by index, as Heat knows them.
    fn members(&self) -> BTreeMap<String, String> {
        let outputs = self.heat("?resolve_outputs=true")["stack"]["outputs"].as_array().unwrap().clone();
        let servers = outputs.into_iter().find(|output| output["output_key"] == "node_servers").unwrap();
        serde_json::from_value(servers["output_value"].clone()).unwrap()
    }

    fn heat(&self, path: &str) -> Value {
        let row = self.service.rows("SELECT stack_name, stack_id FROM cluster");
        let (name, id) = (row[0][0].as_str().unwrap(), row[0][1].as_str().unwrap());
        let path = format!("/v1/{}/stacks/{name}/{id}{path}", CLOUD.project(self.user));
        let answer = CLOUD.call("heat", &CLOUD.token(self.user), "GET", &path, None);
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// How many updates of the cluster's stack Heat has begun.
    fn updates(&self) -> usize {
        let events = self.heat("/events?limit=1000");
        let of_stack = |event: &&Value| event["resource_name"].as_str().unwrap().starts_with(&self.name);
        let begun = |event: &&Value| event["resource_status"] == "UPDATE_IN_PROGRESS";
        events["events"].as_array().unwrap().iter().filter(of_stack).filter(begun).count()
    }
}

fn accepted(answer: &Answer, cluster: &str) {
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.json(), json!({"uuid": cluster}));
}

fn refused(answer: &Answer, status: u16, part: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert!(answer.detail().contains(part), "{part}: {}", answer.text);
}

/// Out and in by the unmodified client and by raw requests; exactly the named nodes go.
#[test]
fn workers_come_and_go() {
    let world = World::new(Service::start(&[]), "demo", json!({}));
    let login = CLOUD.login("demo");
    let before = world.shown()["updated_at"].clone();
    let asked = world.service.openstack(&login, &["coe", "cluster", "resize", &world.name, "3"]);
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let shown = world.shown();
    assert_eq!((&shown["status"], &shown["node_count"]), (&json!("UPDATE_IN_PROGRESS"), &json!(3)), "{shown}");
    assert_ne!(shown["updated_at"], before);
    refused(&world.resize(&json!({"node_count": 2})), 409, "UPDATE_IN_PROGRESS");
    refused(&world.patch("", &json!(2)), 409, "is being changed by another operation");
    accepted(&world.patch("", &json!(3)), &world.cluster);
    world.updated(3);
    assert_eq!(world.updates(), 1);

    // One server by its id, one node by its name in its place, one by its address.
    let three = world.members();
    accepted(&world.resize(&json!({"node_count": 2, "nodes_to_remove": [three["1"]]})), &world.cluster);
    world.updated(2);
    let mut two = three.clone();
    two.remove("1");
    assert_eq!(world.members(), two);
    let name = world.service.rows("SELECT name FROM node WHERE name LIKE '%-worker-0'")[0][0].clone();
    accepted(&world.resize(&json!({"node_count": 2, "nodes_to_remove": [name], "nodegroup": null})), &world.cluster);
    world.updated(2);
    let replaced = world.members();
    assert_eq!(replaced.keys().collect::<Vec<_>>(), ["2", "3"]);
    assert_eq!(replaced["2"], three["2"]);
    let address = world.service.rows("SELECT addresses FROM node WHERE name LIKE '%-worker-2'")[0][0].clone();
    let address: Vec<String> = serde_json::from_str(address.as_str().unwrap()).unwrap();
    let body = json!({"node_count": 1, "nodes_to_remove": [address[0]], "nodegroup": "default-worker"});
    accepted(&world.resize(&body), &world.cluster);
    world.updated(1);
    assert_eq!(world.members().keys().collect::<Vec<_>>(), ["3"]);

    // As Horizon writes it, and as the client asks for a way back.
    accepted(&world.patch("/", &json!("0")), &world.cluster);
    world.updated(0);
    let update = ["coe", "cluster", "update", &world.name, "--node-count", "1", "--rollback"];
    let asked = world.service.openstack(&login, &update);
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    world.updated(1);
    assert_eq!(world.updates(), 6);
    world.service.gone(&world.token, &world.cluster);
}

/// What cannot be done is refused at once, and nothing has changed.
#[test]
fn refusals_change_nothing() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let name = unique("refused");
    let held = CLOUD.nodes(vec![json!({"name": name, "silent": true})]);
    let labels = json!({"min_node_count": "1", "max_node_count": "2"});
    let template = service.template(&token, json!({"labels": labels}));
    let cluster = service.cluster(&token, &template, json!({"name": name, "node_count": 2}));
    let world = World { service, user: "demo", token, cluster, name };
    for answer in [world.resize(&json!({"node_count": 1})), world.patch("", &json!(1))] {
        refused(&answer, 409, "Resizing a cluster when status is \"CREATE_IN_PROGRESS\" is not supported.");
    }
    let health = json!([{"op": "replace", "path": "/health_status", "value": "HEALTHY"}]);
    let path = format!("/clusters/{}", world.cluster);
    let answer = world.service.call(&world.token, "PATCH", &path, Some(&health));
    refused(&answer, 409, "CREATE_IN_PROGRESS");
    drop(held);
    world.service.complete(&world.token, &world.cluster);

    let named = |count: u32, nodes: Value| json!({"node_count": count, "nodes_to_remove": nodes});
    for (body, part) in [
        (named(2, json!(["no-such-node"])), "nodes_to_remove has \"no-such-node\"; allowed: "),
        (named(1, json!(["0", "7"])), "nodes_to_remove has \"7\""),
        (named(1, json!(["0", "1"])), "nodes_to_remove names 2 nodes; allowed: at most 1"),
        (named(0, json!([])), "default-worker outside the allowed range: min_node_count = 1, max_node_count = 2"),
        (json!({"node_count": 3}), "outside the allowed range"),
        (json!({"node_count": 1, "nodegroup": "default-master"}), "Resizing the master nodegroup is not supported"),
    ] {
        refused(&world.resize(&body), 400, part);
    }
    refused(&world.resize(&json!({"node_count": 1, "nodegroup": "other"})), 404, "Nodegroup other could not be found.");
    let shown = world.shown();
    assert_eq!((&shown["status"], &shown["node_count"]), (&json!("CREATE_COMPLETE"), &json!(2)), "{shown}");

    // What is found of its health needs nothing of the cloud, and changes nothing else.
    let found = json!([
        {"op": "replace", "path": "/health_status", "value": "UNHEALTHY"},
        {"op": "replace", "path": "/health_status_reason", "value": "{'api': 'ok', 'x.Ready': 'False'}"},
    ]);
    let answer = world.service.call(&world.token, "PATCH", &path, Some(&found));
    accepted(&answer, &world.cluster);
    let shown = world.shown();
    assert_eq!(shown["health_status"], "UNHEALTHY");
    assert_eq!(shown["health_status_reason"], json!({"api": "ok", "x.Ready": "False"}));
    assert_eq!(shown["status"], "CREATE_COMPLETE");
    assert_eq!(world.service.rows("SELECT count(*) FROM operation"), json!([[1]]));

    // Out of time, the nodes that are missing are named.
    let _silent = CLOUD.nodes(vec![json!({"name": format!("{}.*-worker-2", world.name), "silent": true})]);
    accepted(&world.resize(&named(2, json!([1]))), &world.cluster);
    wait_for("the nodes to be waited for", Duration::from_secs(60), || {
        let step = world.service.rows("SELECT step FROM operation ORDER BY id DESC LIMIT 1");
        (step == json!([["cluster.resize/nodes"]])).then_some(())
    });
    world.service.write("UPDATE operation SET deadline = created_at WHERE finished_at IS NULL");
    let shown = world.settled();
    let reason = shown["status_reason"].as_str().unwrap();
    for part in ["in step cluster.resize/nodes", "-worker-2 (never reported)", "[timed-out]"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert!(shown["status"] == "UPDATE_FAILED" && !reason.contains("-worker-0"), "{shown}");
    world.service.gone(&world.token, &world.cluster);
}

/// A new node that fails is named with its step; asked for again, another one takes its place.
#[test]
fn a_failed_node_is_replaced_by_the_next_try() {
    let world = World::new(Service::start(&[]), "demo", json!({}));
    let kept = world.members()["0"].clone();
    let bad = json!({"name": format!("{}.*-worker-1", world.name), "fail": "runtime", "message": "no containerd"});
    let order = CLOUD.nodes(vec![bad]);
    accepted(&world.patch("", &json!(2)), &world.cluster);
    let shown = world.settled();
    assert_eq!((&shown["status"], &shown["node_count"]), (&json!("UPDATE_FAILED"), &json!(2)), "{shown}");
    let reason = shown["status_reason"].as_str().unwrap();
    for part in ["-worker-1", "runtime", "no containerd", "[node-failed]"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert!(shown["faults"]["default-worker"].as_str().unwrap().contains("this step was told to fail"), "{shown}");
    assert!(shown["faults"].get("default-master").is_none(), "{shown}");
    drop(order);
    accepted(&world.patch("", &json!(2)), &world.cluster);
    let shown = world.updated(2);
    assert!(shown.get("faults").is_none(), "{shown}");
    let members = world.members();
    assert_eq!(members.keys().collect::<Vec<_>>(), ["0", "2"]);
    assert_eq!(members["0"], kept);
    world.service.gone(&world.token, &world.cluster);
}

/// Heat's failure and a node's are undone where that was asked for, and stand where it was not; where undoing fails
/// too, that is said, and the next request is carried out.
#[test]
fn a_failure_is_undone_on_request() {
    let world = World::new(Service::start(&[]), "demo", json!({}));
    let before = world.members();
    let bad = json!({"name": format!("{}.*-worker-1", world.name), "fail": "kubelet", "message": "no kubelet"});
    let order = CLOUD.nodes(vec![bad]);
    accepted(&world.patch("?rollback=true", &json!(2)), &world.cluster);
    let undone = |part: &str| {
        let shown = world.settled();
        assert_eq!((&shown["status"], &shown["node_count"]), (&json!("ROLLBACK_COMPLETE"), &json!(1)), "{shown}");
        assert!(shown["status_reason"].as_str().unwrap().contains(part), "{shown}");
        assert_eq!(world.members(), before);
        let rows = world.service.rows("SELECT name, phase, updated_at FROM node WHERE role = 'worker'");
        assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
        assert_eq!(
            world.service.rows("SELECT status FROM nodegroup"),
            json!([["CREATE_COMPLETE"], ["ROLLBACK_COMPLETE"]])
        );
    };
    undone("no kubelet");
    drop(order);

    let no_host = json!({
        "type": "OS::Nova::Server", "stack": world.name, "name": "kube-minion", "action": "CREATE",
        "fail": "No valid host was found. There are not enough hosts available.",
    });
    let order = CLOUD.faults(vec![no_host.clone()]);
    accepted(&world.patch("/?rollback=True", &json!(3)), &world.cluster);
    undone("No valid host was found");

    accepted(&world.resize(&json!({"node_count": 2})), &world.cluster);
    let shown = world.settled();
    assert_eq!((&shown["status"], &shown["node_count"]), (&json!("UPDATE_FAILED"), &json!(2)), "{shown}");
    let reason = shown["status_reason"].as_str().unwrap();
    for part in ["OS::Nova::Server", "kube-minion", "No valid host was found", "[stack-failed]"] {
        assert!(reason.contains(part), "{reason}");
    }
    drop(order);
    accepted(&world.resize(&json!({"node_count": 2})), &world.cluster);
    world.updated(2);

    // What was made cannot be deleted either.
    let no_delete = json!({
        "type": "OS::Nova::Server", "stack": world.name, "name": "kube-minion", "action": "DELETE",
        "fail": "The host is away.",
    });
    let order = CLOUD.faults(vec![no_host, no_delete]);
    accepted(&world.patch("?rollback=true", &json!(3)), &world.cluster);
    let shown = world.settled();
    assert_eq!((&shown["status"], &shown["node_count"]), (&json!("ROLLBACK_FAILED"), &json!(3)), "{shown}");
    let reason = shown["status_reason"].as_str().unwrap();
    let told = shown["faults"]["default-worker"].as_str().unwrap();
    for part in ["No valid host was found", "Undoing it failed too: ", "The host is away", "[stack-failed]"] {
        assert!(reason.contains(part) && told.contains(part), "{part}: {shown}");
    }
    assert_eq!(world.service.rows("SELECT status FROM nodegroup"), json!([["CREATE_COMPLETE"], ["ROLLBACK_FAILED"]]));
    drop(order);
    accepted(&world.resize(&json!({"node_count": 3})), &world.cluster);
    let shown = world.updated(3);
    assert!(shown.get("faults").is_none(), "{shown}");
    world.service.gone(&world.token, &world.cluster);
}

/// By the cluster's trust, also when it is a delegated login that asks; Heat keeps its own trust.
#[test]
fn a_requesters_cluster_is_changed() {
    // Nobody else has clusters as this user, so that no other trust of theirs comes or goes.
    let world = World::new(Service::start(&[]), "closed-alone", json!({}));
    let trusts = || {
        let all = CLOUD.trusts_of(world.user);
        let mut all: Vec<_> = all.iter().map(|trust| trust["id"].as_str().unwrap().to_owned()).collect();
        all.sort();
        all
    };
    let heats = || {
        let row = world.service.rows("SELECT trust_id FROM cluster");
        (row[0][0].as_str().unwrap().to_owned(), trusts())
    };
    let before = heats();
    accepted(&world.resize(&json!({"node_count": 2})), &world.cluster);
    world.updated(2);
    let credential = CLOUD.application_credential(world.user);
    let path = format!("/clusters/{}/actions/resize", world.cluster);
    let answer = world.service.call(&credential.token, "POST", &path, Some(&json!({"node_count": 1})));
    accepted(&answer, &world.cluster);
    world.updated(1);
    let after = heats();
    assert_eq!(before.0, after.0, "our trust");
    assert!(before.1.iter().filter(|trust| !after.1.contains(trust)).count() == 0, "no trust of before is gone");
    assert_eq!(world.service.rows("SELECT count(*) FROM operation WHERE token IS NOT NULL"), json!([[0]]));
    world.service.gone(&world.token, &world.cluster);
}

/// `kill -9` in each step, and an answer of Heat's that nobody heard: one update in Heat for each resize.
#[test]
fn a_killed_resize_is_finished_once() {
    let relay = Relay::start();
    let service = Service::start(&[("JEROBOAM__KEYSTONE__AUTH_URL", &relay.auth_url())]);
    let mut world = World::new(service, "demo", json!({}));
    let row = world.service.rows("SELECT stack_id FROM cluster");
    let id: &'static str = String::leak(row[0][0].as_str().unwrap().to_owned());
    let mut workers = 1;
    for (done, step) in ["admit", "heard nothing", "submit", "await", "nodes", "finish"].into_iter().enumerate() {
        // Fewer nodes every other time.
        workers = if workers == 1 { 2 } else { 1 };
        let held = (step == "heard nothing").then(|| relay.hold("PATCH", id));
        accepted(&world.resize(&json!({"node_count": workers})), &world.cluster);
        match &held {
            Some(held) => held.wait(),
            None => wait_for(step, Duration::from_secs(60), || {
                let rows = world.service.rows("SELECT step, state FROM operation ORDER BY id DESC LIMIT 1");
                let (at, state) = (rows[0][0].as_str().unwrap_or_default(), rows[0][1].as_str().unwrap());
                (at == format!("cluster.resize/{step}") || reached(at, step) || state == "succeeded").then_some(())
            }),
        }
        world.service.kill();
        drop(held);
        world.service.restart();
        world.updated(workers);
        assert_eq!(world.updates(), done + 1, "killed in {step}");
    }
    world.service.gone(&world.token, &world.cluster);
}

/// Whether an operation has passed the step already.
fn reached(at: &str, step: &str) -> bool {
    const STEPS: [&str; 5] = ["admit", "submit", "await", "nodes", "finish"];
    let place = |name: &str| STEPS.iter().position(|step| *step == name);
    let at = at.rsplit('/').next().and_then(place);
    matches!((at, place(step)), (Some(at), Some(step)) if at > step)
}

/// Two at once: one begins, the other is told so; a delete takes the place of whatever is under way.
#[test]
fn a_delete_takes_the_place_of_a_resize() {
    let world = World::new(Service::start(&[]), "demo", json!({}));
    let _held = CLOUD.faults(vec![json!({
        "type": "OS::Nova::Server", "stack": world.name, "name": "kube-minion", "action": "CREATE", "hold": true,
    })]);
    let answers = std::thread::scope(|threads| {
        let asking: Vec<_> = (2..5)
            .map(|count| {
                let world = &world;
                threads.spawn(move || world.resize(&json!({"node_count": count})).status)
            })
            .collect();
        let mut answers: Vec<_> = asking.into_iter().map(|asked| asked.join().unwrap()).collect();
        answers.sort_unstable();
        answers
    });
    assert_eq!(answers, [202, 409, 409]);
    wait_for("Heat to have begun", Duration::from_secs(60), || {
        let waiting = "SELECT count(*) FROM operation WHERE step = 'cluster.resize/await'";
        (world.service.rows(waiting) == json!([[1]])).then_some(())
    });
    let shown = world.shown();
    assert!(shown["status_reason"].as_str().is_none_or(|reason| reason.contains(" %: ")), "{shown}");
    world.service.gone(&world.token, &world.cluster);
    CLOUD.no_stack("demo", &world.name);
    let ended = world.service.rows("SELECT kind, state FROM operation ORDER BY id");
    let expected =
        json!([["cluster.create", "succeeded"], ["cluster.resize", "superseded"], ["cluster.delete", "succeeded"]]);
    assert_eq!(ended, expected);
}

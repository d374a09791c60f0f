//! The process may be killed between any two instructions, and any answer may be lost: whoever runs next finishes the
//! job, once.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

#[path = "../conductor/tests/support/postgres.rs"]
#[allow(dead_code, unreachable_pub, reason = "another member's tests use the rest")]
mod postgres;
mod support;

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use support::cloud::CLOUD;
use support::relay::Relay;
use support::service::Service;
use support::{unique, wait_for};

/// Moments within a span, different in each run; `JEROBOAM_TEST_SEED` repeats those of a run.
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = std::env::var("JEROBOAM_TEST_SEED").map_or_else(|_| clock(), |seed| seed.parse().unwrap());
        eprintln!("JEROBOAM_TEST_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self, span: std::ops::Range<u64>) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis(span.start + (self.0 >> 33) % (span.end - span.start))
    }
}

/// One of each: what a cluster of that user has when nothing was made twice.
fn made_once(service: &Service, user: &str, cluster: &Value) {
    let (uuid, name) = (cluster["uuid"].as_str().unwrap(), cluster["name"].as_str().unwrap());
    assert_eq!(CLOUD.stacks(user, name).len(), 1, "stacks of {name}");
    let census = CLOUD.census();
    let named = |part: &str, text: &str| {
        census[part].as_array().unwrap().iter().filter(|entry| entry.to_string().contains(text)).count()
    };
    let ids = service.rows(&format!("SELECT trustee_user_id, trust_id FROM cluster WHERE uuid = '{uuid}'"));
    let identities = usize::from(user == "closed");
    assert_eq!(named("trustee_users", uuid), identities, "trustees of {name}");
    if let Some(trustee) = ids[0][0].as_str() {
        assert_eq!(named("trusts", trustee), 1, "trusts of {name}");
        assert_eq!(named("trusts", ids[0][1].as_str().unwrap()), 1, "the trust on record");
    }
}

/// `kill -9` early, in the middle and late, of a create by the service's user and of one by the requester.
#[test]
fn a_killed_create_is_finished_once() {
    let mut moments = Moments::new();
    let moments = [moments.next(0..400), moments.next(400..1500), moments.next(1500..6000)];
    std::thread::scope(|lives| {
        for (moment, user) in moments.into_iter().zip(["closed", "demo", "closed"]) {
            lives.spawn(move || {
                let mut service = Service::start(&[]);
                let token = CLOUD.token(user);
                let template = service.template(&token, json!({}));
                let cluster = service.cluster(&token, &template, json!({}));
                std::thread::sleep(moment);
                service.kill();
                let log = service.log();
                let step = log.rmatch_indices("\"step\":\"").next().map(|(at, _)| log[at..].split('"').nth(3).unwrap());
                eprintln!("killed after {moment:?}, last seen in {}", step.unwrap_or("no step"));
                service.restart();
                let shown = service.complete(&token, &cluster);
                made_once(&service, user, &shown);
                service.gone(&token, &cluster);
            });
        }
    });
}

/// `kill -9` at any moment of a delete: the cluster goes all the same.
#[test]
fn a_killed_delete_is_finished() {
    let mut moments = Moments::new();
    let moments = [moments.next(0..300), moments.next(300..2500)];
    std::thread::scope(|lives| {
        for (moment, user) in moments.into_iter().zip(["demo", "closed"]) {
            lives.spawn(move || {
                let mut service = Service::start(&[]);
                let token = CLOUD.token(user);
                let name = unique("killed");
                let template = service.template(&token, json!({}));
                let cluster = service.cluster(&token, &template, json!({"name": name, "node_count": 0}));
                service.complete(&token, &cluster);
                let answer = service.call(&token, "DELETE", &format!("/clusters/{cluster}"), None);
                assert_eq!(answer.status, 204, "{}", answer.text);
                std::thread::sleep(moment);
                service.kill();
                eprintln!("killed {moment:?} after the delete");
                service.restart();
                service.absent(&token, &cluster);
                CLOUD.no_stack(user, &name);
                let census = CLOUD.census();
                assert!(!census["trustee_users"].to_string().contains(&cluster), "{census}");
            });
        }
    });
}

/// Heat has made the stack, and the process is killed before it hears so.
#[test]
fn a_stack_whose_maker_was_killed_is_adopted() {
    let relay = Relay::start();
    let mut service = Service::start(&[("JEROBOAM__KEYSTONE__AUTH_URL", &relay.auth_url())]);
    let token = CLOUD.token("demo");
    let held = relay.hold("POST", "/stacks");
    let cluster = service.cluster(&token, &service.template(&token, json!({})), json!({}));
    held.wait();
    service.kill();
    drop(held);
    service.restart();
    let shown = service.complete(&token, &cluster);
    made_once(&service, "demo", &shown);
    assert!(service.log().contains("adopting the stack"));
    service.gone(&token, &cluster);
}

/// Heat takes its time with a stack; meanwhile the cluster is deleted and the process that asked for it killed.
#[test]
fn a_stack_that_comes_after_the_delete_goes_too() {
    a_stack_comes_late(false);
}

/// The same, when by then the create has failed because its time was over.
#[test]
fn a_stack_that_comes_after_its_create_failed_goes_too() {
    a_stack_comes_late(true);
}

fn a_stack_comes_late(overdue: bool) {
    let relay = Relay::start();
    let mut service = Service::start(&[("JEROBOAM__KEYSTONE__AUTH_URL", &relay.auth_url())]);
    let token = CLOUD.token("demo");
    let delayed = relay.delay("POST", "/stacks");
    let cluster = service.cluster(&token, &service.template(&token, json!({})), json!({}));
    delayed.wait();
    let delete = |service: &Service| {
        let answer = service.call(&token, "DELETE", &format!("/clusters/{cluster}"), None);
        assert_eq!(answer.status, 204, "{}", answer.text);
    };
    if overdue {
        service.kill();
        service.write("UPDATE operation SET deadline = created_at");
        service.restart();
        let shown = service.settled(&token, &cluster);
        assert_eq!(shown["status"], "CREATE_FAILED", "{shown}");
        delete(&service);
    } else {
        // First of all: once the dead process's lease is over, the next one would ask for the stack again.
        delete(&service);
        service.kill();
        service.restart();
    }
    wait_for("the delete to look for the stack", Duration::from_secs(60), || {
        service.log().contains("Heat may still make the stack").then_some(())
    });
    drop(delayed);
    service.absent(&token, &cluster);
    assert!(service.log().contains("the stack of the deleted cluster has come"), "it was there before");
    assert!(!CLOUD.census().to_string().contains(&cluster));
}

/// Heat has said no: there is nothing to come that a delete would have to wait for.
#[test]
fn a_refused_stack_is_not_waited_for() {
    let relay = Relay::start();
    let service = Service::start(&[("JEROBOAM__KEYSTONE__AUTH_URL", &relay.auth_url())]);
    let token = CLOUD.token("demo");
    relay.refuse("POST", "/stacks");
    let cluster = service.cluster(&token, &service.template(&token, json!({})), json!({}));
    let shown = service.settled(&token, &cluster);
    assert_eq!(shown["status"], "CREATE_FAILED", "{shown}");
    service.gone(&token, &cluster);
    assert!(!service.log().contains("Heat may still make the stack"));
}

/// The trustee, the trust, the credential and the stack are made, and no answer says so.
#[test]
fn lost_answers_make_nothing_twice() {
    let relay = Relay::start();
    let service = Service::start(&[("JEROBOAM__KEYSTONE__AUTH_URL", &relay.auth_url())]);
    for (user, paths) in [
        ("closed", ["/users", "/OS-TRUST/trusts", "/stacks"].as_slice()),
        ("demo", ["/application_credentials", "/stacks"].as_slice()),
    ] {
        let token = CLOUD.token(user);
        let template = service.template(&token, json!({"labels": {"cloud_provider_enabled": "true"}}));
        let lost: Vec<_> = paths.iter().map(|path| relay.lose("POST", path)).collect();
        let cluster = service.cluster(&token, &template, json!({}));
        let shown = service.complete(&token, &cluster);
        assert!(lost.iter().all(|lost| lost.happened()));
        made_once(&service, user, &shown);
        let credentials = CLOUD.census()["application_credentials"].to_string().matches(&cluster).count();
        assert_eq!(credentials, usize::from(user == "demo"));
        let lost = relay.lose("DELETE", "");
        service.gone(&token, &cluster);
        assert!(lost.happened());
        assert!(!CLOUD.census().to_string().contains(&cluster));
    }
}

/// SIGTERM: what was begun is finished, nothing new is taken, and the next process goes on.
#[test]
fn an_orderly_stop_drains() {
    let relay = Relay::start();
    let mut service = Service::start(&[("JEROBOAM__KEYSTONE__AUTH_URL", &relay.auth_url())]);
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({}));
    // A request that waits for a look-up, and a step that waits for Heat.
    let submitted = relay.hold("POST", "/stacks");
    let cluster = service.cluster(&token, &template, json!({}));
    submitted.wait();
    let looked_up = relay.hold("GET", "/flavors/m1.medium");
    std::thread::scope(|threads| {
        let request = threads.spawn(|| {
            let body = json!({"name": unique("drained"), "cluster_template_id": template, "flavor_id": "m1.medium"});
            support::http::try_request(
                "POST",
                &format!("{}/clusters", service.endpoint()),
                &[("x-auth-token", &token), ("openstack-api-version", "container-infra latest")],
                Some(&body),
            )
        });
        looked_up.wait();
        service.signal("TERM");
        wait_for("the stop to be noticed", Duration::from_secs(10), || {
            service.log().contains("stopping: requests and steps under way are finished first").then_some(())
        });
        wait_for("new requests to be refused", Duration::from_secs(10), || {
            support::http::try_request("GET", &service.root(), &[], None).err()
        });
        drop(looked_up);
        let answer = request.join().unwrap().expect("the request under way is answered");
        assert_eq!(answer.status, 202, "{}", answer.text);
    });
    drop(submitted);
    let status = service.ended();
    assert!(status.success(), "{status}");
    assert!(service.log().contains("Heat has accepted the stack"), "the step under way was finished");

    service.restart();
    let all = service.call(&token, "GET", "/clusters", None).json();
    for made in
        all["clusters"].as_array().unwrap().iter().filter(|made| made["cluster_template_id"] == template.as_str())
    {
        let uuid = made["uuid"].as_str().unwrap();
        let shown = service.complete(&token, uuid);
        made_once(&service, "demo", &shown);
        service.gone(&token, uuid);
    }
    assert_eq!(service.call(&token, "GET", &format!("/clusters/{cluster}"), None).status, 404);
}

/// Two conductors beside an API on one PostgreSQL: the other one takes over what a killed one was doing.
#[test]
fn another_conductor_takes_over() {
    let server = postgres::Postgres::start();
    let keys = tempfile::tempdir().unwrap();
    let key_file = keys.path().join("secret.key");
    let relay = Relay::start();
    let keystone = relay.auth_url();
    let (records, engine) = (server.named("records"), server.named("engine"));
    let shared: [(&str, &str); 4] = [
        ("JEROBOAM__KEYSTONE__AUTH_URL", &keystone),
        ("JEROBOAM__DATABASE__URL", &records),
        ("JEROBOAM__ENGINE__URL", &engine),
        ("JEROBOAM__SECRETS__KEY_FILE", key_file.to_str().unwrap()),
    ];
    let api = Service::prepare("api", &shared);
    let refusal = api.run(&["api"]);
    let said = String::from_utf8_lossy(&refusal.stderr).into_owned();
    assert!(!refusal.status.success() && said.contains("jeroboam db upgrade"), "{said}");
    assert!(api.run(&["db", "upgrade"]).status.success());
    let api = api.started();
    let root = api.root();
    let mut conductors: Vec<_> = (0..2)
        .map(|_| {
            let mut conductor = Service::prepare(
                "conductor",
                &[shared.as_slice(), &[("JEROBOAM__API__PUBLIC_URL", root.as_str())]].concat(),
            );
            conductor.spawn();
            conductor
        })
        .collect();

    let token = CLOUD.token("demo");
    let held = relay.hold("POST", "/stacks");
    let name = unique("taken-over");
    let cluster = api.cluster(&token, &api.template(&token, json!({})), json!({"name": name}));
    held.wait();
    let at_work: Vec<_> =
        conductors.iter().map(|conductor| conductor.log().contains("cluster.create/submit")).collect();
    assert_eq!(at_work.iter().filter(|works| **works).count(), 1, "{at_work:?}");
    let working = at_work.iter().position(|works| *works).unwrap();
    conductors[working].kill();
    drop(held);
    api.complete(&token, &cluster);
    assert_eq!(CLOUD.stacks("demo", &name).len(), 1);
    assert!(conductors[1 - working].log().contains("adopting the stack"));
    api.gone(&token, &cluster);
}

//! Keystone or Heat is away, failing or silent.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::assert_unavailable;
use super::support::cloud::CLOUD;
use super::support::http::{Answer, request};
use super::support::relay::{Relay, Trouble};
use super::support::service::Service;
use super::support::{unique, wait_for};

/// A service that sees the cloud through the relay.
fn behind(relay: &Relay) -> Service {
    Service::start(&[("JEROBOAM__KEYSTONE__AUTH_URL", &relay.auth_url())])
}

fn ready(service: &Service) -> Answer {
    request("GET", &format!("{}/readyz", service.root()), &[], None)
}

fn counted(service: &Service) -> Value {
    service.rows(
        "SELECT (SELECT count(*) FROM cluster), (SELECT count(*) FROM cluster_template), (SELECT count(*) FROM \
         operation), (SELECT coalesce(sum(clusters), 0) FROM project_usage)",
    )
}

/// Whoever the service knows already goes on reading; everybody else is told to come back.
#[test]
fn keystone_is_away() {
    let relay = Relay::start();
    let mut service = behind(&relay);
    let (known, unknown) = (CLOUD.token("demo"), CLOUD.token("demo-peer"));
    let template = service.template(&known, json!({}));
    assert_eq!(service.call(&known, "GET", "/clusters", None).status, 200);
    let before = counted(&service);
    for trouble in [Trouble::Cut, Trouble::Status(500), Trouble::Status(503), Trouble::Silence] {
        if trouble == Trouble::Silence {
            gives_up_soon(&mut service, &known);
        }
        let began = Instant::now();
        let trouble_guard = relay.trouble("keystone", trouble);
        for path in ["/clusters", "/clustertemplates", "/stats"] {
            assert_eq!(service.call(&known, "GET", path, None).status, 200, "{trouble:?}");
        }
        for path in ["/clusters", "/mservices"] {
            assert_unavailable(&service.call(&unknown, "GET", path, None), "Keystone is not available");
        }
        let body = json!({"cluster_template_id": template});
        assert_unavailable(&service.call(&unknown, "POST", "/clusters", Some(&body)), "Keystone is not available");
        let probe = ready(&service);
        assert_eq!(probe.status, 503, "{trouble:?}: {}", probe.text);
        assert_eq!(probe.json(), json!({"database": "ok", "keystone": "unavailable", "engine": "ok"}), "{trouble:?}");
        let alive = request("GET", &format!("{}/healthcheck", service.root()), &[], None);
        assert_eq!(alive.status, 200);
        assert_eq!(counted(&service), before);
        assert!(began.elapsed() < Duration::from_secs(25), "{trouble:?}: {:?}", began.elapsed());
        drop(trouble_guard);
        // Nothing of it is remembered.
        assert_eq!(service.call(&CLOUD.token("demo-peer"), "GET", "/clusters", None).status, 200, "{trouble:?}");
        assert_eq!(ready(&service).status, 200, "{trouble:?}");
    }
}

/// From now on the service waits for an answer of the cloud for two seconds only, which a busy one may exceed. It knows
/// the token.
fn gives_up_soon(service: &mut Service, token: &str) {
    service.restart_with("JEROBOAM__KEYSTONE__TIMEOUT_S", "2");
    wait_for("the token to be known", Duration::from_secs(30), || {
        (service.call(token, "GET", "/clusters", None).status == 200).then_some(())
    });
}

/// The service comes up without Keystone, and serves as soon as it is there.
#[test]
fn keystone_is_away_at_the_start() {
    let relay = Relay::start();
    let auth_url = relay.auth_url();
    let away = relay.trouble("keystone", Trouble::Cut);
    let mut service = Service::prepare("serve", &[("JEROBOAM__KEYSTONE__AUTH_URL", &auth_url)]);
    service.spawn();
    let probe = wait_for("the probe to answer", Duration::from_secs(30), || {
        super::support::http::try_request("GET", &format!("{}/readyz", service.root()), &[], None).ok()
    });
    assert_eq!((probe.status, &probe.json()["keystone"]), (503, &json!("unavailable")));
    let token = CLOUD.token("demo");
    assert_unavailable(&service.call(&token, "GET", "/clusters", None), "Keystone is not available");
    drop(away);
    wait_for("the service to be ready", Duration::from_secs(30), || (ready(&service).status == 200).then_some(()));
    assert_eq!(service.call(&token, "GET", "/clusters", None).status, 200);
}

/// A look-up that cannot be made refuses the request, and says which service is away.
#[test]
fn the_services_of_look_ups_are_away() {
    let relay = Relay::start();
    let service = behind(&relay);
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({}));
    let before = counted(&service);
    let away = relay.trouble("lookups", Trouble::Status(503));
    let name = unique("refused");
    let answer =
        service.call(&token, "POST", "/clusters", Some(&json!({"name": name, "cluster_template_id": template})));
    assert_unavailable(&answer, "is not available");
    let body = json!({"coe": "kubernetes", "image_id": "ubuntu-24.04", "external_network_id": "public"});
    assert_unavailable(&service.call(&token, "POST", "/clustertemplates", Some(&body)), "is not available");
    assert_eq!(counted(&service), before);
    assert_eq!(service.call(&token, "GET", "/clusters", None).json(), json!({"clusters": []}));
    drop(away);
    CLOUD.no_stack("demo", &name);
    assert_eq!(service.call(&token, "POST", "/clustertemplates", Some(&body)).status, 201);
}

/// A cluster is deleted all the same: Octavia is asked again, whatever it answered, and not for ever.
#[test]
fn load_balancers_cannot_be_deleted() {
    let relay = Relay::start();
    let service = behind(&relay);
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({"labels": {"node_reports": "false"}}));
    let made = || service.cluster(&token, &template, json!({"node_count": 0}));
    for (cluster, in_time) in [made(), made()].into_iter().zip([true, false]) {
        service.complete(&token, &cluster);
        let trouble = relay.trouble("lookups", Trouble::Status(400));
        assert_eq!(service.call(&token, "DELETE", &format!("/clusters/{cluster}"), None).status, 204);
        wait_for("Octavia to be asked several times", Duration::from_secs(60), || {
            let tries = &service.rows("SELECT max(attempt) FROM operation WHERE kind = 'cluster.delete'")[0][0];
            (tries.as_i64() > Some(2)).then_some(())
        });
        let shown = service.show(&token, &cluster);
        assert_eq!(shown["status"], "DELETE_IN_PROGRESS");
        assert!(shown["status_reason"].as_str().unwrap().contains("Octavia"), "{shown}");
        if in_time {
            drop(trouble);
        } else {
            service.write("UPDATE operation SET created_at = datetime('now', '-6 minutes')");
        }
        service.absent(&token, &cluster);
    }
    assert!(service.log().contains("load balancers made inside the cluster, if any, stay"));
}

/// A token that we believe and the cloud no longer does is the client's to renew.
#[test]
fn the_cloud_refuses_a_token_that_was_believed() {
    let relay = Relay::start();
    let service = behind(&relay);
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({}));
    let before = counted(&service);
    let refusing = relay.trouble("lookups", Trouble::Status(401));
    let answer = service.call(&token, "POST", "/clusters", Some(&json!({"cluster_template_id": template})));
    assert_eq!(answer.status, 401, "{}", answer.text);
    assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Keystone uri=")));
    assert_eq!(answer.json()["error"]["code"], 401, "{}", answer.text);
    assert_eq!(counted(&service), before);
    drop(refusing);
}

/// The operation waits for Heat, says so, and goes on.
#[test]
fn heat_is_away_for_a_while() {
    let relay = Relay::start();
    let service = behind(&relay);
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({"labels": {"node_reports": "false"}}));
    let away = relay.trouble("heat", Trouble::Status(503));
    let name = unique("waits");
    let cluster = service.cluster(&token, &template, json!({"name": name, "node_count": 0}));
    let obstacle = "SELECT attempt, message FROM operation";
    wait_for("two failed attempts", Duration::from_secs(60), || {
        let rows = service.rows(obstacle);
        let tried = rows[0][0].as_u64().unwrap_or_default() >= 2;
        (tried && rows[0][1].as_str().is_some_and(|text| text.contains("Heat is not available"))).then_some(())
    });
    let shown = service.show(&token, &cluster);
    assert_eq!(shown["status"], "CREATE_IN_PROGRESS");
    let reason = shown["status_reason"].as_str().unwrap();
    assert!(reason.starts_with("Creating a cluster, step submit: Heat is not available"), "{reason}");
    assert!(!reason.contains('['), "no code while it is tried again: {reason}");
    CLOUD.no_stack("demo", &name);
    drop(away);
    wait_for("the obstacle to be gone", Duration::from_secs(90), || {
        let shown = service.show(&token, &cluster);
        shown["status_reason"].as_str().is_none_or(|reason| !reason.contains("not available")).then_some(())
    });
    service.complete(&token, &cluster);
    assert_eq!(CLOUD.stacks("demo", &name).len(), 1);

    // Nor does it take a stack for gone that it cannot ask about.
    let away = relay.trouble("heat", Trouble::Cut);
    assert_eq!(service.call(&token, "DELETE", &format!("/clusters/{cluster}"), None).status, 204);
    wait_for("a failed attempt", Duration::from_secs(60), || {
        let rows = service.rows("SELECT count(*) FROM operation WHERE kind = 'cluster.delete' AND attempt >= 1");
        (rows == json!([[1]])).then_some(())
    });
    assert_eq!(service.show(&token, &cluster)["status"], "DELETE_IN_PROGRESS");
    drop(away);
    service.absent(&token, &cluster);
    CLOUD.no_stack("demo", &name);
}

/// Time runs out also while nobody answers; what stood in the way is told.
#[test]
fn heat_stays_away_until_the_time_is_over() {
    let relay = Relay::start();
    let service = behind(&relay);
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({}));
    let away = relay.trouble("heat", Trouble::Status(503));
    let name = unique("never");
    let began = Instant::now();
    let cluster = service.cluster(&token, &template, json!({"name": name, "create_timeout": 1}));
    let shown = service.settled(&token, &cluster);
    assert_eq!(shown["status"], "CREATE_FAILED", "{shown}");
    let reason = shown["status_reason"].as_str().unwrap();
    for part in ["1 minute)", "cluster.create/submit", "Heat is not available", "[timed-out]"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    let took = began.elapsed();
    assert!((Duration::from_secs(59)..Duration::from_secs(100)).contains(&took), "{took:?}");
    drop(away);
    CLOUD.no_stack("demo", &name);
    service.gone(&token, &cluster);
    assert_eq!(service.rows("SELECT clusters FROM project_usage"), json!([[0]]));
}

//! Who acts at Heat, against the real Keystone and Heat: each setting of `[heat] act_as` with each kind of login.
//!
//! In the domain `closed` the service's user holds no role; elsewhere it may act.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::cloud::CLOUD;
use support::relay::Relay;
use support::service::Service;
use support::{bootstrap_token, unique, wait_for};

fn service(act_as: &str) -> Service {
    Service::start(&[("JEROBOAM__HEAT__ACT_AS", act_as)])
}

/// How many clusters, operations and nodegroups are on record.
fn rows(service: &Service) -> Value {
    service.rows(
        "SELECT (SELECT count(*) FROM cluster), (SELECT count(*) FROM operation), (SELECT count(*) FROM nodegroup)",
    )
}

/// The request is refused with these words, and neither a row nor a stack nor a trust is made.
fn refused(service: &Service, user: &str, token: &str, words: &[&str]) {
    let template = service.template(&CLOUD.token(user), json!({}));
    let before = rows(service);
    // Other tests beside this one make trusts of the others.
    let trusts = || if user == "demo2" { CLOUD.trusts_of(user).len() } else { 0 };
    let trusts_before = trusts();
    let name = unique("refused");
    let body = json!({"name": name, "cluster_template_id": template, "node_count": 1});
    let answer = service.call(token, "POST", "/clusters", Some(&body));
    assert_eq!(answer.status, 403, "{}", answer.text);
    for word in words {
        assert!(answer.detail().contains(word), "{word}: {}", answer.text);
    }
    assert_eq!(rows(service), before);
    assert_eq!(trusts(), trusts_before);
    CLOUD.no_stack(user, &name);
}

/// Clusters by these tokens all come up, with that owner, and go; `reader` looks at them, as a member of the project.
fn accepted(service: &Service, user: &str, tokens: &[&str], owner: &str) {
    let reader = CLOUD.token(user);
    let template = service.template(&reader, json!({}));
    let ask = |token: &&str| service.cluster(token, &template, json!({"node_count": 0}));
    let clusters: Vec<_> = tokens.iter().map(ask).collect();
    for cluster in &clusters {
        service.complete(&reader, cluster);
        let acts = service.rows(&format!("SELECT act_as, trust_id IS NULL FROM cluster WHERE uuid = '{cluster}'"));
        assert_eq!(acts, json!([[owner, i32::from(owner == "service")]]));
        let named = &service.show(&reader, cluster)["name"];
        assert_eq!(CLOUD.stacks(user, named.as_str().unwrap()).len(), 1, "the project's members see the stack");
    }
    for cluster in &clusters {
        service.gone(&reader, cluster);
    }
}

#[test]
fn the_service_acts_for_every_login_where_it_may() {
    let service = service("service");
    refused(&service, "closed", &CLOUD.token("closed"), &["may not act in the project", "openstack role add"]);
    let (credential, trust) = (CLOUD.application_credential("demo"), CLOUD.trust("demo", "demo-peer"));
    accepted(&service, "demo", &[&CLOUD.token("demo"), &credential.token, &trust.token], "service");
}

#[test]
fn the_requester_acts_only_with_a_password() {
    let service = service("requester");
    let (credential, trust) = (CLOUD.application_credential("demo2"), CLOUD.trust("demo2", "demo-peer"));
    let words = "cannot own stacks at Heat";
    refused(&service, "demo2", &credential.token, &["A token of an application credential", words, "password"]);
    refused(&service, "demo2", &trust.token, &["A token of a trust", words, "password"]);
    accepted(&service, "demo2", &[&CLOUD.token("demo2")], "requester");
}

#[test]
fn left_to_itself_the_service_acts_where_it_may_and_the_requester_elsewhere() {
    let service = service("auto");
    let (credential, trust) = (CLOUD.application_credential("closed"), CLOUD.trust("closed", "demo-peer"));
    let words = ["cannot own stacks at Heat", "openstack role add --user jeroboam"];
    refused(&service, "closed", &credential.token, &words);
    refused(&service, "closed", &trust.token, &words);
    accepted(&service, "closed", &[&CLOUD.token("closed")], "requester");
    accepted(&service, "demo", &[&CLOUD.application_credential("demo").token], "service");
}

/// While Heat has not accepted the stack the token lies sealed beside its operation; then nowhere.
#[test]
fn a_requester_s_token_is_sealed_and_erased() {
    let relay = Relay::start();
    let service = Service::start(&[("JEROBOAM__KEYSTONE__AUTH_URL", &relay.auth_url())]);
    let token = CLOUD.token("closed");
    let held = relay.hold("POST", "/stacks");
    let cluster = service.cluster(&token, &service.template(&token, json!({})), json!({}));
    held.wait();
    let kept = service.rows("SELECT token FROM operation");
    let sealed = kept[0][0].as_str().expect("a sealed token, in hexadecimal digits").to_owned();
    assert!(sealed.len() > token.len() && !sealed.contains(&hexadecimal(&token)), "{sealed}");
    drop(held);
    service.complete(&token, &cluster);
    assert_eq!(service.rows("SELECT token FROM operation"), json!([[null]]));
    service.gone(&token, &cluster);
}

fn hexadecimal(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// A token that dies before it was used fails the operation with words that help.
#[test]
fn a_token_that_dies_too_soon_is_named() {
    let relay = Relay::start();
    let mut service = Service::start(&[("JEROBOAM__KEYSTONE__AUTH_URL", &relay.auth_url())]);
    let token = CLOUD.token("closed");
    let template = service.template(&token, json!({}));
    let held = relay.hold("POST", "/users");
    let cluster = service.cluster(&token, &template, json!({}));
    held.wait();
    service.kill();
    let dead = [("x-auth-token", token.as_str()), ("x-subject-token", token.as_str())];
    let url = format!("{}/auth/tokens", CLOUD.text("/auth_url"));
    assert_eq!(support::http::request("DELETE", &url, &dead, None).status, 204);
    drop(held);
    service.restart();
    let fresh = wait_for("a token of a later second than the revocation", Duration::from_secs(10), || {
        let fresh = CLOUD.token("closed");
        (service.call(&fresh, "GET", "/clusters", None).status == 200).then_some(fresh)
    });
    let shown = service.settled(&fresh, &cluster);
    assert_eq!(shown["status"], "CREATE_FAILED", "{shown}");
    assert!(shown["status_reason"].as_str().unwrap().contains("[token-expired]"), "{shown}");
    assert_eq!(service.rows("SELECT count(*) FROM operation WHERE token IS NOT NULL"), json!([[0]]));
    service.gone(&fresh, &cluster);
}

/// A token opens nothing once its time is over, though it was believed a moment before; what it asked for goes on.
#[test]
fn a_token_s_time_runs_out() {
    let service = service("service");
    let template = service.template(&CLOUD.token("demo"), json!({}));
    let end = chrono::Utc::now() + chrono::TimeDelta::seconds(30);
    let lent = CLOUD.application_credential_until("demo", Some(end));
    let cluster = service.cluster(&lent.token, &template, json!({"node_count": 0}));
    let status = || service.call(&lent.token, "GET", "/clusters", None).status;
    let last = wait_for("the token's time to be over", Duration::from_secs(90), || {
        let began = chrono::Utc::now();
        match status() {
            // Keystone counts whole seconds.
            200 => assert!(began < end, "believed beyond its time"),
            status => return Some(status),
        }
        None
    });
    assert_eq!(last, 401);
    let token = CLOUD.token("demo");
    service.complete(&token, &cluster);
    service.gone(&token, &cluster);
}

/// One cluster's identity lists the stacks of its whole project: one that no longer serves stands in no other's way.
#[test]
fn a_lost_identity_blinds_no_other_cluster() {
    let service = Service::start(&[("JEROBOAM__HEAT__GLOBAL_INDEX", "off")]);
    let token = CLOUD.token("closed");
    let template = service.template(&token, json!({"labels": {"node_reports": "false"}}));
    let name = unique("blind");
    let held = CLOUD.faults(vec![json!({"type": "OS::Nova::Server", "stack": name, "hold": true})]);
    let first = service.cluster(&token, &template, json!({"name": name, "node_count": 0}));
    let seen = |cluster: &str| {
        let of = format!("WHERE step LIKE '%/await' AND observed_status IS NOT NULL AND cluster_uuid = '{cluster}'");
        let count = format!("SELECT count(*) FROM operation {of}");
        wait_for("the stack to be seen", Duration::from_secs(60), || {
            (service.rows(&count) == json!([[1]])).then_some(())
        });
    };
    seen(&first);
    let trust = service.rows(&format!("SELECT trust_id FROM cluster WHERE uuid = '{first}'"));
    let trusts = |id: &str| service.write(&format!("UPDATE cluster SET trust_id = '{id}' WHERE uuid = '{first}'"));
    trusts("none");
    // A name that the fault fits too, so that the stack is under way when it is looked for.
    let second = service.cluster(&token, &template, json!({"name": format!("{name}-second"), "node_count": 0}));
    seen(&second);
    assert!(service.log().contains("trying another one's identity"));
    trusts(trust[0][0].as_str().unwrap());
    drop(held);
    for cluster in [&first, &second] {
        service.complete(&token, cluster);
    }
    for cluster in [&first, &second] {
        service.gone(&token, cluster);
    }
}

/// What the nodes of a requester's cluster hold opens, here, its certificates and its health, and nothing else.
#[test]
fn a_trustee_s_token_opens_its_cluster_s_certificates_and_tells_its_health_only() {
    let service = Service::start(&[]);
    let token = CLOUD.token("closed");
    let template = service.template(&token, json!({"labels": {"cloud_provider_enabled": "true"}}));
    let name = unique("inside");
    // Bootstrap tokens end with the cluster's completion: this one does not come to that.
    let silent = CLOUD.nodes(vec![json!({"name": name, "silent": true})]);
    let cluster = service.cluster(&token, &template, json!({"name": name, "node_count": 0}));
    let neighbour = service.cluster(&token, &template, json!({"node_count": 0}));
    let data = wait_for("the control plane's user data", Duration::from_secs(120), || CLOUD.user_data(&name).pop());
    let bootstrap = bootstrap_token(&data);
    let stack = service.rows(&format!("SELECT stack_name FROM cluster WHERE uuid = '{cluster}'"));
    let node = format!("{}-0", drivers::node_prefix(stack[0][0].as_str().unwrap(), "default-master"));
    let url = format!("{}/clusters/{cluster}/nodes/{node}/cloud-config", service.endpoint());
    let config = support::http::request("GET", &url, &[("x-jeroboam-bootstrap-token", &bootstrap)], None);
    assert_eq!(config.status, 200, "{}", config.text);
    let value = |key: &str| {
        let line = config.text.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
        line.unwrap_or_else(|| panic!("{key}: {}", config.text)).trim_matches('"').to_owned()
    };
    let who = json!({"id": value("user-id"), "password": value("password")});
    let trustee = CLOUD.token_for(&json!({
        "identity": {"methods": ["password"], "password": {"user": who}},
        "scope": {"OS-TRUST:trust": {"id": value("trust-id")}},
    }));
    let status = |method: &str, path: &str| service.call(&trustee, method, path, None).status;
    assert_eq!(status("GET", &format!("/certificates/{cluster}")), 200);
    for (method, path) in [
        ("GET", "/clusters".to_owned()),
        ("GET", format!("/clusters/{cluster}")),
        ("DELETE", format!("/clusters/{cluster}")),
        ("DELETE", format!("/clustertemplates/{template}")),
    ] {
        assert_eq!(status(method, &path), 403, "{method} {path}");
    }
    drop(silent);
    service.complete(&token, &cluster);
    service.complete(&token, &neighbour);
    let told_by = |token: &str, cluster: &str, attribute: &str, value: Value| {
        let change = json!([{"op": "replace", "path": attribute, "value": value}]);
        service.call(token, "PATCH", &format!("/clusters/{cluster}"), Some(&change)).status
    };
    let told = |cluster: &str, attribute: &str, value: Value| told_by(&trustee, cluster, attribute, value);
    assert_eq!(told(&cluster, "/health_status", json!("UNHEALTHY")), 202);
    assert_eq!(service.show(&token, &cluster)["health_status"], "UNHEALTHY");
    assert_eq!(told(&neighbour, "/health_status", json!("UNHEALTHY")), 403);
    assert_eq!(told_by(&token, &neighbour, "/health_status", json!("HEALTHY")), 202);
    assert_eq!(told(&neighbour, "/health_status", json!("HEALTHY")), 403, "even what changes nothing");
    assert_eq!(told(&cluster, "/node_count", json!(1)), 403);
    service.gone(&token, &cluster);
    service.gone(&token, &neighbour);
}

/// Nothing that opens anything lies in clear in the databases, the workflows' history or the log.
#[test]
fn no_secret_lies_in_clear() {
    let service = Service::start(&[]);
    let mut secrets: Vec<(&str, String)> = Vec::new();
    let mut lives = Vec::new();
    for user in ["demo", "closed"] {
        let token = CLOUD.token(user);
        let template = service.template(&token, json!({"labels": {"cloud_provider_enabled": "true"}}));
        let name = unique("canary");
        let cluster = service.cluster(&token, &template, json!({"name": name}));
        secrets.push(("token", token.clone()));
        lives.push((user, token, cluster, name));
    }
    for user in ["demo", "closed", "jeroboam", "jeroboam_domain_admin"] {
        secrets.push(("password", CLOUD.text(&format!("/users/{user}/password")).to_owned()));
    }
    for (_, token, cluster, name) in &lives {
        service.complete(token, cluster);
        let tokens: Vec<_> =
            CLOUD.user_data(name).iter().map(|data| ("bootstrap token", bootstrap_token(data))).collect();
        assert_eq!(tokens.len(), 2, "a master and a worker");
        secrets.extend(tokens);
    }
    // As tokens and keys begin.
    secrets.extend([("any token", "gAAAAAB".to_owned()), ("private key", "PRIVATE KEY".to_owned())]);
    nothing_holds(&service, &secrets);
    for (_, token, cluster, _) in &lives {
        service.gone(token, cluster);
    }
    nothing_holds(&service, &secrets);
}

fn nothing_holds(service: &Service, secrets: &[(&str, String)]) {
    let state = std::fs::read_dir(service.state_dir()).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = state.filter(|path| !path.ends_with("secret.key")).chain([service.log_path()]).collect();
    let names: Vec<_> = files.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    for expected in ["jeroboam.db", "workflow.db", "log"] {
        assert!(names.contains(&expected), "{names:?}");
    }
    for path in &files {
        let bytes = std::fs::read(path).unwrap();
        for (what, secret) in secrets {
            let found = bytes.windows(secret.len()).position(|window| window == secret.as_bytes());
            if let Some(at) = found {
                let around = &bytes[at.saturating_sub(200)..(at + 40).min(bytes.len())];
                panic!("{} holds a {what}: {}", path.display(), String::from_utf8_lossy(around));
            }
        }
    }
}

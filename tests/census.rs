//! Nothing is left behind: the census of Keystone, Heat and Barbican before a life equals the one after it.
//!
//! The census is of the whole cloud, so this program holds one test, in which many lives run side by side.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

mod support;

use std::thread::scope;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::cloud::CLOUD;
use support::service::Service;
use support::{unique, wait_for};

/// What clusters could leave behind, without Heat's own users and trusts, which Heat makes and removes by itself.
fn census() -> Value {
    let mut census = CLOUD.census();
    let heat = census.as_object_mut().unwrap().remove("heat_own").unwrap();
    for part in ["trusts", "users"] {
        eprintln!("Heat's own {part}: {}", heat[part].as_array().unwrap().len());
    }
    census
}

/// How many entries of a part of the census carry that text.
fn count(part: &str, named: &str) -> usize {
    let census = CLOUD.census();
    census[part].as_array().unwrap().iter().filter(|entry| entry.to_string().contains(named)).count()
}

#[test]
fn what_clusters_made_is_gone_with_them() {
    wait_for("stacks of earlier tests to be gone", Duration::from_secs(60), || {
        (count("stacks", "DELETE_IN_PROGRESS") == 0).then_some(())
    });
    let before = census();
    // Keys sealed in the records; the cloud decides who acts. Beside it, keys in Barbican.
    let sealed = Service::start(&[]);
    let barbican = Service::start(&[("JEROBOAM__SECRETS__STORE", "barbican")]);
    let mesos = Service::start(&[("JEROBOAM__DRIVERS__ENABLED", "mesos")]);
    scope(|lives| {
        lives.spawn(|| of_mesos(&mesos));
        lives.spawn(|| of_swarm(&barbican));
        lives.spawn(|| as_the_service(&sealed));
        lives.spawn(|| as_the_requester(&sealed));
        lives.spawn(|| with_keys_in_barbican(&barbican));
        lives.spawn(|| after_a_failure(&sealed));
        lives.spawn(|| during_the_create(&sealed, "demo"));
        lives.spawn(|| during_the_create(&barbican, "closed"));
    });
    let end = Instant::now() + Duration::from_secs(30);
    let mut after = census();
    while after != before && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(500));
        after = census();
    }
    assert_eq!(after, before);
}

/// The service's user acts; the cluster asked for a credential of its own.
fn as_the_service(service: &Service) {
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({"labels": {"cloud_provider_enabled": "true"}}));
    let cluster = service.cluster(&token, &template, json!({}));
    service.complete(&token, &cluster);
    assert_eq!(count("application_credentials", &cluster), 1);
    assert_eq!((count("trustee_users", &cluster), count("secrets", &cluster)), (0, 0));
    service.gone(&token, &cluster);
}

/// Another COE, by a driver that is off unless it is named; its labels know nothing of credentials.
fn of_mesos(service: &Service) {
    let token = CLOUD.token("demo");
    let request = json!({"coe": "mesos", "network_driver": "docker", "image_id": "debian-12"});
    let cluster = service.cluster(&token, &service.template(&token, request), json!({}));
    service.complete(&token, &cluster);
    service.gone(&token, &cluster);
}

/// The same in Swarm mode, with keys in Barbican: the census would show them.
fn of_swarm(service: &Service) {
    let token = CLOUD.token("demo");
    let request = json!({"coe": "swarm-mode", "network_driver": "docker", "image_id": "debian-12"});
    let cluster = service.cluster(&token, &service.template(&token, request), json!({}));
    service.complete(&token, &cluster);
    assert_ne!(count("secrets", &cluster), 0);
    service.gone(&token, &cluster);
}

/// The requester owns the stack; a trustee with a trust reads and deletes it.
fn as_the_requester(service: &Service) {
    let token = CLOUD.token("closed");
    let template = service.template(&token, json!({"labels": {"cloud_provider_enabled": "true"}}));
    let cluster = service.cluster(&token, &template, json!({}));
    service.complete(&token, &cluster);
    assert_eq!((count("trustee_users", &cluster), count("application_credentials", &cluster)), (1, 0));
    let trust = service.rows(&format!("SELECT trust_id FROM cluster WHERE uuid = '{cluster}'"));
    assert_eq!(count("trusts", trust[0][0].as_str().unwrap()), 1);
    service.gone(&token, &cluster);
}

/// Three authorities, our client certificate and the service accounts' key.
fn with_keys_in_barbican(service: &Service) {
    let token = CLOUD.token("demo");
    let cluster = service.cluster(&token, &service.template(&token, json!({})), json!({}));
    service.complete(&token, &cluster);
    assert_eq!(count("secrets", &cluster), 5);
    assert_eq!(service.rows("SELECT count(*) FROM x509_keypair WHERE private_key IS NOT NULL"), json!([[0]]));
    service.gone(&token, &cluster);
}

/// What a failed create leaves to be looked at goes with the cluster.
fn after_a_failure(service: &Service) {
    let token = CLOUD.token("closed");
    let name = unique("broken");
    let _faults = CLOUD.faults(vec![json!({"stack": name, "type": "OS::Nova::Server", "fail": "No valid host"})]);
    let cluster = service.cluster(&token, &service.template(&token, json!({})), json!({"name": name}));
    let shown = service.settled(&token, &cluster);
    assert_eq!(shown["status"], "CREATE_FAILED", "{shown}");
    assert_eq!(CLOUD.stacks("closed", &name).len(), 1);
    service.gone(&token, &cluster);
}

/// A delete at any moment ends in absence.
fn during_the_create(service: &Service, user: &str) {
    let token = CLOUD.token(user);
    let template = service.template(&token, json!({"labels": {"cloud_provider_enabled": "true"}}));
    scope(|lives| {
        for pause_ms in [0, 300, 900, 2000, 4000] {
            let (token, template) = (&token, &template);
            lives.spawn(move || {
                let cluster = service.cluster(token, template, json!({}));
                std::thread::sleep(Duration::from_millis(pause_ms));
                service.gone(token, &cluster);
            });
        }
    });
}

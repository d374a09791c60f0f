//! A quota holds against parallel requests over HTTP, on every database.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../conductor/tests/support/databases.rs"]
#[allow(dead_code, missing_docs, unreachable_pub, reason = "each test program uses a part")]
mod databases;
mod support;

use databases::{Kind, TestDatabase};
use secrecy::ExposeSecret;
use serde_json::json;
use support::cloud::CLOUD;
use support::service::Service;

/// The API alone, so that nothing is made in the cloud.
fn api_on(kind: Kind) -> Service {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = runtime.block_on(async { TestDatabase::empty(kind).await.config.database.url });
    let url = url.map(|url| url.expose_secret().to_owned()).unwrap_or_default();
    let service = Service::prepare("api", &[("JEROBOAM__DATABASE__URL", &url)]);
    let upgraded = service.run(&["db", "upgrade"]);
    assert!(upgraded.status.success(), "{}", String::from_utf8_lossy(&upgraded.stderr));
    service.started()
}

fn of_fifty_at_once_five_are_accepted(kind: Kind) {
    let service = api_on(kind);
    let (member, admin) = (CLOUD.token("demo"), CLOUD.token("admin"));
    let quota = json!({"project_id": CLOUD.project("demo"), "resource": "Cluster", "hard_limit": 5});
    let answer = service.call(&admin, "POST", "/quotas", Some(&quota));
    assert_eq!(answer.status, 201, "{}", answer.text);
    let template = service.template(&member, json!({}));
    let request = json!({"name": "race", "cluster_template_id": template});
    let answers: Vec<_> = std::thread::scope(|scope| {
        let ask = || service.call(&member, "POST", "/clusters", Some(&request));
        let racers: Vec<_> = (0..50).map(|_| scope.spawn(ask)).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    let (accepted, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 202);
    for answer in &refused {
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert_eq!(
            answer.detail(),
            "Resource limit exceeded: You have reached the maximum clusters per project, 5. You may delete a cluster to \
             make room for a new one."
        );
    }
    assert_eq!((accepted.len(), refused.len()), (5, 45));
    let listed = service.call(&member, "GET", "/clusters", None).json();
    assert_eq!(listed["clusters"].as_array().unwrap().len(), 5);
    let nobodys = service.call(&admin, "POST", "/quotas", Some(&json!({"project_id": "no-such-project"})));
    assert_eq!(
        (nobodys.status, nobodys.detail().as_str()),
        (404, "The project_id no-such-project could not be found.")
    );
}

#[test]
fn of_fifty_at_once_five_are_accepted_on_sqlite() {
    of_fifty_at_once_five_are_accepted(Kind::Sqlite);
}

#[test]
fn of_fifty_at_once_five_are_accepted_on_postgresql() {
    of_fifty_at_once_five_are_accepted(Kind::Postgres);
}

#[test]
fn of_fifty_at_once_five_are_accepted_on_mariadb() {
    of_fifty_at_once_five_are_accepted(Kind::MariaDb);
}

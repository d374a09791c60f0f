//! Whoever has changed something through one process of the API sees the change through another one, at once.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../conductor/tests/support/databases.rs"]
#[allow(dead_code, missing_docs, unreachable_pub, reason = "each test program uses a part")]
mod databases;
mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use databases::{Kind, TestDatabase};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use support::cloud::CLOUD;
use support::http::Answer;
use support::service::Service;
use support::{unique, wait_for};

/// Pairs of a change and a look at it, at least.
const PAIRS: usize = 1000;
/// Clusters made and deleted; each is four pairs.
const CLUSTERS: usize = 8;
const WORKERS: usize = 6;

/// Two processes of the API and one conductor on one PostgreSQL server.
struct Replicas {
    apis: [Service; 2],
    _conductor: Service,
    member: String,
    admin: String,
    pairs: AtomicUsize,
    policy: std::path::PathBuf,
    _files: tempfile::TempDir,
}

impl Replicas {
    fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let url = || {
            let fresh = runtime.block_on(TestDatabase::empty(Kind::Postgres));
            fresh.config.database.url.as_ref().unwrap().expose_secret().to_owned()
        };
        let files = tempfile::tempdir().unwrap();
        let (key, policy) = (files.path().join("key"), files.path().join("policy.yaml"));
        std::fs::write(&policy, "").unwrap();
        let environment = [
            ("JEROBOAM__DATABASE__URL", url()),
            ("JEROBOAM__ENGINE__URL", url()),
            ("JEROBOAM__SECRETS__KEY_FILE", key.to_str().unwrap().to_owned()),
            ("JEROBOAM__POLICY__FILE", policy.to_str().unwrap().to_owned()),
            ("JEROBOAM__QUOTA__CLUSTERS_PER_PROJECT", "1000".to_owned()),
        ];
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let first = Service::prepare("api", &environment);
        let upgraded = first.run(&["db", "upgrade"]);
        assert!(upgraded.status.success(), "{}", String::from_utf8_lossy(&upgraded.stderr));
        let apis = [first.started(), Service::prepare("api", &environment).started()];
        let mut conductor = Service::prepare("conductor", &environment);
        conductor.spawn();
        let (member, admin) = (CLOUD.token("demo"), CLOUD.token("demo-admin"));
        Self { apis, _conductor: conductor, member, admin, pairs: AtomicUsize::new(0), policy, _files: files }
    }

    /// One change through one process, and a look through the other one; which is which alternates.
    fn pair(&self, change: (&str, &str, Option<&Value>), look: &str) -> (Answer, Answer) {
        let (changed, seen) = self.asked(change, look);
        assert!(changed.status < 300, "{} {}: {} {}", change.0, change.1, changed.status, changed.text);
        (changed, seen)
    }

    /// The same, whatever becomes of the change.
    fn asked(&self, change: (&str, &str, Option<&Value>), look: &str) -> (Answer, Answer) {
        let turn = self.pairs.fetch_add(1, Ordering::Relaxed) % 2;
        let (method, path, body) = change;
        let changed = self.apis[turn].call(&self.member, method, path, body);
        // A made object's identifier is only known from the answer.
        let uuid = serde_json::from_str::<Value>(&changed.text).ok();
        let uuid = uuid.as_ref().and_then(|body| body["uuid"].as_str()).unwrap_or_default();
        let seen = self.apis[1 - turn].call(&self.member, "GET", &look.replace("{uuid}", uuid), None);
        (changed, seen)
    }

    /// Makes a template, renames it several times and removes it.
    fn template_s_life(&self, body: &Value) {
        let (made, seen) = self.pair(("POST", "/clustertemplates", Some(body)), "/clustertemplates/{uuid}");
        // Links name the process that was asked.
        let without_links = |answer: &Answer| {
            let Value::Object(mut body) = answer.json() else { panic!("{}", answer.text) };
            body.remove("links");
            body
        };
        assert_eq!((seen.status, without_links(&seen)), (200, without_links(&made)));
        let item = format!("/clustertemplates/{}", made.json()["uuid"].as_str().unwrap());
        for turn in 0..16 {
            let name = format!("{}-{turn}", unique("renamed"));
            let patch = json!([{"op": "replace", "path": "/name", "value": name}]);
            // By its identifier and, in turn, by its new name.
            let look = if turn % 2 == 0 { item.clone() } else { format!("/clustertemplates/{name}") };
            let (_, seen) = self.pair(("PATCH", &item, Some(&patch)), &look);
            assert_eq!((seen.status, &seen.json()["name"]), (200, &json!(name)), "{}", seen.text);
        }
        let (_, seen) = self.pair(("DELETE", &item, None), &item);
        assert_eq!(seen.status, 404, "{}", seen.text);
    }

    fn cluster_s_life(&self, template: &str) {
        let body = json!({"name": unique("replica"), "cluster_template_id": template, "node_count": 0});
        let (made, seen) = self.pair(("POST", "/clusters", Some(&body)), "/clusters/{uuid}");
        let uuid = made.json()["uuid"].as_str().unwrap().to_owned();
        assert_eq!((seen.status, &seen.json()["uuid"]), (200, &json!(uuid)), "{}", seen.text);
        for api in &self.apis {
            for list in ["/clusters", "/clusters/detail", "/stats"] {
                let seen = api.call(&self.member, "GET", list, None);
                assert!(seen.status == 200 && (list == "/stats" || seen.text.contains(&uuid)), "{list}: {}", seen.text);
            }
        }
        let item = format!("/clusters/{uuid}");
        for again in [false, true] {
            let (deleted, seen) = self.asked(("DELETE", &item, None), &item);
            // It may have gone since the first time.
            let gone = again && deleted.status == 404 && seen.status == 404;
            assert!(deleted.status < 300 || gone, "{} {}", deleted.status, deleted.text);
            assert!(seen.status == 404 || seen.json()["status"] == "DELETE_IN_PROGRESS", "{}", seen.text);
            if seen.status == 404 {
                break;
            }
        }
        for api in &self.apis {
            api.absent(&self.member, &uuid);
        }
    }

    /// A quota set through one process binds the other one's next request.
    fn quota_binds_at_once(&self, template: &str) {
        let project = CLOUD.project("demo");
        let item = format!("/quotas/{project}/Cluster");
        let at = |api: usize, method: &str, path: &str, body: &Value| {
            let answer = self.apis[api].call(&self.admin, method, path, Some(body));
            assert!(answer.status < 300, "{method} {path}: {}", answer.text);
        };
        at(0, "POST", "/quotas", &json!({"project_id": project, "hard_limit": 7}));
        for turn in 0..10 {
            let (here, there) = (turn % 2, 1 - turn % 2);
            at(here, "PATCH", &item, &json!({"hard_limit": 0}));
            let request = json!({"cluster_template_id": template, "node_count": 0});
            let refused = self.apis[there].call(&self.member, "POST", "/clusters", Some(&request));
            assert_eq!(refused.status, 403, "{}", refused.text);
            at(here, "PATCH", &item, &json!({"hard_limit": turn}));
            let seen = self.apis[there].call(&self.member, "GET", &item, None);
            assert_eq!(seen.json()["hard_limit"], turn, "{}", seen.text);
            self.pairs.fetch_add(2, Ordering::Relaxed);
        }
        let removed = self.apis[0].call(&self.admin, "DELETE", &item, None);
        assert_eq!(removed.status, 204);
        assert_eq!(self.apis[1].call(&self.member, "GET", &item, None).json()["hard_limit"], 1000);
    }

    /// Every process reads a changed policy by itself, within a second or two.
    fn policy_reaches_every_process(&self) {
        for (rule, status) in [("stats:get_all: '!'\n", 403), ("", 200)] {
            std::fs::write(&self.policy, rule).unwrap();
            for api in &self.apis {
                wait_for("the policy to be read", Duration::from_secs(5), || {
                    (api.call(&self.member, "GET", "/stats", None).status == status).then_some(())
                });
            }
        }
    }
}

fn template_body() -> Value {
    json!({
        "name": unique("replicated"), "coe": "kubernetes", "image_id": "ubuntu-24.04", "flavor_id": "m1.small",
        "master_flavor_id": "m1.small", "external_network_id": "public", "floating_ip_enabled": false,
    })
}

#[test]
fn what_was_changed_through_one_process_is_seen_through_another_at_once() {
    let replicas = Replicas::start();
    let template = replicas.apis[0].template(&replicas.member, json!({}));
    replicas.quota_binds_at_once(&template);
    replicas.policy_reaches_every_process();
    let clusters = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while clusters.fetch_add(1, Ordering::Relaxed) < CLUSTERS {
                    replicas.cluster_s_life(&template);
                }
                while replicas.pairs.load(Ordering::Relaxed) < PAIRS {
                    replicas.template_s_life(&template_body());
                }
            });
        }
    });
}

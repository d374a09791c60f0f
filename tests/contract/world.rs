//! What the rules are asked of.

use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ask::{MEMBER, OWN_ADMIN, get, post, token};
use super::support::service::Service;
use super::support::shared::Shared;
use super::support::{unique, wait_for};

static WORLD: Shared<World> = Shared::new(World::make);

/// The API without a conductor.
pub(crate) struct World {
    pub(crate) service: Service,
    template: String,
    living: OnceLock<Living>,
}

/// The world that all tests of a moment share; it ends with the last of them.
pub(crate) fn world() -> Arc<World> {
    thread_local! {
        static HELD: Held = Held(Some(WORLD.get()));
    }
    HELD.with(|held| held.0.clone().unwrap())
}

/// Held by a test's thread to its end.
struct Held(Option<Arc<World>>);

impl Drop for Held {
    fn drop(&mut self) {
        let Some(world) = self.0.take() else { return };
        // Between two tests there may be a moment in which nobody else holds it.
        if Arc::strong_count(&world) == 1 {
            std::thread::sleep(Duration::from_millis(100));
        }
        // What a thread may use is gone when its own variables go.
        let ended = std::thread::spawn(move || drop(world)).join();
        if ended.is_err() {
            eprintln!("the world did not end well");
        }
    }
}

impl World {
    fn make() -> Self {
        let service = Service::prepare("api", &[("JEROBOAM__QUOTA__CLUSTERS_PER_PROJECT", "1000")]).started();
        let template = service.template(&token(OWN_ADMIN), json!({"name": unique("shared"), "public": true}));
        Self { service, template, living: OnceLock::new() }
    }

    /// Writes to the records what a conductor would have written.
    pub(crate) fn write(&self, statement: &str) {
        const WRITE: &str = "import sqlite3, sys\n\
            records = sqlite3.connect(sys.argv[1], timeout=30)\n\
            print(records.execute(sys.argv[2]).rowcount)\n\
            records.commit()";
        let file = self.service.state_dir().join("jeroboam.db");
        let output = Command::new("python3").args(["-c", WRITE]).arg(file).arg(statement).output().unwrap();
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        assert_ne!(String::from_utf8_lossy(&output.stdout).trim(), "0", "{statement}: no row");
    }
}

/// A public template, which no test changes.
pub(crate) fn shared_template() -> String {
    world().template.clone()
}

/// What a good cluster template is asked for with; `more` overrides and adds members.
pub(crate) fn template_body(more: Value) -> Value {
    let body = json!({
        "name": unique("t"), "coe": "kubernetes", "image_id": "ubuntu-24.04", "external_network_id": "public",
        "flavor_id": "m1.small", "master_flavor_id": "m1.small", "network_driver": "flannel",
        "floating_ip_enabled": false,
    });
    over(body, more)
}

/// What a good cluster is asked for with; `more` overrides and adds members.
pub(crate) fn cluster_body(more: Value) -> Value {
    over(json!({"name": unique("c"), "cluster_template_id": shared_template()}), more)
}

fn over(mut body: Value, more: Value) -> Value {
    let (Value::Object(members), Value::Object(more)) = (&mut body, more) else { panic!("objects") };
    members.extend(more);
    body
}

/// A new cluster template, as answered.
pub(crate) fn template(more: Value) -> Value {
    post("/v1/clustertemplates").with(template_body(more)).ok(201)
}

/// The UUID of a new cluster, which stays as it was accepted: `CREATE_IN_PROGRESS`.
pub(crate) fn cluster(more: Value) -> String {
    let answer = post("/v1/clusters").with(cluster_body(more)).ok(202);
    answer["uuid"].as_str().unwrap().to_owned()
}

/// The UUID of a new cluster in that status, on which nothing is under way.
pub(crate) fn cluster_in(status: &str, more: Value) -> String {
    let uuid = cluster(more);
    rests(&uuid, status);
    uuid
}

/// The UUID of a new cluster that is complete and has its address.
pub(crate) fn complete(more: Value) -> String {
    cluster_in("CREATE_COMPLETE", more)
}

/// Brings a cluster and its nodegroups to that status, and ends what was under way.
pub(crate) fn rests(uuid: &str, status: &str) {
    let world = world();
    world.write(&format!(
        "UPDATE cluster SET status = '{status}', api_address = 'https://10.0.0.1:6443', \
         stack_id = '0e1c8f6e-0000-4000-8000-000000000000' WHERE uuid = '{uuid}'"
    ));
    world.write(&format!("UPDATE nodegroup SET status = '{status}' WHERE cluster_uuid = '{uuid}'"));
    world.write(&format!("UPDATE operation SET active = NULL, state = 'succeeded' WHERE cluster_uuid = '{uuid}'"));
}

/// The cluster as shown.
pub(crate) fn shown(uuid: &str) -> Value {
    get(format!("/v1/clusters/{uuid}")).ok(200)
}

/// A whole service, in which conductor and nodes do their work.
pub(crate) struct Living {
    pub(crate) service: Service,
    /// A cluster of [`MEMBER`] that has its keys.
    pub(crate) cluster: Value,
}

impl Living {
    fn make() -> Self {
        let service = Service::start(&[]);
        let member = token(MEMBER);
        let template = service.template(&member, json!({}));
        let uuid = service.cluster(&member, &template, json!({"name": unique("living"), "node_count": 1}));
        let living = Self { cluster: service.show(&member, &uuid), service };
        // They are made one after the other.
        for authority in ["", "/etcd", "/front-proxy"] {
            wait_for("the cluster's authorities", Duration::from_secs(60), || {
                let asked = living.service.call(&member, "GET", &format!("/certificates/{uuid}{authority}"), None);
                (asked.status == 200).then_some(())
            });
        }
        living
    }

    /// The cluster's UUID.
    pub(crate) fn uuid(&self) -> &str {
        self.cluster["uuid"].as_str().unwrap()
    }
}

impl World {
    /// The whole service, made when it is asked for first.
    pub(crate) fn living(&self) -> &Living {
        self.living.get_or_init(Living::make)
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        let (member, path) = (token(MEMBER), format!("/clusters/{}", self.uuid()));
        let asked = self.service.call(&member, "DELETE", &path, None).status;
        let end = Instant::now() + Duration::from_secs(120);
        while asked == 204 && Instant::now() < end {
            if self.service.call(&member, "GET", &path, None).status == 404 {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        // No panic: it would end the program before the other tests have told what they found.
        eprintln!("the cluster {} is left behind", self.uuid());
    }
}

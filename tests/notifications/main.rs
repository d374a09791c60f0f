//! What happens to clusters reaches other services of the cloud: by a real RabbitMQ, read by the real oslo.messaging.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

mod rabbit;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rabbit::Rabbit;
use serde_json::{Value, json};
use support::cloud::CLOUD;
use support::service::{Service, tail};
use support::{unique, wait_for};

/// Another service of the cloud.
struct Listener {
    process: Child,
    errors: tempfile::NamedTempFile,
    lines: Receiver<Value>,
    /// By cluster and identifier, in the order of their arrival.
    heard: Vec<Value>,
}

impl Listener {
    fn start(rabbit: &Rabbit) -> Self {
        let errors = tempfile::NamedTempFile::new().unwrap();
        let mut process = Command::new(CLOUD.text("/paths/python"))
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/notifications/listen.py"))
            .arg(rabbit.url("rabbit"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors.reopen().unwrap())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(process.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines() {
                let Ok(line) = line else { return };
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { process, errors, lines, heard: Vec::new() }
    }

    /// Waits until all of this has been heard of the cluster, and nothing else, and gives it in that order. What goes by
    /// different queues, one for each priority, may overtake each other; what goes by one may not.
    fn hears(&mut self, cluster: &str, expected: &[(&str, &str, &str)]) -> Vec<Value> {
        // A listener whose broker was away comes back after a pause that has grown.
        let about = wait_for("the notifications", Duration::from_secs(180), || {
            self.heard.extend(self.lines.try_iter());
            let about = self.about(cluster);
            (about.len() >= expected.len()).then_some(about)
        });
        let expected: Vec<_> = expected
            .iter()
            .map(|(action, priority, outcome)| {
                [&format!("magnum.cluster.{action}"), *priority, *outcome].map(str::to_owned)
            })
            .collect();
        let told = |event: &Value| {
            [&event["event_type"], &event["priority"], &event["payload"]["outcome"]]
                .map(|value| value.as_str().unwrap().to_owned())
        };
        for queue in ["INFO", "ERROR"] {
            let told: Vec<_> = about.iter().map(told).filter(|[_, priority, _]| priority == queue).collect();
            let expected: Vec<_> = expected.iter().filter(|[_, priority, _]| priority == queue).cloned().collect();
            assert_eq!(told, expected);
        }
        let find = |wanted: &[String; 3]| about.iter().find(|event| told(event) == *wanted).cloned();
        expected.iter().filter_map(find).collect()
    }

    /// All that was heard of the cluster, no identifier twice.
    fn about(&self, cluster: &str) -> Vec<Value> {
        let mut seen = BTreeSet::new();
        let about = self.heard.iter().filter(|event| event["payload"]["target"]["id"] == cluster);
        about.filter(|event| seen.insert(event["metadata"]["message_id"].to_string())).cloned().collect()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _gone = self.process.kill().and_then(|()| self.process.wait());
        if std::thread::panicking() {
            eprintln!(
                "the listener's words end:\n{}",
                tail(&std::fs::read_to_string(self.errors.path()).unwrap_or_default())
            );
        }
    }
}

fn waiting(service: &Service) -> i64 {
    service.rows("SELECT count(*) FROM notification")[0][0].as_i64().unwrap()
}

fn all_sent(service: &Service) {
    wait_for("all notifications to be sent", Duration::from_secs(90), || (waiting(service) == 0).then_some(()));
}

/// A broker that is away at first, and one that crashes: no operation waits for it, and nothing is lost.
#[test]
fn whatever_becomes_of_the_broker_every_event_arrives() {
    let mut rabbit = Rabbit::absent();
    let service = Service::start(&[
        ("JEROBOAM__NOTIFICATIONS__URL", &rabbit.url("amqp")),
        ("JEROBOAM__NOTIFICATIONS__DURABLE", "true"),
    ]);
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({}));
    let cluster = service.cluster(&token, &template, json!({"node_count": 0, "labels": {"told": "yes"}}));
    let shown = service.complete(&token, &cluster);
    assert_eq!(waiting(&service), 2, "they wait for the broker");
    assert!(service.log().contains("notifications cannot be sent; trying again"));

    rabbit.start();
    all_sent(&service);
    let mut listener = Listener::start(&rabbit);
    let about = listener.hears(&cluster, &[("create", "INFO", "pending"), ("create", "INFO", "success")]);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let [pending, success] = &about[..] else { panic!("{about:?}") };
    assert_eq!(success["publisher_id"], format!("container-infra.{}", host.trim()));
    assert_eq!(success["context"]["project_id"], CLOUD.project("demo"));
    let content = |event: &Value| event["payload"]["target"]["attachments"][0]["content"].clone();
    assert_eq!(content(pending)["status"], "CREATE_IN_PROGRESS");
    for member in ["status", "status_reason", "api_address", "master_addresses", "labels", "node_count", "master_count"]
    {
        assert_eq!(content(success)[member], shown[member], "{member}");
    }
    assert_eq!(content(success)["stack_id"], shown["cluster_id"]);

    rabbit.kill();
    let doomed = unique("doomed");
    let _fault = CLOUD.faults(vec![json!({
        "stack": doomed, "type": "OS::Neutron::Net", "action": "CREATE", "fail": "no network today",
    })]);
    let failing = service.cluster(&token, &template, json!({"name": doomed, "node_count": 0}));
    service.gone(&token, &cluster);
    assert_eq!(service.settled(&token, &failing)["status"], "CREATE_FAILED");
    assert!(waiting(&service) >= 4, "two of each cluster wait");
    rabbit.start();
    all_sent(&service);
    let whole_life = [
        ("create", "INFO", "pending"),
        ("create", "INFO", "success"),
        ("delete", "INFO", "pending"),
        ("delete", "INFO", "success"),
    ];
    let about = listener.hears(&cluster, &whole_life);
    assert_eq!(content(&about[3])["status"], "DELETE_COMPLETE");
    let about = listener.hears(&failing, &[("create", "INFO", "pending"), ("create", "ERROR", "failure")]);
    assert_eq!(content(&about[1])["status"], "CREATE_FAILED");
    service.gone(&token, &failing);
}

/// By TLS, with an authority of the operator's own; a broker that none vouches for is told nothing.
#[test]
fn by_tls_to_a_broker_that_can_be_believed() {
    let mut rabbit = Rabbit::absent();
    rabbit.start();
    let url = rabbit.tls_url();
    let trusting = [
        ("JEROBOAM__NOTIFICATIONS__URL", url.as_str()),
        ("JEROBOAM__NOTIFICATIONS__CAFILE", &rabbit.authority()),
        ("JEROBOAM__NOTIFICATIONS__DURABLE", "true"),
    ];
    let service = Service::start(&trusting);
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({}));
    let cluster = service.cluster(&token, &template, json!({"node_count": 0}));
    let mut listener = Listener::start(&rabbit);
    listener.hears(&cluster, &[("create", "INFO", "pending")]);
    service.gone(&token, &cluster);
    all_sent(&service);

    let service = Service::start(&[trusting[0]]);
    let template = service.template(&token, json!({}));
    let cluster = service.cluster(&token, &template, json!({"node_count": 0}));
    wait_for("the broker to be refused", Duration::from_secs(60), || {
        service.log().contains("notifications cannot be sent; trying again").then_some(())
    });
    assert!(service.log().contains("certificate verify failed"));
    service.gone(&token, &cluster);
    assert!(waiting(&service) > 0);
}

/// A queue that somebody deleted: what goes there is held back until it is there again, not lost.
#[test]
fn a_deleted_queue_is_made_again() {
    let mut rabbit = Rabbit::absent();
    rabbit.start();
    let service = Service::start(&[
        ("JEROBOAM__NOTIFICATIONS__URL", &rabbit.url("amqp")),
        ("JEROBOAM__NOTIFICATIONS__DURABLE", "true"),
    ]);
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({}));
    let cluster = service.cluster(&token, &template, json!({"node_count": 0}));
    service.complete(&token, &cluster);
    all_sent(&service);
    rabbit.delete_queue("notifications.info");
    service.gone(&token, &cluster);
    all_sent(&service);
    assert!(service.log().contains("no queue holds notifications any more"));
    Listener::start(&rabbit).hears(&cluster, &[("delete", "INFO", "pending"), ("delete", "INFO", "success")]);
}

#[test]
fn without_a_broker_nothing_is_recorded_and_a_wrong_one_is_refused() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({}));
    let cluster = service.cluster(&token, &template, json!({"node_count": 0}));
    service.gone(&token, &cluster);
    assert_eq!(waiting(&service), 0);
    for url in ["http://user:geheim@host", "geheim", "amqp://user:geheim@host:port"] {
        let service = Service::prepare("serve", &[("JEROBOAM__NOTIFICATIONS__URL", url)]);
        let output = service.run(&["serve"]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains("[notifications] url"), "{text}");
        assert!(!text.contains("geheim"), "{text}");
    }
}

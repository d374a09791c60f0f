//! Masters that answer as those of Mesos 1.11 do, without TLS; tests/mesos_clusters.rs has some with it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Leader, Way, attribute};
use crate::link::Fault;

const DEADLINE: Duration = Duration::from_secs(5);

/// What a master answers to a request of that path, and with what.
type Says = Box<dyn Fn(&str) -> (u16, Value) + Send + Sync>;

/// Masters of one cluster: each at an address of its own on loopback, at the same port.
struct Masters {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Masters {
    async fn start(all: Vec<(&'static str, Says)>) -> Self {
        let first = tokio::net::TcpListener::bind((all[0].0, 0)).await.unwrap();
        let port = first.local_addr().unwrap().port();
        let masters = Self { port, asked: Arc::default() };
        let mut listener = Some(first);
        for (address, says) in all {
            let listener = match listener.take() {
                Some(first) => first,
                None => tokio::net::TcpListener::bind((address, port)).await.unwrap(),
            };
            let asked = masters.asked.clone();
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let mut request = vec![0; 4096];
                    let read = stream.read(&mut request).await.unwrap();
                    let text = String::from_utf8_lossy(&request[..read]).into_owned();
                    let (head, body) = text.split_once("\r\n\r\n").unwrap();
                    let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1");
                    asked.lock().unwrap().push(format!("{address} {line} {body}").trim_end().to_owned());
                    let (status, answer) = says(line.split(' ').nth(1).unwrap());
                    let answer = answer.to_string();
                    let length = answer.len();
                    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                    stream.write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
                }
            });
        }
        masters
    }

    fn way(&self, api: &str, masters: &[&str]) -> Way {
        let masters: Vec<String> = masters.iter().map(|address| (*address).to_owned()).collect();
        Way::to(&format!("http://{api}:{}", self.port), &masters, None, DEADLINE)
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn leads(slaves: Value) -> Says {
    Box::new(move |path| match path {
        "/state-summary" => (200, json!({"hostname": "m", "slaves": slaves, "frameworks": []})),
        "/api/v1" => (202, json!("")),
        _ => (200, json!("")),
    })
}

fn answers(status: u16, text: &'static str) -> Says {
    Box::new(move |_| (status, json!(text)))
}

fn agent(id: &str, active: bool, drain: Option<&str>) -> Value {
    let mut agent = json!({
        "id": id, "active": active, "hostname": "10.0.0.8", "TASK_STAGING": 1, "TASK_STARTING": 0, "TASK_RUNNING": 3,
        "TASK_KILLING": 2, "TASK_FINISHED": 90, "TASK_UNREACHABLE": 9,
        "attributes": {"node": format!("c-w-{id}"), "nodegroup": "default-worker", "rack": 7},
    });
    if let Some(state) = drain {
        agent["drain_info"] = json!({"state": state, "config": {"mark_gone": false}});
    }
    agent
}

fn fault<T>(result: Result<T, Fault>) -> Fault {
    result.err().expect("a fault")
}

#[tokio::test]
async fn agents_are_read_from_the_summary() {
    let agents = json!([agent("0", true, None), agent("1", false, None), agent("2", true, Some("DRAINING"))]);
    let masters = Masters::start(vec![("127.0.0.1", leads(agents))]).await;
    let leader = Leader::reach(&masters.way("127.0.0.1", &["127.0.0.1"])).await.unwrap();
    let seen: Vec<_> = leader.agents().iter().map(|a| (a.name.as_str(), a.active, a.tasks)).collect();
    assert_eq!(seen, [("c-w-0", true, 6), ("c-w-1", false, 6), ("c-w-2", false, 6)]);
    assert_eq!(leader.agents()[0].nodegroup, "default-worker");
    assert_eq!(attribute("gpü/1"), "gp___1");
}

#[tokio::test]
async fn the_one_that_leads_is_found_among_those_that_do_not() {
    let masters =
        Masters::start(vec![("127.0.0.1", answers(307, "")), ("127.0.0.2", leads(json!([agent("0", true, None)])))])
            .await;
    let way = masters.way("127.0.0.1", &["127.0.0.1", "127.0.0.2"]);
    let leader = Leader::reach(&way).await.unwrap();
    leader.remove("c-w-0").await.unwrap();
    let order = r#"{"type":"MARK_AGENT_GONE","mark_agent_gone":{"agent_id":{"value":"0"}}}"#;
    assert_eq!(masters.asked().last().unwrap(), &format!("127.0.0.2 POST /api/v1 {order}"));
    assert_eq!(way.health().await, [("127.0.0.1".to_owned(), Ok(307)), ("127.0.0.2".to_owned(), Ok(200))]);
}

/// A balancer takes masters in turn.
#[tokio::test]
async fn behind_a_balancer_it_is_asked_until_the_leader_answers() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let summary = json!({"slaves": []});
    let balancer: Says = Box::new(move |_| match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 | 1 => (307, json!("")),
        _ => (200, summary.clone()),
    });
    let masters = Masters::start(vec![("127.0.0.1", balancer)]).await;
    assert!(Leader::reach(&masters.way("127.0.0.1", &["127.0.0.9"])).await.is_ok());
    assert_eq!(masters.asked().len(), 3);
    let masters = Masters::start(vec![("127.0.0.1", answers(307, ""))]).await;
    let why = fault(Leader::reach(&masters.way("127.0.0.1", &["127.0.0.1"])).await);
    assert!(matches!(&why, Fault::Unreachable(text) if text.ends_with("another master leads")), "{why:?}");
}

#[tokio::test]
async fn a_refusal_is_the_clusters_own_word() {
    let masters = Masters::start(vec![("127.0.0.1", answers(307, "")), ("127.0.0.2", answers(503, "no leader"))]).await;
    let why = fault(Leader::reach(&masters.way("127.0.0.1", &["127.0.0.1", "127.0.0.2"])).await);
    assert_eq!(why, Fault::Refused("No master leads the others".to_owned()));
    for (status, text, shown) in [(403, "go away", "answers 403: \"go away\""), (200, "x", "cannot be read")] {
        let masters = Masters::start(vec![("127.0.0.1", answers(status, text))]).await;
        let why = fault(Leader::reach(&masters.way("127.0.0.1", &["127.0.0.1"])).await);
        assert!(matches!(&why, Fault::Refused(text) if text.contains(shown)), "{why:?}");
    }
}

#[tokio::test]
async fn an_agent_is_drained_once_and_done_when_the_master_says_so() {
    let grace = Duration::from_secs(40);
    let agents = |state| json!([agent("0", true, state), agent("1", false, None)]);
    for (state, done, orders) in [(None, false, 1), (Some("DRAINING"), false, 0), (Some("DRAINED"), true, 0)] {
        let masters = Masters::start(vec![("127.0.0.1", leads(agents(state)))]).await;
        let leader = Leader::reach(&masters.way("127.0.0.1", &["127.0.0.1"])).await.unwrap();
        masters.asked();
        assert_eq!(leader.drain("c-w-0", grace).await, Ok(done), "{state:?}");
        let asked = masters.asked();
        assert_eq!(asked.len(), orders, "{asked:?}");
        if orders == 1 {
            let order =
                r#"{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"0"},"max_grace_period":{"seconds":40}}}"#;
            assert_eq!(asked[0], format!("127.0.0.1 POST /api/v1 {order}"));
        }
        assert_eq!(leader.drain("c-w-1", grace).await, Ok(true), "it is away");
        assert_eq!(leader.drain("unknown", grace).await, Ok(true));
        leader.restore("c-w-0").await.unwrap();
        let restored = masters.asked().iter().filter(|asked| asked.contains("REACTIVATE_AGENT")).count();
        assert_eq!(restored, usize::from(state.is_some()), "{state:?}");
    }
}

#[tokio::test]
async fn a_service_is_asked_wherever_the_cluster_answers() {
    let masters = Masters::start(vec![("127.0.0.2", answers(502, ""))]).await;
    let way = masters.way("127.0.0.1", &["127.0.0.2"]);
    assert_eq!(way.probe(masters.port, "/ping").await, Ok(502));
    assert_eq!(masters.asked(), ["127.0.0.2 GET /ping"]);
    assert!(matches!(way.probe(1, "/ping").await, Err(Fault::Unreachable(_))));
}

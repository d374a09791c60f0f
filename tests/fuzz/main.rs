//! Thousands of wrong requests to every route of the OpenAPI document, as a member of a project: each is refused in the
//! contract's words or done, none is a failure of ours, and the log says one line of each.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

mod generate;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use generate::{Generator, Wanted};
use serde_json::{Value, json};
use support::cloud::CLOUD;
use support::http::request;
use support::service::Service;

const REQUESTS: usize = 5000;
/// Requests at a time.
const PARALLEL: usize = 8;
/// `JEROBOAM_FUZZ_SEED` sets another.
const SEED: u64 = 9511;

/// What came of a request.
struct Outcome {
    wanted: Wanted,
    status: u16,
    id: String,
    text: String,
}

/// The API alone, so that what is accepted by chance costs the cloud nothing.
fn service() -> (Service, String, Vec<(&'static str, String)>) {
    let service = Service::prepare("api", &[("JEROBOAM_LOG", "info"), ("JEROBOAM__QUOTA__CLUSTERS_PER_PROJECT", "50")]);
    let service = service.started();
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({"name": "known-template"}));
    let cluster = service.cluster(&token, &template, json!({"name": "known-cluster", "node_count": 0}));
    let known = vec![("{template}", template), ("{cluster}", cluster), ("{project}", CLOUD.project("demo").to_owned())];
    (service, token, known)
}

async fn send(client: &reqwest::Client, root: &str, token: &str, wanted: Wanted) -> Outcome {
    let url = format!("{root}{}", wanted.path);
    let mut request = client.request(wanted.method.parse().unwrap(), &url).header("x-auth-token", token);
    for (name, value) in &wanted.headers {
        request = request.header(*name, value.as_str());
    }
    if let Some(body) = &wanted.body {
        request = request.body(body.clone());
    }
    // A refusal that comes before the whole body was read may be lost with the connection's end: that is TCP's.
    let large = wanted.body.as_ref().is_some_and(|body| body.len() > 1 << 16);
    let answer = match request.try_clone().unwrap().send().await {
        Err(_) if large => request.send().await,
        outcome => outcome,
    };
    let answer = answer.unwrap_or_else(|error| panic!("{} {url}: {error:?}", wanted.method));
    let status = answer.status().as_u16();
    let id = answer.headers().get("x-openstack-request-id").map(|id| id.to_str().unwrap().to_owned());
    let text = answer.text().await.unwrap();
    Outcome { id: id.unwrap_or_else(|| panic!("{url}: no request id")), wanted, status, text }
}

fn run(service: &Service, token: &str, wanted: Vec<Wanted>) -> Vec<Outcome> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_secs(60))
        .build()
        .unwrap();
    let queue = Arc::new(std::sync::Mutex::new(wanted.into_iter()));
    runtime.block_on(async {
        let workers: Vec<_> = (0..PARALLEL)
            .map(|_| {
                let (queue, client) = (queue.clone(), client.clone());
                let (root, token) = (service.root(), token.to_owned());
                tokio::spawn(async move {
                    let mut outcomes = Vec::new();
                    loop {
                        let Some(wanted) = queue.lock().unwrap().next() else { return outcomes };
                        outcomes.push(send(&client, &root, &token, wanted).await);
                    }
                })
            })
            .collect();
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.await.unwrap());
        }
        all
    })
}

/// What is wrong with the answer, if anything.
fn complaint(outcome: &Outcome) -> Option<String> {
    let status = outcome.status;
    if status >= 500 {
        return Some("a failure of ours".into());
    }
    if status < 400 {
        return None;
    }
    let Ok(body) = serde_json::from_str::<Value>(&outcome.text) else {
        return (outcome.wanted.method != "HEAD").then(|| "no JSON".into());
    };
    if status == 401 {
        return (body["error"]["code"] != 401).then(|| "not Keystone's shape".into());
    }
    let [error] = &body["errors"].as_array().map(Vec::as_slice).unwrap_or_default() else {
        return Some("not one error".into());
    };
    if error["code"] == "magnum.microversion-unsupported" {
        return None;
    }
    if error["status"] != status || error["request_id"] != "" || error["links"] != json!([]) {
        return Some("not Magnum's shape".into());
    }
    let detail = error["detail"].as_str().unwrap_or_default();
    if status == 400 && detail.is_empty() {
        return Some("no detail".into());
    }
    if detail.chars().count() > 1500 {
        return Some("the answer repeats too much".into());
    }
    if status == 400 { vague(detail, outcome.wanted.suspect.as_ref()) } else { None }
}

/// What a refusal does not say, if anything; `suspect` is the one field that is wrong, with its value.
fn vague(detail: &str, suspect: Option<&(String, String)>) -> Option<String> {
    // The form of single fields; other refusals have Magnum's own words, which name the value or the field.
    if detail.starts_with("Invalid input for field/attribute ") {
        let ends = ["Allowed: ", "Cannot set read only field.", "Mandatory field missing.", "Value not a valid list: "];
        if !detail.contains(". Value: '") || !ends.iter().any(|end| detail.contains(end)) {
            return Some("names neither value nor what is allowed".into());
        }
        return suspect.filter(|(field, _)| !detail.contains(field)).map(|(field, _)| format!("does not name {field}"));
    }
    let (field, value) = suspect?;
    (!detail.contains(field) && !detail.contains(value)).then(|| format!("names neither {field} nor {value}"))
}

#[test]
fn whatever_is_asked_is_answered() {
    let began = std::time::Instant::now();
    let seed = std::env::var("JEROBOAM_FUZZ_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    eprintln!("seed {seed}");
    let (service, token, known) = service();
    let document = request("GET", &format!("{}/openapi.json", service.root()), &[], None).json();
    let mut generator = Generator::new(seed, document, known);
    let wanted: Vec<_> = (0..REQUESTS).map(|_| generator.request()).collect();
    let outcomes = run(&service, &token, wanted);
    assert_eq!(outcomes.len(), REQUESTS);

    let mut wrong: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| {
            let why = complaint(outcome)?;
            let (wanted, text) = (&outcome.wanted, outcome.text.chars().take(300).collect::<String>());
            let body =
                wanted.body.as_ref().map(|body| String::from_utf8_lossy(body).chars().take(300).collect::<String>());
            Some(format!(
                "{why}: {} {} {:?} {body:?}\n  -> {} {text}",
                wanted.method, wanted.path, wanted.headers, outcome.status
            ))
        })
        .collect();
    let complaints = wrong.len();
    wrong.truncate(20);
    assert!(wrong.is_empty(), "{complaints} of {REQUESTS}, with seed {seed}:\n{}", wrong.join("\n"));

    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    for outcome in &outcomes {
        *statuses.entry(outcome.status).or_default() += 1;
    }
    eprintln!("{statuses:?} in {:?}", began.elapsed());
    for status in [200, 400, 403, 404, 406, 413, 415] {
        assert!(statuses.contains_key(&status), "nothing was answered {status}: {statuses:?}");
    }
    assert_eq!(request("GET", &format!("{}/readyz", service.root()), &[], None).status, 200);
    one_line_each(&service.log(), &outcomes);
}

/// A refused request leaves one line in the log, and nobody has panicked.
fn one_line_each(log: &str, outcomes: &[Outcome]) {
    assert!(!log.contains("panic"), "{}", support::service::tail(log));
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if let Some(id) = line["span"]["id"].as_str() {
            *lines.entry(id.to_owned()).or_default() += 1;
        }
    }
    for outcome in outcomes.iter().filter(|outcome| outcome.status >= 400) {
        let count = lines.get(&outcome.id).copied().unwrap_or(0);
        assert_eq!(count, 1, "{} {} left {count} lines", outcome.wanted.method, outcome.wanted.path);
    }
}

//! Following stacks costs the same, however many are in flight.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::cloud::CLOUD;
use support::service::Service;
use support::{unique, wait_for};

/// The paths that the service has asked of Heat, in order.
fn asked_of_heat(service: &Service) -> Vec<String> {
    let lines = service.log();
    let calls = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_heat = calls.filter(|call| call["message"] == "asked the cloud" && call["service"] == "Heat");
    of_heat.map(|call| call["path"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn one_listing_per_tick_serves_all_clusters_of_a_project() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let template = service.template(&token, json!({}));
    let name = unique("many");
    let faults =
        CLOUD.faults(vec![json!({"stack": name, "type": "OS::Neutron::Net", "action": "CREATE", "hold": true})]);
    let clusters: Vec<_> =
        (0..6).map(|n| service.cluster(&token, &template, json!({"name": format!("{name}-{n}")}))).collect();
    wait_for("all stacks to be submitted", Duration::from_secs(120), || {
        clusters.iter().all(|cluster| service.show(&token, cluster)["cluster_id"].is_string()).then_some(())
    });
    // The step after the submission may still be about to begin: one listing later all are waiting.
    let listings = |paths: &[String]| paths.iter().filter(|path| path.ends_with("/stacks")).count();
    let mark = |least: usize| {
        wait_for("another listing", Duration::from_secs(60), || {
            let asked = asked_of_heat(&service);
            (listings(&asked) >= least).then_some(asked)
        })
    };
    let begin = mark(listings(&asked_of_heat(&service)) + 2);
    let end = mark(listings(&begin) + 5);
    let meanwhile = &end[begin.len()..];
    assert!(meanwhile.iter().all(|path| path.ends_with("/stacks")), "{meanwhile:?}");

    drop(faults);
    for cluster in &clusters {
        service.complete(&token, cluster);
    }
    for cluster in &clusters {
        service.gone(&token, cluster);
    }
}

//! Shapes of clusters on the real cloud: every pair of what a request can choose comes up, is well, and goes; every
//! combination that the driver knows passes Heat's own check.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

mod support;

#[path = "../drivers/tests/kubernetes/combinations.rs"]
#[allow(dead_code, reason = "the driver's own tests use the rest")]
mod combinations;
#[path = "../drivers/tests/mesos/shapes.rs"]
#[allow(dead_code, reason = "the driver's own tests use the rest")]
mod mesos;
#[path = "../drivers/tests/swarm/combinations.rs"]
#[allow(dead_code, reason = "the driver's own tests use the rest")]
mod swarms;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use support::cloud::CLOUD;
use support::http::Answer;
use support::service::Service;
use support::shape::{Checked, Network, Shape};
use support::unique;

/// How many clusters live at once; a node's first boot keeps a processor busy.
const AT_ONCE: usize = 4;

const UBUNTU: &str = "ubuntu-24.04";
const DEBIAN: &str = "debian-12";
const COREOS: &str = "fedora-coreos-latest";
const FLATCAR: &str = "flatcar";

/// (image, masters, workers, network, load balancer, floating IPs, container volume, etcd volume, boot volume, calico)
type Row = (&'static str, u32, u32, Network, bool, bool, bool, bool, bool, bool);

const N: bool = false;
const Y: bool = true;

/// Every two values of two different columns stand together in a row, but several masters without a load balancer,
/// which the API refuses. Big ones come first, so that the last to end is small.
const ROWS: [Row; 14] = [
    (FLATCAR, 5, 3, Network::Own, Y, Y, Y, N, N, Y),
    (UBUNTU, 5, 3, Network::Subnet, Y, Y, N, Y, Y, N),
    (DEBIAN, 3, 3, Network::Subnet, Y, N, Y, Y, N, Y),
    (FLATCAR, 5, 1, Network::Subnet, Y, Y, Y, Y, N, Y),
    (DEBIAN, 5, 0, Network::Found, Y, Y, Y, N, Y, Y),
    (COREOS, 5, 0, Network::Found, Y, N, N, Y, N, N),
    (COREOS, 1, 3, Network::Subnet, N, Y, Y, N, Y, Y),
    (COREOS, 3, 1, Network::Own, Y, Y, N, N, Y, N),
    (FLATCAR, 1, 3, Network::Found, N, N, N, N, Y, Y),
    (UBUNTU, 3, 1, Network::Found, Y, Y, N, N, N, Y),
    (FLATCAR, 3, 0, Network::Found, Y, N, N, N, Y, N),
    (DEBIAN, 1, 1, Network::Own, N, N, N, N, N, Y),
    (DEBIAN, 1, 0, Network::Subnet, Y, N, N, Y, N, N),
    (UBUNTU, 1, 0, Network::Own, N, N, Y, Y, Y, N),
];

fn shape(row: Row) -> Shape {
    let (image, masters, workers, network, balanced, floating, runtime_volume, etcd_volume, boot_volume, calico) = row;
    Shape { image, masters, workers, network, balanced, floating, runtime_volume, etcd_volume, boot_volume, calico }
}

/// The list above keeps its word, for all values that it names and those that it must.
#[test]
fn every_two_choices_stand_together() {
    let columns = |row: &Row| {
        let flags = [row.4, row.5, row.6, row.7, row.8, row.9].map(|flag| flag.to_string());
        let mut values = vec![row.0.to_owned(), row.1.to_string(), row.2.to_string(), format!("{:?}", row.3)];
        values.extend(flags);
        values
    };
    let rows: Vec<Vec<String>> = ROWS.iter().map(columns).collect();
    let values = |column: usize| rows.iter().map(|row| &row[column]).collect::<BTreeSet<_>>();
    assert_eq!(values(0), [DEBIAN, COREOS, FLATCAR, UBUNTU].map(str::to_owned).iter().collect());
    assert_eq!(values(1), ["1", "3", "5"].map(str::to_owned).iter().collect());
    assert!(values(2).len() > 2 && values(3).len() == 3 && (4..10).all(|column| values(column).len() == 2));
    for first in 0..10 {
        for second in first + 1..10 {
            for one in values(first) {
                for other in values(second) {
                    if (first, second) == (1, 4) && one != "1" && other == "false" {
                        continue;
                    }
                    let together = rows.iter().any(|row| &row[first] == one && &row[second] == other);
                    assert!(together, "no row has {one} in column {first} and {other} in column {second}");
                }
            }
        }
    }
}

/// Made through the API, complete with every node ready, and gone again; some at a time.
#[test]
fn every_shape_comes_up_is_well_and_goes() {
    let service = Service::start(&[]);
    let token = CLOUD.token("demo");
    let started = Instant::now();
    let next = AtomicUsize::new(0);
    let one_after_another = || {
        while let Some(row) = ROWS.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (shape, since) = (shape(*row), Instant::now());
            let checked = Checked::made(&service, &token, shape);
            checked.is_well(&service, &token);
            let made = since.elapsed();
            checked.goes(&service, &token);
            eprintln!("{:>5.1} s, gone after {:>5.1} s: {shape:?}", made.as_secs_f32(), since.elapsed().as_secs_f32());
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(one_after_another)).collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    eprintln!("{} shapes in {:.1} s", ROWS.len(), started.elapsed().as_secs_f32());
}

/// What stands in the driver's combinations for things of a cloud, and what this cloud has of the kind.
const OF_THIS_CLOUD: [(&str, &str); 6] = [
    ("9f4de1a7-0d2c-4b59-9c9b-0f7b3a1c0d11", UBUNTU),
    ("c3c3c3c3-0000-4000-8000-000000000003", "private"),
    ("d4d4d4d4-0000-4000-8000-000000000004", "private-subnet"),
    ("e0e0e0e0-0000-4000-8000-00000000000e", "public"),
    ("fast", "ssd"),
    ("slow", "lvmdriver-1"),
];

fn of_this_cloud(document: &mut Value) {
    match document {
        Value::String(text) => {
            if let Some((_, ours)) = OF_THIS_CLOUD.iter().find(|(theirs, _)| text == theirs) {
                *text = (*ours).to_owned();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(of_this_cloud),
        Value::Object(members) => members.values_mut().for_each(of_this_cloud),
        _ => {}
    }
}

/// The request that would make the stack of this combination.
fn request(shape: &combinations::Shape) -> Value {
    request_of("kubernetes", &shape.spec())
}

fn request_of(driver: &str, spec: &drivers::ClusterSpec) -> Value {
    let stack = drivers::find(driver).unwrap().stack(spec).unwrap();
    let mut template = stack.template.clone();
    of_this_cloud(&mut template);
    let nested = |text: &String| match serde_json::from_str::<Value>(text) {
        // Ignition is JSON too, and takes no harm.
        Ok(mut document) => {
            of_this_cloud(&mut document);
            document.to_string()
        }
        Err(_) => text.clone(),
    };
    let files: serde_json::Map<_, _> =
        stack.files.iter().map(|(name, text)| (name.clone(), nested(text).into())).collect();
    json!({
        "stack_name": unique("preview"), "template": template, "files": files,
        "environment": stack.environment(), "timeout_mins": stack.timeout_mins,
    })
}

fn preview(token: &str, body: &Value) -> Answer {
    let path = format!("/v1/{}/stacks/preview", CLOUD.project("demo"));
    CLOUD.call("heat", token, "POST", &path, Some(body))
}

/// Heat's preview resolves the template and its members, and looks every property and constraint up.
#[test]
fn heat_accepts_a_sample_of_all_combinations() {
    let token = CLOUD.token("demo");
    let all = combinations::all();
    // JEROBOAM_TEST_EVERY=1 takes all; 11 shares no factor with the counts that the combinations are made of.
    let every = std::env::var("JEROBOAM_TEST_EVERY").map_or(11, |text| text.parse().unwrap());
    let sample: Vec<_> = all.iter().step_by(every).collect();
    assert!(sample.len() >= 40, "{} of {}", sample.len(), all.len());
    for part in ["ubuntu", "debian", "fedora-coreos", "flatcar", "-1m-", "-3m-", "-5m-", "-0w", "-1w", "-3w"] {
        assert!(sample.iter().any(|shape| shape.name().contains(part)), "none of the sample is {part}");
    }
    for shape in &sample {
        let answer = preview(&token, &request(shape));
        assert_eq!(answer.status, 200, "{}: {}", shape.name(), answer.text);
        let stack = &answer.json()["stack"];
        let servers = stack["resources"].as_array().unwrap().iter();
        let masters = servers.filter(|resource| resource["resource_type"] == "OS::Nova::Server").count();
        assert_eq!(masters, shape.masters as usize, "{}", shape.name());
    }
    eprintln!("Heat accepts {} of {} combinations, all that were asked", sample.len(), all.len());
}

/// The same of swarms, whose graph is the same but for ports, volumes and names.
#[test]
fn heat_accepts_a_sample_of_swarms() {
    let token = CLOUD.token("demo");
    let every = std::env::var("JEROBOAM_TEST_EVERY").map_or(13, |text| text.parse().unwrap());
    let sample: Vec<_> = swarms::all().step_by(every).collect();
    assert!(sample.len() >= 12, "{}", sample.len());
    for (shape, spec) in &sample {
        let answer = preview(&token, &request_of("swarm", spec));
        assert_eq!(answer.status, 200, "{}: {}", shape.name(), answer.text);
    }
}

/// The same of Mesos clusters, whose load balancers carry Marathon too.
#[test]
fn heat_accepts_a_sample_of_mesos_clusters() {
    let token = CLOUD.token("demo");
    let every = std::env::var("JEROBOAM_TEST_EVERY").map_or(17, |text| text.parse().unwrap());
    let sample: Vec<_> = mesos::every().into_iter().step_by(every).collect();
    assert!(sample.len() >= 40, "{}", sample.len());
    for part in
        ["ubuntu", "debian", "-1m-", "-3m-", "-5m-", "-0w", "-3w", "-lb", "-net", "-fip", "-vol", "-plain", "-marathon"]
    {
        let with = sample.iter().filter(|shape| shape.name().contains(part)).count();
        assert!((1..sample.len()).contains(&with), "{with} of the sample are {part}");
    }
    for shape in &sample {
        let answer = preview(&token, &request_of("mesos", &shape.spec()));
        assert_eq!(answer.status, 200, "{}: {}", shape.name(), answer.text);
    }
}

/// The check above can fail: in the template, in a member, and in what a property names.
#[test]
fn heat_refuses_what_is_wrong() {
    let token = CLOUD.token("demo");
    let body = request(&combinations::Shape::named("ubuntu-1m-1w-flannel").unwrap());
    assert_eq!(preview(&token, &body).status, 200);
    let refused = |edit: &dyn Fn(&mut Value), says: &str| {
        let mut body = body.clone();
        edit(&mut body);
        let answer = preview(&token, &body);
        assert_eq!(answer.status, 400, "{says}: {}", answer.text);
        assert!(answer.text.contains(says), "{says}: {}", answer.text);
    };
    let server = "/template/resources/master_0/properties";
    refused(&|body| body.pointer_mut(server).unwrap()["colour"] = "red".into(), "colour");
    refused(&|body| body.pointer_mut(server).unwrap()["flavor"] = "m9.none".into(), "m9.none");
    refused(
        &|body| {
            let member = body["files"]["worker.yaml"].as_str().unwrap().replace("allowed_address_pairs", "pairs");
            body["files"]["worker.yaml"] = member.into();
        },
        "pairs",
    );
}

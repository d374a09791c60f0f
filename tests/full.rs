//! Our templates and real Nova, Neutron and Glance: only where `tests/cloud/up full` brought them up. What is left behind is
//! counted in the whole project, so one test runs at a time, with many lives side by side in it.
//!
//! Volumes stay out: this cloud has no block storage that Nova could attach from.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::cloud::CLOUD;
use support::service::Service;
use support::shape::{Checked, Network, Shape};
use support::{skipped, unique, wait_for};

const REGION: &str = "RegionTwo";

/// Every engine, and what its template asks for.
const ENGINES: [(&str, &str); 3] = [
    ("kubernetes", "--image ubuntu-24.04 --network-driver flannel"),
    ("swarm-mode", "--image debian-12 --network-driver docker"),
    ("mesos", "--image debian-12 --network-driver docker"),
];

const PLAIN: Shape = Shape {
    image: "ubuntu-24.04",
    masters: 1,
    workers: 1,
    network: Network::Own,
    balanced: false,
    floating: false,
    runtime_volume: false,
    etcd_volume: false,
    boot_volume: false,
    calico: false,
};

const SHAPES: [(&str, Shape); 4] = [
    ("floating addresses, no load balancer", Shape { floating: true, ..PLAIN }),
    (
        "three masters, a load balancer, floating addresses",
        Shape { image: "fedora-coreos-latest", masters: 3, workers: 2, balanced: true, floating: true, ..PLAIN },
    ),
    ("a given network", Shape { image: "flatcar", workers: 2, network: Network::Subnet, ..PLAIN }),
    (
        "a given network, a load balancer, calico",
        Shape { image: "debian-12", workers: 0, network: Network::Found, balanced: true, calico: true, ..PLAIN },
    ),
];

/// Everything of the project that a cluster could leave behind: identifiers by kind.
fn belongings(token: &str) -> BTreeMap<&'static str, BTreeSet<String>> {
    const KINDS: [(&str, &str, &str); 9] = [
        ("nova", "/v2.1/servers", "servers"),
        ("nova", "/v2.1/os-server-groups", "server_groups"),
        ("neutron", "/v2.0/ports", "ports"),
        ("neutron", "/v2.0/networks?router:external=false", "networks"),
        ("neutron", "/v2.0/subnets", "subnets"),
        ("neutron", "/v2.0/routers", "routers"),
        ("neutron", "/v2.0/floatingips", "floatingips"),
        ("neutron", "/v2.0/security-groups", "security_groups"),
        ("neutron", "/v2.0/security-group-rules", "security_group_rules"),
    ];
    let of = |(service, path, key): (&str, &str, &'static str)| {
        let answer = CLOUD.call(service, token, "GET", path, None);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        let all = answer.json()[key].as_array().unwrap().clone();
        (key, all.iter().map(|thing| thing["id"].as_str().unwrap().to_owned()).collect())
    };
    KINDS.into_iter().map(of).collect()
}

/// The only test at this moment, and a service of the full cloud; nothing where the cloud is not full.
fn alone(test: &str) -> Option<(MutexGuard<'static, ()>, Service)> {
    static ALONE: Mutex<()> = Mutex::new(());
    if !CLOUD.about["modes"].as_array().unwrap().contains(&"full".into()) {
        skipped(test, "the cloud is not full (FULL=0 leaves it out)");
        return None;
    }
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let options =
        [("JEROBOAM__KEYSTONE__REGION_NAME", REGION), ("JEROBOAM__DRIVERS__ENABLED", "kubernetes, swarm, mesos")];
    Some((guard, Service::start(&options)))
}

/// Nova forgets a server a moment after Heat has seen it go.
fn nothing_is_left(token: &str, before: &BTreeMap<&'static str, BTreeSet<String>>) {
    wait_for("nothing to be left", Duration::from_secs(30), || (belongings(token) == *before).then_some(()));
}

/// Made on real services, complete with nodes that answer, and nothing is left.
#[test]
fn shapes_on_real_nova_and_neutron() {
    let Some((_alone, service)) = alone("shapes_on_real_nova_and_neutron") else { return };
    let token = CLOUD.token("demo");
    let before = belongings(&token);
    let started = Instant::now();
    let life = |(what, shape): (&str, Shape)| {
        let since = Instant::now();
        let checked = Checked::made_by("heat_full", &service, &token, shape);
        checked.is_well(&service, &token);
        let made = since.elapsed().as_secs_f32();
        checked.goes(&service, &token);
        eprintln!("{made:>5.1} s, gone after {:>5.1} s: {what}", since.elapsed().as_secs_f32());
    };
    std::thread::scope(|scope| {
        let lives: Vec<_> = SHAPES.into_iter().map(|shape| scope.spawn(move || life(shape))).collect();
        lives.into_iter().for_each(|life| life.join().unwrap());
    });
    nothing_is_left(&token, &before);
    eprintln!("{} shapes in {:.1} s", SHAPES.len(), started.elapsed().as_secs_f32());
}

/// By the commands users type, for every engine: from the template to the end, and nothing is left.
#[test]
fn lives_by_the_unmodified_client_on_real_nova_and_neutron() {
    let test = "lives_by_the_unmodified_client_on_real_nova_and_neutron";
    let Some((_alone, service)) = alone(test) else { return };
    let token = CLOUD.token("demo");
    let before = belongings(&token);
    std::thread::scope(|scope| {
        let (service, token) = (&service, &token);
        let live = |(engine, options)| scope.spawn(move || life_by_the_client(service, token, engine, options));
        let lives: Vec<_> = ENGINES.into_iter().map(live).collect();
        lives.into_iter().for_each(|life| life.join().unwrap());
    });
    nothing_is_left(&token, &before);
}

/// The cluster's servers, as Nova lists them.
fn servers(token: &str, name: &str) -> usize {
    let answer = CLOUD.call("nova", token, "GET", &format!("/v2.1/servers?name={name}"), None);
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["servers"].as_array().unwrap().len()
}

fn life_by_the_client(service: &Service, token: &str, engine: &str, options: &str) {
    let mut login = CLOUD.login("demo");
    login.insert("OS_REGION_NAME".to_owned(), REGION.to_owned());
    let openstack = |line: &str| {
        let output = service.openstack(&login, &line.split_whitespace().collect::<Vec<_>>());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{line}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    };
    let (template, name) = (unique(engine), unique(engine));
    openstack(&format!(
        "coe cluster template create {template} --coe {engine} {options} --external-network public --flavor m1.small \
         --master-flavor m1.small --floating-ip-disabled --keypair testkey"
    ));
    // New nodes of a swarm wait for what a manager does by its timer.
    let _quick = CLOUD.nodes(vec![json!({"name": name, "timers": 2})]);
    let accepted = openstack(&format!("coe cluster create {name} --cluster-template {template} --node-count 1"));
    assert!(accepted.contains("accepted"), "{accepted}");
    service.complete(token, &name);
    let shown: Value = serde_json::from_str(&openstack(&format!("coe cluster show {name} -f json"))).unwrap();
    assert_eq!(shown["status"], "CREATE_COMPLETE", "{shown}");
    let addresses = |shown: &Value, role: &str| shown[format!("{role}_addresses")].as_array().unwrap().len();
    assert_eq!((addresses(&shown, "master"), addresses(&shown, "node")), (1, 1), "{shown}");
    assert!(shown["api_address"].as_str().unwrap().contains("://10.0.0."), "{shown}");
    assert_eq!(servers(token, &name), 2);

    openstack(&format!("coe cluster resize {name} 2"));
    let shown = service.updated(token, &name);
    assert_eq!((addresses(&shown, "node"), servers(token, &name)), (2, 3), "{shown}");

    openstack(&format!("coe nodegroup create {name} extra --node-count 1 --flavor m1.small"));
    let group = |wanted: &str| {
        wait_for(&format!("the nodegroup to be {wanted}"), Duration::from_secs(600), || {
            let answer = service.call(token, "GET", &format!("/clusters/{name}/nodegroups/extra"), None);
            let status = if answer.status == 404 { "gone".into() } else { answer.json()["status"].clone() };
            assert!(!status.as_str().unwrap().ends_with("FAILED"), "{}", answer.text);
            (status == wanted).then_some(())
        });
    };
    group("CREATE_COMPLETE");
    assert_eq!(servers(token, &name), 4);
    openstack(&format!("coe nodegroup delete {name} extra"));
    group("gone");
    // Nova forgets a server a moment after Heat has seen it go.
    wait_for("the nodegroup's server to be gone", Duration::from_secs(30), || {
        (servers(token, &name) == 3).then_some(())
    });

    openstack(&format!("coe cluster delete {name}"));
    service.absent(token, &name);
    openstack(&format!("coe cluster template delete {template}"));
    let uuid = shown["uuid"].as_str().unwrap();
    wait_for("nothing to be left behind", Duration::from_secs(30), || {
        let census = CLOUD.census().to_string();
        (!census.contains(uuid) && !census.contains(&name)).then_some(())
    });
}

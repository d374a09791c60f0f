//! Our templates and real Nova, Neutron and Glance: only where `tests/cloud/up full` brought them up.
//!
//! Volumes stay out: this cloud has no block storage that Nova could attach from.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::time::{Duration, Instant};

use support::cloud::CLOUD;
use support::service::Service;
use support::shape::{Checked, Network, Shape};
use support::wait_for;

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

/// Made on real services, complete with nodes that answer, and nothing is left.
#[test]
fn shapes_on_real_nova_and_neutron() {
    if !CLOUD.about["modes"].as_array().unwrap().contains(&"full".into()) {
        // Not by a macro: a test's output is hidden when it passes.
        let why = "skipped shapes_on_real_nova_and_neutron: the cloud is not full (FULL=0 leaves it out)";
        writeln!(std::io::stderr(), "{why}").unwrap();
        return;
    }
    let service = Service::start(&[("JEROBOAM__KEYSTONE__REGION_NAME", "RegionTwo")]);
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
    // Nova forgets a server a moment after Heat has seen it go.
    wait_for("nothing to be left", Duration::from_secs(30), || (belongings(&token) == before).then_some(()));
    eprintln!("{} shapes in {:.1} s", SHAPES.len(), started.elapsed().as_secs_f32());
}

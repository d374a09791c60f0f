//! Prints what would be submitted to Heat for a combination: `cargo run -p drivers --example dump -- swarm:ubuntu-1m-1w`.
//! `--samples` prints the names of a few of each driver, by which others check what all of them submit.

use std::io::{Write, stdout};

use drivers::{ClusterSpec, Driver, Stack};
use serde_json::json;

#[path = "../tests/kubernetes/combinations.rs"]
mod combinations;
#[path = "../tests/schemas/generator.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the labels' own tests use the rest")]
mod generator;
#[path = "../tests/mesos/shapes.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the driver's own tests use the rest")]
mod mesos;
#[path = "../tests/swarm/combinations.rs"]
mod swarm;

/// A driver, a few of its combinations, and how one is made of its name.
type Row = (&'static str, &'static [&'static str], fn(&str) -> Option<ClusterSpec>);

const DRIVERS: &[Row] = &[
    (
        "kubernetes",
        &[
            "ubuntu-1m-1w-flannel",
            "ubuntu-3m-1w-lb-fip-vol-cilium",
            "debian-1m-0w-net-flannel",
            "debian-5m-3w-lb-net-fip-vol-calico",
        ],
        |name| combinations::Shape::named(name).map(|shape| shape.spec()),
    ),
    ("swarm", &["ubuntu-1m-1w", "debian-3m-1w-lb-net-fip-vol"], swarm::spec),
    (
        "mesos",
        &["debian-1m-0w-plain", "ubuntu-3m-3w-lb-fip-vol-marathon", "debian-5m-3w-lb-net-fip-vol-marathon"],
        |name| mesos::every().into_iter().find(|shape| shape.name() == name).map(|shape| shape.spec()),
    ),
];

/// A stack by its name: one of a row's, or `labels-<number>`, whose labels are chosen at random by that number.
fn stack(driver: &'static dyn Driver, name: &str) -> Option<Stack> {
    let seed = name.strip_prefix("labels-").and_then(|number| number.parse().ok());
    let spec = match seed {
        Some(seed) => generator::valid(driver, seed),
        None => DRIVERS.iter().find(|(known, ..)| *known == driver.name())?.2(name)?,
    };
    driver.stack(&spec).ok()
}

/// Those of the driver's row and, so that a driver needs none, the first by random labels whose nodes read cloud-config.
fn samples(driver: &'static dyn Driver) -> Vec<String> {
    let row = DRIVERS.iter().find(|(known, ..)| *known == driver.name());
    let named = row.into_iter().flat_map(|(_, names, _)| names.iter().map(|name| (*name).to_owned()));
    let is_cloud_config = |stack: &Stack| stack.files["master-user-data"].starts_with("#cloud-config");
    let mut random = (0..100).map(|seed| format!("labels-{seed}"));
    named.chain(random.find(|name| stack(driver, name).as_ref().is_some_and(is_cloud_config))).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = stdout().lock();
    for argument in std::env::args().skip(1) {
        if argument == "--samples" {
            for driver in drivers::installed() {
                for name in samples(driver) {
                    writeln!(out, "{}:{name}", driver.name())?;
                }
            }
            continue;
        }
        let (driver, name) = argument.split_once(':').ok_or("a combination is named as driver:name")?;
        let driver = drivers::find(driver).ok_or("there is no such driver")?;
        let stack = stack(driver, name).ok_or_else(|| format!("{} makes no combination {name}", driver.name()))?;
        let body = json!({
            "stack_name": name,
            "template": stack.template,
            "files": stack.files,
            "environment": stack.environment(),
            "timeout_mins": stack.timeout_mins,
        });
        writeln!(out, "{body}")?;
    }
    Ok(())
}

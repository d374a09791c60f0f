//! Prints what would be submitted to Heat for a combination: `cargo run -p drivers --example dump -- swarm:ubuntu-1m-1w`.
//! `--samples` prints the names of a few of each driver, by which others check what all of them submit.

use std::io::{Write, stdout};

use drivers::ClusterSpec;
use serde_json::json;

#[path = "../tests/kubernetes/combinations.rs"]
mod combinations;
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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = stdout().lock();
    for argument in std::env::args().skip(1) {
        if argument == "--samples" {
            for (driver, samples, _) in DRIVERS {
                for name in *samples {
                    writeln!(out, "{driver}:{name}")?;
                }
            }
            continue;
        }
        let (driver, name) = argument.split_once(':').ok_or("a combination is named as driver:name")?;
        let row = DRIVERS.iter().find(|(known, ..)| *known == driver).ok_or("there is no such driver")?;
        let spec = row.2(name).ok_or_else(|| format!("no combination of {driver} is called {name}"))?;
        let stack = drivers::find(driver).ok_or("there is no such driver")?.stack(&spec)?;
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

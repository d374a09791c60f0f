//! Prints what would be submitted to Heat for a combination: `cargo run -p drivers --example dump -- ubuntu-1m-1w-flannel`,
//! or `swarm:ubuntu-1m-1w` for one in Swarm mode, or
//! `mesos:debian-3m-3w-lb-marathon` for one of Mesos. `--list` prints the names of all combinations of Kubernetes.

use std::io::{Write, stdout};

use serde_json::json;

#[path = "../tests/kubernetes/combinations.rs"]
mod combinations;
#[path = "../tests/mesos/shapes.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the driver's own tests use the rest")]
mod mesos;
#[path = "../tests/swarm/combinations.rs"]
mod swarm;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = stdout().lock();
    for name in std::env::args().skip(1) {
        if name == "--list" {
            for shape in combinations::all() {
                writeln!(out, "{}", shape.name())?;
            }
            continue;
        }
        let (driver, spec) = match name.split_once(':') {
            Some(("mesos", name)) => {
                ("mesos", mesos::every().into_iter().find(|shape| shape.name() == name).map(|shape| shape.spec()))
            }
            Some((_, name)) => ("swarm", swarm::spec(name)),
            None => ("kubernetes", combinations::Shape::named(&name).map(|shape| shape.spec())),
        };
        let spec = spec.ok_or_else(|| format!("no combination is called {name}"))?;
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

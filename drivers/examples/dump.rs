//! Prints what would be submitted to Heat for a combination: `cargo run -p drivers --example dump -- ubuntu-1m-1w-flannel`.
//! `--list` prints the names of all combinations of Kubernetes; those of Mesos begin with `mesos-`, as
//! `mesos-debian-3m-3w-lb-marathon`.

use std::io::{Write, stdout};

use serde_json::json;

#[path = "../tests/kubernetes/combinations.rs"]
mod combinations;
#[path = "../tests/mesos/shapes.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the driver's own tests use the rest")]
mod shapes;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = stdout().lock();
    for name in std::env::args().skip(1) {
        if name == "--list" {
            for shape in combinations::all() {
                writeln!(out, "{}", shape.name())?;
            }
            continue;
        }
        let unknown = || format!("no combination is called {name}");
        let stack = if let Some(shape) = name.strip_prefix("mesos-") {
            shapes::every().into_iter().find(|known| known.name() == shape).ok_or_else(unknown)?.stack()
        } else {
            let shape = combinations::Shape::named(&name).ok_or_else(unknown)?;
            drivers::find("kubernetes").ok_or("there is no driver kubernetes")?.stack(&shape.spec())?
        };
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

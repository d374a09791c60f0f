//! Prints what would be submitted to Heat for a combination: `cargo run -p drivers --example dump -- ubuntu-1m-1w-flannel`.
//! `--list` prints the names of all combinations.

use std::io::{Write, stdout};

use serde_json::json;

#[path = "../tests/kubernetes/combinations.rs"]
mod combinations;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = stdout().lock();
    for name in std::env::args().skip(1) {
        if name == "--list" {
            for shape in combinations::all() {
                writeln!(out, "{}", shape.name())?;
            }
            continue;
        }
        let shape = combinations::Shape::named(&name).ok_or_else(|| format!("no combination is called {name}"))?;
        let driver = drivers::find("kubernetes").ok_or("there is no driver kubernetes")?;
        let stack = driver.stack(&shape.spec())?;
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

//! Labels as the operator and the cloud see them: the command that prints their schemas, which needs no configuration,
//! and Heat's own check of stacks with labels made from them.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

mod support;

#[path = "../drivers/tests/schemas/generator.rs"]
#[allow(dead_code, reason = "the drivers' own tests use the rest")]
mod generator;

use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use drivers::{ClusterSpec, Driver};
use serde_json::{Value, json};
use support::cloud::CLOUD;
use support::unique;

/// The program in an empty directory, without an environment.
fn jeroboam(arguments: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_jeroboam"));
    command.args(arguments).env_clear().current_dir(dir.path()).output().unwrap()
}

fn text(arguments: &[&str]) -> String {
    let output = jeroboam(arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_table_has_every_label_and_fits_a_terminal() {
    let all = text(&["labels"]);
    for driver in drivers::installed() {
        let own = text(&["labels", driver.name()]);
        assert!(all.contains(&own), "{}", driver.name());
        for label in driver.labels() {
            assert!(own.lines().any(|line| line.starts_with(&format!("{} ", label.key))), "{}", label.key);
        }
    }
    for line in all.lines() {
        assert!(line.chars().count() <= 120 && line.trim_end() == line, "{line:?}");
    }
    let kubernetes = text(&["labels", "kubernetes"]);
    let words = kubernetes.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("flannel_network_subnetlen a whole number from 20 to 24 Prefix length of each"), "{words}");
    assert!(words.contains("tiller_tag Tiller is gone"), "{words}");
}

#[test]
fn the_json_list_has_every_property() {
    let list = |arguments: &[&str]| serde_json::from_str::<Vec<Value>>(&text(arguments)).unwrap();
    let count: usize = drivers::installed().iter().map(|driver| driver.labels().len()).sum();
    assert_eq!(list(&["labels", "--json"]).len(), count);
    let labels = list(&["labels", "--json", "kubernetes"]);
    let label = |key: &str| labels.iter().find(|label| label["key"] == key).unwrap();
    assert_eq!(
        *label("flannel_network_subnetlen"),
        json!({
            "driver": "kubernetes", "key": "flannel_network_subnetlen",
            "kind": {"type": "integer", "min": 20, "max": 28}, "allowed": "a whole number from 20 to 28",
            "default": "24", "meaning": "Prefix length of each node's part of the pod network.", "since": "0.1.0",
            "obsolete": null, "conflicts": [],
        })
    );
    assert_eq!(label("kube_install")["kind"], json!({"type": "one_of", "values": ["image", "packages"]}));
    assert_eq!(label("use_podman")["obsolete"], "containerd is the only runtime");
    let conflicts = json!([
        {"conflict": "without", "label": "kube_tarball_sha256"}, {"conflict": "with", "label": "kube_packages_url"},
    ]);
    assert_eq!(label("kube_tarball_url")["conflicts"], conflicts);
}

#[test]
fn a_driver_that_is_not_there_is_named_with_those_that_are() {
    let output = jeroboam(&["labels", "nomad", "--json"]);
    assert!(!output.status.success() && output.stdout.is_empty());
    let names: Vec<_> = drivers::installed().iter().map(|driver| driver.name()).collect();
    let wanted = format!("jeroboam: driver is \"nomad\"; allowed: {}\n", names.join(", "));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), wanted);
}

/// Stacks of each driver that Heat is asked about, and how many at once.
const SAMPLE: u64 = 100;
const AT_ONCE: usize = 4;

/// What stands for names of volume types and networks that the cloud would have to have.
fn of_this_cloud(mut spec: ClusterSpec) -> ClusterSpec {
    for (key, value) in &mut spec.desired.labels {
        match key.as_str() {
            key if key.ends_with("volume_type") => "ssd".clone_into(value),
            "extra_network_name" | "extra_network_names" => "private".clone_into(value),
            _ => {}
        }
    }
    for group in [&mut spec.masters, &mut spec.workers] {
        group.labels.clone_from(&spec.desired.labels);
    }
    spec
}

/// Has Heat resolve the stack with its members, and look every property and constraint up; nothing is made.
fn preview(token: &str, driver: &dyn Driver, seed: u64) {
    let spec = of_this_cloud(generator::valid(driver, seed));
    let labels = &spec.desired.labels;
    let stack = driver.stack(&spec).unwrap_or_else(|error| panic!("{} {seed}: {error}: {labels:?}", driver.name()));
    let body = json!({
        "stack_name": unique("labels"), "template": stack.template, "files": stack.files,
        "environment": stack.environment(), "timeout_mins": stack.timeout_mins,
    });
    let path = format!("/v1/{}/stacks/preview", CLOUD.project("demo"));
    let answer = CLOUD.call("heat", token, "POST", &path, Some(&body));
    assert_eq!(answer.status, 200, "{} {seed}: {labels:?}: {}", driver.name(), answer.text);
}

#[test]
fn heat_accepts_a_sample_of_valid_labels() {
    let token = CLOUD.token("demo");
    for driver in drivers::installed() {
        let (next, began) = (AtomicU64::new(0), Instant::now());
        // The first label of a set is that of its number: the sample goes round all of them.
        let step = 1 + driver.labels().len() as u64 / SAMPLE;
        let work = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= SAMPLE {
                    return;
                }
                preview(&token, driver, number * step);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(work);
            }
        });
        eprintln!("{}: Heat accepts {SAMPLE} sets of labels, in {:.1} s", driver.name(), began.elapsed().as_secs_f32());
    }
}

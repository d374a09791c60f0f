//! What holds for every combination, and what the old driver got wrong; the numbers are those of its defects.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use drivers::{RenderError, Stack, Transition};
use serde_json::{Value, json};

use crate::shapes::{Shape, driver, every};
use crate::support::rules;
use crate::user_data::{files, markers};

/// All of them, rendered once for all tests.
static STACKS: LazyLock<Vec<(Shape, Stack)>> =
    LazyLock::new(|| every().into_iter().map(|shape| (shape, shape.stack())).collect());

fn params<'a>(template: &'a Value, server: &str) -> BTreeSet<&'a str> {
    let user_data = &template["resources"][server]["properties"]["user_data"]["str_replace_strict"];
    user_data["params"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_combination_renders_twice_to_the_same_bytes_and_fits_into_nova() {
    assert!(STACKS.len() > 700);
    for (shape, first) in STACKS.iter() {
        let second = shape.stack();
        assert_eq!(first.template.to_string(), second.template.to_string(), "{}", shape.name());
        assert_eq!(first.files, second.files, "{}", shape.name());
        for name in ["master-user-data", "worker-user-data"] {
            assert!(first.files[name].len() < 49_151, "{}: {name}", shape.name());
        }
    }
}

#[test]
fn every_marker_of_a_node_is_given_by_its_template() {
    for (shape, stack) in STACKS.iter() {
        let worker: Value = serde_json::from_str(&stack.files["worker.yaml"]).unwrap();
        let servers = (0..shape.masters).map(|i| (format!("master_{i}"), &stack.template, "master-user-data"));
        for (server, template, file) in servers.chain([("mesos-slave".to_owned(), &worker, "worker-user-data")]) {
            let there = markers(&stack.files[file]);
            let there: BTreeSet<&str> = there.iter().map(String::as_str).collect();
            assert_eq!(params(template, &server), there, "{} {server}", shape.name());
        }
    }
}

/// Defect 4: workers were open to everybody on every port.
#[test]
fn nothing_is_open_but_what_is_needed() {
    let of = |name: &str| rules(&Shape::named(name).stack()).into_iter().collect::<BTreeSet<_>>();
    let set = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<BTreeSet<_>>();
    let always = [
        "master tcp 5050-5050 node",
        "master tcp 5050-5050 0.0.0.0/0",
        "master tcp 2888-2888 master",
        "master tcp 3888-3888 master",
        "worker tcp 5051-5051 master",
        "worker tcp 31000-32000 node",
        "worker udp 31000-32000 node",
    ];
    let tls = ["master tcp 2281-2281 node"];
    let plain = ["master tcp 2181-2181 node"];
    let scheduler = ["master tcp 9090-9090 master"];
    assert_eq!(of("ubuntu-3m-3w"), set(&[&always[..], &tls].concat()));
    assert_eq!(of("ubuntu-3m-3w-plain"), set(&[&always[..], &plain].concat()));
    let marathon = ["master tcp 8443-8443 10.0.0.0/24"];
    assert_eq!(of("ubuntu-3m-3w-marathon"), set(&[&always[..], &tls, &scheduler, &marathon].concat()));
    let marathon = ["master tcp 8080-8080 10.0.0.0/24"];
    assert_eq!(of("ubuntu-3m-3w-plain-marathon"), set(&[&always[..], &plain, &scheduler, &marathon].concat()));
}

/// Defect 1: the balancer lacked its parameters; ours carries masters and Marathon, each for those who may use it.
#[test]
fn the_balancer_carries_masters_and_marathon() {
    for (name, port, marathon, kind) in
        [("ubuntu-3m-3w-lb-marathon", 5050, 8443, "HTTPS"), ("ubuntu-3m-3w-lb-plain-marathon", 5050, 8080, "HTTP")]
    {
        let stack = Shape::named(name).stack();
        let of = |resource: &str| stack.template["resources"][resource]["properties"].clone();
        assert_eq!(of("api_listener")["protocol_port"], port);
        assert_eq!(of("api_listener")["allowed_cidrs"], json!(["10.0.0.0/24", "192.0.2.0/24"]));
        assert_eq!(of("marathon_listener")["protocol_port"], marathon);
        assert_eq!(of("marathon_listener")["allowed_cidrs"], json!(["10.0.0.0/24", "198.51.100.0/24"]));
        assert_eq!(of("marathon_monitor")["type"], kind);
        assert_eq!(of("marathon_monitor")["url_path"], "/ping");
        for index in 0..3 {
            assert_eq!(of(&format!("marathon_member_{index}"))["protocol_port"], marathon);
        }
    }
    let without = Shape::named("ubuntu-3m-3w-lb").stack();
    assert!(without.template["resources"].get("marathon_listener").is_none());
}

/// Defects 16, 18 and 28: user data held a trustee's credentials, wait conditions counted nodes only, and the key of an
/// authority was a parameter.
#[test]
fn no_stack_has_a_wait_condition_a_password_or_a_token_in_clear() {
    for (shape, stack) in STACKS.iter() {
        let text = format!("{} {:?} {:?}", stack.template, stack.files, stack.parameters);
        let credentials = ["assword", "rustee", "trust_id", "ca_key"];
        for word in ["WaitCondition", "SoftwareDeployment", "key_name", "-token-000"].iter().chain(&credentials) {
            assert!(!text.contains(word), "{}: {word}", shape.name());
        }
    }
}

/// Defect 19: even numbers got a quorum that was none.
#[test]
fn masters_come_in_odd_numbers_up_to_five() {
    for (count, fine) in [(1, true), (2, false), (3, true), (4, false), (5, true), (7, false), (0, false)] {
        let mut spec = Shape::named("ubuntu-1m-3w").spec();
        spec.desired.master_count = count;
        let fields: Vec<_> = driver().check(&spec.desired).into_iter().map(|problem| problem.field).collect();
        assert_eq!(fields.is_empty(), fine, "{count}: {fields:?}");
    }
}

/// Defect 21: a floating IP was asked for before there was a way to it.
#[test]
fn floating_ips_wait_for_the_router_of_our_own_network() {
    let own = Shape::named("ubuntu-1m-3w-lb-fip-vol").stack();
    for name in ["api_fip", "master_fip_0", "mesos_slaves"] {
        assert_eq!(own.template["resources"][name]["depends_on"][0], "router_interface", "{name}");
    }
}

/// Workers leave by the identifier of their server, which the old template did not export.
#[test]
fn a_worker_is_known_by_its_server() {
    let stack = Shape::named("ubuntu-3m-3w").stack();
    let worker: Value = serde_json::from_str(&stack.files["worker.yaml"]).unwrap();
    assert_eq!(worker["outputs"]["OS::stack_id"]["value"]["get_resource"], "mesos-slave");
    assert_eq!(stack.template["resources"]["mesos_slaves"]["type"], "OS::Heat::ResourceGroup");
    let outputs = stack.template["outputs"].as_object().unwrap();
    for name in ["mesos_master", "mesos_master_private", "mesos_slaves", "mesos_slaves_private"] {
        assert!(outputs.contains_key(name), "{name}");
    }
}

#[test]
fn addresses_say_how_they_are_spoken_to() {
    let outputs = |scheme: &str| {
        let all = [
            ("api_scheme", json!(scheme)),
            ("api_address", json!("192.0.2.5")),
            ("api_private_address", json!("10.0.0.5")),
            ("api_port", json!("5050")),
            ("node_addresses", json!(["10.0.0.9"])),
        ];
        all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    };
    let read = driver().read(&outputs("https"));
    assert_eq!(read.api_address.as_deref(), Some("https://192.0.2.5:5050"));
    assert_eq!(read.node_addresses, ["10.0.0.9"]);
    assert_eq!(driver().read(&outputs("http")).api_address.as_deref(), Some("http://192.0.2.5:5050"));
    for (shape, stack) in STACKS.iter() {
        let scheme = if shape.plain { "http" } else { "https" };
        assert_eq!(stack.template["outputs"]["api_scheme"]["value"], scheme, "{}", shape.name());
    }
}

/// Defect 14: nodes of a nodegroup were told the API's public address as the one inside.
#[test]
fn a_nodegroup_uses_the_networks_and_masters_of_its_cluster() {
    let spec = Shape::named("debian-3m-3w-vol-marathon").spec();
    let outputs = [
        ("network_id", json!("net")),
        ("subnet_id", json!("sub")),
        ("secgroup_node_id", json!("all")),
        ("secgroup_worker_id", json!("group")),
        ("api_address", json!("192.0.2.5")),
        ("api_private_address", json!("10.0.0.5")),
        ("master_addresses_private", json!(["10.0.0.5", "10.0.0.6", "10.0.0.7"])),
    ];
    let outputs = outputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let stack = driver().nodegroup(&spec, &outputs, None).unwrap();
    assert_eq!(stack.parameters["api_private_address"], "10.0.0.5");
    assert_eq!(stack.parameters["master_addresses"], "10.0.0.5,10.0.0.6,10.0.0.7");
    assert_eq!(stack.template["resources"]["mesos_slaves"]["type"], "OS::Heat::ResourceGroup");
    let environment = &files(&stack.files["worker-user-data"])["/etc/jeroboam/node.env"].text;
    assert!(environment.contains("MESOS_WORK_DIR='/srv/mesos'\n"), "{environment}");
}

#[test]
fn what_cannot_be_built_is_refused_with_all_reasons() {
    let mut spec = Shape::named("ubuntu-1m-3w").spec();
    spec.desired.master_count = 2;
    spec.workers.labels.insert("boot_volume_size".into(), "huge".into());
    let Err(RenderError::Refused(problems)) = driver().stack(&spec) else { panic!("built") };
    let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["master_count", "default-worker.labels.boot_volume_size"]);
}

#[test]
fn a_master_that_is_replaced_keeps_its_port_and_volume() {
    let spec = Shape::named("debian-3m-3w-vol").spec();
    let absent = Transition { absent_master: Some(1), ..Transition::default() };
    let resources = driver().transition(&spec, &absent).unwrap().template["resources"].clone();
    assert!(resources.get("master_1").is_none());
    assert!(resources.get("master_port_1").is_some() && resources.get("runtime_volume_1").is_some());
    assert!(resources.get("master_0").is_some());
}

//! What holds for every combination.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use drivers::{RenderError, Stack};
use serde_json::Value;

use crate::combinations::{Shape, all};
use crate::support::rules;
use crate::user_data::{files, markers};

fn stack(shape: &Shape) -> Stack {
    drivers::find("kubernetes")
        .unwrap()
        .stack(&shape.spec())
        .unwrap_or_else(|error| panic!("{}: {error}", shape.name()))
}

/// All of them, rendered once for all tests.
static STACKS: LazyLock<Vec<(Shape, Stack)>> =
    LazyLock::new(|| all().into_iter().map(|shape| (shape, stack(&shape))).collect());

/// The texts that Heat puts in place of the markers of a server's user data, by resource.
fn params<'a>(template: &'a Value, server: &str) -> BTreeSet<&'a str> {
    let user_data = &template["resources"][server]["properties"]["user_data"]["str_replace_strict"];
    user_data["params"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_combination_renders_twice_to_the_same_bytes_and_fits_into_nova() {
    assert!(STACKS.len() > 500);
    for (shape, first) in STACKS.iter() {
        let second = stack(shape);
        assert_eq!(first.template.to_string(), second.template.to_string(), "{}", shape.name());
        assert_eq!(first.files, second.files, "{}", shape.name());
        for name in ["master-user-data", "worker-user-data"] {
            assert!(first.files[name].len() < 49_151, "{}: {name}", shape.name());
        }
        assert!(first.template.to_string().len() + first.files.values().map(String::len).sum::<usize>() < 400_000);
    }
}

#[test]
fn every_marker_of_a_node_is_given_by_its_template() {
    for (shape, stack) in STACKS.iter() {
        let worker: Value = serde_json::from_str(&stack.files["worker.yaml"]).unwrap();
        let servers = (0..shape.masters).map(|i| (format!("master_{i}"), &stack.template, "master-user-data"));
        for (server, template, file) in servers.chain([("kube-minion".to_owned(), &worker, "worker-user-data")]) {
            let there = markers(&stack.files[file]);
            let there: BTreeSet<&str> = there.iter().map(String::as_str).collect();
            assert_eq!(params(template, &server), there, "{} {server}", shape.name());
        }
    }
}

#[test]
fn every_security_group_rule_is_there_once() {
    for (shape, stack) in STACKS.iter() {
        let mut seen = BTreeSet::new();
        for rule in rules(stack) {
            assert!(seen.insert(rule.clone()), "{}: {rule} is there twice", shape.name());
        }
    }
}

#[test]
fn no_stack_has_a_wait_condition_a_key_name_or_a_token_in_clear() {
    for (shape, stack) in STACKS.iter() {
        let text = format!("{} {:?} {:?}", stack.template, stack.files, stack.parameters);
        for word in ["WaitCondition", "key_name", "-token-000"] {
            assert!(!text.contains(word), "{}: {word}", shape.name());
        }
        assert!(!format!("{stack:?}").contains("-token-000"));
    }
}

#[test]
fn each_token_is_submitted_where_heat_masks_it() {
    let stack = stack(&Shape::named("ubuntu-1m-1w-flannel").unwrap());
    let environment = stack.environment();
    let keys = |section: &str| environment[section].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys("parameters"), ["node_count", "nodes_to_remove", "master_bootstrap_token"]);
    assert_eq!(keys("parameter_defaults"), ["worker_bootstrap_token"]);
}

#[test]
fn what_controllers_in_the_cluster_rely_on_is_there() {
    let stack = stack(&Shape::named("ubuntu-3m-3w-lb-fip-flannel").unwrap());
    let group = &stack.template["resources"]["kube_minions"];
    assert_eq!(group["type"], "OS::Heat::ResourceGroup");
    assert_eq!(group["properties"]["removal_policies"][0]["resource_list"]["get_param"], "nodes_to_remove");
    let outputs = stack.template["outputs"].to_string();
    assert!(outputs.contains(r#"{"get_attr":["kube_minions","refs_map"]}"#));
    let worker: Value = serde_json::from_str(&stack.files["worker.yaml"]).unwrap();
    assert_eq!(worker["resources"]["kube-minion"]["type"], "OS::Nova::Server");
    assert_eq!(worker["outputs"]["OS::stack_id"]["value"]["get_resource"], "kube-minion");
    for server in [&worker["resources"]["kube-minion"], &stack.template["resources"]["master_2"]] {
        assert_eq!(server["properties"]["user_data_update_policy"], "IGNORE");
        assert_eq!(server["properties"]["image_update_policy"], "REPLACE");
    }
}

#[test]
fn floating_ips_wait_for_the_router_of_our_own_network() {
    let own = stack(&Shape::named("ubuntu-1m-1w-lb-fip-vol-flannel").unwrap());
    for name in ["api_fip", "master_fip_0", "kube_minions"] {
        assert_eq!(own.template["resources"][name]["depends_on"][0], "router_interface", "{name}");
    }
    let given = stack(&Shape::named("ubuntu-1m-1w-lb-net-fip-vol-flannel").unwrap());
    assert!(given.template["resources"].get("router").is_none());
}

#[test]
fn secrets_are_files_of_root_alone_and_settings_hold_none() {
    for name in ["ubuntu-1m-1w-flannel", "flatcar-1m-1w-net-flannel"] {
        let stack = stack(&Shape::named(name).unwrap());
        let files = files(&stack.files["master-user-data"]);
        assert_eq!(files["/etc/jeroboam/bootstrap-token"].mode, "0600");
        assert_eq!(files["/etc/jeroboam/bootstrap-token"].text, "@@BOOTSTRAP_TOKEN@@\n");
        assert_eq!(files["/etc/jeroboam/node.env"].mode, "0600");
        assert!(!files["/etc/jeroboam/node.env"].text.contains("TOKEN@@"));
    }
}

#[test]
fn what_cannot_be_built_is_refused_with_all_reasons() {
    let mut spec = Shape::named("ubuntu-1m-1w-net-flannel").unwrap().spec();
    spec.desired.master_count = 2;
    spec.network.fixed.as_mut().unwrap().cidr = "10.100.1.0/24".into();
    spec.workers.labels.insert("boot_volume_size".into(), "huge".into());
    spec.ssh_public_key = Some("ssh-ed25519 AAAA\nme".into());
    let Err(RenderError::Refused(problems)) = drivers::find("kubernetes").unwrap().stack(&spec) else {
        panic!("built")
    };
    let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["master_count", "fixed_subnet", "default-worker.labels.boot_volume_size", "keypair"]);
}

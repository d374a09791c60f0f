//! Stacks of nodegroups of their own, and stacks on their way from one definition of their nodes to another.

use std::collections::BTreeMap;

use drivers::{Driver, Outputs, Previous, Stack, Transition};
use serde_json::{Value, json};

use crate::swarms::spec;
use crate::user_data::{files, settings};

fn driver() -> &'static dyn Driver {
    drivers::find("swarm").unwrap()
}

fn setting(stack: &Stack, file: &str, key: &str) -> String {
    settings(&files(&stack.files[file])["/etc/jeroboam/node.env"].text)[key].clone()
}

/// Defect 14: nodes of a nodegroup were told the API's public address as the one inside.
#[test]
fn a_nodegroup_has_its_own_nodes_in_the_cluster_s_network() {
    let outputs: Outputs = BTreeMap::from([
        ("api_address".to_owned(), json!("192.0.2.5")),
        ("network_id".to_owned(), json!("n")),
        ("subnet_id".to_owned(), json!("s")),
        ("secgroup_node_id".to_owned(), json!("all")),
        ("secgroup_worker_id".to_owned(), json!("g")),
        ("api_private_address".to_owned(), json!("10.0.0.5")),
        ("master_addresses_private".to_owned(), json!(["10.0.0.11", "10.0.0.12", "10.0.0.13"])),
    ]);
    let mut spec = spec("ubuntu-3m-1w-lb").unwrap();
    (spec.workers.name, spec.workers.count) = ("gpu".into(), 2);
    spec.workers.labels.insert("docker_package".into(), "docker-ce".into());
    spec.workers.labels.insert("swarm_autolock".into(), "true".into());
    let stack = driver().nodegroup(&spec, &outputs, None).unwrap();
    assert_eq!(stack.parameters["api_private_address"], "10.0.0.5");
    assert_eq!(stack.parameters["master_addresses"], "10.0.0.11,10.0.0.12,10.0.0.13");
    assert_eq!(stack.template["resources"]["swarm_nodes"]["type"], "OS::Heat::ResourceGroup");
    assert_eq!(stack.template["outputs"]["swarm_nodes"]["value"], json!({"get_attr": ["swarm_nodes", "address"]}));
    assert_eq!(setting(&stack, "worker-user-data", "DOCKER_PACKAGE"), "docker-ce");
    // What the cluster is, is not a nodegroup's to say.
    assert_eq!(setting(&stack, "worker-user-data", "SWARM_AUTOLOCK"), "false");
    let member: Value = serde_json::from_str(&stack.files["worker.yaml"]).unwrap();
    assert!(member["resources"]["swarm-node-port"]["properties"].get("allowed_address_pairs").is_none());
}

#[test]
fn nodes_of_before_keep_their_definition_and_a_manager_comes_back_to_the_swarm() {
    let spec = spec("ubuntu-3m-3w-lb-vol").unwrap();
    let mut image = spec.workers.image.clone();
    image.id = "00000000-0000-4000-8000-00000000000f".into();
    let labels = spec.workers.labels.clone();
    let previous = Previous { image, labels, masters: vec![1, 2], workers: vec![0, 1, 2] };
    let transition = Transition { previous: vec![previous], absent_master: Some(1), leaving: vec![0] };
    let stack = driver().transition(&spec, &transition).unwrap();
    let resources = stack.template["resources"].as_object().unwrap();
    assert!(!resources.contains_key("master_1") && resources.contains_key("master_0"));
    for kept in ["master_port_1", "runtime_volume_1", "api_member_1"] {
        assert!(resources.contains_key(kept), "{kept}");
    }
    assert_eq!(setting(&stack, "master-user-data", "SWARM_STATE"), "existing");
    assert_eq!(setting(&driver().stack(&spec).unwrap(), "master-user-data", "SWARM_STATE"), "new");
    assert_eq!(
        stack.template["resources"]["swarm_nodes"]["properties"]["resource_def"]["properties"]["earlier_0"],
        "0,1,2"
    );
}

#[test]
fn the_only_manager_s_state_must_be_on_a_volume() {
    let desired = |name: &str| spec(name).unwrap().desired;
    assert!(driver().irreplaceable(&desired("ubuntu-1m-1w")).unwrap().contains("docker_volume_size"));
    assert_eq!(driver().irreplaceable(&desired("ubuntu-1m-1w-vol")), None);
    assert_eq!(driver().irreplaceable(&desired("ubuntu-3m-1w-lb")), None);
    // It has nobody to join: the swarm is on its volume.
    let back = driver().transition(&spec("ubuntu-1m-1w-vol").unwrap(), &Transition::default()).unwrap();
    assert_eq!(setting(&back, "master-user-data", "SWARM_STATE"), "new");
}

//! Stacks of nodegroups of their own, and stacks on their way from one definition of their nodes to another.

use std::collections::BTreeMap;

use drivers::{ClusterSpec, Driver, Outputs, Previous, Stack, Transition};
use serde_json::{Map, Value, json};

use crate::combinations::Shape;
use crate::user_data::files;

fn driver() -> &'static dyn Driver {
    drivers::find("kubernetes").unwrap()
}

fn outputs() -> Outputs {
    BTreeMap::from([
        ("network_id".to_owned(), json!("c3c3c3c3-0000-4000-8000-000000000003")),
        ("subnet_id".to_owned(), json!("d4d4d4d4-0000-4000-8000-000000000004")),
        ("secgroup_node_id".to_owned(), json!("e4e4e4e4-0000-4000-8000-000000000004")),
        ("secgroup_worker_id".to_owned(), json!("f5f5f5f5-0000-4000-8000-000000000005")),
        ("api_private_address".to_owned(), json!("10.0.0.5")),
        ("master_addresses_private".to_owned(), json!(["10.0.0.11", "10.0.0.12", "10.0.0.13"])),
    ])
}

/// A nodegroup called `gpu` in a cluster of that shape.
fn group(shape: &str) -> ClusterSpec {
    let mut spec = Shape::named(shape).unwrap().spec();
    let group = &mut spec.workers;
    group.uuid = "e6e6e6e6-0000-4000-8000-000000000006".into();
    (group.name, group.role_name, group.count) = ("gpu".into(), "compute".into(), 2);
    group.flavor.id = "g1.large".into();
    group.image.id = "aaaaaaaa-0000-4000-8000-00000000000a".into();
    group.labels = BTreeMap::from([
        ("availability_zone".to_owned(), "az2".to_owned()),
        ("kube_tag".to_owned(), "v1.34.1".to_owned()),
        ("service_cluster_ip_range".to_owned(), "10.99.0.0/16".to_owned()),
    ]);
    group.node_labels = BTreeMap::from([("example.org/gpu".to_owned(), "yes".to_owned())]);
    group.node_taints = vec!["gpu=yes:NoSchedule".into(), "slow:PreferNoSchedule".into()];
    spec.tokens.worker = "group-token-0000000000000000000000000000000000".into();
    spec
}

fn setting(stack: &Stack, file: &str, key: &str) -> String {
    let files = files(&stack.files[file]);
    let text = &files["/etc/jeroboam/node.env"].text;
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{key}='")));
    line.unwrap_or_default().trim_end_matches('\'').to_owned()
}

fn member(stack: &Stack) -> Value {
    serde_json::from_str(&stack.files["worker.yaml"]).unwrap()
}

/// As the cluster was before: another image and another version.
fn before(spec: &ClusterSpec, masters: &[u32], workers: &[u32]) -> Previous {
    let mut image = spec.workers.image.clone();
    image.id = "00000000-0000-4000-8000-00000000000f".into();
    let mut labels = spec.workers.labels.clone();
    labels.insert("kube_tag".into(), "v1.32.0".into());
    Previous { image, labels, masters: masters.to_vec(), workers: workers.to_vec() }
}

#[test]
fn a_nodegroup_s_own_stack_as_reviewed() {
    let stack = driver().nodegroup(&group("ubuntu-3m-3w-lb-fip-vol-flannel"), &outputs(), None).unwrap();
    let shown: Map<String, Value> = stack.files.iter().map(|(name, text)| (name.clone(), show(name, text))).collect();
    insta::assert_yaml_snapshot!(
        "nodegroup",
        json!({
            "template": stack.template, "files": shown, "parameters": stack.parameters,
            "hidden": stack.hidden.keys().collect::<Vec<_>>(), "timeout_mins": stack.timeout_mins,
        })
    );
}

fn show(name: &str, text: &str) -> Value {
    if name.ends_with("user-data") {
        return json!(files(text)["/etc/jeroboam/node.env"].text);
    }
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_nodegroup_has_its_own_nodes_in_the_cluster_s_network() {
    let stack = driver().nodegroup(&group("ubuntu-3m-1w-lb-flannel"), &outputs(), None).unwrap();
    let server = &member(&stack)["resources"]["kube-minion"]["properties"];
    assert_eq!((&server["flavor"], &server["availability_zone"]), (&json!("g1.large"), &json!("az2")));
    assert_eq!(server["image"], "aaaaaaaa-0000-4000-8000-00000000000a");
    for (key, value) in [
        ("KUBE_VERSION", "v1.34.1"),
        ("NODEGROUP_NAME", "gpu"),
        ("NODEGROUP_ROLE", "compute"),
        ("NODE_LABELS", "example.org/gpu=yes"),
        ("NODE_TAINTS", "gpu=yes:NoSchedule,slow:PreferNoSchedule"),
        // What the cluster is, is not a nodegroup's to say.
        ("SERVICE_CIDR", "10.254.0.0/16"),
    ] {
        assert_eq!(setting(&stack, "worker-user-data", key), value, "{key}");
    }
    assert_eq!(stack.parameters["master_addresses"], "10.0.0.11,10.0.0.12,10.0.0.13");
    assert!(!format!("{:?} {}", stack.files, stack.template).contains("group-token"));
    let mut outputs = outputs();
    outputs.remove("subnet_id");
    let error = driver().nodegroup(&group("ubuntu-3m-1w-lb-flannel"), &outputs, None).unwrap_err();
    assert!(error.to_string().contains("no output subnet_id"), "{error}");
}

#[test]
fn nodes_of_before_keep_their_definition() {
    let spec = Shape::named("ubuntu-3m-3w-lb-fip-vol-flannel").unwrap().spec();
    let transition =
        Transition { previous: vec![before(&spec, &[1, 2], &[0, 1, 2])], absent_master: None, leaving: vec![0] };
    let stack = driver().transition(&spec, &transition).unwrap();
    assert_eq!(stack.parameters["nodes_to_remove"], json!(["0"]));
    let group = &stack.template["resources"]["kube_minions"];
    assert!(group.get("update_policy").is_none());
    assert_eq!(group["properties"]["resource_def"]["properties"]["earlier_0"], "0,1,2");
    let server = &member(&stack)["resources"]["kube-minion"]["properties"];
    let volumes = server["block_device_mapping_v2"]["if"].as_array().unwrap();
    assert_eq!(volumes[0], "earlier_0");
    assert_eq!(volumes[1][0]["image"], "00000000-0000-4000-8000-00000000000f");
    assert_eq!(volumes[2][0]["image"], json!(spec.workers.image.id));
    let image = |index: u32| {
        let server = &stack.template["resources"][format!("master_{index}")]["properties"];
        server["block_device_mapping_v2"][0]["image"].as_str().unwrap().to_owned()
    };
    assert_eq!(image(0), spec.masters.image.id);
    assert_eq!((image(1), image(2)), (transition.previous[0].image.id.clone(), image(1)));
    assert_eq!(setting(&stack, "master-user-data", "ETCD_STATE"), "existing");
    // Without nodes of before there is nothing left of it.
    assert_eq!(driver().stack(&spec).unwrap().parameters["nodes_to_remove"], json!([]));
    assert!(!driver().stack(&spec).unwrap().files["worker.yaml"].contains("earlier"));
}

#[test]
fn an_absent_master_leaves_its_port_and_volumes() {
    let spec = Shape::named("ubuntu-3m-3w-lb-fip-vol-flannel").unwrap().spec();
    let transition = Transition { absent_master: Some(1), ..Transition::default() };
    let stack = driver().transition(&spec, &transition).unwrap();
    let resources = stack.template["resources"].as_object().unwrap();
    assert!(!resources.contains_key("master_1") && resources.contains_key("master_0"));
    for kept in ["master_port_1", "master_fip_1", "etcd_volume_1", "runtime_volume_1", "api_member_1"] {
        assert!(resources.contains_key(kept), "{kept}");
    }
}

#[test]
fn the_only_master_comes_back_to_its_volume() {
    let spec = Shape::named("fedora-coreos-1m-1w-vol-flannel").unwrap().spec();
    // Nobody's token is handed to Heat while nobody needs it.
    let absent = driver().transition(&spec, &Transition { absent_master: Some(0), ..Transition::default() }).unwrap();
    assert!(!absent.hidden.contains_key("master_bootstrap_token") && !absent.files.contains_key("master-user-data"));
    assert!(absent.template["resources"]["etcd_volume_0"].is_object());
    // Its etcd has nobody to join: its data are on its volume.
    let back = driver().transition(&spec, &Transition::default()).unwrap();
    assert_eq!(setting(&back, "master-user-data", "ETCD_STATE"), "new");
    assert!(back.hidden.contains_key("master_bootstrap_token"));
}

#[test]
fn a_lonely_master_without_etcd_volume_is_irreplaceable() {
    let desired = |shape: &str| Shape::named(shape).unwrap().spec().desired;
    assert!(driver().irreplaceable(&desired("ubuntu-1m-1w-flannel")).unwrap().contains("etcd_volume_size"));
    for shape in ["fedora-coreos-1m-1w-vol-flannel", "fedora-coreos-3m-1w-lb-flannel"] {
        assert_eq!(driver().irreplaceable(&desired(shape)), None, "{shape}");
    }
}

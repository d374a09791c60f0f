//! Mesos clusters on the real cloud, where the operator has enabled the driver: by the unmodified client from template to
//! nothing, and in every shape that changes what their nodes are told. No Mesos runs in them; see tests/mesos.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use support::cloud::CLOUD;
use support::service::Service;
use support::{unique, wait_for};

fn text(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}

fn service() -> Service {
    Service::start(&[("JEROBOAM__DRIVERS__ENABLED", "kubernetes, mesos")])
}

fn template(service: &Service, token: &str, more: Value) -> String {
    let mut body = json!({"coe": "mesos", "network_driver": "docker", "image_id": "debian-12"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    service.template(token, body)
}

/// The machines of a cluster, as they were played: their names and where their files lie.
fn machines(uuid: &str) -> Vec<PathBuf> {
    let cluster = format!("CLUSTER_UUID='{uuid}'");
    let folders = std::fs::read_dir(CLOUD.dir().join("nodes")).unwrap();
    let roots = folders.map(|folder| folder.unwrap().path().join("root"));
    let of = |root: &PathBuf| std::fs::read_to_string(root.join("etc/jeroboam/node.env")).unwrap_or_default();
    roots.filter(|root| of(root).contains(&cluster)).collect()
}

/// Names of the project's stacks with this in them.
fn stacks(name: &str) -> Vec<String> {
    CLOUD.stacks("demo", name).iter().map(|stack| stack["stack_name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_driver_that_is_beta_is_the_operators_to_enable() {
    let plain = Service::start(&[]);
    let token = CLOUD.token("demo");
    let body = json!({"name": unique("m"), "coe": "mesos", "image_id": "debian-12", "external_network_id": "public",
        "flavor_id": "m1.small", "master_flavor_id": "m1.small", "network_driver": "docker"});
    let refused = plain.call(&token, "POST", "/clustertemplates", Some(&body));
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(refused.text.contains("(vm, debian, mesos) not supported"), "{}", refused.text);
}

/// From template to nothing, by the commands users type.
#[test]
fn a_cluster_by_the_unmodified_client() {
    let service = service();
    let login = CLOUD.login("demo");
    let token = CLOUD.token("demo");
    let openstack = |line: &str| text(&service.openstack(&login, &line.split_whitespace().collect::<Vec<_>>()));
    let (template, name) = (unique("mesos"), unique("mesos"));
    openstack(&format!(
        "coe cluster template create {template} --coe mesos --image debian-12 --external-network public --flavor m1.small \
         --master-flavor m1.medium --network-driver docker --keypair testkey --master-lb-enabled \
         --labels mesos_slave_isolation=docker/runtime,mesos_slave_image_providers=docker,mesos_slave_work_dir=/srv/mesos"
    ));
    let asked = format!("coe cluster create {name} --cluster-template {template} --master-count 3 --node-count 2");
    assert!(openstack(&asked).contains("accepted"));
    let shown = service.complete(&token, &name);
    let uuid = shown["uuid"].as_str().unwrap().to_owned();
    let shown: Value = serde_json::from_str(&openstack(&format!("coe cluster show {name} -f json"))).unwrap();
    assert_eq!(shown["status"], "CREATE_COMPLETE", "{shown}");
    let api = shown["api_address"].as_str().unwrap();
    assert!(api.starts_with("https://") && api.ends_with(":5050"), "{shown}");
    assert_eq!(shown["coe_version"], "1.11.0", "{shown}");
    assert_eq!(shown["master_addresses"].as_array().unwrap().len(), 3, "{shown}");
    assert_eq!(shown["node_addresses"].as_array().unwrap().len(), 2, "{shown}");
    assert_eq!(machines(&uuid).len(), 5);

    openstack(&format!("coe cluster resize {name} 3"));
    let count = || service.show(&token, &name)["node_count"].as_u64();
    let at_rest = || service.show(&token, &name)["status"] == "UPDATE_COMPLETE";
    wait_for("three agents", Duration::from_secs(600), || (at_rest() && count() == Some(3)).then_some(()));
    openstack(&format!("coe cluster resize {name} 1"));
    wait_for("one agent", Duration::from_secs(600), || (at_rest() && count() == Some(1)).then_some(()));
    wait_for("their machines to be gone", Duration::from_secs(30), || (machines(&uuid).len() == 4).then_some(()));

    openstack(&format!("coe nodegroup create {name} gpu --node-count 2 --role worker"));
    let status = |group: &str| {
        let answer = service.call(&token, "GET", &format!("/clusters/{uuid}/nodegroups/{group}"), None);
        (answer.status == 200).then(|| answer.json()["status"].as_str().unwrap_or_default().to_owned())
    };
    let made = || status("gpu").filter(|status| status == "CREATE_COMPLETE").map(|_| ());
    wait_for("the nodegroup", Duration::from_secs(600), made);
    assert_eq!(machines(&uuid).len(), 6);
    openstack(&format!("coe nodegroup delete {name} gpu"));
    wait_for("the nodegroup to be gone", Duration::from_secs(600), || status("gpu").is_none().then_some(()));

    openstack(&format!("coe cluster delete {name}"));
    service.absent(&token, &uuid);
    assert_eq!(stacks(&name), [""; 0]);
    wait_for("the machines to be gone", Duration::from_secs(30), || machines(&uuid).is_empty().then_some(()));
    openstack(&format!("coe cluster template delete {template}"));
}

/// A file of one of the machines.
fn file(root: &std::path::Path, path: &str) -> String {
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{}/{path}: {error}", root.display()))
}

/// Everything that a complete cluster must show of itself and on its nodes.
fn is_well(service: &Service, token: &str, uuid: &str, (masters, workers, tls, marathon): (usize, usize, bool, bool)) {
    let shown = service.show(token, uuid);
    let scheme = if tls { "https://" } else { "http://" };
    assert!(shown["api_address"].as_str().unwrap().starts_with(scheme), "{shown}");
    let ready = service.rows(&format!("SELECT role, phase FROM node WHERE cluster_uuid = '{uuid}'"));
    let count = |role: &str| ready.as_array().unwrap().iter().filter(|row| **row == json!([role, "ready"])).count();
    assert_eq!((count("master"), count("worker")), (masters, workers), "{ready}");
    let mut members = BTreeSet::new();
    for root in machines(uuid) {
        let environment = file(&root, "etc/jeroboam/node.env");
        if environment.contains("NODE_ROLE='master'") {
            members.insert(file(&root, "var/lib/mesos/zookeeper/myid"));
            let ensemble = file(&root, "etc/zookeeper/jeroboam/zoo.cfg");
            assert_eq!(ensemble.lines().filter(|line| line.starts_with("server.")).count(), masters, "{ensemble}");
            assert_eq!(ensemble.contains("secureClientPort=2281"), tls, "{ensemble}");
            let unit = file(&root, "etc/systemd/system/mesos-master.service");
            assert!(unit.contains(&format!("\"--quorum={}\"", masters / 2 + 1)), "{unit}");
            assert_eq!(root.join("etc/systemd/system/marathon.service").exists(), marathon);
        } else {
            let unit = file(&root, "etc/systemd/system/mesos-agent.service");
            assert!(unit.contains("--master=zk://"), "{unit}");
            assert_eq!(root.join("etc/mesos/tunnel.conf").exists(), tls);
        }
        let verified = Command::new("openssl")
            .args(["verify", "-purpose", "sslclient", "-CAfile"])
            .args([root.join("etc/mesos/pki/ca.crt"), root.join("etc/mesos/pki/mesos.crt")])
            .output()
            .unwrap();
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    }
    assert_eq!(members.len(), masters, "{members:?}");
}

/// With and without TLS, load balancer, Marathon, floating addresses, volumes, a network of its own; one, three and five
/// masters; all at once.
#[test]
fn every_shape_comes_up_is_well_and_goes() {
    let service = service();
    let token = CLOUD.token("demo");
    let shapes = [
        (
            json!({"master_lb_enabled": true, "floating_ip_enabled": true, "docker_volume_size": 3}),
            json!({"master_count": 5, "node_count": 1}),
            (5, 1, true, true),
        ),
        (
            json!({"master_lb_enabled": true, "tls_disabled": true, "fixed_network": "private", "fixed_subnet": "private-subnet"}),
            json!({"master_count": 3, "node_count": 1}),
            (3, 1, false, true),
        ),
        (
            json!({"image_id": "ubuntu-24.04"}),
            json!({"node_count": 2, "labels": {"marathon_enabled": "false"}}),
            (1, 2, true, false),
        ),
        (json!({"tls_disabled": true, "floating_ip_enabled": true}), json!({"node_count": 0}), (1, 0, false, true)),
    ];
    let clusters: Vec<_> = shapes
        .into_iter()
        .map(|(of_template, of_cluster, wanted)| {
            (service.cluster(&token, &template(&service, &token, of_template), of_cluster), wanted)
        })
        .collect();
    for (cluster, wanted) in &clusters {
        service.complete(&token, cluster);
        is_well(&service, &token, cluster, *wanted);
    }
    for (cluster, _) in &clusters {
        service.gone(&token, cluster);
    }
}

/// A step that cannot be done fails the cluster with the step's words.
#[test]
fn a_failed_node_names_its_step() {
    let service = service();
    let token = CLOUD.token("demo");
    let name = unique("badmesos");
    let message =
        "mesos-agent is not in this image, and the label mesos_packages_url names no repository to install it from";
    let _nodes =
        CLOUD.nodes(vec![json!({"name": format!("{name}.*-worker-0"), "fail": "install", "message": message})]);
    let cluster = service.cluster(&token, &template(&service, &token, json!({})), json!({"name": name}));
    let shown = service.settled(&token, &cluster);
    assert_eq!(shown["status"], "CREATE_FAILED");
    let reason = shown["status_reason"].as_str().unwrap();
    for part in ["-worker-0", "install", "mesos-agent is not in this image", "[node-failed]"] {
        assert!(reason.contains(part), "{reason}");
    }
    service.gone(&token, &cluster);
}

//! The requests of Horizon's panels (the contract's section 11.2): version 1.13, and texts for everything.

use serde_json::{Value, json};

use crate::replay::{Client, csr, replace, strict_cluster, strict_template};
use crate::support::cloud::CLOUD;
use crate::support::unique;

const VERSION: Option<&str> = Some("1.13");

fn template(name: &str) -> Value {
    json!({
        "name": name, "coe": "kubernetes", "public": "False", "hidden": "False", "registry_enabled": "False",
        "tls_disabled": "False", "image_id": "ubuntu-24.04", "flavor_id": "m1.small", "master_flavor_id": "m1.small",
        "keypair_id": "testkey", "network_driver": "flannel", "volume_driver": "cinder", "server_type": "vm",
        "docker_volume_size": "5", "docker_storage_driver": "overlay2", "external_network_id": "public",
        "dns_nameserver": "8.8.8.8", "master_lb_enabled": "False", "floating_ip_enabled": "False",
        "labels": {"auto_scaling_enabled": false, "auto_healing_enabled": false, "min_node_count": 1},
    })
}

#[test]
fn horizon_s_panels_from_template_to_deletion() {
    let client = Client::start("demo");
    let ask = |line: &str| client.sends(VERSION, line, None, 200).json();
    let made = client.sends(VERSION, "POST /clustertemplates", Some(template(&unique("ui"))), 201).json();
    strict_template(&made);
    // The panel compares with the lower-case word.
    assert_eq!(
        made["labels"],
        json!({"auto_scaling_enabled": "False", "auto_healing_enabled": "False", "min_node_count": "1"})
    );
    let uuid = made["uuid"].as_str().unwrap();
    let item = format!("/clustertemplates/{uuid}");
    for listed in ask("GET /clustertemplates/detail")["clustertemplates"].as_array().unwrap() {
        strict_template(listed);
    }
    ask(&format!("GET {item}"));
    let changes = json!([
        replace("/docker_volume_size", "6"),
        replace("/labels", "{'auto_scaling_enabled': 'False', 'min_node_count': '2'}"),
        replace("/master_lb_enabled", "False"),
        replace("/public", "False"),
        {"op": "remove", "path": "/keypair_id"},
    ]);
    let changed = client.sends(VERSION, &format!("PATCH {item}"), Some(changes), 200).json();
    assert_eq!((&changed["docker_volume_size"], &changed["keypair_id"]), (&json!(6), &Value::Null));
    assert_eq!(changed["labels"]["min_node_count"], "2");

    let name = unique("ui");
    let body = json!({
        "name": name, "cluster_template_id": uuid, "keypair": "testkey", "master_count": "1", "node_count": "1",
        "master_flavor_id": "m1.small", "flavor_id": "m1.small", "docker_volume_size": "5", "create_timeout": "60",
        "discovery_url": "", "master_lb_enabled": "False", "floating_ip_enabled": "False", "merge_labels": "False",
        "labels": {"auto_scaling_enabled": false, "auto_healing_enabled": true, "availability_zone": "nova", "min_node_count": 1},
    });
    let accepted = client.sends(VERSION, "POST /clusters", Some(body), 202).json();
    let cluster = accepted["uuid"].as_str().unwrap();
    let pending = ["CREATE_IN_PROGRESS"];
    let shown = client.polls(VERSION, cluster, &pending, "CREATE_COMPLETE");
    assert!(shown["cluster_id"].is_string() && shown.get("stack_id").is_none());
    assert_eq!((&shown["create_timeout"], &shown["discovery_url"]), (&json!(60), &json!("")));
    assert_eq!(shown["labels"]["auto_healing_enabled"], "True");
    let listed = ask("GET /clusters/detail");
    listed["clusters"].as_array().unwrap().iter().for_each(strict_cluster);

    // The configuration's download.
    ask(&format!("GET /clusters/{cluster}"));
    ask(&format!("GET {item}"));
    assert!(ask(&format!("GET /certificates/{cluster}"))["pem"].is_string());
    let csr = csr("-newkey rsa:2048 -sha256 -subj /CN=admin/O=system:masters");
    let signed = client.sends(VERSION, "POST /certificates", Some(json!({"cluster_uuid": cluster, "csr": csr})), 201);
    assert!(signed.json()["pem"].is_string());

    // The overview's pie.
    assert_eq!(ask("GET /stats"), json!({"clusters": 1, "nodes": 2}));
    let quota = ask(&format!("GET /quotas/{}/Cluster", CLOUD.project("demo")));
    assert_eq!(quota["hard_limit"], 20);
    client.sends(VERSION, "GET /quotas?all_tenants=True", None, 403);

    client.sends(VERSION, &format!("DELETE /clusters/{cluster}"), None, 204);
    client.polls_until_absent(VERSION, cluster);
    client.sends(VERSION, &format!("DELETE {item}"), None, 204);
}

/// The administrator's panel of quotas.
#[test]
fn horizon_s_quotas() {
    let client = Client::start("demo-admin");
    let project = CLOUD.project("demo");
    let body = json!({"project_id": project, "resource": "Cluster", "hard_limit": "5"});
    let made = client.sends(VERSION, "POST /quotas", Some(body), 201).json();
    assert!(made["id"].is_i64() && made["hard_limit"] == 5, "{made}");
    let listed = client.sends(VERSION, "GET /quotas?all_tenants=True", None, 200).json();
    assert_eq!(listed["quotas"], json!([made]));
    let item = format!("/quotas/{project}/Cluster");
    let change = json!({"project_id": project, "resource": "Cluster", "hard_limit": "6"});
    assert_eq!(client.sends(VERSION, &format!("PATCH {item}"), Some(change), 202).json()["hard_limit"], 6);
    client.sends(VERSION, &format!("DELETE {item}"), None, 204);
}

#[test]
fn horizon_resizes_and_upgrades() {
    let client = Client::start("demo");
    let token = CLOUD.token("demo");
    let template = client.service.template(&token, json!({"labels": {"etcd_volume_size": "1"}}));
    let cluster = client.service.cluster(&token, &template, json!({}));
    client.polls(VERSION, &cluster, &["CREATE_IN_PROGRESS"], "CREATE_COMPLETE");
    client.sends(VERSION, &format!("GET /clusters/{cluster}"), None, 200);
    let groups = client.sends(VERSION, &format!("GET /clusters/{cluster}/nodegroups/"), None, 200).json();
    let worker = groups["nodegroups"].as_array().unwrap().iter().find(|group| group["name"] == "default-worker");
    assert_eq!(worker.unwrap()["node_count"], 1);
    for body in [
        json!({"node_count": "2", "nodegroup": "default-worker"}),
        json!({"node_count": 1, "nodegroup": "default-worker", "nodes_to_remove": []}),
    ] {
        let line = format!("POST /clusters/{cluster}/actions/resize");
        assert!(client.sends(VERSION, &line, Some(body), 202).json()["uuid"].is_string());
        client.polls(VERSION, &cluster, &["UPDATE_IN_PROGRESS"], "UPDATE_COMPLETE");
    }
    let next = client.service.template(&token, json!({"labels": {"kube_tag": "v1.31.2", "etcd_volume_size": "1"}}));
    let body = json!({"cluster_template": next, "max_batch_size": "1", "nodegroup": "default-worker"});
    client.sends(VERSION, &format!("POST /clusters/{cluster}/actions/upgrade"), Some(body), 202);
    client.polls(VERSION, &cluster, &["UPDATE_IN_PROGRESS"], "UPDATE_COMPLETE");
    client.service.gone(&token, &cluster);
}

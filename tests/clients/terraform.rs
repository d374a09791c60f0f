//! The requests of terraform-provider-openstack by gophercloud v2 (the contract's section 11.4), in their order.

use serde_json::{Value, json};

use crate::replay::{Client, csr, replace, strict_cluster, strict_template};
use crate::support::unique;

/// The version at which the provider reads.
const READ: Option<&str> = Some("1.9");

fn template(name: &str) -> Value {
    json!({
        "apiserver_port": null, "cluster_distro": "", "coe": "kubernetes", "dns_nameserver": "1.1.1.1",
        "docker_storage_driver": "overlay2", "docker_volume_size": 5, "external_network_id": "public",
        "flavor_id": "m1.small", "floating_ip_enabled": false, "image_id": "ubuntu-24.04", "insecure_registry": null,
        "labels": {"kube_tag": "v1.31.1", "cgroup_driver": "systemd"}, "master_flavor_id": "m1.small",
        "master_lb_enabled": false, "name": name, "network_driver": "flannel", "registry_enabled": false,
        "server_type": "vm", "tls_disabled": false, "public": false, "volume_driver": "cinder", "hidden": false,
    })
}

fn cluster(name: &str, template: &str) -> Value {
    json!({
        "cluster_template_id": template, "create_timeout": null, "docker_volume_size": 4, "flavor_id": "m1.small",
        "labels": {"own": "1"}, "master_count": 1, "master_flavor_id": "m1.small", "merge_labels": true, "name": name,
        "node_count": 1, "floating_ip_enabled": false,
    })
}

/// A template, a cluster with its kubeconfig, and the end of both.
#[test]
fn terraform_applies_and_destroys() {
    let client = Client::start("demo");
    let mut wanted = template(&unique("tf"));
    // What is not set in the configuration is left out.
    wanted.as_object_mut().unwrap().retain(|_, value| !value.is_null() && *value != "");
    let made = client.sends(None, "POST /clustertemplates", Some(wanted), 201).json();
    strict_template(&made);
    let uuid = made["uuid"].as_str().unwrap();
    let item = format!("/clustertemplates/{uuid}");
    strict_template(&client.sends(None, &format!("GET {item}"), None, 200).json());
    let changes = json!([
        replace("/floating_ip_enabled", "false"),
        replace("/master_lb_enabled", "true"),
        replace("/public", "false"),
        replace("/docker_volume_size", 6),
        replace("/labels", "{'kube_tag':'v1.31.2','cgroup_driver':'systemd'}"),
        {"op": "remove", "path": "/dns_nameserver"},
    ]);
    let changed = client.sends(None, &format!("PATCH {item}"), Some(changes), 200).json();
    strict_template(&changed);
    assert_eq!((&changed["master_lb_enabled"], &changed["docker_volume_size"]), (&json!(true), &json!(6)));
    assert_eq!((&changed["labels"]["kube_tag"], &changed["dns_nameserver"]), (&json!("v1.31.2"), &Value::Null));

    let accepted = client.sends(None, "POST /clusters", Some(cluster(&unique("tf"), uuid)), 202).json();
    let cluster = accepted["uuid"].as_str().unwrap();
    let shown = client.polls(READ, cluster, &["CREATE_IN_PROGRESS"], "CREATE_COMPLETE");
    assert_eq!(shown["create_timeout"], Value::Null);
    assert_eq!(shown["labels"], json!({"kube_tag": "v1.31.2", "cgroup_driver": "systemd", "own": "1"}));
    assert_eq!((&shown["labels_added"], &shown["labels_skipped"]), (&json!({"own": "1"}), &json!({})));
    assert!(shown["stack_id"].is_string() && shown.get("cluster_id").is_none());

    let authority = client.sends(None, &format!("GET /certificates/{cluster}"), None, 200).json();
    assert!(authority["pem"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    let csr = csr("-newkey rsa:4096 -sha512 -subj /CN=admin/O=system:masters/OU=terraform");
    let signed =
        client.sends(None, "POST /certificates", Some(json!({"cluster_uuid": cluster, "csr": csr})), 201).json();
    assert!(signed["pem"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));

    // A data source lists and filters by itself.
    let listed = client.sends(None, "GET /clusters/detail", None, 200).json();
    listed["clusters"].as_array().unwrap().iter().for_each(strict_cluster);
    client.sends(None, &format!("DELETE /clusters/{cluster}"), None, 204);
    client.polls_until_absent(READ, cluster);
    client.sends(None, &format!("DELETE {item}"), None, 204);
    client.sends(None, &format!("GET {item}"), None, 404);
}

#[test]
fn terraform_makes_a_cluster_without_workers() {
    let client = Client::start("demo");
    let template = client.service.template(&crate::support::cloud::CLOUD.token("demo"), json!({}));
    let mut body = cluster(&unique("tf"), &template);
    body["node_count"] = 0.into();
    client.sends(None, "POST /clusters", Some(body.clone()), 400);
    let accepted = client.sends(Some("1.10"), "POST /clusters", Some(body), 202).json();
    let cluster = accepted["uuid"].as_str().unwrap();
    assert_eq!(client.polls(READ, cluster, &["CREATE_IN_PROGRESS"], "CREATE_COMPLETE")["node_count"], 0);
    client.sends(None, &format!("DELETE /clusters/{cluster}"), None, 204);
    client.polls_until_absent(READ, cluster);
}

/// The status must be another one before the 202, since the provider looks at once.
#[test]
fn terraform_changes_the_number_of_workers() {
    let (client, cluster) = complete();
    for (version, count) in [(None, json!(2)), (Some("1.10"), json!(0)), (None, json!("1"))] {
        let patch = json!([replace("/node_count", count.clone())]);
        client.sends(version, &format!("PATCH /clusters/{cluster}"), Some(patch), 202);
        let at_once = client.sends(READ, &format!("GET /clusters/{cluster}"), None, 200).json();
        assert_eq!(at_once["status"], "UPDATE_IN_PROGRESS");
        let shown = client.polls(READ, &cluster, &["UPDATE_IN_PROGRESS"], "UPDATE_COMPLETE");
        let count = count.as_i64().or_else(|| count.as_str().and_then(|text| text.parse().ok()));
        assert_eq!(shown["node_count"].as_i64(), count);
    }
    client.sends(None, &format!("DELETE /clusters/{cluster}"), None, 204);
    client.polls_until_absent(READ, &cluster);
}

#[test]
fn terraform_upgrades() {
    let (client, cluster) = complete();
    let mut next = template(&unique("tf"));
    next.as_object_mut().unwrap().retain(|_, value| !value.is_null() && *value != "");
    next["labels"] = json!({"kube_tag": "v1.31.2", "etcd_volume_size": "1"});
    let next = client.sends(None, "POST /clustertemplates", Some(next), 201).json()["uuid"].clone();
    let line = format!("POST /clusters/{cluster}/actions/upgrade");
    client.sends(Some("1.8"), &line, Some(json!({"cluster_template": next})), 202);
    let shown = client.polls(READ, &cluster, &["UPDATE_IN_PROGRESS"], "UPDATE_COMPLETE");
    assert_eq!(shown["cluster_template_id"], next);
    client.sends(None, &format!("DELETE /clusters/{cluster}"), None, 204);
    client.polls_until_absent(READ, &cluster);
}

#[test]
fn terraform_keeps_nodegroups() {
    let (client, cluster) = complete();
    let all = format!("/clusters/{cluster}/nodegroups");
    let body = json!({"name": "extra", "node_count": 1, "min_node_count": 1, "max_node_count": 3, "role": "worker",
        "flavor_id": "m1.small", "labels": {"own": "1"}, "merge_labels": true});
    let made = client.sends(READ, &format!("POST {all}"), Some(body), 202).json();
    let uuid = made["uuid"].as_str().unwrap();
    let settled = |pending: &str, target: &str| {
        crate::support::wait_for("the nodegroup", std::time::Duration::from_secs(600), || {
            let shown = client.sends(READ, &format!("GET {all}/{uuid}"), None, 200).json();
            let status = shown["status"].as_str().unwrap();
            assert!([pending, target].contains(&status), "{shown}");
            (status == target).then_some(shown)
        })
    };
    settled("CREATE_IN_PROGRESS", "CREATE_COMPLETE");
    let resize = json!({"node_count": 2, "nodegroup": uuid});
    client.sends(READ, &format!("POST /clusters/{cluster}/actions/resize"), Some(resize), 202);
    assert_eq!(settled("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE")["node_count"], 2);
    let limits = json!([replace("/min_node_count", 0), {"op": "remove", "path": "/max_node_count"}]);
    client.sends(READ, &format!("PATCH {all}/{uuid}"), Some(limits), 202);
    settled("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE");
    client.sends(READ, &format!("DELETE {all}/{uuid}"), None, 204);
    crate::support::wait_for("the nodegroup to be gone", std::time::Duration::from_secs(600), || {
        let listed = client.sends(READ, &format!("GET {all}"), None, 200).json();
        (listed["nodegroups"].as_array().unwrap().len() == 2).then_some(())
    });
    client.sends(None, &format!("DELETE /clusters/{cluster}"), None, 204);
    client.polls_until_absent(READ, &cluster);
}

/// A cluster that has come up and can be upgraded.
fn complete() -> (Client, String) {
    let client = Client::start("demo");
    let template = client
        .service
        .template(&crate::support::cloud::CLOUD.token("demo"), json!({"labels": {"etcd_volume_size": "1"}}));
    let accepted = client.sends(None, "POST /clusters", Some(cluster(&unique("tf"), &template)), 202).json();
    let cluster = accepted["uuid"].as_str().unwrap().to_owned();
    client.polls(READ, &cluster, &["CREATE_IN_PROGRESS"], "CREATE_COMPLETE");
    (client, cluster)
}

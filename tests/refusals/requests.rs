//! What a template or cluster asks for, and the cloud or the driver does not have.

use serde_json::json;

use super::support::unique;
use super::token;
use super::{assert_no_clusters, assert_refused, cluster_refused, service, template_refused};

#[test]
fn an_unknown_image() {
    template_refused(json!({"image_id": "no-such-image"}), 400, &["Image no-such-image could not be found."]);
    let id = "1f0ad0d2-6f0e-4ad1-a6f0-2f3a1f0b9e11";
    template_refused(json!({"image_id": id}), 400, &[&format!("Image {id} could not be found.")]);
}

#[test]
fn an_image_of_another_project() {
    template_refused(json!({"image_id": "demo2-only"}), 400, &["Image demo2-only could not be found."]);
}

#[test]
fn an_ambiguous_image() {
    template_refused(json!({"image_id": "twin"}), 409, &["Multiple images exist with the name twin", "id instead"]);
}

#[test]
fn an_image_that_does_not_say_its_distribution() {
    template_refused(json!({"image_id": "nodistro"}), 400, &["Image nodistro doesn't contain os_distro field."]);
}

#[test]
fn an_unknown_flavor() {
    template_refused(json!({"flavor_id": "m9.huge"}), 400, &["Unable to find flavor m9.huge."]);
    cluster_refused(json!({}), json!({"flavor_id": "m9.huge"}), 400, &["Unable to find flavor m9.huge."]);
}

#[test]
fn an_unknown_flavor_of_masters() {
    template_refused(json!({"master_flavor_id": "m9.huge"}), 400, &["Unable to find flavor m9.huge."]);
    cluster_refused(json!({}), json!({"master_flavor_id": "m9.huge"}), 400, &["Unable to find flavor m9.huge."]);
}

#[test]
fn no_flavor_at_all() {
    cluster_refused(json!({"flavor_id": null}), json!({}), 400, &["Unable to find flavor None."]);
}

#[test]
fn an_unknown_external_network() {
    let words = ["Unable to find external network no-such-net."];
    template_refused(json!({"external_network_id": "no-such-net"}), 400, &words);
}

#[test]
fn an_external_network_that_is_not_external() {
    let words = ["Unable to find external network private."];
    template_refused(json!({"external_network_id": "private"}), 400, &words);
}

#[test]
fn an_unknown_fixed_network() {
    let words = ["Unable to find fixed network no-such-net."];
    template_refused(json!({"fixed_network": "no-such-net"}), 400, &words);
    cluster_refused(json!({}), json!({"fixed_network": "no-such-net"}), 400, &words);
}

#[test]
fn a_fixed_network_of_another_project() {
    cluster_refused(
        json!({}),
        json!({"fixed_network": "demo2-only"}),
        400,
        &["Unable to find fixed network demo2-only."],
    );
}

#[test]
fn an_ambiguous_fixed_network() {
    let words = ["Multiple fixed networks exist with the name twin", "id instead"];
    template_refused(json!({"fixed_network": "twin"}), 409, &words);
    cluster_refused(json!({}), json!({"fixed_network": "twin"}), 409, &words);
}

#[test]
fn an_ambiguous_fixed_subnet() {
    let words = ["Multiple fixed subnets exist with the name twin-subnet", "id instead"];
    template_refused(json!({"fixed_subnet": "twin-subnet"}), 409, &words);
}

#[test]
fn an_unknown_fixed_subnet() {
    let words = ["Unable to find fixed subnet no-such-subnet"];
    template_refused(json!({"fixed_subnet": "no-such-subnet"}), 400, &words);
    cluster_refused(json!({"fixed_network": "private"}), json!({"fixed_subnet": "no-such-subnet"}), 400, &words);
}

#[test]
fn a_fixed_subnet_of_another_network() {
    let words = ["Unable to find fixed subnet twin-subnet in the network private."];
    cluster_refused(json!({"fixed_network": "private"}), json!({"fixed_subnet": "twin-subnet"}), 400, &words);
}

#[test]
fn an_unknown_keypair() {
    cluster_refused(json!({}), json!({"keypair": "no-such-key"}), 404, &["Unable to find keypair no-such-key."]);
}

#[test]
fn a_flavor_without_disk() {
    let words = ["Flavor with zero root volume size is not supported when boot_volume_size is zero."];
    template_refused(json!({"flavor_id": "ds-zero"}), 400, &words);
    template_refused(json!({"master_flavor_id": "ds-zero"}), 400, &words);
    cluster_refused(json!({}), json!({"flavor_id": "ds-zero"}), 400, &words);
    template_refused(
        json!({"flavor_id": "ds-zero", "labels": {"boot_volume_size": "ten"}}),
        400,
        &["boot_volume_size", "'ten'", "whole number"],
    );
}

#[test]
fn labels_out_of_range_all_at_once() {
    let labels = json!({
        "flannel_network_subnetlen": "99", "kube_install": "floppy", "etcd_volume_size": "-1", "kube_tag": "latest",
    });
    let words = [
        "flannel_network_subnetlen",
        "\"99\"",
        "20",
        "28",
        "kube_install",
        "\"floppy\"",
        "image",
        "packages",
        "etcd_volume_size",
        "\"-1\"",
        "kube_tag",
        "\"latest\"",
    ];
    cluster_refused(json!({}), json!({"labels": labels}), 400, &words);
    cluster_refused(json!({"labels": labels}), json!({}), 400, &words);
}

#[test]
fn networks_that_overlap() {
    let labels = json!({"fixed_subnet_cidr": "10.100.1.0/24"});
    cluster_refused(
        json!({}),
        json!({"labels": labels}),
        400,
        &["fixed_subnet_cidr", "10.100.1.0/24", "10.100.0.0/16"],
    );
}

#[test]
fn an_unknown_coe() {
    let words = ["coe", "'cattle'", "kubernetes", "swarm", "swarm-mode", "mesos"];
    template_refused(json!({"coe": "cattle"}), 400, &words);
    template_refused(json!({"coe": null}), 400, &["Requested COE type Unset is not supported."]);
}

#[test]
fn a_coe_without_a_driver() {
    for coe in ["swarm", "swarm-mode"] {
        let words = [&*format!("Cluster type (bm, ubuntu, {coe}) not supported."), "(vm, ubuntu, kubernetes)"];
        template_refused(json!({"coe": coe, "network_driver": "docker", "server_type": "bm"}), 400, &words);
    }
}

#[test]
fn an_unsupported_cluster_type() {
    let words = ["Cluster type (bm, ubuntu, kubernetes) not supported.", "Supported:", "(vm, ubuntu, kubernetes)"];
    template_refused(json!({"server_type": "bm"}), 400, &words);
    template_refused(json!({"server_type": "ox"}), 400, &["Server type ox is not supported", "vm/bm"]);
}

#[test]
fn an_unknown_driver() {
    template_refused(json!({"driver": "tractor"}), 400, &["Cluster driver (tractor) not supported.", "kubernetes"]);
}

#[test]
fn a_network_driver_that_is_unknown_or_not_allowed() {
    template_refused(json!({"network_driver": "weave"}), 400, &["weave is not supported", "flannel/calico/cilium"]);
    template_refused(json!({"network_driver": "cilium"}), 400, &["cilium is not allowed", "flannel/calico"]);
}

#[test]
fn storage_that_is_not_supported() {
    template_refused(
        json!({"volume_driver": "rexray"}),
        400,
        &["Volume driver type rexray is not supported", "cinder"],
    );
    let thin = json!({"docker_storage_driver": "devicemapper", "docker_volume_size": 2});
    template_refused(thin, 400, &["docker_volume_size", "2", "3"]);
    cluster_refused(json!({"docker_storage_driver": "btrfs"}), json!({}), 400, &["docker_storage_driver", "overlay2"]);
}

#[test]
fn an_even_number_of_masters() {
    let words = ["master nodegroup size of 2 is invalid, size cannot be an even number."];
    cluster_refused(json!({"master_lb_enabled": true}), json!({"master_count": 2}), 400, &words);
    cluster_refused(json!({}), json!({"master_count": 9}), 400, &["master_count", "\"9\"", "from 1 to 7"]);
    cluster_refused(json!({}), json!({"master_count": 0}), 400, &["master_count", "'0'", "from 1"]);
}

#[test]
fn several_masters_without_a_load_balancer() {
    let words = ["master_count must be 1 when master_lb_enabled is False"];
    cluster_refused(json!({}), json!({"master_count": 3}), 400, &words);
    cluster_refused(
        json!({"master_lb_enabled": true}),
        json!({"master_count": 3, "master_lb_enabled": false}),
        400,
        &words,
    );
}

#[test]
fn an_unknown_template() {
    let service = service();
    let token = token("demo");
    let body = json!({"name": unique("refused"), "cluster_template_id": "no-such-template"});
    for (version, status) in [("1.9", 400), ("1.10", 404)] {
        let answer = super::versions::call_at(&service, &token, version, "POST", "/clusters", Some(&body));
        assert_refused(&answer, status, &["no-such-template", "could not be found"]);
    }
    let answer = service.call(&token, "POST", "/clusters", Some(&json!({"name": "refused"})));
    assert_refused(&answer, 400, &["cluster_template_id", "Mandatory field missing"]);
    assert_no_clusters(&service);
}

#[test]
fn an_ambiguous_template() {
    let service = service();
    let (token, name) = (token("demo"), unique("double"));
    let both = [0, 1].map(|_| service.template(&token, json!({"name": name})));
    let answer = service.call(&token, "POST", "/clusters", Some(&json!({"cluster_template_id": name})));
    assert_refused(&answer, 409, &["Multiple ClusterTemplates exist with same name", "uuid instead"]);
    assert_no_clusters(&service);
    for uuid in both {
        assert_eq!(service.call(&token, "DELETE", &format!("/clustertemplates/{uuid}"), None).status, 204);
    }
}

/// Hidden templates are closed even to their owners.
#[test]
fn a_hidden_template() {
    let service = service();
    let admin = token("demo-admin");
    let hidden = service.template(&admin, json!({"hidden": true}));
    let token = token("demo");
    let answer = service.call(&token, "POST", "/clusters", Some(&json!({"cluster_template_id": hidden})));
    assert_refused(&answer, 403, &["Not authorized."]);
    assert_no_clusters(&service);
}

#[test]
fn publishing_without_the_right() {
    let words = ["Not authorized to set public or hidden flag for cluster template."];
    template_refused(json!({"public": true}), 403, &words);
    template_refused(json!({"hidden": true}), 403, &words);
}

#[test]
fn no_workers_before_version_1_10() {
    let service = service();
    let token = token("demo");
    let template = service.template(&token, json!({}));
    // At 1.10 the count is fine, and the next mistake is found.
    let body = json!({"cluster_template_id": template, "node_count": 0, "labels": {"kube_tag": "latest"}});
    let at = |version| super::versions::call_at(&service, &token, version, "POST", "/clusters", Some(&body));
    assert_refused(&at("1.9"), 400, &["Resizing a nodegroup to zero is not supported in the provided microversion."]);
    assert_refused(&at("1.10"), 400, &["kube_tag", "\"latest\""]);
    assert_no_clusters(&service);
}

#[test]
fn a_name_that_is_none() {
    for name in ["1st", "a b", "", "ä", &"a".repeat(243)] {
        cluster_refused(json!({}), json!({"name": name}), 400, &["name", "1 to 242"]);
    }
}

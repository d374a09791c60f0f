//! 3.4: what is checked of a new template, and in which order. (Each look-up that fails: `refusals::requests`.)

use serde_json::{Value, json};

use super::ask::*;
use super::world::{template, template_body};

fn refused(more: Value, text: &str) {
    post("/v1/clustertemplates").with(template_body(more)).expect(400, text);
}

const WEAVE: &str =
    "Network driver type weave is not supported, expecting a flannel/calico/cilium/unspecified network driver.";
const REXRAY: &str = "Volume driver type rexray is not supported, expecting a cinder/unspecified volume driver.";

#[test]
fn server_types_are_vm_and_bm() {
    let text = "Server type ox is not supported, expecting a vm/bm/unspecified server type.";
    refused(json!({"server_type": "ox"}), text);
}

#[test]
fn network_drivers_must_be_supported() {
    refused(json!({"network_driver": "weave"}), WEAVE);
}

#[test]
fn network_drivers_must_be_allowed() {
    let text = "Network driver type cilium is not allowed, expecting a flannel/calico/unspecified network driver.";
    refused(json!({"network_driver": "cilium"}), text);
}

#[test]
fn the_volume_driver_is_cinder_or_none() {
    refused(json!({"volume_driver": "rexray"}), REXRAY);
    assert_eq!(template(json!({"volume_driver": "cinder"}))["volume_driver"], "cinder");
}

#[test]
fn devicemapper_needs_three_gibibytes() {
    let body = json!({"docker_storage_driver": "devicemapper", "docker_volume_size": 2});
    post("/v1/clustertemplates").with(template_body(body)).refused(400, &["devicemapper", "2", "3"]);
    template(json!({"docker_storage_driver": "devicemapper", "docker_volume_size": 3}));
}

#[test]
fn an_unknown_driver_is_400() {
    refused(json!({"driver": "tractor"}), "Cluster driver (tractor) not supported. Supported: kubernetes, swarm.");
}

#[test]
fn the_driver_that_is_found_is_shown() {
    assert_eq!(template(json!({"driver": null}))["driver"], "kubernetes");
    assert_eq!(template(json!({"driver": "kubernetes"}))["driver"], "kubernetes");
}

/// Ours: Magnum takes the template and refuses every cluster of it (B-04).
#[test]
fn a_template_that_no_driver_can_build_is_refused_at_once() {
    let body = template_body(json!({"server_type": "bm", "driver": "kubernetes"}));
    post("/v1/clustertemplates").with(body).refused(400, &["Cluster type (bm, ubuntu, kubernetes) not supported."]);
}

#[test]
fn checks_come_in_the_contracts_order() {
    let all = [
        ("server_type", json!("ox"), "Server type ox is not supported"),
        ("network_driver", json!("weave"), WEAVE),
        ("volume_driver", json!("rexray"), REXRAY),
        ("driver", json!("tractor"), "Cluster driver (tractor) not supported."),
        ("image_id", json!("no-such"), "Image no-such could not be found."),
        ("flavor_id", json!("m9.huge"), "Unable to find flavor m9.huge."),
        ("external_network_id", json!("no-such"), "Unable to find external network no-such."),
        ("fixed_network", json!("no-such"), "Unable to find fixed network no-such."),
        ("public", json!(true), ""),
    ];
    for first in 0..all.len() - 1 {
        let mut body = template_body(json!({}));
        for (field, value, _) in &all[first..] {
            body[*field] = value.clone();
        }
        post("/v1/clustertemplates").with(body).refused(400, &[all[first].2]);
    }
}

/// Ours: Magnum looks the request's things up first, and so tells readers what there is (B-24).
#[test]
fn rights_are_checked_before_what_the_body_means() {
    let body = template_body(json!({"image_id": "no-such", "network_driver": "weave"}));
    let text = "Policy doesn't allow clustertemplate:create to be performed.";
    post("/v1/clustertemplates").by(READER).with(body).expect(403, text);
}

#[test]
fn a_flavor_without_a_disk_needs_a_boot_volume() {
    let text = "Flavor with zero root volume size is not supported when boot_volume_size is zero.";
    refused(json!({"flavor_id": "ds-zero"}), text);
    refused(json!({"flavor_id": "ds-zero", "labels": {"boot_volume_size": "0"}}), text);
    template(json!({"flavor_id": "ds-zero", "labels": {"boot_volume_size": "10"}}));
}

/// Ours: Magnum answers 500 (B-08).
#[test]
fn a_boot_volume_size_that_is_no_number_is_400() {
    let body = template_body(json!({"flavor_id": "ds-zero", "labels": {"boot_volume_size": "ten"}}));
    post("/v1/clustertemplates").with(body).refused(400, &["boot_volume_size", "'ten'"]);
}

//! 3.5 and 3.6: changing a template, and removing it.

use serde_json::{Value, json};

use super::ask::*;
use super::world::{cluster, template};

fn path(template: &Value) -> String {
    format!("/v1/clustertemplates/{}", template["uuid"].as_str().unwrap())
}

/// A template that a cluster was made of.
fn used() -> (Value, String) {
    let made = template(json!({"labels": {"a": "1"}}));
    cluster(json!({"cluster_template_id": made["uuid"]}));
    let text = format!("ClusterTemplate {} is referenced by one or multiple clusters.", made["uuid"].as_str().unwrap());
    (made, text)
}

#[test]
fn an_empty_patch_changes_nothing() {
    let made = template(json!({}));
    assert_eq!(patch(path(&made)).with(json!([])).ok(200), made);
}

#[test]
fn most_fields_can_be_replaced() {
    let made = template(json!({}));
    for (field, value) in [
        ("name", json!("new")),
        ("flavor_id", json!("m1.medium")),
        ("master_flavor_id", json!("m1.medium")),
        ("dns_nameserver", json!("1.1.1.1")),
        ("keypair_id", json!("k")),
        ("fixed_network", json!("private")),
        ("network_driver", json!("calico")),
        ("apiserver_port", json!(8443)),
        ("docker_volume_size", json!(5)),
        ("docker_storage_driver", json!("overlay2")),
        ("http_proxy", json!("http://p")),
        ("no_proxy", json!("x")),
        ("volume_driver", json!("cinder")),
        ("registry_enabled", json!(true)),
        ("tls_disabled", json!(true)),
        ("insecure_registry", json!("r:5000")),
        ("master_lb_enabled", json!(true)),
        ("floating_ip_enabled", json!(true)),
        ("tags", json!("a")),
    ] {
        let changed = patch(path(&made)).with(replace(&format!("/{field}"), value.clone())).ok(200);
        assert_eq!(changed[field], value, "{field}");
    }
}

#[test]
fn what_only_the_server_sets_cannot_be_patched() {
    let made = template(json!({}));
    for field in ["uuid", "project_id", "user_id", "links", "created_at", "updated_at"] {
        let text = format!("'/{field}' is an internal attribute and can not be updated");
        patch(path(&made)).with(replace(&format!("/{field}"), "x")).expect(400, &text);
    }
}

#[test]
fn mandatory_attributes_cannot_be_removed() {
    let made = template(json!({}));
    for field in [
        "coe",
        "image_id",
        "external_network_id",
        "network_driver",
        "cluster_distro",
        "registry_enabled",
        "tls_disabled",
        "public",
        "server_type",
        "hidden",
    ] {
        let text = format!("'/{field}' is a mandatory attribute and can not be removed");
        patch(path(&made)).with(remove(&format!("/{field}"))).expect(400, &text);
    }
}

#[test]
fn a_removed_attribute_is_null_or_its_default() {
    let made = template(json!({"tags": "a", "floating_ip_enabled": false, "docker_volume_size": 7}));
    for (field, value) in [
        ("name", Value::Null),
        ("tags", Value::Null),
        ("docker_volume_size", Value::Null),
        ("floating_ip_enabled", json!(true)),
        ("dns_nameserver", Value::Null),
    ] {
        assert_eq!(patch(path(&made)).with(remove(&format!("/{field}"))).ok(200)[field], value, "{field}");
    }
}

/// Ours: Magnum answers 400 `Unable to find flavor Unset.` (B-09).
#[test]
fn a_flavor_can_be_removed() {
    let made = template(json!({}));
    assert_eq!(patch(path(&made)).with(remove("/flavor_id")).ok(200)["flavor_id"], Value::Null);
}

/// Ours: Magnum answers 500 (B-08).
#[test]
fn an_unknown_coe_in_a_patch_is_400() {
    let made = template(json!({}));
    patch(path(&made)).with(replace("/coe", "cattle")).refused(400, &["coe", "cattle", "kubernetes"]);
}

#[test]
fn drivers_and_the_clouds_things_are_checked_again() {
    let made = template(json!({}));
    for (field, value, text) in [
        ("network_driver", "weave", "Network driver type weave is not supported"),
        ("volume_driver", "rexray", "Volume driver type rexray is not supported"),
        ("image_id", "no-such", "Image no-such could not be found."),
        ("flavor_id", "m9.huge", "Unable to find flavor m9.huge."),
        ("external_network_id", "no-such", "Unable to find external network no-such."),
        ("fixed_network", "no-such", "Unable to find fixed network no-such."),
    ] {
        patch(path(&made)).with(replace(&format!("/{field}"), value)).refused(400, &[text]);
    }
    assert_eq!(get(path(&made)).ok(200), made);
}

/// Ours: Magnum takes any driver (3.2), and refuses the clusters.
#[test]
fn an_unknown_driver_in_a_patch_is_400() {
    let made = template(json!({}));
    patch(path(&made)).with(replace("/driver", "tractor")).refused(400, &["Cluster driver (tractor) not supported."]);
}

/// Ours: Magnum reads the size from the labels before the patch.
#[test]
fn a_boot_volume_size_counts_as_it_will_be() {
    let made = template(json!({}));
    let both = json!([{"op": "replace", "path": "/labels", "value": "{'boot_volume_size': '10'}"},
        {"op": "replace", "path": "/flavor_id", "value": "ds-zero"}]);
    assert_eq!(patch(path(&made)).with(both).ok(200)["flavor_id"], "ds-zero");
}

#[test]
fn a_used_template_may_be_renamed_tagged_or_hidden() {
    let (made, _) = used();
    assert_eq!(patch(path(&made)).with(replace("/name", "renamed")).ok(200)["name"], "renamed");
    assert_eq!(patch(path(&made)).with(replace("/tags", "a")).ok(200)["tags"], "a");
    for hidden in [true, false] {
        let change = replace("/hidden", hidden);
        assert_eq!(patch(path(&made)).by(OWN_ADMIN).with(change).ok(200)["hidden"], hidden);
    }
}

#[test]
fn a_used_template_may_be_made_public_and_not_private_again() {
    let (made, text) = used();
    assert_eq!(patch(path(&made)).by(OWN_ADMIN).with(replace("/public", true)).ok(200)["public"], true);
    patch(path(&made)).by(OWN_ADMIN).with(replace("/public", false)).expect(400, &text);
}

#[test]
fn a_used_template_takes_no_other_change_and_never_two_at_once() {
    let (made, text) = used();
    for change in [
        replace("/image_id", "debian-12"),
        replace("/flavor_id", "m1.medium"),
        add("/labels/b", "2"),
        remove("/labels/a"),
        replace("/keypair_id", "k"),
        json!([{"op": "replace", "path": "/name", "value": "n"}, {"op": "replace", "path": "/tags", "value": "t"}]),
    ] {
        patch(path(&made)).with(change).expect(400, &text);
    }
    assert_eq!(get(path(&made)).ok(200), made);
}

#[test]
fn the_tags_of_a_used_template_can_be_changed_but_not_removed() {
    let (made, text) = used();
    patch(path(&made)).with(replace("/tags", "a")).status(200);
    patch(path(&made)).with(remove("/tags")).expect(400, &text);
}

#[test]
fn a_used_template_cannot_be_deleted() {
    let (made, text) = used();
    delete(path(&made)).expect(400, &text);
}

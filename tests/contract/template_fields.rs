//! 3.2: what a template may say, and what it says unasked.

use serde_json::{Value, json};

use super::ask::*;
use super::world::{template, template_body};

/// The whole answer is a refusal of that field with that value.
fn refused(field: &str, value: Value, allowed: &str) {
    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let text = invalid(field, &shown, allowed);
    post("/v1/clustertemplates").with(template_body(json!({field: value}))).expect(400, &text);
}

fn kept(field: &str, value: Value) {
    assert_eq!(template(json!({field: value.clone()}))[field], value);
}

#[test]
fn what_is_not_given_has_its_default() {
    let body = json!({"coe": "kubernetes", "image_id": "ubuntu-24.04", "external_network_id": "public"});
    let made = post("/v1/clustertemplates").with(body).ok(201);
    for (field, value) in [
        ("flavor_id", Value::Null),
        ("master_flavor_id", Value::Null),
        ("dns_nameserver", Value::Null),
        ("keypair_id", Value::Null),
        ("fixed_network", Value::Null),
        ("fixed_subnet", Value::Null),
        ("network_driver", json!("flannel")),
        ("apiserver_port", Value::Null),
        ("docker_volume_size", Value::Null),
        ("docker_storage_driver", Value::Null),
        ("cluster_distro", json!("ubuntu")),
        ("http_proxy", Value::Null),
        ("https_proxy", Value::Null),
        ("no_proxy", Value::Null),
        ("volume_driver", Value::Null),
        ("registry_enabled", json!(false)),
        ("labels", json!({})),
        ("tls_disabled", json!(false)),
        ("public", json!(false)),
        ("server_type", json!("vm")),
        ("insecure_registry", Value::Null),
        ("master_lb_enabled", json!(false)),
        ("floating_ip_enabled", json!(true)),
        ("hidden", json!(false)),
        ("tags", Value::Null),
        ("driver", json!("kubernetes")),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
}

#[test]
fn a_name_is_made_up_where_none_is_given() {
    for body in [template_body(json!({"name": null})), {
        let mut body = template_body(json!({}));
        body.as_object_mut().unwrap().remove("name");
        body
    }] {
        let made = post("/v1/clustertemplates").with(body).ok(201);
        let parts: Vec<&str> = made["name"].as_str().unwrap().split('-').collect();
        let [_, number, "template"] = parts[..] else { panic!("{made}") };
        assert!((1..=24).contains(&number.parse::<u32>().unwrap()), "{made}");
    }
}

#[test]
fn a_name_may_hold_any_characters() {
    kept("name", json!("a/b c ü 漢 %"));
}

#[test]
fn a_uuid_may_be_given_and_is_taken_once() {
    let uuid = uuid_like();
    assert_eq!(template(json!({"uuid": uuid}))["uuid"], uuid);
    let text = format!("A ClusterTemplate with UUID {uuid} already exists.");
    post("/v1/clustertemplates").with(template_body(json!({"uuid": uuid}))).expect(409, &text);
    refused("uuid", json!("x"), "Allowed: a UUID.");
}

/// A UUID of nobody else in this run.
fn uuid_like() -> String {
    let unique = super::support::unique("");
    let digits: String = unique.chars().filter(char::is_ascii_digit).collect();
    format!("{:0>8}-0000-4000-8000-{digits:0>12}", std::process::id() % 100_000_000)
}

#[test]
fn without_a_coe_there_is_no_template() {
    for value in [json!(null), json!({})] {
        let mut body = template_body(json!({"coe": value}));
        if value.is_object() {
            body.as_object_mut().unwrap().remove("coe");
        }
        post("/v1/clustertemplates").with(body).expect(400, "Requested COE type Unset is not supported.");
    }
}

/// Ours: the enumeration still knows what Magnum once had; no driver is installed for it.
#[test]
fn an_unknown_coe_is_400_with_the_known_ones() {
    refused("coe", json!("cattle"), "Allowed: kubernetes, swarm, swarm-mode, mesos.");
}

#[test]
fn the_image_is_mandatory_and_kept_as_it_was_given() {
    let mut body = template_body(json!({}));
    body.as_object_mut().unwrap().remove("image_id");
    post("/v1/clustertemplates").with(body).expect(400, &invalid("image_id", "None", "Mandatory field missing."));
    kept("image_id", json!("ubuntu-24.04"));
}

#[test]
fn the_distribution_is_the_images_whatever_the_request_says() {
    assert_eq!(template(json!({"cluster_distro": "plan9"}))["cluster_distro"], "ubuntu");
}

/// The CLI sends them so; upstream answers 400 in some of its paths (15b).
#[test]
fn null_for_a_flavor_means_none_given() {
    let made = template(json!({"flavor_id": null, "master_flavor_id": null}));
    assert_eq!((&made["flavor_id"], &made["master_flavor_id"]), (&Value::Null, &Value::Null));
}

#[test]
fn name_servers_are_ipv4_addresses_separated_by_commas() {
    kept("dns_nameserver", json!("8.8.8.8"));
    let spaced = template(json!({"dns_nameserver": "8.8.8.8, 1.1.1.1"}));
    assert!(spaced["dns_nameserver"].as_str().unwrap().replace(' ', "") == "8.8.8.8,1.1.1.1", "{spaced}");
    for value in ["::1", "", "dns.example.org", "8.8.8"] {
        refused("dns_nameserver", json!(value), "Allowed: IPv4 addresses separated by commas.");
    }
}

#[test]
fn the_keypair_is_not_looked_up() {
    kept("keypair_id", json!("no-such-key"));
}

#[test]
fn the_api_port_is_from_1024_to_65535() {
    kept("apiserver_port", json!(1024));
    kept("apiserver_port", json!(65535));
    for port in [1023, 65536, 0] {
        refused("apiserver_port", json!(port), "Allowed: an integer from 1024 to 65535.");
    }
}

#[test]
fn a_volume_has_at_least_one_gibibyte() {
    kept("docker_volume_size", json!(1));
    refused("docker_volume_size", json!(0), "Allowed: an integer from 1 to 2147483647.");
}

#[test]
fn proxies_registries_and_storage_drivers_are_free_text() {
    for field in ["http_proxy", "https_proxy", "no_proxy", "insecure_registry", "docker_storage_driver"] {
        kept(field, json!("anything at all"));
        refused(field, json!(""), "Allowed: a string of 1 to 255 characters.");
    }
}

#[test]
fn tags_are_text_that_may_be_empty() {
    kept("tags", json!("a,b"));
    kept("tags", json!(""));
}

#[test]
fn networks_are_kept_as_they_were_given() {
    kept("external_network_id", json!("public"));
    let made = template(json!({"fixed_network": "private"}));
    assert_eq!(made["fixed_network"], "private");
}

/// Ours: Magnum answers 500 (B-08).
#[test]
fn null_for_labels_is_400() {
    post("/v1/clustertemplates").with(template_body(json!({"labels": null}))).refused(400, &["labels", "null"]);
}

#[test]
fn null_for_the_server_type_is_400() {
    post("/v1/clustertemplates").with(template_body(json!({"server_type": null}))).refused(400, &["server_type"]);
}

#[test]
fn null_for_the_network_driver_is_the_usual_one() {
    assert_eq!(template(json!({"network_driver": null}))["network_driver"], "flannel");
}

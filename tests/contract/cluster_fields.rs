//! 4.2: what a cluster may be asked to be, and what it is unasked.

use serde_json::{Value, json};

use super::ask::*;
use super::world::{cluster, cluster_body, complete, shown, template, world};

fn refused(field: &str, value: Value, allowed: &str) {
    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let text = invalid(field, &shown, allowed);
    post("/v1/clusters").with(cluster_body(json!({field: value}))).expect(400, &text);
}

fn made(field: &str, value: Value) -> Value {
    shown(&cluster(json!({field: value})))[field].clone()
}

#[test]
fn what_is_not_given_has_its_default() {
    let shown = shown(&cluster(json!({})));
    for (field, value) in [
        ("keypair", Value::Null),
        ("node_count", json!(1)),
        ("master_count", json!(1)),
        ("docker_volume_size", Value::Null),
        ("labels", json!({})),
        ("merge_labels", json!(false)),
        ("create_timeout", json!(60)),
        ("discovery_url", Value::Null),
        ("status_reason", Value::Null),
        ("health_status", Value::Null),
        ("health_status_reason", json!({})),
        ("cluster_id", Value::Null),
        ("api_address", Value::Null),
        ("node_addresses", json!([])),
        ("master_addresses", json!([])),
        ("coe_version", Value::Null),
        ("container_version", Value::Null),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
}

#[test]
fn what_is_not_given_comes_from_the_template() {
    let template = template(json!({"docker_volume_size": 5, "fixed_network": "private", "floating_ip_enabled": true,
        "master_lb_enabled": true, "flavor_id": "m1.medium", "labels": {"a": "1"}, "keypair_id": "testkey"}));
    let shown = shown(&cluster(json!({"cluster_template_id": template["uuid"]})));
    for field in [
        "docker_volume_size",
        "fixed_network",
        "fixed_subnet",
        "floating_ip_enabled",
        "master_lb_enabled",
        "flavor_id",
        "master_flavor_id",
        "labels",
    ] {
        assert_eq!(shown[field], template[field], "{field}");
    }
    assert_eq!(shown["keypair"], "testkey");
}

#[test]
fn what_is_given_wins_over_the_template() {
    let template = template(json!({"docker_volume_size": 5, "floating_ip_enabled": true, "keypair_id": "nobodys"}));
    let given = json!({"docker_volume_size": 7, "floating_ip_enabled": false, "flavor_id": "m1.medium",
        "master_flavor_id": "m1.large", "keypair": "testkey", "fixed_network": "private", "master_lb_enabled": true});
    let mut body = given.clone();
    body["cluster_template_id"] = template["uuid"].clone();
    let shown = shown(&cluster(body));
    for (field, value) in given.as_object().unwrap() {
        assert_eq!(shown[field], *value, "{field}");
    }
}

#[test]
fn a_given_uuid_is_ignored() {
    let uuid = "11111111-2222-4333-8444-555555555555";
    assert_ne!(cluster(json!({"uuid": uuid})), uuid);
}

#[test]
fn a_name_is_made_up_where_none_is_given() {
    let name = made("name", Value::Null);
    let parts: Vec<&str> = name.as_str().unwrap().split('-').collect();
    let [_, number, "cluster"] = parts[..] else { panic!("{name}") };
    assert!((1..=24).contains(&number.parse::<u32>().unwrap()), "{name}");
}

#[test]
fn a_name_begins_with_a_letter_and_has_letters_digits_and_three_signs() {
    let allowed = "Allowed: a string of 1 to 242 letters, digits, '_', '.' and '-', of which the first is a letter.";
    for name in ["", "1st", "-a", "a b", "ä", "a/b"] {
        refused("name", json!(name), allowed);
    }
    post("/v1/clusters").with(cluster_body(json!({"name": "a".repeat(243)}))).refused(400, &["name", allowed]);
    let longest = format!("{}{}", super::support::unique("A_b."), "z".repeat(242));
    assert_eq!(made("name", json!(longest[..242])), longest[..242]);
}

#[test]
fn the_template_must_be_named() {
    let body = json!({"name": "x"});
    let text = invalid("cluster_template_id", "None", "Mandatory field missing.");
    post("/v1/clusters").with(body).expect(400, &text);
}

#[test]
fn null_for_the_template_is_404() {
    post("/v1/clusters").with(cluster_body(json!({"cluster_template_id": null}))).refused(404, &["ClusterTemplate"]);
}

#[test]
fn the_template_may_be_named_and_is_answered_by_its_uuid() {
    let template = template(json!({"name": super::support::unique("by-name")}));
    let uuid = cluster(json!({"cluster_template_id": template["name"]}));
    assert_eq!(shown(&uuid)["cluster_template_id"], template["uuid"]);
}

/// B-39: unlike images, flavors and networks.
#[test]
fn an_unknown_keypair_is_404() {
    post("/v1/clusters")
        .with(cluster_body(json!({"keypair": "no-such"})))
        .expect(404, "Unable to find keypair no-such.");
}

/// Ours: Magnum answers 404 where the template's keypair is its author's only (B-38).
#[test]
fn a_template_s_keypair_that_the_requester_does_not_have_is_left_out() {
    let template = template(json!({"keypair_id": "testkey"}));
    let body = cluster_body(json!({"cluster_template_id": template["uuid"]}));
    let made = post("/v1/clusters").by(PEER).with(body).ok(202);
    assert_eq!(shown(made["uuid"].as_str().unwrap())["keypair"], Value::Null);
}

#[test]
fn null_for_the_number_of_workers_is_one() {
    assert_eq!(made("node_count", Value::Null), 1);
}

#[test]
fn there_may_be_no_workers() {
    assert_eq!(made("node_count", json!(0)), 0);
}

#[test]
fn there_is_a_master_at_least() {
    refused("master_count", json!(0), "Allowed: an integer from 1 to 2147483647.");
}

/// Ours: Magnum answers 500 (B-08).
#[test]
fn null_for_the_number_of_masters_is_400() {
    post("/v1/clusters").with(cluster_body(json!({"master_count": null}))).refused(400, &["master_count", "null"]);
}

#[test]
fn masters_are_odd_in_number() {
    let body = cluster_body(json!({"master_count": 2, "master_lb_enabled": true}));
    let text = "master nodegroup size of 2 is invalid, size cannot be an even number.";
    post("/v1/clusters").with(body).refused(400, &[text]);
}

#[test]
fn counts_are_sums_over_nodegroups() {
    let uuid = complete(json!({"node_count": 2, "master_count": 3, "master_lb_enabled": true}));
    assert_eq!((&shown(&uuid)["node_count"], &shown(&uuid)["master_count"]), (&json!(2), &json!(3)));
    let nodegroup = "cluster_uuid = '{uuid}' AND role = 'worker'".replace("{uuid}", &uuid);
    world().write(&format!("UPDATE nodegroup SET node_count = 5 WHERE {nodegroup}"));
    assert_eq!(shown(&uuid)["node_count"], 5);
}

#[test]
fn null_for_labels_flavors_and_networks_means_the_template_s() {
    let template = template(json!({"labels": {"a": "1"}, "fixed_network": "private"}));
    let body = json!({"cluster_template_id": template["uuid"], "labels": null, "flavor_id": null,
        "master_flavor_id": null, "fixed_network": null, "docker_volume_size": null});
    let shown = shown(&cluster(body));
    for field in ["labels", "flavor_id", "master_flavor_id", "fixed_network", "docker_volume_size"] {
        assert_eq!(shown[field], template[field], "{field}");
    }
}

/// Ours: for Magnum null is the column's default, whatever the template says (B-44).
#[test]
fn null_for_a_switch_means_the_template_s() {
    let template = template(json!({"floating_ip_enabled": false, "master_lb_enabled": true}));
    let body = json!({"cluster_template_id": template["uuid"], "floating_ip_enabled": null, "master_lb_enabled": null});
    let shown = shown(&cluster(body));
    assert_eq!((&shown["floating_ip_enabled"], &shown["master_lb_enabled"]), (&json!(false), &json!(true)));
}

#[test]
fn a_timeout_left_out_is_an_hour_and_null_and_0_are_kept() {
    assert_eq!(made("create_timeout", Value::Null), Value::Null);
    assert_eq!(made("create_timeout", json!(0)), 0);
    assert_eq!(made("create_timeout", json!("7")), 7);
    assert_eq!(shown(&cluster(json!({})))["create_timeout"], 60);
}

#[test]
fn a_discovery_url_is_kept_unread() {
    for value in [json!(""), Value::Null, json!("not a url")] {
        assert_eq!(made("discovery_url", value.clone()), value);
    }
    let told = shown(&cluster(json!({"discovery_url": "not a url"})));
    assert_eq!(told["status_reason"], "Note: discovery_url has no effect: masters find each other without it");
}

#[test]
fn merge_labels_always_reads_false() {
    assert_eq!(made("merge_labels", json!(true)), false);
}

#[test]
fn what_the_server_says_later_may_be_given_and_is_not_believed() {
    let body = json!({"status": "CREATE_COMPLETE", "status_reason": "x", "health_status": "HEALTHY",
        "health_status_reason": {"api": "ok"}, "faults": {"a": "b"}, "labels_added": {"a": "b"},
        "labels_overridden": {"a": "b"}, "labels_skipped": {"a": "b"}});
    let shown = shown(&cluster(body));
    assert_eq!((&shown["status"], &shown["health_status"]), (&json!("CREATE_IN_PROGRESS"), &Value::Null));
    assert_eq!((&shown["labels_added"], shown.get("faults")), (&json!({}), None));
}

#[test]
fn what_only_the_server_says_cannot_be_given() {
    for field in [
        "cluster_id",
        "stack_id",
        "api_address",
        "node_addresses",
        "master_addresses",
        "coe_version",
        "container_version",
        "project_id",
        "user_id",
        "links",
        "created_at",
        "updated_at",
    ] {
        refused(field, json!("x"), "Cannot set read only field.");
    }
}

#[test]
fn horizons_strings_are_understood() {
    let body = json!({"node_count": "2", "master_count": "1", "create_timeout": "60", "master_lb_enabled": "False",
        "floating_ip_enabled": "True", "discovery_url": "", "labels": {"a": true, "b": 1}});
    let shown = shown(&cluster(body));
    assert_eq!((&shown["node_count"], &shown["floating_ip_enabled"]), (&json!(2), &json!(true)));
    assert_eq!(shown["labels"], json!({"a": "True", "b": "1"}));
}

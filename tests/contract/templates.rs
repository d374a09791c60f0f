//! 3.1 and 3.3: cluster templates, and who sees which.

use serde_json::{Value, json};

use super::ask::*;
use super::support::unique;
use super::world::{template, template_body};

/// Every member of a template, in whatever answer.
const MEMBERS: [&str; 36] = [
    "apiserver_port",
    "cluster_distro",
    "coe",
    "created_at",
    "dns_nameserver",
    "docker_storage_driver",
    "docker_volume_size",
    "driver",
    "external_network_id",
    "fixed_network",
    "fixed_subnet",
    "flavor_id",
    "floating_ip_enabled",
    "hidden",
    "http_proxy",
    "https_proxy",
    "image_id",
    "insecure_registry",
    "keypair_id",
    "labels",
    "links",
    "master_flavor_id",
    "master_lb_enabled",
    "name",
    "network_driver",
    "no_proxy",
    "project_id",
    "public",
    "registry_enabled",
    "server_type",
    "tags",
    "tls_disabled",
    "updated_at",
    "user_id",
    "uuid",
    "volume_driver",
];

fn path(template: &Value) -> String {
    format!("/v1/clustertemplates/{}", template["uuid"].as_str().unwrap())
}

fn made(who: &'static str, more: Value) -> Value {
    post("/v1/clustertemplates").by(who).with(template_body(more)).ok(201)
}

/// Whether the list shows it.
fn listed(who: &'static str, template: &Value) -> bool {
    let short = get("/v1/clustertemplates").by(who).status(200).text;
    let full = get("/v1/clustertemplates/detail").by(who).status(200).text;
    let uuid = template["uuid"].as_str().unwrap();
    assert_eq!(short.contains(uuid), full.contains(uuid));
    short.contains(uuid)
}

#[test]
fn a_new_template_is_answered_201_in_full() {
    let body = template(json!({"name": "new"}));
    assert_eq!(keys(&body), MEMBERS);
    assert_eq!(get(path(&body)).ok(200), body);
}

#[test]
fn both_lists_show_whole_templates() {
    let made = template(json!({}));
    for list in ["/v1/clustertemplates", "/v1/clustertemplates/detail"] {
        let page = get(list).ok(200);
        let all = page["clustertemplates"].as_array().unwrap();
        assert!(all.contains(&made), "{list}");
    }
}

#[test]
fn a_patch_is_answered_200_with_the_whole_template() {
    let made = template(json!({}));
    let body = patch(path(&made)).with(replace("/tags", "a,b")).ok(200);
    assert_eq!((keys(&body), &body["tags"]), (MEMBERS.to_vec(), &json!("a,b")));
    assert_eq!(get(path(&made)).ok(200), body);
}

#[test]
fn a_deleted_template_is_gone() {
    let made = template(json!({}));
    delete(path(&made)).status(204);
    get(path(&made)).refused(404, &["could not be found."]);
    delete(path(&made)).refused(404, &["could not be found."]);
}

#[test]
fn a_project_sees_its_own_templates_only() {
    let made = template(json!({}));
    for (who, sees) in [(MEMBER, true), (PEER, true), (READER, true), (OWN_ADMIN, true), (STRANGER, false)] {
        assert_eq!(listed(who, &made), sees, "{who}");
        get(path(&made)).by(who).status(if sees { 200 } else { 404 });
    }
}

#[test]
fn administrators_see_every_template() {
    let made = template(json!({}));
    assert!(listed(ADMIN, &made));
    let hidden = self::made(OWN_ADMIN, json!({"hidden": true}));
    assert!(listed(ADMIN, &hidden));
    get(path(&hidden)).by(ADMIN).status(200);
}

#[test]
fn public_templates_are_seen_by_every_project() {
    let public = made(OWN_ADMIN, json!({"public": true}));
    assert!(listed(STRANGER, &public));
    get(path(&public)).by(STRANGER).status(200);
}

#[test]
fn a_hidden_template_is_seen_by_its_project_and_by_administrators_only() {
    let hidden = made(OWN_ADMIN, json!({"public": true, "hidden": true}));
    assert!(!listed(STRANGER, &hidden));
    get(path(&hidden)).by(STRANGER).refused(404, &["could not be found."]);
    get(path(&hidden)).by(MEMBER).status(200);
    assert!(listed(MEMBER, &hidden));
}

#[test]
fn a_foreign_public_template_may_be_used_but_not_changed_or_deleted() {
    let public = made(OWN_ADMIN, json!({"public": true}));
    let text = |verb| format!("Policy doesn't allow clustertemplate:{verb} to be performed.");
    patch(path(&public)).by(STRANGER).with(json!([])).expect(403, &text("update"));
    delete(path(&public)).by(STRANGER).expect(403, &text("delete"));
}

#[test]
fn making_a_template_public_or_hidden_is_for_administrators() {
    let text = "Not authorized to set public or hidden flag for cluster template.";
    for flag in ["public", "hidden"] {
        post("/v1/clustertemplates").with(template_body(json!({flag: true}))).expect(403, text);
        post("/v1/clustertemplates").by(OWN_ADMIN).with(template_body(json!({flag: true}))).status(201);
        let own = template(json!({}));
        patch(path(&own)).with(replace(&format!("/{flag}"), true)).expect(403, text);
        assert_eq!(patch(path(&own)).by(OWN_ADMIN).with(replace(&format!("/{flag}"), true)).ok(200)[flag], true);
    }
}

#[test]
fn a_refused_template_leaves_nothing_behind() {
    let name = unique("refused");
    let body = template_body(json!({"name": name, "image_id": "no-such-image"}));
    post("/v1/clustertemplates").with(body).expect(400, "Image no-such-image could not be found.");
    get(format!("/v1/clustertemplates/{name}")).refused(404, &[]);
}

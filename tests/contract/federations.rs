//! 6.6. Ours: Magnum answers 202 to changes and does nothing (B-49); here there are none, and that is said.

use serde_json::{Value, json};

use super::ask::*;
use super::world::cluster;

fn refused(body: Value, status: u16, text: &str) {
    post("/v1/federations").with(body).expect(status, text);
}

#[test]
fn there_are_none() {
    for list in ["/v1/federations", "/v1/federations/detail", "/v1/federations?limit=2&sort_dir=desc"] {
        assert_eq!(get(list).ok(200), json!({"federations": []}));
    }
}

#[test]
fn the_host_cluster_must_be_named_and_exist() {
    refused(
        json!({"properties": {"dns-zone": "z"}}),
        400,
        &invalid("hostcluster_id", "None", "Mandatory field missing."),
    );
    let body = json!({"hostcluster_id": "no-such", "properties": {"dns-zone": "z"}});
    refused(body, 404, "Cluster no-such could not be found.");
}

#[test]
fn the_properties_must_have_a_zone() {
    let host = cluster(json!({}));
    refused(json!({"hostcluster_id": host}), 400, &invalid("properties", "None", "Mandatory field missing."));
    post("/v1/federations").with(json!({"hostcluster_id": host, "properties": {}})).refused(400, &["dns-zone"]);
}

#[test]
fn none_can_be_made() {
    let body = json!({"hostcluster_id": cluster(json!({})), "properties": {"dns-zone": "z"}});
    refused(body, 400, "Federations are not supported by this service.");
}

#[test]
fn none_can_be_found_changed_or_deleted() {
    let text = "Federation f could not be found.";
    get("/v1/federations/f").expect(404, text);
    patch("/v1/federations/f").with(json!([])).expect(404, text);
    delete("/v1/federations/f").expect(404, text);
}

#[test]
fn readers_may_look_and_not_touch() {
    get("/v1/federations").by(READER).status(200);
    let text = |verb| format!("Policy doesn't allow federation:{verb} to be performed.");
    let body = json!({"hostcluster_id": "x", "properties": {}});
    post("/v1/federations").by(READER).with(body).expect(403, &text("create"));
    patch("/v1/federations/f").by(READER).with(json!([])).expect(403, &text("update"));
    delete("/v1/federations/f").by(READER).expect(403, &text("delete"));
}

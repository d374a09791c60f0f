//! 1.2: what a request may carry.

use serde_json::json;

use super::ask::*;
use super::world::{cluster_body, template};

const COLLECTIONS: [(&str, &str); 5] = [
    ("/v1/clustertemplates", "cluster_template"),
    ("/v1/clusters", "cluster"),
    ("/v1/certificates", "certificate"),
    ("/v1/quotas", "quota"),
    ("/v1/federations", "federation"),
];

#[test]
fn json_is_read_with_and_without_parameters_of_its_type() {
    for kind in ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON"] {
        let body = cluster_body(json!({})).to_string();
        post("/v1/clusters").raw(kind, &body).status(202);
    }
}

#[test]
fn a_body_of_another_type_is_415_and_the_type_is_named() {
    for kind in ["text/plain", "application/xml", "application/json-patch+json"] {
        post("/v1/clusters").raw(kind, "{}").expect(415, &format!("Unknown mimetype: {kind}"));
        patch("/v1/clustertemplates/x").raw(kind, "[]").expect(415, &format!("Unknown mimetype: {kind}"));
    }
}

#[test]
fn fields_of_a_form_are_unknown_arguments() {
    post("/v1/clusters")
        .raw("application/x-www-form-urlencoded", "name=x&size=2")
        .expect(400, "Unknown argument: \"name\"");
}

#[test]
fn without_a_body_any_type_will_do() {
    let made = template(json!({}));
    let path = format!("/v1/clustertemplates/{}", made["uuid"].as_str().unwrap());
    get(&path).header("content-type", "application/json").status(200);
    get(&path).header("content-type", "text/plain").status(200);
    delete(&path).header("content-type", "application/octet-stream").status(204);
}

#[test]
fn what_is_not_json_is_400() {
    for body in ["{", "{\"name\": }", "{} {}", "name=x"] {
        post("/v1/clusters").raw("application/json", body).expect(400, "Request is not in valid JSON format");
    }
}

#[test]
fn a_missing_body_is_400_and_named() {
    for (path, argument) in COLLECTIONS {
        post(path).by(ADMIN).expect(400, &format!("Missing argument: \"{argument}\""));
        post(path).by(ADMIN).raw("application/json", " ").expect(400, &format!("Missing argument: \"{argument}\""));
    }
    patch("/v1/clustertemplates/x").expect(400, "Missing argument: \"patch\"");
    patch("/v1/quotas/x/Cluster").by(ADMIN).expect(400, "Missing argument: \"quotapatch\"");
}

/// Ours: Magnum answers 500 (B-08).
#[test]
fn json_that_is_no_object_is_400_and_named() {
    for (path, argument) in COLLECTIONS {
        for body in ["[]", "null", "5", "\"x\""] {
            let shown = body;
            let text = invalid(argument, shown, "Allowed: a JSON object.");
            post(path).by(ADMIN).raw("application/json", body).expect(400, &text);
        }
    }
}

#[test]
fn unknown_attributes_are_400_and_named_with_their_argument() {
    for (path, argument) in COLLECTIONS {
        let text = format!("Unknown attribute for argument {argument}: colour");
        post(path).by(ADMIN).with(json!({"colour": 1})).expect(400, &text);
    }
    let text = "Unknown attributes for argument cluster: colour, size";
    post("/v1/clusters").with(json!({"colour": 1, "size": 2})).expect(400, text);
    let text = "Unknown attribute for argument quotapatch: colour";
    patch("/v1/quotas/x/Cluster").by(ADMIN).with(json!({"colour": 1})).expect(400, text);
}

#[test]
fn read_only_attributes_are_400() {
    for field in ["project_id", "user_id", "links", "created_at", "updated_at"] {
        let text = invalid(field, "x", "Cannot set read only field.");
        post("/v1/clustertemplates").with(json!({"image_id": "i", field: "x"})).expect(400, &text);
        post("/v1/clusters").with(json!({"cluster_template_id": "t", field: "x"})).expect(400, &text);
    }
}

#[test]
fn a_client_that_takes_no_json_gets_an_empty_406() {
    for accept in ["text/html", "application/xml"] {
        get("/v1/clusters").header("accept", accept).framework(406, "");
    }
}

#[test]
fn clients_that_take_json_or_anything_get_json() {
    for accept in ["", "*/*", "application/json", "application/json, text/plain, */*"] {
        let answer = get("/v1/clusters?limit=1").header("accept", accept).status(200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

/// Ours: a bound where Magnum has none.
#[test]
fn a_body_over_a_mebibyte_is_413() {
    let body = format!("{{\"name\": \"{}\"}}", "x".repeat(1 << 20));
    post("/v1/clusters").raw("application/json", &body).expect(413, "The request body is larger than 1048576 bytes.");
}

//! Bodies and queries that are wrong in themselves.

use serde_json::json;

use super::support::http::Answer;
use super::support::service::Service;
use super::support::wire;
use super::token;
use super::{assert_no_clusters, assert_none_listed, assert_refused, service, template_refused};

const JSON: &str = "application/json";

fn post(service: &Service, path: &str, kind: &str, body: &[u8]) -> Answer {
    let token = token("demo");
    wire::send(service, "POST", path, &[("x-auth-token", &token), ("content-type", kind)], body)
}

/// A body that is refused wherever something is made.
fn refused_everywhere(kind: &str, body: &[u8], status: u16, words: &[&str]) {
    let service = service();
    for path in ["/v1/clustertemplates", "/v1/clusters", "/v1/certificates"] {
        assert_refused(&post(&service, path, kind, body), status, words);
    }
    assert_none_listed(&service);
}

#[test]
fn malformed_json() {
    for body in ["{", "{\"name\": }", "{} {}", "\u{0}", "{\"name\": \"\\ud800\"}", "name=x"] {
        refused_everywhere(JSON, body.as_bytes(), 400, &["Request is not in valid JSON format"]);
    }
    refused_everywhere(JSON, b"{\"name\": \"\xff\xfe\"}", 400, &["Request is not in valid JSON format"]);
}

#[test]
fn deep_json() {
    let deep = format!("{{\"labels\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    refused_everywhere(JSON, deep.as_bytes(), 400, &["Request is not in valid JSON format"]);
}

#[test]
fn no_body() {
    let service = service();
    for (path, name) in
        [("clustertemplates", "cluster_template"), ("clusters", "cluster"), ("certificates", "certificate")]
    {
        for body in ["", " \n"] {
            let answer = post(&service, &format!("/v1/{path}"), JSON, body.as_bytes());
            assert_refused(&answer, 400, &[&format!("Missing argument: \"{name}\"")]);
        }
    }
}

#[test]
fn json_of_another_shape() {
    for body in ["[]", "null", "5", "\"x\"", "true"] {
        refused_everywhere(JSON, body.as_bytes(), 400, &["Value:", "Allowed: a JSON object."]);
    }
}

#[test]
fn a_body_over_the_limit() {
    let big = format!("{{\"name\": \"{}\"}}", "x".repeat(2 << 20));
    refused_everywhere(JSON, big.as_bytes(), 413, &["larger than 1048576 bytes"]);
}

#[test]
fn a_body_of_another_type() {
    for kind in ["text/plain", "application/xml", "application/json-patch+json"] {
        refused_everywhere(kind, b"{}", 415, &[&format!("Unknown mimetype: {kind}")]);
    }
    refused_everywhere("application/x-www-form-urlencoded", b"name=x", 400, &["Unknown argument: \"name\""]);
}

#[test]
fn unknown_attributes() {
    refused_everywhere(JSON, b"{\"nmae\": 1}", 400, &["Unknown attribute for argument", "nmae"]);
    refused_everywhere(JSON, b"{\"nmae\": 1, \"kolor\": 2}", 400, &["Unknown attributes for argument", "nmae, kolor"]);
}

#[test]
fn read_only_attributes() {
    let service = service();
    let token = token("demo");
    let (template, cluster) = (json!({"image_id": "x"}), json!({"cluster_template_id": "x"}));
    let certificate = json!({"cluster_uuid": "x", "csr": "x"});
    for (path, good, fields) in [
        ("/clustertemplates", template, &["project_id", "user_id", "links", "created_at", "updated_at"][..]),
        ("/clusters", cluster, &["cluster_id", "stack_id", "api_address", "node_addresses", "project_id", "links"]),
        ("/certificates", certificate, &["links", "created_at"]),
    ] {
        for field in fields {
            let mut body = good.clone();
            body[field] = "x".into();
            let answer = service.call(&token, "POST", path, Some(&body));
            assert_refused(&answer, 400, &[field, "Value: 'x'", "Cannot set read only field."]);
        }
    }
    assert_no_clusters(&service);
}

#[test]
fn wrong_types() {
    for (field, value, allowed) in [
        ("name", json!(5), "a string of 1 to 255 characters"),
        ("name", json!("x".repeat(256)), "a string of 1 to 255 characters"),
        ("image_id", json!(null), "a string"),
        ("image_id", json!(""), "a string of 1 to 255 characters"),
        ("public", json!("maybe"), "true or false"),
        ("tls_disabled", json!(2), "true or false"),
        ("apiserver_port", json!("http"), "an integer from 1024 to 65535"),
        ("apiserver_port", json!(80), "an integer from 1024 to 65535"),
        ("docker_volume_size", json!(0), "an integer from 1"),
        ("labels", json!(null), "an object"),
        ("labels", json!([]), "an object"),
        ("labels", json!({"kube_tag": null}), "kube_tag"),
        ("labels", json!({"kube_tag": {"a": 1}}), "kube_tag"),
        ("dns_nameserver", json!("::1"), "IPv4 addresses separated by commas"),
        ("uuid", json!("x"), "a UUID"),
    ] {
        template_refused(json!({field: value}), 400, &[field, "Value: '", allowed]);
    }
}

#[test]
fn wrong_types_in_clusters() {
    let service = service();
    let token = token("demo");
    let template = service.template(&token, json!({}));
    for (field, value, allowed) in [
        ("node_count", json!("many"), "an integer from 0"),
        ("node_count", json!(-1), "an integer from 0"),
        ("node_count", json!(1_u64 << 40), "an integer from 0 to 10000"),
        ("master_count", json!(null), "an integer from 1"),
        ("create_timeout", json!([]), "an integer from 0"),
        ("floating_ip_enabled", json!("sometimes"), "true or false"),
        ("merge_labels", json!({}), "true or false"),
        ("keypair", json!(""), "a string of 1 to 255 characters"),
        ("keypair", json!("a\u{0}b"), "a string"),
    ] {
        let body = json!({"cluster_template_id": template, field: value});
        let answer = service.call(&token, "POST", "/clusters", Some(&body));
        assert_refused(&answer, 400, &[field, "Value: '", allowed]);
    }
    assert_no_clusters(&service);
}

#[test]
fn unknown_and_wrong_arguments() {
    let service = service();
    let token = token("demo");
    for (path, status, words) in [
        ("/clusters?colour=red", 400, &["Unknown argument: \"colour\""][..]),
        ("/clusters?limit=1&limit=2", 400, &["\"limit\"", "more than once"]),
        ("/clusters?limit=x", 400, &["limit", "'x'", "an integer"]),
        ("/clusters?limit=0", 400, &["Limit must be positive"]),
        ("/clusters?marker=x", 400, &["marker", "'x'"]),
        ("/clusters?marker=1f0ad0d2-6f0e-4ad1-a6f0-2f3a1f0b9e11", 404, &["1f0ad0d2"]),
        ("/clusters?sort_dir=up", 400, &["Invalid sort direction: up. Acceptable values are 'asc' or 'desc'"]),
        ("/clusters?sort_key=colour", 400, &["The sort_key value \"colour\" is an invalid field for sorting"]),
        ("/clusters?sort_key=trustee_password", 400, &["trustee_password"]),
        ("/clustertemplates?sort_key=colour", 400, &["The sort_key value \"colour\" is an invalid field for sorting"]),
        ("/stats?type=node", 400, &["Invalid stats type. Allowed values are 'cluster'"]),
        ("/clusters/no-such-cluster", 404, &["Cluster no-such-cluster could not be found."]),
        ("/clustertemplates/no-such", 404, &["ClusterTemplate no-such could not be found."]),
        ("/certificates/no-such-cluster", 404, &["Cluster no-such-cluster could not be found."]),
    ] {
        assert_refused(&service.call(&token, "GET", path, None), status, words);
    }
    for (method, path, status) in [
        ("GET", "/nowhere", 404),
        ("PUT", "/clusters", 405),
        ("POST", "/stats", 405),
        ("GET", "/certificates", 405),
        ("DELETE", "/certificates/x", 405),
    ] {
        assert_refused(&service.call(&token, method, path, None), status, &[]);
    }
    assert_refused(&service.call(&token, "DELETE", "/clusters", None), 400, &["Missing argument: \"cluster_ident\""]);
}

/// Patches of templates: each is refused whole, and the template stays as it was.
#[test]
fn patches() {
    let service = service();
    let token = token("demo");
    let template = service.template(&token, json!({"labels": {"kube_tag": "v1.34.1"}}));
    let path = format!("/clustertemplates/{template}");
    let before = service.call(&token, "GET", &path, None).json();
    let good = json!({"op": "replace", "path": "/tags", "value": "changed"});
    for (patch, words) in [
        (json!({}), &["list"][..]),
        (json!([{"op": "leap", "path": "/name"}]), &["op", "leap", "replace"]),
        (json!([{"op": "replace", "value": "x"}]), &["path"]),
        (json!([good, {"op": "replace", "path": "/uuid", "value": "x"}]), &["'/uuid' is an internal attribute"]),
        (json!([good, {"op": "remove", "path": "/coe"}]), &["'/coe' is a mandatory attribute"]),
        (json!([good, {"op": "add", "path": "/colour", "value": "x"}]), &["/colour"]),
        (json!([good, {"op": "replace", "path": "/image_id", "value": "no-such-image"}]), &["no-such-image"]),
        (json!([good, {"op": "replace", "path": "/flavor_id", "value": "m9.huge"}]), &["m9.huge"]),
        (json!([good, {"op": "replace", "path": "/apiserver_port", "value": "80"}]), &["apiserver_port", "80", "1024"]),
        (json!([good, {"op": "replace", "path": "/coe", "value": "cattle"}]), &["coe", "cattle"]),
        (json!([good, {"op": "replace", "path": "/public", "value": "maybe"}]), &["public", "maybe", "true or false"]),
        (json!([good, {"op": "remove", "path": "/labels/absent"}]), &["/labels/absent"]),
    ] {
        assert_refused(&service.call(&token, "PATCH", &path, Some(&patch)), 400, words);
    }
    assert_eq!(service.call(&token, "GET", &path, None).json(), before);
}

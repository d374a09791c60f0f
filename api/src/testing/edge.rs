//! The rules of the contract's section 1, one test each, on routes made for them.

use axum::body::{Body, Bytes};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use futures::stream;
use serde_json::{Value, json};

use crate::body::Payload;
use crate::caller::{Caller, Node};
use crate::microversion::Microversion;
use crate::query::{Nothing, Query};
use crate::{error, root};

use super::{behind_edge, send};

const TOKEN: (&str, &str) = ("x-auth-token", "good");

async fn echo(version: Microversion, Query(Nothing): Query<Nothing>, Caller(caller): Caller) -> Json<Value> {
    Json(json!({"version": version.to_string(), "user": caller.user_id}))
}

async fn store(_: Caller, payload: Payload) -> error::Result<Json<Value>> {
    payload.json("cluster").map(Json)
}

async fn defect() -> &'static str {
    panic!("the secret is 42")
}

async fn slow() {
    std::future::pending().await
}

fn routes() -> Router {
    behind_edge(
        Router::new()
            .route("/", get(root::versions))
            .route("/v1", get(root::version_1))
            .route("/healthcheck", get(async || "OK"))
            .route("/v1/clusters", get(echo).post(store))
            .route("/v1/clusters/detail", get(echo))
            .route("/v1/clusters/{ident}", patch(store).get(echo))
            .route("/v1/defect", get(defect))
            .route("/v1/slow", get(slow))
            .route("/v1/node", post(async |_: Node| ())),
    )
}

async fn status(line: &str) -> u16 {
    send(&routes(), line, &[TOKEN], "").await.0
}

#[tokio::test]
async fn the_version_documents_need_no_token() {
    let (status, headers, body) = send(&routes(), "GET /", &[], "").await;
    assert_eq!(status, 200);
    assert!(!headers.contains_key("openstack-api-version"), "{headers:?}");
    assert_eq!(body["versions"][0]["links"][0]["href"], "http://h:9511/v1/");
    assert_eq!(
        (&body["versions"][0]["min_version"], &body["versions"][0]["max_version"]),
        (&json!("1.1"), &json!("1.14"))
    );
    let (status, _, body) = send(&routes(), "GET /v1/", &[], "").await;
    assert_eq!((status, &body["id"]), (200, &json!("v1")));
    assert_eq!(body["nodegroups"][0]["href"], "http://h:9511/v1/clusters/{cluster_id}/nodegroups/");
    assert_eq!(body["clusters"][1], json!({"href": "http://h:9511/clusters/", "rel": "bookmark"}));
    assert_eq!(send(&routes(), "GET /v1.json", &[], "").await.0, 404);
}

#[tokio::test]
async fn the_version_documents_are_these() {
    insta::assert_json_snapshot!("versions", send(&routes(), "GET /", &[], "").await.2);
    insta::assert_json_snapshot!("version_1", send(&routes(), "GET /v1", &[], "").await.2);
    let proxy =
        [("x-forwarded-host", "cloud.example"), ("x-forwarded-proto", "https"), ("x-forwarded-prefix", "/infra")];
    let (_, _, body) = send(&routes(), "GET /", &proxy, "").await;
    assert_eq!(body["versions"][0]["links"][0]["href"], "https://cloud.example/infra/v1/");
}

#[tokio::test]
async fn everything_else_needs_a_token_even_if_it_does_not_exist() {
    for line in ["GET /v2", "GET /v1/clusters", "GET /nonsense", "PUT /v1/clusters", "DELETE /v1/clusters"] {
        let (status, headers, body) = send(&routes(), line, &[], "").await;
        assert_eq!((status, &body["error"]["code"]), (401, &json!(401)), "{line}");
        assert_eq!(headers["www-authenticate"], "Keystone uri=\"http://keystone/v3\"");
        assert!(!headers.contains_key("openstack-api-version"));
    }
    assert_eq!(send(&routes(), "GET /v1/clusters", &[("x-auth-token", "bad")], "").await.0, 401);
    assert_eq!(status("GET /v2").await, 404);
}

#[tokio::test]
async fn keystone_away_is_503_with_retry_after() {
    let (status, headers, body) = send(&routes(), "GET /v1/clusters", &[("x-auth-token", "away")], "").await;
    assert_eq!((status, headers["retry-after"].to_str().unwrap()), (503, "5"));
    assert_eq!(body["errors"][0]["status"], 503);
}

#[tokio::test]
async fn a_path_may_leave_out_the_version_and_end_in_a_slash() {
    for line in
        ["GET /clusters", "GET /v1/clusters/", "GET /clusters/", "GET /v1/clusters/x/", "GET /v1/clusters/detail"]
    {
        assert_eq!(status(line).await, 200, "{line}");
    }
    assert_eq!(status("GET /v1/clusters/detail/").await, 404);
    assert_eq!(status("GET /v1/clusters/x/detail").await, 404);
}

#[tokio::test]
async fn unknown_paths_and_verbs_are_framework_errors() {
    for (line, status, title) in [
        ("GET /v1/nonsense", 404, "Not Found"),
        ("PUT /v1/clusters", 405, "Method Not Allowed"),
        ("POST /v1/clusters/x", 405, "Method Not Allowed"),
        ("PUT /v1", 405, "Method Not Allowed"),
    ] {
        let (got, headers, body) = send(&routes(), line, &[TOKEN], "").await;
        assert_eq!(got, status, "{line}");
        assert_eq!(
            body["errors"][0],
            json!({"request_id": "", "code": "", "status": status, "title": title, "detail": "", "links": []})
        );
        assert_eq!(headers["openstack-api-version"], "container-infrastructure-management 1.1");
    }
}

#[tokio::test]
async fn head_is_refused_and_options_is_answered() {
    assert_eq!(status("HEAD /v1/clusters").await, 405);
    assert_eq!(send(&routes(), "HEAD /", &[], "").await.0, 405);
    assert_eq!(send(&routes(), "HEAD /healthcheck", &[], "").await.0, 200);
    for path in ["/", "/v1/clusters", "/v1/nonsense"] {
        let (status, _, body) = send(&routes(), &format!("OPTIONS {path}"), &[], "").await;
        assert_eq!((status, body), (200, Value::Null));
    }
}

#[tokio::test]
async fn pages_of_the_configured_origins_may_read_answers() {
    let origin = ("origin", "https://pages.example");
    let (_, headers, _) = send(&routes(), "GET /v1/clusters", &[TOKEN, origin], "").await;
    assert_eq!(headers["access-control-allow-origin"], origin.1);
    assert!(headers["access-control-expose-headers"].to_str().unwrap().contains("X-OpenStack-Request-ID"));
    let varied: Vec<_> = headers.get_all("vary").iter().collect();
    assert_eq!(varied, ["OpenStack-API-Version", "Origin"]);
    // A page must be able to read refusals, too.
    let (status, headers, _) = send(&routes(), "GET /v1/clusters", &[origin], "").await;
    assert_eq!((status, &headers["access-control-allow-origin"]), (401, &origin.1.parse().unwrap()));
    for other in [None, Some(("origin", "https://evil.example")), Some(("origin", "https://pages.example.evil"))] {
        let asked: Vec<_> = other.into_iter().chain([TOKEN]).collect();
        let (_, headers, _) = send(&routes(), "GET /v1/clusters", &asked, "").await;
        assert!(!headers.contains_key("access-control-allow-origin"), "{other:?}");
    }
}

#[tokio::test]
async fn a_preflight_gives_leave_for_what_may_be_asked() {
    let origin = ("origin", "https://pages.example");
    let asks =
        |method, names| [origin, ("access-control-request-method", method), ("access-control-request-headers", names)];
    let (status, headers, body) =
        send(&routes(), "OPTIONS /v1/clusters", &asks("PATCH", "X-Auth-Token, content-type"), "").await;
    assert_eq!((status, body), (200, Value::Null));
    for (name, value) in [
        ("access-control-allow-origin", origin.1),
        ("access-control-allow-methods", "PATCH"),
        ("access-control-allow-headers", "X-Auth-Token, content-type"),
        ("access-control-allow-credentials", "true"),
        ("access-control-max-age", "3600"),
        ("vary", "Origin"),
    ] {
        assert_eq!(headers[name], value);
    }
    for refused in [asks("TRACE", "x-auth-token"), asks("GET", "x-auth-token, x-evil")] {
        let (status, headers, _) = send(&routes(), "OPTIONS /v1/clusters", &refused, "").await;
        assert!(status == 200 && !headers.contains_key("access-control-allow-origin"), "{refused:?}");
    }
}

#[tokio::test]
async fn an_action_without_a_version_gets_the_one_that_has_it() {
    for (line, asked, got) in [
        ("POST /v1/clusters/x/actions/resize", None, "1.8"),
        ("POST /clusters/x/actions/upgrade/", None, "1.8"),
        ("POST /v1/clusters/x/actions/upgrade", Some("container-infra 1.7"), "1.7"),
        ("POST /v1/clusters/x/actions/other", None, "1.1"),
        ("PATCH /v1/clusters/x", None, "1.1"),
    ] {
        let asked = asked.map(|asked| ("openstack-api-version", asked));
        let headers: Vec<_> = asked.into_iter().chain([TOKEN]).collect();
        let (_, headers, _) = send(&routes(), line, &headers, "").await;
        assert_eq!(headers["openstack-api-version"], format!("container-infrastructure-management {got}"), "{line}");
    }
}

#[tokio::test]
async fn a_verb_of_items_on_their_collection_misses_its_argument() {
    for (line, text) in [
        ("DELETE /v1/clusters", "Missing argument: \"cluster_ident\""),
        ("PATCH /clusters/", "Missing argument: \"cluster_ident\""),
    ] {
        let (status, _, body) = send(&routes(), line, &[TOKEN], "").await;
        assert_eq!((status, &body["errors"][0]["detail"]), (400, &json!(text)));
    }
}

#[tokio::test]
async fn unknown_and_repeated_query_arguments_are_refused() {
    let (status, _, body) = send(&routes(), "GET /v1/clusters?foo=1", &[TOKEN], "").await;
    assert_eq!((status, &body["errors"][0]["detail"]), (400, &json!("Unknown argument: \"foo\"")));
    assert_eq!(send(&routes(), "GET /v1/clusters?a=1&a=2", &[TOKEN], "").await.0, 400);
}

#[tokio::test]
async fn every_answer_names_its_request() {
    for (line, headers) in [("GET /", &[][..]), ("GET /v1/clusters", &[TOKEN][..]), ("GET /x", &[][..])] {
        let (_, headers, _) = send(&routes(), line, headers, "").await;
        let id = headers["x-openstack-request-id"].to_str().unwrap();
        assert!(id.starts_with("req-") && id.len() == 40, "{id}");
    }
}

#[tokio::test]
async fn the_version_is_negotiated_and_named() {
    for (asked, got) in [(None, "1.1"), (Some("container-infra latest"), "1.14"), (Some("container-infra 1.9"), "1.9")]
    {
        let mut headers = vec![TOKEN];
        headers.extend(asked.map(|asked| ("openstack-api-version", asked)));
        let (_, headers, body) = send(&routes(), "GET /v1/clusters", &headers, "").await;
        assert_eq!(body["version"], got);
        assert_eq!(headers["openstack-api-version"], format!("container-infrastructure-management {got}"));
        assert_eq!(headers["openstack-api-minimum-version"], "container-infrastructure-management 1.1");
        assert_eq!(headers["openstack-api-maximum-version"], "container-infrastructure-management 1.14");
        assert_eq!(headers["vary"], "OpenStack-API-Version");
    }
}

#[tokio::test]
async fn a_version_that_cannot_be_read_is_a_plain_406_without_version_headers() {
    for (asked, text) in [
        ("container-infra", "Invalid value for OpenStack-API-Version header"),
        ("compute 2.1", "Invalid service type for OpenStack-API-Version header"),
    ] {
        let headers = [TOKEN, ("openstack-api-version", asked)];
        let (status, headers, body) = send(&routes(), "GET /v1/clusters", &headers, "").await;
        assert_eq!((status, &body["errors"][0]["detail"]), (406, &json!(text)));
        assert!(!headers.contains_key("openstack-api-version"));
    }
}

#[tokio::test]
async fn a_version_out_of_range_is_the_special_406_even_without_a_token() {
    let asked = ("openstack-api-version", "container-infra 1.99");
    for (line, headers) in [("GET /v1", vec![asked]), ("GET /v1/clusters", vec![asked, TOKEN])] {
        let (status, headers, body) = send(&routes(), line, &headers, "").await;
        assert_eq!((status, &body["errors"][0]["max_version"]), (406, &json!("1.14")));
        assert_eq!(body["errors"][0]["title"], "Requested microversion is unsupported");
        assert_eq!(body["errors"][0]["links"][0]["rel"], "help");
        assert_eq!(headers["openstack-api-version"], "container-infrastructure-management 1.99");
    }
    assert_eq!(send(&routes(), "GET /", &[asked], "").await.0, 200);
    assert_eq!(send(&routes(), "GET /v1/clusters", &[asked], "").await.0, 401);
}

#[tokio::test]
async fn only_json_is_answered() {
    for accept in ["", "*/*", "application/json", "application/json, text/plain, */*"] {
        assert_eq!(send(&routes(), "GET /v1/clusters", &[TOKEN, ("accept", accept)], "").await.0, 200, "{accept}");
    }
    for accept in ["text/html", "application/xml"] {
        let (status, _, body) = send(&routes(), "GET /v1/clusters", &[TOKEN, ("accept", accept)], "").await;
        assert_eq!(status, 406);
        assert_eq!((&body["errors"][0]["title"], &body["errors"][0]["detail"]), (&json!(""), &json!("")));
    }
}

#[tokio::test]
async fn a_body_is_json_or_415_and_no_body_may_be_anything() {
    let json = ("content-type", "application/json");
    assert_eq!(send(&routes(), "POST /v1/clusters", &[TOKEN, json], "{}").await.0, 200);
    let (status, _, body) = send(&routes(), "POST /v1/clusters", &[TOKEN, ("content-type", "text/plain")], "{}").await;
    assert_eq!((status, &body["errors"][0]["detail"]), (415, &json!("Unknown mimetype: text/plain")));
    let octets = ("content-type", "application/octet-stream");
    let (status, _, body) = send(&routes(), "POST /v1/clusters", &[TOKEN, octets], "").await;
    assert_eq!((status, &body["errors"][0]["detail"]), (400, &json!("Missing argument: \"cluster\"")));
}

#[tokio::test]
async fn a_large_body_is_413_and_a_slow_one_408() {
    let (status, _, body) = send(&routes(), "POST /v1/clusters", &[TOKEN], "x".repeat(1001)).await;
    assert_eq!((status, &body["errors"][0]["status"]), (413, &json!(413)));
    let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let (status, _, body) = send(&routes(), "POST /v1/clusters", &[TOKEN], never).await;
    assert_eq!((status, &body["errors"][0]["code"]), (408, &json!("client")));
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_503() {
    let (status, headers, body) = send(&routes(), "GET /v1/slow", &[TOKEN], "").await;
    assert_eq!((status, &body["errors"][0]["code"]), (503, &json!("server")));
    assert!(headers.contains_key("retry-after"));
}

#[tokio::test]
async fn a_panic_is_500_and_tells_nothing() {
    let (status, headers, body) = send(&routes(), "GET /v1/defect", &[TOKEN], "").await;
    assert_eq!((status, &body["errors"][0]["code"]), (500, &json!("server")));
    assert!(!body.to_string().contains("42") && headers.contains_key("x-openstack-request-id"));
}

#[tokio::test]
async fn users_and_nodes_are_told_apart() {
    assert_eq!(status("POST /v1/node").await, 401);
    assert_eq!(send(&routes(), "POST /v1/node", &[("x-jeroboam-bootstrap-token", "bad")], "").await.0, 401);
}

const PROOF: [(&str, &str); 4] = [
    ("x-jeroboam-node-cluster", "c"),
    ("x-jeroboam-node-certificate", "AAAA"),
    ("x-jeroboam-node-timestamp", "1"),
    ("x-jeroboam-node-signature", "good"),
];

/// A route that says which node asked, and what reached it.
fn nodes() -> Router {
    let echo = async |crate::caller::Node(node): crate::caller::Node, payload: crate::body::Payload| {
        Json(json!({"node": node.node, "hash": node.nodegroup_uuid, "body": payload.json("body").ok()}))
    };
    behind_edge(Router::new().route("/v1/nodes", axum::routing::post(echo)))
}

#[tokio::test]
async fn a_proof_covers_method_path_and_body_and_the_body_goes_on() {
    let body = r#"{"a":1}"#;
    let (status, _, shown) = send(&nodes(), "POST /nodes/?y=z", &PROOF, body).await;
    assert_eq!(status, 200, "{shown}");
    assert_eq!(shown["node"], "POST /v1/nodes?y=z 1", "as the path is meant, not as it was written");
    assert_eq!(shown["hash"], conductor::node::body_hash(body.as_bytes()));
    assert_eq!(shown["body"], json!({"a": 1}));
}

#[tokio::test]
async fn a_proof_must_be_whole_and_good_and_its_body_small() {
    for missing in 0..PROOF.len() {
        let mut some = PROOF.to_vec();
        some.remove(missing);
        assert_eq!(send(&nodes(), "POST /v1/nodes", &some, "{}").await.0, 401, "{missing}");
    }
    let bad = PROOF.map(|(name, value)| (name, if value == "good" { "bad" } else { value }));
    let (status, headers, body) = send(&nodes(), "POST /v1/nodes", &bad, "{}").await;
    assert_eq!(status, 401);
    assert!(headers.contains_key("www-authenticate"));
    assert!(!body.to_string().contains("signature"), "which check failed is nobody's business: {body}");
    assert_eq!(send(&nodes(), "POST /v1/nodes", &PROOF, "x".repeat(2000)).await.0, 413);
}

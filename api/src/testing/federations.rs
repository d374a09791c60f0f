//! The contract's section 6.6, as its B-49 recommends.

use serde_json::{Value, json};

use super::cloud::{ADMIN, MEMBER, READER, Service};

#[tokio::test]
async fn there_are_none_and_none_can_be_made() {
    let service = Service::start().await;
    for line in ["GET /v1/federations", "GET /v1/federations/detail", "GET /v1/federations?limit=2&sort_dir=desc"] {
        assert_eq!(service.ask(READER, line, Value::Null).await.2, json!({"federations": []}), "{line}");
    }
    let template = service.template(MEMBER, json!({})).await;
    let host = service.cluster(MEMBER, &template, json!({})).await;
    let good = json!({"name": "f", "hostcluster_id": host, "properties": {"dns-zone": "example.org"}});
    for (who, body, status, words) in [
        (MEMBER, json!({"properties": {}}), 400, "hostcluster_id"),
        (MEMBER, json!({"hostcluster_id": host}), 400, "properties"),
        (MEMBER, json!({"hostcluster_id": host, "properties": null}), 400, "properties"),
        (MEMBER, json!({"hostcluster_id": host, "properties": {}}), 400, "dns-zone"),
        (MEMBER, json!({"hostcluster_id": "x", "properties": {}}), 404, "Cluster x could not be found."),
        (MEMBER, json!({"hostcluster_id": host, "properties": {}, "zone": 1}), 400, "argument federation: zone"),
        (MEMBER, json!([]), 400, "federation"),
        (READER, good.clone(), 403, "Policy doesn't allow federation:create to be performed."),
        (MEMBER, good.clone(), 400, "Federations are not supported by this service."),
        (ADMIN, good, 400, "Federations are not supported by this service."),
    ] {
        let (got, text) = service.refused(who, "POST /v1/federations", body.clone()).await;
        assert!(got == status && text.contains(words), "{body}: {got} {text}");
    }
    for (who, verb, body, status) in [
        (READER, "GET", Value::Null, 404),
        (MEMBER, "PATCH", json!([]), 404),
        (MEMBER, "PATCH", json!({}), 400),
        (READER, "PATCH", json!([]), 403),
        (MEMBER, "DELETE", Value::Null, 404),
        (READER, "DELETE", Value::Null, 403),
        ("", "GET", Value::Null, 401),
        ("eve::admin", "GET", Value::Null, 403),
    ] {
        let got = service.ask(who, &format!("{verb} /v1/federations/f"), body).await.0;
        assert_eq!(got, status, "{verb} as {who}");
    }
}

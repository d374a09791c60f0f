//! Tokens that let nobody in.

use std::time::Duration;

use serde_json::json;

use super::support::cloud::CLOUD;
use super::support::http::{Answer, request};
use super::support::service::Service;
use super::support::wait_for;
use super::{assert_no_clusters, service};

/// 401 in Keystone's own shape, which names Keystone.
fn assert_unauthenticated(answer: &Answer) {
    assert_eq!(answer.status, 401, "{}", answer.text);
    let uri = format!("Keystone uri=\"{}\"", CLOUD.text("/auth_url"));
    assert_eq!(answer.header("www-authenticate"), Some(uri.as_str()));
    let body = answer.json();
    assert_eq!(body.get("errors"), None, "{body}");
    assert_eq!((&body["error"]["code"], &body["error"]["title"]), (&json!(401), &json!("Unauthorized")));
    assert_eq!(body["error"]["message"], "The request you have made requires authentication.");
    assert!(answer.header("x-openstack-request-id").is_some());
}

fn get(service: &Service, headers: &[(&str, &str)]) -> Answer {
    request("GET", &format!("{}/clusters", service.endpoint()), headers, None)
}

#[test]
fn no_token() {
    let service = service();
    assert_unauthenticated(&get(&service, &[]));
    assert_unauthenticated(&get(&service, &[("x-auth-token", "")]));
    // Also where nothing would be found.
    assert_unauthenticated(&request("GET", &format!("{}/nowhere", service.endpoint()), &[], None));
    assert_unauthenticated(&request("POST", &format!("{}/clusters", service.endpoint()), &[], Some(&json!({}))));
    assert_no_clusters(&service);
}

#[test]
fn a_wrong_token() {
    let service = service();
    let token = CLOUD.token("demo-peer");
    // Its middle, since the last character of base64 has bits to spare.
    let middle = token.len() / 2;
    let other = if token[middle..].starts_with('A') { "B" } else { "A" };
    let forged = format!("{}{other}{}", &token[..middle], &token[middle + 1..]);
    for wrong in ["x", "gAAAAABx", &forged, &"x".repeat(20_000)] {
        assert_unauthenticated(&get(&service, &[("x-auth-token", wrong)]));
        // Remembered, and still wrong.
        assert_unauthenticated(&get(&service, &[("x-auth-token", wrong)]));
    }
    assert_unauthenticated(&get(&service, &[("x-jeroboam-bootstrap-token", "x")]));
    // Identity is what Keystone says, never what a client says.
    let claims = [("x-user-id", "x"), ("x-project-id", "x"), ("x-roles", "admin"), ("x-identity-status", "Confirmed")];
    assert_unauthenticated(&get(&service, &claims));
}

/// As one that has expired: Keystone no longer knows it.
#[test]
fn a_revoked_token() {
    let service = service();
    let token = CLOUD.token("demo-peer");
    let path = format!("{}/auth/tokens", CLOUD.text("/auth_url"));
    let headers = [("x-auth-token", token.as_str()), ("x-subject-token", token.as_str())];
    assert_eq!(request("DELETE", &path, &headers, None).status, 204);
    assert_unauthenticated(&get(&service, &[("x-auth-token", &token)]));
    fresh();
}

/// A revocation counts for every token of the user until the second is over.
fn fresh() {
    wait_for("a token of a later second than the revocation", Duration::from_secs(10), || {
        let token = CLOUD.token("demo-peer");
        let headers = [("x-auth-token", token.as_str()), ("x-subject-token", token.as_str())];
        let path = format!("{}/auth/tokens", CLOUD.text("/auth_url"));
        (request("GET", &path, &headers, None).status == 200).then_some(())
    });
}

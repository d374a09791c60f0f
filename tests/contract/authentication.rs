//! 1.4: who asks.

use serde_json::json;

use super::ask::*;
use super::support::cloud::CLOUD;
use super::world::{cluster, shown, template};

#[test]
fn without_a_token_everything_but_the_version_documents_is_401() {
    for path in ["/v1/clusters", "/v1/clusters/x", "/v1/clustertemplates", "/v1/stats", "/v1/nonsense", "/clusters"] {
        get(path).by(NOBODY).status(401);
    }
    post("/v1/clusters").by(NOBODY).with(json!({})).status(401);
    ask("PUT", "/v1/clusters").by(NOBODY).status(401);
}

#[test]
fn a_token_that_keystone_does_not_know_is_401() {
    get("/v1/clusters").by(NOBODY).header("x-auth-token", "gAAAAABx").status(401);
}

/// Such answers stand in front of the API and have no list of errors.
#[test]
fn a_401_has_keystones_error_object() {
    let body = get("/v1/clusters").by(NOBODY).ok(401);
    let text = "The request you have made requires authentication.";
    assert_eq!(body, json!({"error": {"message": text, "code": 401, "title": "Unauthorized"}}));
}

#[test]
fn identity_is_what_keystone_says_and_never_what_a_header_says() {
    let asked = get("/v1/clusters").by(NOBODY).header("x-user-id", "x").header("x-roles", "admin");
    asked.header("x-identity-status", "Confirmed").status(401);
    get("/v1/mservices").header("x-roles", "admin").status(403);
}

#[test]
fn what_is_made_belongs_to_the_tokens_project_and_user() {
    let (template, cluster) = (template(json!({})), shown(&cluster(json!({}))));
    for made in [template, cluster] {
        assert_eq!(
            (&made["project_id"], &made["user_id"]),
            (&json!(CLOUD.project(MEMBER)), &json!(CLOUD.user(MEMBER)))
        );
    }
}

#[test]
fn the_role_admin_is_an_administrator_in_any_project() {
    for who in [OWN_ADMIN, ADMIN] {
        get("/v1/mservices").by(who).status(200);
    }
    for who in [MEMBER, PEER, READER, STRANGER] {
        get("/v1/mservices").by(who).expect(403, "Policy doesn't allow magnum-service:get_all to be performed.");
    }
}

#[test]
fn a_token_without_a_project_is_403_for_everything() {
    for path in ["/v1/clusters", "/v1/clusters/x", "/v1/clustertemplates", "/v1/stats", "/v1/mservices"] {
        get(path).by(ROLELESS).refused(403, &[]);
    }
}

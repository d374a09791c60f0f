//! 6.3: how many clusters a project may have.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::ask::*;
use super::support::cloud::CLOUD;

/// A project in which nobody makes anything; one rule at a time gives it a quota.
fn nobodys() -> (MutexGuard<'static, ()>, String, String) {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let project = CLOUD.text("/projects/service").to_owned();
    let path = format!("/v1/quotas/{project}/Cluster");
    delete(&path).by(ADMIN).send();
    (turn, project, path)
}

fn given(project: &str, limit: i64) -> Value {
    post("/v1/quotas").by(ADMIN).with(json!({"project_id": project, "hard_limit": limit})).ok(201)
}

fn own() -> String {
    format!("/v1/quotas/{}/Cluster", CLOUD.project(MEMBER))
}

#[test]
fn a_new_quota_is_answered_201_in_full_without_a_location() {
    let (_turn, project, path) = nobodys();
    let body = json!({"project_id": project, "resource": "Cluster", "hard_limit": 7});
    let answer = post("/v1/quotas").by(ADMIN).with(body).status(201);
    let made = answer.json();
    assert_eq!(keys(&made), ["created_at", "hard_limit", "id", "project_id", "resource", "updated_at"]);
    assert_eq!((&made["hard_limit"], &made["project_id"]), (&json!(7), &json!(project)));
    assert!(made["id"].is_i64() && answer.header("location").is_none());
    assert_eq!(get(path).by(ADMIN).ok(200), made);
}

#[test]
fn the_limit_is_one_where_none_is_given() {
    let (_turn, project, _) = nobodys();
    let made = post("/v1/quotas").by(ADMIN).with(json!({"project_id": project})).ok(201);
    assert_eq!((&made["hard_limit"], &made["resource"]), (&json!(1), &json!("Cluster")));
}

/// Ours: Magnum lets the request choose it (B-28).
#[test]
fn a_given_number_is_ignored() {
    let (_turn, project, _) = nobodys();
    let made = post("/v1/quotas").by(ADMIN).with(json!({"project_id": project, "id": 4711})).ok(201);
    assert_ne!(made["id"], 4711);
}

#[test]
fn a_second_quota_is_409() {
    let (_turn, project, _) = nobodys();
    given(&project, 7);
    let text = format!("Quota for project {project} already exists for resource Cluster.");
    post("/v1/quotas").by(ADMIN).with(json!({"project_id": project})).expect(409, &text);
}

#[test]
fn the_project_must_exist_in_keystone() {
    let text = "The project_id no-such could not be found.";
    post("/v1/quotas").by(ADMIN).with(json!({"project_id": "no-such"})).expect(404, text);
}

/// 15b: never an error from looking the project up.
#[test]
fn a_member_is_refused_before_the_project_is_looked_for() {
    let text = "Policy doesn't allow quota:create to be performed.";
    post("/v1/quotas").with(json!({"project_id": "no-such"})).expect(403, text);
}

#[test]
fn a_limit_is_no_less_than_0_and_the_resource_is_cluster() {
    for (field, value) in [("hard_limit", json!(-1)), ("hard_limit", json!("x")), ("resource", json!("Node"))] {
        let body = json!({"project_id": "x", field: value});
        post("/v1/quotas").by(ADMIN).with(body).refused(400, &[field, "Allowed: "]);
    }
}

/// Ours: Magnum answers 500 (B-08).
#[test]
fn the_project_is_mandatory_and_the_limit_is_not_null() {
    let text = invalid("project_id", "None", "Mandatory field missing.");
    post("/v1/quotas").by(ADMIN).with(json!({})).expect(400, &text);
    let body = json!({"project_id": "x", "hard_limit": null});
    post("/v1/quotas").by(ADMIN).with(body).refused(400, &["hard_limit", "null"]);
}

#[test]
fn a_project_without_a_quota_has_the_default_without_number_and_times() {
    let body = json!({"hard_limit": 1000, "project_id": CLOUD.project(MEMBER), "resource": "Cluster"});
    assert_eq!(get(own()).ok(200), body);
}

/// Ours: Magnum answers the default for any word (B-28).
#[test]
fn quotas_of_other_resources_do_not_exist() {
    get(format!("/v1/quotas/{}/Nodes", CLOUD.project(MEMBER))).refused(404, &["Quota could not be found"]);
}

#[test]
fn a_change_is_a_plain_object_answered_202_in_full() {
    let (_turn, project, path) = nobodys();
    let made = given(&project, 7);
    let changed = patch(&path).by(ADMIN).with(json!({"hard_limit": 9})).ok(202);
    assert_eq!((&changed["hard_limit"], &changed["id"]), (&json!(9), &made["id"]));
    assert!(changed["updated_at"].is_string());
    patch(&path).by(ADMIN).with(json!([])).refused(400, &["quotapatch"]);
}

#[test]
fn the_path_of_a_change_wins_over_its_body() {
    let (_turn, project, path) = nobodys();
    given(&project, 7);
    let body = json!({"project_id": "other", "resource": "Cluster", "hard_limit": 9});
    assert_eq!(patch(path).by(ADMIN).with(body).ok(202)["project_id"], project);
}

#[test]
fn a_quota_that_is_not_there_cannot_be_changed_or_deleted() {
    let (_turn, _, path) = nobodys();
    patch(&path).by(ADMIN).with(json!({"hard_limit": 9})).refused(404, &["Quota could not be found: "]);
    delete(&path).by(ADMIN).refused(404, &["Quota could not be found: "]);
}

#[test]
fn a_deleted_quota_leaves_the_default() {
    let (_turn, project, path) = nobodys();
    given(&project, 7);
    delete(&path).by(ADMIN).status(204);
    assert_eq!(get(path).by(ADMIN).ok(200)["hard_limit"], 1000);
}

#[test]
fn a_list_is_of_ones_own_project_unless_all_are_asked_for() {
    let (_turn, project, _) = nobodys();
    let made = given(&project, 7);
    let list = |query: &str| get(format!("/v1/quotas{query}")).by(ADMIN).ok(200)["quotas"].clone();
    for query in ["?all_tenants=true", "?all_tenants=True", "?all_tenants=1"] {
        assert!(list(query).as_array().unwrap().contains(&made), "{query}");
    }
    for query in ["", "?all_tenants=False"] {
        assert!(!list(query).as_array().unwrap().contains(&made), "{query}");
    }
}

/// Ours: Magnum answers 500 (B-06).
#[test]
fn what_is_no_boolean_for_all_tenants_is_400() {
    let text = invalid("all_tenants", "zz", "Allowed: true or false.");
    get("/v1/quotas?all_tenants=zz").by(ADMIN).expect(400, &text);
}

/// The filter is ours: Magnum loses it on the second page (B-11).
#[test]
fn a_page_goes_on_after_a_number_and_keeps_the_filter() {
    let (_turn, project, _) = nobodys();
    let made = given(&project, 7);
    let page = get("/v1/quotas?all_tenants=true&limit=1&sort_dir=desc").by(ADMIN).ok(200);
    let next = page["next"].as_str().unwrap();
    let last = page["quotas"][0]["id"].as_i64().unwrap();
    assert!(next.contains("all_tenants=True") && next.ends_with(&format!("&limit=1&marker={last}")), "{next}");
    let text = invalid("marker", "x", "Allowed: the id of an entry, an integer.");
    get("/v1/quotas?marker=x").by(ADMIN).expect(400, &text);
    assert!(made["id"].as_i64().unwrap() <= last);
}

#[test]
fn readers_see_their_own_project_s_quota_and_administrators_every_one() {
    for (who, status) in [(MEMBER, 200), (READER, 200), (PEER, 200), (OWN_ADMIN, 200), (ADMIN, 200), (STRANGER, 403)] {
        get(own()).by(who).status(status);
    }
    get(own()).by(STRANGER).expect(403, "Not authorized.");
}

#[test]
fn only_administrators_list_make_change_and_delete() {
    for who in [MEMBER, READER, STRANGER] {
        let text = |verb| format!("Policy doesn't allow quota:{verb} to be performed.");
        get("/v1/quotas").by(who).expect(403, &text("get_all"));
        post("/v1/quotas").by(who).with(json!({"project_id": "x"})).expect(403, &text("create"));
        patch(own()).by(who).with(json!({"hard_limit": 1})).expect(403, &text("update"));
        delete(own()).by(who).expect(403, &text("delete"));
    }
}

#[test]
fn detail_is_a_project_whose_resource_is_missing() {
    get("/v1/quotas/detail").by(ADMIN).expect(400, "Missing argument: \"resource\"");
}

#[test]
fn a_used_up_quota_is_403_and_a_limit_of_0_forbids_every_cluster() {
    // In a service of its own: a quota is for all clusters of a project.
    let service = super::support::service::Service::prepare("api", &[]).started();
    let project = CLOUD.project(MEMBER);
    let template = service.template(&token(MEMBER), json!({}));
    let make = || post("/v1/clusters").of(&service).with(json!({"cluster_template_id": template}));
    let text = |limit| {
        format!(
            "Resource limit exceeded: You have reached the maximum clusters per project, {limit}. You may delete a \
             cluster to make room for a new one."
        )
    };
    post("/v1/quotas").of(&service).by(ADMIN).with(json!({"project_id": project, "hard_limit": 0})).status(201);
    make().expect(403, &text(0));
    patch(own()).of(&service).by(ADMIN).with(json!({"hard_limit": 1})).status(202);
    make().status(202);
    make().expect(403, &text(1));
}

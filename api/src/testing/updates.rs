//! The contract's sections 4.5 and 4.7: changes of clusters.

use conductor::cluster::{self, Status};
use serde_json::{Value, json};

use super::cloud::{ADMIN, COLLEAGUE, MEMBER, READER, STRANGER, Service};

/// A cluster at rest.
async fn at_rest(service: &Service) -> String {
    let template = service.template(MEMBER, json!({"labels": {"min_node_count": "1", "max_node_count": "5"}})).await;
    let uuid = service.cluster(MEMBER, &template, json!({"node_count": 2})).await;
    rest(service, &uuid, Status::CreateComplete).await;
    uuid
}

/// As after the operation under way has ended so.
async fn rest(service: &Service, uuid: &str, status: Status) {
    let db = &service.api.conductor.db;
    conductor::operation::store::supersede(db, uuid).await.unwrap();
    cluster::store::set_status(db, uuid, status, None).await.unwrap();
    let changes = conductor::nodegroup::store::Changes { status: Some(status), ..Default::default() };
    conductor::nodegroup::store::change_defaults(db, uuid, changes).await.unwrap();
}

fn replace(name: &str, value: Value) -> Value {
    json!([{"op": "replace", "path": format!("/{name}"), "value": value}])
}

async fn shown(service: &Service, uuid: &str) -> Value {
    service.ask(READER, &format!("GET /v1/clusters/{uuid}"), Value::Null).await.2
}

#[tokio::test]
async fn the_status_flips_before_the_answer() {
    let service = Service::start().await;
    let uuid = at_rest(&service).await;
    let (patch, resize) = (format!("PATCH /v1/clusters/{uuid}"), format!("POST /v1/clusters/{uuid}/actions/resize"));
    for (line, body, count) in [
        (&patch, replace("node_count", json!(3)), 3),
        (&patch, replace("node_count", json!("4")), 4),
        (&format!("{patch}/?rollback=True"), replace("node_count", json!(1)), 1),
        (&resize, json!({"node_count": 5, "nodes_to_remove": null, "nodegroup": null}), 5),
        (&format!("{resize}/"), json!({"node_count": "2", "nodegroup": "default-worker"}), 2),
        (&resize, json!({"node_count": 2}), 2),
    ] {
        let before = shown(&service, &uuid).await["updated_at"].clone();
        let (status, _, body) = service.ask(MEMBER, line, body).await;
        assert_eq!((status, body), (202, json!({"uuid": uuid})), "{line}");
        let after = shown(&service, &uuid).await;
        assert_eq!((&after["status"], &after["node_count"]), (&json!("UPDATE_IN_PROGRESS"), &json!(count)));
        assert!(after["updated_at"].is_string() && before.is_string());
        let (status, text) =
            service.refused(MEMBER, line, json!([{"op": "replace", "path": "/node_count", "value": 9}])).await;
        assert!(matches!(status, 400 | 409), "{text}");
        rest(&service, &uuid, Status::UpdateComplete).await;
    }
}

#[tokio::test]
async fn what_changes_nothing_is_accepted_and_begins_nothing() {
    let service = Service::start().await;
    let uuid = at_rest(&service).await;
    let patch = format!("PATCH /v1/clusters/{uuid}");
    for body in [json!([]), replace("node_count", json!(2)), replace("name", json!("ci"))] {
        assert_eq!(service.ask(MEMBER, &patch, body.clone()).await.0, 202, "{body}");
        assert_eq!(shown(&service, &uuid).await["status"], "CREATE_COMPLETE", "{body}");
    }
    // What has failed is tried again.
    rest(&service, &uuid, Status::UpdateFailed).await;
    assert_eq!(service.ask(MEMBER, &patch, replace("node_count", json!(2))).await.0, 202);
    assert_eq!(shown(&service, &uuid).await["status"], "UPDATE_IN_PROGRESS");
}

#[tokio::test]
async fn only_three_attributes_change() {
    let service = Service::start().await;
    let uuid = at_rest(&service).await;
    let patch = format!("PATCH /v1/clusters/{uuid}");
    let two = json!([{"op": "replace", "path": "/name", "value": "x"}, {"op": "replace", "path": "/master_count", "value": 3}]);
    for (body, text) in [
        (two, "cannot change cluster property(ies) name, master_count."),
        (json!([{"op": "add", "path": "/labels/a", "value": "b"}]), "cannot change cluster property(ies) labels."),
        (replace("uuid", json!("x")), "'/uuid' is an internal attribute and can not be updated"),
        (replace("stack_id", json!("x")), "'/stack_id' is an internal attribute and can not be updated"),
        (
            json!([{"op": "remove", "path": "/node_count"}]),
            "'/node_count' is a mandatory attribute and can not be removed",
        ),
        (
            json!([{"op": "add", "path": "/node_count", "value": 3}]),
            "The attribute /node_count has existed, please use 'replace' operation instead.",
        ),
    ] {
        assert_eq!(service.refused(MEMBER, &patch, body).await, (400, text.to_owned()));
    }
    for body in [
        replace("node_count", json!(-1)),
        replace("node_count", json!("many")),
        replace("health_status", json!("FINE")),
        replace("health_status_reason", json!("x")),
        json!({"node_count": 3}),
    ] {
        assert_eq!(service.ask(MEMBER, &patch, body.clone()).await.0, 400, "{body}");
    }
    assert_eq!(shown(&service, &uuid).await["status"], "CREATE_COMPLETE");
    let absent = "PATCH /v1/clusters/nothing";
    assert_eq!(service.refused(MEMBER, absent, json!([])).await, (404, "Cluster nothing could not be found.".into()));
    assert_eq!(service.refused(MEMBER, absent, json!({})).await.0, 400, "the body comes first");
}

#[tokio::test]
async fn versions_know_more_and_more() {
    let service = Service::start().await;
    let uuid = at_rest(&service).await;
    let (patch, resize) = (format!("PATCH /v1/clusters/{uuid}"), format!("POST /v1/clusters/{uuid}/actions/resize"));
    let undo = format!("{patch}?rollback=false");
    let (status, _, body) = service.ask_at("1.2", MEMBER, &undo, json!([])).await;
    assert_eq!((status, &body["errors"][0]["detail"]), (400, &json!("Unknown argument: \"rollback\"")));
    assert_eq!(service.ask_at("1.3", MEMBER, &undo, json!([])).await.0, 202);
    assert_eq!(service.ask_at("1.3", MEMBER, &format!("{patch}?rollback=maybe"), json!([])).await.0, 400);
    assert_eq!(service.ask_at("1.3", MEMBER, &format!("{patch}?other=1"), json!([])).await.0, 400);
    let (status, _, body) = service.ask_at("1.6", MEMBER, &resize, json!({"node_count": 3})).await;
    assert_eq!(status, 406, "{body}");
    let zero = "Resizing a nodegroup to zero is not supported in the provided microversion.";
    for (line, body) in [(&patch, replace("node_count", json!(0))), (&resize, json!({"node_count": 0}))] {
        let (status, _, body) = service.ask_at("1.9", MEMBER, line, body).await;
        assert_eq!((status, &body["errors"][0]["detail"]), (400, &json!(zero)));
    }
    assert_eq!(service.ask_at("1.7", MEMBER, &resize, json!({"node_count": 3})).await.0, 202);
    rest(&service, &uuid, Status::UpdateComplete).await;
    assert_eq!(service.ask_at("1.10", MEMBER, &patch, replace("node_count", json!(0))).await.0, 202);
}

#[tokio::test]
async fn a_resize_is_held_against_its_nodegroup() {
    let service = Service::start().await;
    let uuid = at_rest(&service).await;
    let resize = format!("POST /v1/clusters/{uuid}/actions/resize");
    let range = "Resizing default-worker outside the allowed range: min_node_count = 1, max_node_count = 5";
    for (body, status, text) in [
        (json!({"node_count": 6}), 400, range),
        (json!({"node_count": 0}), 400, range),
        (
            json!({"node_count": 1, "nodegroup": "default-master"}),
            400,
            "Resizing the master nodegroup is not supported by this driver.",
        ),
        (json!({"node_count": 1, "nodegroup": "x"}), 404, "Nodegroup x could not be found."),
    ] {
        assert_eq!(service.refused(MEMBER, &resize, body).await, (status, text.to_owned()));
    }
    for body in [
        json!({}),
        json!({"node_count": -1}),
        json!({"node_count": null}),
        json!({"node_count": 1, "nodegroup": ""}),
        json!({"node_count": 1, "nodes_to_remove": "x"}),
        json!({"node_count": 1, "nodes_to_remove": [""]}),
        json!({"node_count": 1, "more": 1}),
        json!([]),
    ] {
        assert_eq!(service.ask(MEMBER, &resize, body.clone()).await.0, 400, "{body}");
    }
    assert_eq!(shown(&service, &uuid).await["status"], "CREATE_COMPLETE");
}

#[tokio::test]
async fn a_status_that_forbids_it_is_told_at_once() {
    let service = Service::start().await;
    let uuid = at_rest(&service).await;
    let (patch, resize) = (format!("PATCH /v1/clusters/{uuid}"), format!("POST /v1/clusters/{uuid}/actions/resize"));
    for status in [Status::CreateInProgress, Status::CreateFailed, Status::DeleteInProgress, Status::DeleteFailed] {
        rest(&service, &uuid, status).await;
        let bodies = [(&patch, replace("node_count", json!(3))), (&resize, json!({"node_count": 3}))];
        for (line, body) in bodies {
            let (code, text) = service.refused(MEMBER, line, body).await;
            assert_eq!(code, 409, "{text}");
            assert!(text.contains(&format!("\"{status}\"")) && text.contains(&uuid), "{text}");
        }
        let (code, text) = service.refused(MEMBER, &patch, replace("health_status", json!("HEALTHY"))).await;
        assert!(code == 409 && text.contains(&format!("\"{status}\"")), "{text}");
        assert_eq!(shown(&service, &uuid).await["node_count"], 2);
    }
}

#[tokio::test]
async fn health_is_told_by_members_of_the_project() {
    let service = Service::start().await;
    let uuid = at_rest(&service).await;
    let patch = format!("PATCH /v1/clusters/{uuid}");
    let found = json!([
        {"op": "replace", "path": "/health_status", "value": "UNHEALTHY"},
        {"op": "add", "path": "/health_status_reason/api", "value": "ok"},
        {"op": "replace", "path": "/health_status_reason", "value": "{\"api\": \"ok\", \"n.Ready\": true}"},
    ]);
    for (who, status) in [("", 401), (STRANGER, 404), (READER, 403), (COLLEAGUE, 202), (ADMIN, 202)] {
        assert_eq!(service.ask(who, &patch, found.clone()).await.0, status, "{who}");
    }
    let cluster = shown(&service, &uuid).await;
    assert_eq!((&cluster["health_status"], &cluster["status"]), (&json!("UNHEALTHY"), &json!("CREATE_COMPLETE")));
    assert_eq!(cluster["health_status_reason"], json!({"api": "ok", "n.Ready": "True"}));
    let gone = json!([{"op": "remove", "path": "/health_status"}, {"op": "remove", "path": "/health_status_reason"}]);
    assert_eq!(service.ask(MEMBER, &patch, gone).await.0, 202);
    let cluster = shown(&service, &uuid).await;
    assert_eq!((&cluster["health_status"], &cluster["health_status_reason"]), (&Value::Null, &json!({})));
}

#[tokio::test]
async fn who_may_change_a_cluster() {
    let service = Service::start().await;
    let uuid = at_rest(&service).await;
    let lines = [
        (format!("PATCH /v1/clusters/{uuid}"), replace("node_count", json!(3)), "cluster:update"),
        (format!("POST /v1/clusters/{uuid}/actions/resize"), json!({"node_count": 3}), "cluster:resize"),
    ];
    for (line, body, rule) in lines {
        for (who, status) in [("", 401), (STRANGER, 404), (READER, 403), (COLLEAGUE, 202), (ADMIN, 202)] {
            let (code, _, answer) = service.ask(who, &line, body.clone()).await;
            assert_eq!(code, status, "{line} by {who}: {answer}");
            if code == 403 {
                let text = format!("Policy doesn't allow {rule} to be performed.");
                assert_eq!(answer["errors"][0]["detail"], json!(text));
            }
            rest(&service, &uuid, Status::UpdateFailed).await;
        }
    }
}

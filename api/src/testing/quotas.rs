//! The contract's section 6.3.

use serde_json::{Value, json};

use super::cloud::{ADMIN, MEMBER, READER, STRANGER, Service};

const COLLECTION: &str = "POST /v1/quotas";
const ITEM: &str = "/v1/quotas/p1/Cluster";

async fn given(service: &Service, project: &str, hard_limit: i64) -> Value {
    let body = json!({"project_id": project, "resource": "Cluster", "hard_limit": hard_limit});
    let (status, headers, body) = service.ask(ADMIN, COLLECTION, body).await;
    assert_eq!((status, headers.contains_key("location")), (201, false), "{body}");
    body
}

#[tokio::test]
async fn a_quota_lives_from_its_making_to_its_end() {
    let service = Service::start().await;
    let default = json!({"project_id": "p1", "resource": "Cluster", "hard_limit": 20});
    assert_eq!(service.ask(READER, &format!("GET {ITEM}"), Value::Null).await.2, default);
    let made = given(&service, "p1", 3).await;
    assert_eq!(
        (&made["hard_limit"], &made["project_id"], &made["updated_at"]),
        (&json!(3), &json!("p1"), &Value::Null)
    );
    assert!(made["id"].is_i64() && made["created_at"].as_str().unwrap().ends_with("+00:00"), "{made}");
    assert_eq!(service.ask(READER, &format!("GET {ITEM}"), Value::Null).await.2, made);
    let again = json!({"project_id": "p1"});
    let twice = (409, "Quota for project p1 already exists for resource Cluster.".to_owned());
    assert_eq!(service.refused(ADMIN, COLLECTION, again).await, twice);
    // The path wins over the body, as the client sends both.
    let change = json!({"project_id": "p2", "resource": "Cluster", "hard_limit": "7"});
    let (status, _, changed) = service.ask(ADMIN, &format!("PATCH {ITEM}"), change).await;
    assert_eq!((status, &changed["hard_limit"], &changed["id"]), (202, &json!(7), &made["id"]), "{changed}");
    assert!(changed["updated_at"].is_string());
    let (status, _, same) = service.ask(ADMIN, &format!("PATCH {ITEM}"), json!({})).await;
    assert_eq!((status, &same), (202, &changed));
    assert_eq!(service.ask(ADMIN, &format!("DELETE {ITEM}"), Value::Null).await.0, 204);
    assert_eq!(service.ask(READER, &format!("GET {ITEM}"), Value::Null).await.2, default);
    for verb in ["PATCH", "DELETE"] {
        let (status, text) = service.refused(ADMIN, &format!("{verb} {ITEM}"), json!({})).await;
        assert!(status == 404 && text.starts_with("Quota could not be found: "), "{verb}: {status} {text}");
    }
}

#[tokio::test]
async fn a_quota_that_says_nothing_else_allows_one_cluster() {
    let service = Service::start().await;
    let (status, _, made) =
        service.ask(ADMIN, COLLECTION, json!({"project_id": "p1", "resource": null, "id": 77})).await;
    assert_eq!((status, &made["hard_limit"], &made["resource"]), (201, &json!(1), &json!("Cluster")), "{made}");
    assert_ne!(made["id"], 77, "the server chooses");
}

#[tokio::test]
async fn a_quota_holds() {
    let service = Service::start().await;
    let template = service.template(MEMBER, json!({})).await;
    given(&service, "p1", 0).await;
    let body = json!({"cluster_template_id": template["uuid"]});
    let (status, text) = service.refused(MEMBER, "POST /v1/clusters", body).await;
    assert_eq!(status, 403);
    assert!(text.contains("maximum clusters per project, 0."), "{text}");
    service.ask(ADMIN, &format!("PATCH {ITEM}"), json!({"hard_limit": 1})).await;
    service.cluster(MEMBER, &template, json!({})).await;
}

#[tokio::test]
async fn what_is_no_quota_is_refused_with_field_and_value() {
    let service = Service::start().await;
    for (body, status, words) in [
        (json!({}), 400, "attribute project_id. Value: 'None'. Mandatory field missing."),
        (json!({"project_id": null}), 400, "project_id"),
        (json!({"project_id": ""}), 400, "a string of 1 to 255 characters"),
        (json!({"project_id": "p1", "hard_limit": null}), 400, "hard_limit. Value: 'null'"),
        (json!({"project_id": "p1", "hard_limit": -1}), 400, "hard_limit. Value: '-1'"),
        (json!({"project_id": "p1", "hard_limit": "many"}), 400, "hard_limit. Value: 'many'"),
        (json!({"project_id": "p1", "resource": "cluster"}), 400, "resource. Value: 'cluster'. Allowed: Cluster."),
        (json!({"project_id": "p1", "limit": 1}), 400, "Unknown attribute for argument quota: limit"),
        (json!({"project_id": "p1", "created_at": "now"}), 400, "read only"),
        (json!([]), 400, "quota"),
        (Value::Null, 400, "Missing argument: \"quota\""),
        (json!({"project_id": "absent"}), 404, "The project_id absent could not be found."),
        (json!({"project_id": ".."}), 404, "The project_id .. could not be found."),
        (json!({"project_id": "closed"}), 403, "Keystone does not let your token read the project closed."),
    ] {
        let (got, text) = service.refused(ADMIN, COLLECTION, body.clone()).await;
        assert!(got == status && text.contains(words), "{body}: {got} {text}");
    }
    for (line, body, status, words) in [
        ("GET /v1/quotas/p1", Value::Null, 400, "Missing argument: \"resource\""),
        ("GET /v1/quotas/detail", Value::Null, 400, "Missing argument: \"resource\""),
        ("DELETE /v1/quotas", Value::Null, 400, "Missing argument: \"project_id\""),
        ("GET /v1/quotas/p1/Nodes", Value::Null, 404, "Quota could not be found"),
        ("PATCH /v1/quotas/p1/Cluster", json!({"hard_limit": null}), 400, "hard_limit"),
        ("PATCH /v1/quotas/p1/Cluster", json!({"hard_limit": 1, "x": 1}), 400, "argument quotapatch: x"),
        ("PATCH /v1/quotas/p1/Cluster", json!([{"op": "replace"}]), 400, "quotapatch"),
        ("GET /v1/quotas?all_tenants=zz", Value::Null, 400, "all_tenants. Value: 'zz'"),
        ("GET /v1/quotas?marker=x", Value::Null, 400, "marker. Value: 'x'. Allowed: the id of an entry, an integer."),
        ("GET /v1/quotas?marker=4711", Value::Null, 404, "Quota 4711 could not be found."),
    ] {
        let (got, text) = service.refused(ADMIN, line, body).await;
        assert!(got == status && text.contains(words), "{line}: {got} {text}");
    }
}

/// The policy comes before the look-up of the project and before what the body says.
#[tokio::test]
async fn who_may_do_what() {
    let service = Service::start().await;
    for (who, list, own, other, write) in [
        ("", 401, 401, 401, 401),
        ("eve:p1:", 403, 403, 403, 403),
        ("eve::admin", 403, 403, 403, 403),
        (READER, 403, 200, 403, 403),
        (MEMBER, 403, 200, 403, 403),
        (ADMIN, 200, 200, 200, 404),
    ] {
        assert_eq!(service.ask(who, "GET /v1/quotas", Value::Null).await.0, list, "list as {who}");
        assert_eq!(service.ask(who, &format!("GET {ITEM}"), Value::Null).await.0, own, "own as {who}");
        assert_eq!(service.ask(who, "GET /v1/quotas/p2/Cluster", Value::Null).await.0, other, "other as {who}");
        let foreign = json!({"project_id": "absent"});
        assert_eq!(service.ask(who, COLLECTION, foreign).await.0, write, "create as {who}");
        for verb in ["PATCH", "DELETE"] {
            let line = format!("{verb} /v1/quotas/p2/Cluster");
            assert_eq!(service.ask(who, &line, json!({})).await.0, write, "{verb} as {who}");
        }
    }
    let refused = service.refused(STRANGER, &format!("GET {ITEM}"), Value::Null).await;
    assert_eq!(refused, (403, "Not authorized.".to_owned()));
    let (_, text) = service.refused(MEMBER, COLLECTION, json!({"nonsense": 1})).await;
    assert_eq!(text, "Policy doesn't allow quota:create to be performed.");
}

#[tokio::test]
async fn a_list_is_of_ones_own_project_or_of_all_and_its_next_page_too() {
    let service = Service::start().await;
    for project in ["p1", "p9", "p2"] {
        given(&service, project, 1).await;
    }
    let projects = |body: &Value| -> Vec<String> {
        let all = body["quotas"].as_array().unwrap();
        all.iter().map(|quota| quota["project_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(projects(&service.ask(ADMIN, "GET /v1/quotas", Value::Null).await.2), ["p9"]);
    let line = "GET /v1/quotas?all_tenants=True&limit=2&sort_key=project_id";
    let (_, _, first) = service.ask(ADMIN, line, Value::Null).await;
    assert_eq!(projects(&first), ["p1", "p2"]);
    let next = first["next"].as_str().unwrap();
    let marker = first["quotas"][1]["id"].as_i64().unwrap();
    assert_eq!(
        next,
        format!("http://h:9511/v1/quotas?sort_key=project_id&sort_dir=asc&all_tenants=True&limit=2&marker={marker}")
    );
    let (_, _, rest) = service.ask(ADMIN, &format!("GET {}", &next["http://h:9511".len()..]), Value::Null).await;
    assert_eq!((projects(&rest), rest.get("next")), (vec!["p9".to_owned()], None));
}

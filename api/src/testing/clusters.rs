//! The contract's section 4, and the smaller resources of section 6.

use serde_json::{Value, json};

use super::cloud::{ADMIN, COLLEAGUE, MEMBER, READER, STRANGER, Service};
use super::send;

const COLLECTION: &str = "POST /v1/clusters";
const ABSENT: &str = "5e5b4a2c-7f0b-4b1b-9f0e-0d3b8e0c1a11";

fn members(value: &Value) -> Vec<&str> {
    let mut members: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    members
}

#[tokio::test]
async fn a_new_cluster_is_accepted_and_seen_at_once() {
    let service = Service::start().await;
    let template = service.template(MEMBER, json!({"labels": {"kept": "1", "changed": "1"}})).await;
    let body = json!({"name": "ci", "cluster_template_id": "k8s", "node_count": "2", "keypair": "alices",
        "merge_labels": true, "labels": {"changed": 2, "new": "3"}, "create_timeout": null, "status": "CREATE_COMPLETE"});
    let (status, headers, accepted) = service.ask(MEMBER, COLLECTION, body).await;
    assert_eq!(
        (status, members(&accepted), headers.contains_key("location")),
        (202, vec!["uuid"], false),
        "{accepted}"
    );
    let item = format!("GET /v1/clusters/{}", accepted["uuid"].as_str().unwrap());
    let (status, _, shown) = service.ask(READER, &item, Value::Null).await;
    assert_eq!(status, 200, "{shown}");
    for (member, value) in [
        ("status", json!("CREATE_IN_PROGRESS")),
        ("node_count", json!(2)),
        ("master_count", json!(1)),
        ("cluster_template_id", template["uuid"].clone()),
        ("flavor_id", json!("small")),
        ("labels", json!({"kept": "1", "changed": "2", "new": "3"})),
        ("labels_overridden", json!({"changed": "1"})),
        ("labels_added", json!({"new": "3"})),
        ("labels_skipped", json!({})),
        ("merge_labels", json!(false)),
        ("create_timeout", Value::Null),
        ("keypair", json!("alices")),
        ("floating_ip_enabled", json!(true)),
        ("health_status", Value::Null),
        ("health_status_reason", json!({})),
        ("node_addresses", json!([])),
        ("project_id", json!("p1")),
        ("user_id", json!("alice")),
        ("cluster_id", Value::Null),
    ] {
        assert_eq!(shown[member], value, "{member}");
    }
    insta::assert_json_snapshot!("cluster_members", members(&shown));
    let (_, _, old) = service.ask_at("1.12", READER, &item, Value::Null).await;
    assert!(old.get("cluster_id").is_none() && old.get("stack_id").is_some());
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_in_the_contracts_words() {
    let service = Service::start().await;
    let template = service.template(MEMBER, json!({})).await["uuid"].clone();
    for (change, status, text) in [
        (json!({"cluster_template_id": "nothing"}), 404, "ClusterTemplate nothing could not be found."),
        (json!({"keypair": "alicia"}), 404, "Unable to find keypair alicia."),
        (json!({"flavor_id": "huge"}), 400, "Unable to find flavor huge."),
        (
            json!({"master_flavor_id": "diskless"}),
            400,
            "Flavor with zero root volume size is not supported when boot_volume_size is zero.",
        ),
        (json!({"fixed_network": "nothing"}), 400, "Unable to find fixed network nothing."),
        (json!({"fixed_network": "empty"}), 400, "The fixed network empty has no IPv4 subnet."),
        (json!({"master_count": 3}), 400, "master_count must be 1 when master_lb_enabled is False"),
    ] {
        let mut body = json!({"name": "ci", "cluster_template_id": template});
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        assert_eq!(service.refused(MEMBER, COLLECTION, body).await, (status, text.to_owned()));
    }
    let body = json!({"cluster_template_id": "nothing"});
    let (status, _, _) = service.ask_at("1.9", MEMBER, COLLECTION, body.clone()).await;
    assert_eq!(status, 400, "unknown templates were 400 before 1.10");
    let (status, text) = service.refused(READER, COLLECTION, body).await;
    assert_eq!((status, text.as_str()), (403, "Policy doesn't allow cluster:create to be performed."));
    let (_, _, list) = service.ask(ADMIN, "GET /v1/clusters", Value::Null).await;
    assert_eq!(list["clusters"], json!([]), "nothing was written");
}

#[tokio::test]
async fn a_project_has_a_quota() {
    let service = Service::configured(|config| config.quota.clusters_per_project = 1).await;
    let template = service.template(MEMBER, json!({})).await;
    service.cluster(MEMBER, &template, json!({})).await;
    let body = json!({"cluster_template_id": template["uuid"]});
    let (status, text) = service.refused(MEMBER, COLLECTION, body).await;
    assert_eq!(status, 403);
    assert!(
        text.starts_with("Resource limit exceeded: You have reached the maximum clusters per project, 1."),
        "{text}"
    );
}

#[tokio::test]
async fn a_hidden_template_makes_clusters_for_administrators_only() {
    let service = Service::start().await;
    let hidden = service.template(ADMIN, json!({"hidden": true})).await;
    let body = json!({"cluster_template_id": hidden["uuid"]});
    let refused = service.refused("owner:p9:member,reader", COLLECTION, body.clone()).await;
    assert_eq!(refused, (403, "Not authorized.".to_owned()));
    assert_eq!(service.ask(ADMIN, COLLECTION, body).await.0, 202);
}

#[tokio::test]
async fn a_keypair_of_the_templates_author_is_no_obstacle() {
    let service = Service::start().await;
    let template = service.template(MEMBER, json!({"keypair_id": "alices"})).await;
    let uuid = service.cluster(COLLEAGUE, &template, json!({})).await;
    let (_, _, shown) = service.ask(COLLEAGUE, &format!("GET /v1/clusters/{uuid}"), Value::Null).await;
    assert_eq!(shown["keypair"], Value::Null);
}

#[tokio::test]
async fn who_may_see_and_delete_a_cluster() {
    let service = Service::start().await;
    let template = service.template(MEMBER, json!({})).await;
    let uuid = service.cluster(MEMBER, &template, json!({})).await;
    let item = format!("/v1/clusters/{uuid}");
    for (who, show, delete) in [
        ("", 401, 401),
        (STRANGER, 404, 404),
        (READER, 200, 403),
        (COLLEAGUE, 200, 204),
        (ADMIN, 200, 204),
        (MEMBER, 200, 204),
    ] {
        assert_eq!(service.ask(who, &format!("GET {item}"), Value::Null).await.0, show, "show as {who}");
        assert_eq!(service.ask(who, &format!("DELETE {item}"), Value::Null).await.0, delete, "delete as {who}");
    }
    let (_, _, shown) = service.ask(MEMBER, &format!("GET {item}"), Value::Null).await;
    assert_eq!(shown["status"], "DELETE_IN_PROGRESS");
}

#[tokio::test]
async fn clusters_go_by_uuid_or_by_a_name_that_only_they_have() {
    let service = Service::start().await;
    let template = service.template(MEMBER, json!({})).await;
    let first = service.cluster(MEMBER, &template, json!({"name": "one"})).await;
    assert_eq!(service.ask(READER, "GET /v1/clusters/one", Value::Null).await.2["uuid"], first);
    service.cluster(MEMBER, &template, json!({"name": "one"})).await;
    let refused = service.refused(READER, "GET /v1/clusters/one", Value::Null).await;
    let text = "Multiple clusters exist with same name. Please use the cluster uuid instead.";
    assert_eq!(refused, (409, text.to_owned()));
    let refused = service.refused(READER, &format!("GET /v1/clusters/{ABSENT}"), Value::Null).await;
    assert_eq!(refused, (404, format!("Cluster {ABSENT} could not be found.")));
    // A name that nothing can have is not repeated.
    let refused = service.refused(READER, &format!("GET /v1/clusters/{}", "a".repeat(3000)), Value::Null).await;
    assert_eq!(refused, (404, String::new()));
}

#[tokio::test]
async fn a_uuid_counts_in_every_spelling() {
    let service = Service::start().await;
    let template = service.template(MEMBER, json!({})).await;
    let plain = |value: &str| value.replace('-', "");
    let spelled = json!({"uuid": plain(template["uuid"].as_str().unwrap()).to_uppercase()});
    let uuid = service.cluster(MEMBER, &spelled, json!({})).await;
    for spelled in [uuid.to_uppercase(), plain(&uuid), plain(&uuid).to_uppercase()] {
        let (status, _, shown) = service.ask(READER, &format!("GET /v1/clusters/{spelled}"), Value::Null).await;
        assert_eq!((status, &shown["uuid"]), (200, &json!(uuid)), "{spelled}");
        let marked = format!("GET /v1/clusters?marker={spelled}");
        assert_eq!(service.ask(READER, &marked, Value::Null).await.2, json!({"clusters": []}));
        // Known, and its keys are still to be made.
        let text = service.refused(MEMBER, &format!("GET /v1/certificates/{spelled}"), Value::Null).await.1;
        assert!(!text.contains("could not be found"), "{text}");
        let request = json!({"cluster_uuid": spelled, "csr": "junk"});
        let text = service.refused(MEMBER, "POST /v1/certificates", request).await.1;
        assert!(!text.contains("could not be found"), "{text}");
    }
}

#[tokio::test]
async fn names_that_stand_in_paths_are_refused() {
    let service = Service::start().await;
    let template = service.template(MEMBER, json!({})).await;
    for name in ["detail", "actions", "nodegroups"] {
        let body = json!({"name": name, "cluster_template_id": template["uuid"]});
        let (status, text) = service.refused(MEMBER, COLLECTION, body).await;
        assert!(status == 400 && text.contains(&format!("name. Value: '{name}'")), "{status} {text}");
    }
    let body = super::cloud::usual(json!({"name": "detail"}));
    let (status, text) = service.refused(MEMBER, "POST /v1/clustertemplates", body).await;
    assert!(status == 400 && text.contains("name. Value: 'detail'"), "{status} {text}");
    let line = format!("PATCH /v1/clustertemplates/{}", template["uuid"].as_str().unwrap());
    let rename = json!([{"op": "replace", "path": "/name", "value": "detail"}]);
    assert_eq!(service.refused(MEMBER, &line, rename).await.0, 400);
    service.template(MEMBER, json!({"name": "actions"})).await;
}

#[tokio::test]
async fn lists_are_short_or_full_and_paged() {
    let service = Service::start().await;
    let template = service.template(MEMBER, json!({})).await;
    for name in ["b", "a", "c"] {
        service.cluster(MEMBER, &template, json!({"name": name})).await;
    }
    let (_, _, short) = service.ask(READER, "GET /v1/clusters?limit=2&sort_key=name", Value::Null).await;
    assert_eq!((&short["clusters"][0]["name"], &short["clusters"][1]["name"]), (&json!("a"), &json!("b")));
    insta::assert_json_snapshot!("cluster_summary_members", members(&short["clusters"][0]));
    let next = short["next"].as_str().unwrap();
    assert!(next.starts_with("http://h:9511/v1/clusters?sort_key=name&sort_dir=asc&limit=2&marker="), "{next}");
    let (_, _, full) = service.ask(READER, "GET /v1/clusters/detail?limit=3", Value::Null).await;
    let last = full["clusters"][2]["uuid"].as_str().unwrap();
    assert!(full["clusters"][0].get("api_address").is_some() && full["clusters"][0].get("faults").is_none());
    let (_, _, rest) =
        service.ask(READER, &format!("GET /v1/clusters/detail?limit=3&marker={last}"), Value::Null).await;
    assert_eq!((&rest["clusters"], rest.get("next")), (&json!([]), None));
    assert_eq!(service.ask(STRANGER, "GET /v1/clusters", Value::Null).await.2["clusters"], json!([]));
    let (_, _, all) = service.ask(ADMIN, "GET /v1/clusters", Value::Null).await;
    assert_eq!(all["clusters"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn stats_count_ones_own_and_administrators_count_all() {
    let service = Service::start().await;
    let template = service.template(MEMBER, json!({})).await;
    service.cluster(MEMBER, &template, json!({"node_count": 2})).await;
    for (who, query, status, counts) in [
        (READER, "", 200, json!({"clusters": 1, "nodes": 3})),
        (READER, "?project_id=p1&type=Cluster", 200, json!({"clusters": 1, "nodes": 3})),
        (STRANGER, "", 200, json!({"clusters": 0, "nodes": 0})),
        (ADMIN, "", 200, json!({"clusters": 1, "nodes": 3})),
        (ADMIN, "?project_id=p2", 200, json!({"clusters": 0, "nodes": 0})),
    ] {
        let (got, _, body) = service.ask(who, &format!("GET /v1/stats{query}"), Value::Null).await;
        assert_eq!((got, body), (status, counts), "{who} {query}");
    }
    let refused = service.refused(STRANGER, "GET /v1/stats?project_id=p1", Value::Null).await;
    assert_eq!(refused, (403, "Not authorized.".to_owned()));
    let refused = service.refused(READER, "GET /v1/stats?type=bay", Value::Null).await;
    assert_eq!(refused, (400, "Invalid stats type. Allowed values are 'cluster'".to_owned()));
}

#[tokio::test]
async fn services_are_for_administrators() {
    let service = Service::start().await;
    let now = conductor::column::now();
    conductor::service::store::heartbeat(&service.api.conductor.db, "here", "magnum-conductor", now).await.unwrap();
    let (status, text) = service.refused(MEMBER, "GET /v1/mservices", Value::Null).await;
    assert_eq!((status, text.as_str()), (403, "Policy doesn't allow magnum-service:get_all to be performed."));
    assert_eq!(service.ask("", "GET /v1/mservices", Value::Null).await.0, 401);
    let (_, _, body) = service.ask(ADMIN, "GET /v1/mservices", Value::Null).await;
    let only = &body["mservices"][0];
    assert_eq!((&only["id"], &only["state"], &only["report_count"]), (&json!(1), &json!("up"), &json!(1)));
    assert_eq!(service.ask(ADMIN, "GET /v1/mservices?limit=1", Value::Null).await.0, 400);
}

#[tokio::test]
async fn certificates_are_the_creators_and_administrators_affair() {
    let service = Service::start().await;
    let template = service.template(MEMBER, json!({})).await;
    let uuid = service.cluster(MEMBER, &template, json!({})).await;
    let item = format!("GET /v1/certificates/{uuid}");
    let request = json!({"cluster_uuid": uuid, "csr": "junk"});
    for (who, show, sign) in
        [("", 401, 401), (STRANGER, 404, 400), (COLLEAGUE, 403, 403), (READER, 403, 403), (ADMIN, 404, 400)]
    {
        assert_eq!(service.ask(who, &item, Value::Null).await.0, show, "show as {who}");
        assert_eq!(service.ask(who, "POST /v1/certificates", request.clone()).await.0, sign, "sign as {who}");
    }
    let absent = json!({"cluster_uuid": ABSENT, "csr": "junk"});
    let refused = service.refused(MEMBER, "POST /v1/certificates", absent).await;
    assert_eq!(refused, (400, format!("Cluster {ABSENT} could not be found.")));
    let (status, text) = service.refused(MEMBER, &format!("{item}?ca_cert_type=vault"), Value::Null).await;
    assert!(status == 400 && text.contains("Allowed: kubernetes"), "{text}");
    for line in ["GET /v1/certificates", &format!("DELETE /v1/certificates/{uuid}")] {
        assert_eq!(service.ask(MEMBER, line, Value::Null).await.0, 405, "{line}");
    }
}

#[tokio::test]
async fn a_project_may_share_its_certificates() {
    let service = Service::configured(|config| config.x509.project_wide = true).await;
    let template = service.template(MEMBER, json!({})).await;
    let uuid = service.cluster(MEMBER, &template, json!({})).await;
    let (status, text) = service.refused(COLLEAGUE, &format!("GET /v1/certificates/{uuid}"), Value::Null).await;
    assert_eq!(status, 404, "allowed, and its keys are still to be made: {text}");
}

#[tokio::test]
async fn users_cannot_speak_for_nodes_nor_nodes_for_users() {
    let service = Service::start().await;
    let line = format!("POST /v1/clusters/{ABSENT}/nodes/x-0/report");
    assert_eq!(service.ask(ADMIN, &line, json!({"phase": "ready"})).await.0, 401);
    let node = [("x-jeroboam-bootstrap-token", "unknown")];
    let routes = crate::routes(service.api.clone());
    assert_eq!(send(&routes, &line, &node, r#"{"phase": "ready"}"#).await.0, 401);
}

#[tokio::test]
async fn probes_and_the_document_need_no_token() {
    let service = Service::start().await;
    let (status, _, body) = service.ask("", "GET /readyz", Value::Null).await;
    assert_eq!((status, body), (200, json!({"database": "ok", "keystone": "ok", "engine": "ok"})));
    let (status, _, body) = service.ask("", "GET /openapi.json", Value::Null).await;
    assert_eq!((status, &body["info"]["title"]), (200, &json!("Jeroboam")));
}

#[tokio::test]
async fn keystone_away_is_503_and_not_ready() {
    let service = Service::configured(|config| {
        config.keystone.auth_url = "http://127.0.0.1:1/v3".into();
        config.keystone.timeout_s = 1;
    })
    .await;
    let (status, headers, body) = service.ask(MEMBER, "GET /v1/clusters", Value::Null).await;
    assert_eq!((status, &body["errors"][0]["title"]), (503, &json!("Keystone is not available at the moment")));
    assert!(headers.contains_key("retry-after"));
    let (status, _, body) = service.ask("", "GET /readyz", Value::Null).await;
    assert_eq!((status, &body["keystone"], &body["database"]), (503, &json!("unavailable"), &json!("ok")));
}

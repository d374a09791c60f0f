//! The contract's section 5, and upgrades as far as they are refused.

use conductor::cluster::{self, Changes, Status};
use conductor::cluster_template::{self, ClusterTemplate};
use conductor::column::StringMap;
use conductor::config::LabelsUnknown;
use conductor::nodegroup;
use serde_json::{Value, json};

use super::cloud::{ADMIN, COLLEAGUE, MEMBER, READER, STRANGER, Service};
use super::sample;

/// A complete cluster's path.
async fn complete(service: &Service, template: Value) -> String {
    let template = service.template(MEMBER, template).await;
    let uuid = service.cluster(MEMBER, &template, json!({"node_count": 2})).await;
    let db = &service.api.conductor.db;
    let operation = conductor::operation::store::active(db, &uuid).await.unwrap().remove(0);
    let end = conductor::operation::store::End::succeeded();
    conductor::operation::store::finish(db, &operation.uuid, end).await.unwrap();
    let changes = Changes {
        status: Some(Status::CreateComplete),
        api_address: Some(Some("https://10.0.0.5:6443".into())),
        stack_id: Some(Some("5e5b4a2c-7f0b-4b1b-9f0e-0d3b8e0c1a11".into())),
        ..Default::default()
    };
    cluster::store::change(db, &uuid, changes).await.unwrap();
    let changes = nodegroup::store::Changes { status: Some(Status::CreateComplete), ..Default::default() };
    nodegroup::store::change_defaults(db, &uuid, changes).await.unwrap();
    format!("/v1/clusters/{uuid}")
}

fn members(value: &Value) -> Vec<&str> {
    let mut members: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    members
}

#[tokio::test]
async fn the_nodegroups_of_a_cluster_are_listed_and_shown() {
    let service = Service::start().await;
    let cluster = complete(&service, json!({"labels": {"kept": "1"}})).await;
    let (status, _, list) = service.ask(READER, &format!("GET {cluster}/nodegroups/"), Value::Null).await;
    assert_eq!((status, list["nodegroups"].as_array().unwrap().len()), (200, 2), "{list}");
    insta::assert_json_snapshot!("nodegroup_summary_members", members(&list["nodegroups"][0]));
    assert!(list.get("next").is_none());
    let line = format!("GET {cluster}/nodegroups?role=worker&limit=1");
    let (_, _, page) = service.ask(READER, &line, Value::Null).await;
    assert_eq!(page["nodegroups"][0]["name"], "default-worker");
    let next = page["next"].as_str().unwrap();
    let path = format!("{cluster}/nodegroups?sort_key=id&sort_dir=asc&role=worker&limit=1&marker=");
    assert!(next.contains(&path), "{next}");
    let (_, _, shown) = service.ask(READER, &format!("GET {cluster}/nodegroups/default-worker"), Value::Null).await;
    insta::assert_json_snapshot!("nodegroup_members", members(&shown));
    for (member, value) in [
        ("role", json!("worker")),
        ("node_count", json!(2)),
        ("is_default", json!(true)),
        ("labels", json!({"kept": "1"})),
        ("labels_overridden", json!({})),
        ("node_addresses", json!([])),
        ("node_labels", Value::Null),
    ] {
        assert_eq!(shown[member], value, "{member}");
    }
    let own = format!("{cluster}/nodegroups/{}", shown["uuid"].as_str().unwrap());
    assert!(shown["links"][0]["href"].as_str().unwrap().ends_with(&own), "{shown}");
    assert!(shown["links"][1]["href"].as_str().unwrap().ends_with(&own.replace("/v1/", "/")), "{shown}");
    let refused = service.refused(READER, &format!("GET {cluster}/nodegroups/detail"), Value::Null).await;
    assert_eq!(refused, (404, "Nodegroup detail could not be found.".to_owned()));
}

#[tokio::test]
async fn nodegroups_and_upgrades_came_with_a_version() {
    let service = Service::start().await;
    let cluster = complete(&service, json!({})).await;
    let lines = [
        "GET {}/nodegroups",
        "GET {}/nodegroups/x",
        "POST {}/nodegroups",
        "PATCH {}/nodegroups/x",
        "DELETE {}/nodegroups/x",
    ];
    for line in lines.map(|line| line.replace("{}", &cluster)) {
        let (status, _, body) = service.ask_at("1.8", MEMBER, &line, json!({"name": "x"})).await;
        let text = body["errors"][0]["detail"].as_str().unwrap();
        assert_eq!(status, 406, "{line}: {text}");
        assert!(text.starts_with("Version 1.8 was requested"), "{text}");
    }
    let line = format!("POST {cluster}/actions/upgrade");
    for (version, status) in [("1.6", 406), ("1.7", 400), ("1.8", 404)] {
        let body = json!({"cluster_template": "nothing"});
        assert_eq!(service.ask_at(version, MEMBER, &line, body).await.0, status, "{version}");
    }
}

#[tokio::test]
async fn a_new_nodegroup_is_accepted_and_shown_in_full() {
    let service = Service::start().await;
    let cluster = complete(&service, json!({"labels": {"kept": "1", "changed": "1"}})).await;
    let body = json!({"name": "gpu", "role": "compute", "node_count": "2", "flavor_id": "small", "max_node_count": 3,
        "labels": {"changed": 2}, "merge_labels": "true", "node_labels": {"example.org/gpu": "yes"},
        "node_taints": [{"key": "gpu", "effect": "NoSchedule"}], "status": "CREATE_FAILED", "is_default": true, "id": 7});
    let (status, _, made) = service.ask(COLLEAGUE, &format!("POST {cluster}/nodegroups/"), body).await;
    assert_eq!(status, 202, "{made}");
    for (member, value) in [
        ("status", json!("CREATE_IN_PROGRESS")),
        ("is_default", json!(false)),
        ("role", json!("compute")),
        ("node_count", json!(2)),
        ("min_node_count", json!(0)),
        ("image_id", json!("ubuntu")),
        ("labels", json!({"kept": "1", "changed": "2"})),
        ("labels_overridden", json!({"changed": "1"})),
        ("node_taints", json!([{"key": "gpu", "effect": "NoSchedule"}])),
        ("stack_id", Value::Null),
        ("merge_labels", json!(false)),
        ("status_reason", json!("Note: labels.changed is not known to the driver")),
    ] {
        assert_eq!(made[member], value, "{member}");
    }
    let (_, _, whole) = service.ask(READER, &format!("GET {cluster}"), Value::Null).await;
    assert_eq!((&whole["status"], &whole["node_count"]), (&json!("UPDATE_IN_PROGRESS"), &json!(4)));
    // Its own labels take the place of the cluster's.
    let (_, _, own) =
        service.ask(MEMBER, &format!("POST {cluster}/nodegroups"), json!({"name": "own", "labels": {}})).await;
    assert_eq!(own["labels_skipped"], json!({"kept": "1", "changed": "1"}), "{own}");
    assert_eq!(own["status_reason"], Value::Null, "{own}");
}

#[tokio::test]
async fn a_nodegroup_of_a_swarm_tells_that_its_nodes_get_no_labels_and_taints() {
    let service = Service::start().await;
    let cluster = complete(&service, json!({"coe": "swarm-mode", "network_driver": "docker"})).await;
    let body = json!({"name": "gpu", "node_labels": {"a": "b"}, "node_taints": [{"key": "a", "effect": "NoExecute"}]});
    let (status, _, made) = service.ask(MEMBER, &format!("POST {cluster}/nodegroups"), body).await;
    let note = "Note: node_labels has no effect: nodes made by the driver swarm have none; \
                node_taints has no effect: nodes made by the driver swarm have none";
    assert_eq!((status, &made["status_reason"]), (202, &json!(note)), "{made}");
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_in_the_contracts_words() {
    let service = Service::start().await;
    let cluster = complete(&service, json!({})).await;
    let line = format!("POST {cluster}/nodegroups");
    for (body, status, text) in [
        (json!({}), 400, "Mandatory field missing."),
        (json!({"name": "x", "role": "master"}), 400, "Creating master nodegroups is currently not supported."),
        (json!({"name": "x", "max_node_count": 1, "min_node_count": 2}), 409, "max_node_count for x is invalid ("),
        (json!({"name": "x", "min_node_count": 2}), 409, "min_node_count for x is invalid ("),
        (json!({"name": "x", "node_count": 2, "max_node_count": 1}), 409, "max_node_count for x is invalid ("),
        (json!({"name": "x", "flavor_id": "huge"}), 400, "Unable to find flavor huge."),
        (json!({"name": "x", "flavor_id": "diskless"}), 400, "Flavor with zero root volume size is not supported"),
        (json!({"name": "x", "image_id": "nothing"}), 400, "Image nothing could not be found."),
        (json!({"name": "x", "labels": {"kube_tag": "latest"}}), 400, "labels.kube_tag is \"latest\""),
        (json!({"name": "x", "node_labels": {"kubernetes.io/x": "y"}}), 409, "node_labels for x is invalid ("),
        (json!({"name": "x", "node_labels": {"a": 1}}), 400, "node_labels"),
        (json!({"name": "x", "node_taints": [{"key": "a", "effect": "Never"}]}), 409, "node_taints for x is invalid ("),
        (
            json!({"name": "default-worker"}),
            409,
            "A node group with name default-worker already exists in the cluster ci.",
        ),
        (json!({"name": "Worker"}), 409, "like those of default-worker"),
        (json!({"name": "x", "stack_id": "y"}), 400, "Cannot set read only field."),
    ] {
        let (got, said) = service.refused(MEMBER, &line, body.clone()).await;
        assert!(got == status && said.contains(text), "{body}: {got} {said}");
    }
    let (_, _, list) = service.ask(MEMBER, &format!("GET {cluster}/nodegroups"), Value::Null).await;
    assert_eq!(list["nodegroups"].as_array().unwrap().len(), 2, "nothing was written");
    let template = service.template(MEMBER, json!({})).await;
    let young = service.cluster(MEMBER, &template, json!({})).await;
    let refused = service.refused(MEMBER, &format!("POST /v1/clusters/{young}/nodegroups"), json!({"name": "x"})).await;
    assert_eq!(refused, (409, "Cluster API address is not available yet".to_owned()));
}

#[tokio::test]
async fn everything_wrong_with_labels_is_told_at_once() {
    let service = Service::configured(|config| config.drivers.labels_unknown = LabelsUnknown::Refuse).await;
    let cluster = complete(&service, json!({"labels": {"kube_tag": "v1.33.0", "etcd_volume_size": "5"}})).await;
    let unknown = [
        "labels.foreign is \"x\"; allowed: nothing, as the label is not known to the driver; ",
        "labels.kube_tga is \"v1.33.0\"; allowed: nothing, as the label is not known to the driver; the nearest is kube_tag",
    ];
    let told = async |line: &str, body: Value, more: &[&str]| {
        let (status, text) = service.refused(MEMBER, line, body).await;
        assert_eq!(status, 400, "{text}");
        for part in unknown.iter().chain(more) {
            assert_eq!(text.matches(part).count(), 1, "{part:?} in {text}");
        }
    };
    // A label of nodes is one of the nodegroup and of its nodes, and named once all the same.
    let labels = json!({"kube_tga": "v1.33.0", "foreign": "x", "kube_install": "no", "octavia_provider": "a b"});
    let wrong = ["labels.kube_install is \"no\"; allowed: ", "labels.octavia_provider is \"a b\"; allowed: "];
    told(&format!("POST {cluster}/nodegroups"), json!({"name": "x", "labels": labels}), &wrong).await;

    // From before the operator refused such labels.
    let labels = [("kube_tag", "v1.32.0"), ("kube_tga", "v1.33.0"), ("foreign", "x"), ("kube_install", "no")];
    let old = ClusterTemplate {
        image_id: "ubuntu".into(),
        cluster_distro: "ubuntu".into(),
        labels: StringMap::from(labels),
        ..sample::template("old", "p1")
    };
    let old = cluster_template::store::insert(&service.api.conductor.db, old).await.unwrap();
    let wrong = ["v1.32.0; allowed: v1.33.0 or later", "labels.kube_install is \"no\"; allowed: "];
    told(&format!("POST {cluster}/actions/upgrade"), json!({"cluster_template": old.uuid}), &wrong).await;
}

#[tokio::test]
async fn bounds_change_at_once_and_labels_by_an_operation() {
    let service = Service::start().await;
    let cluster = complete(&service, json!({})).await;
    let line = format!("PATCH {cluster}/nodegroups/default-worker");
    let patch = |path: &str, value: Value| json!([{"op": "replace", "path": path, "value": value}]);
    let (status, _, shown) = service.ask(MEMBER, &line, patch("/min_node_count", json!("1"))).await;
    assert_eq!(
        (status, &shown["min_node_count"], &shown["status"]),
        (202, &json!(1), &json!("CREATE_COMPLETE")),
        "{shown}"
    );
    let (_, _, shown) = service.ask(MEMBER, &line, json!([{"op": "add", "path": "/max_node_count", "value": 5}])).await;
    assert_eq!(shown["max_node_count"], 5);
    for (body, status, text) in [
        (patch("/max_node_count", json!(1)), 409, "max_node_count for default-worker is invalid ("),
        (patch("/node_count", json!(1)), 400, "'/node_count' is an internal attribute and can not be updated"),
        (json!([{"op": "add", "path": "/node_labels", "value": {"a": "b"}}]), 400, "has existed, please use 'replace'"),
        (patch("/node_taints", json!("{}")), 400, "Allowed: a list"),
        (json!({}), 400, "Value not a valid list"),
    ] {
        let (got, said) = service.refused(MEMBER, &line, body.clone()).await;
        assert!(got == status && said.contains(text), "{body}: {got} {said}");
    }
    let (status, _, shown) = service.ask(MEMBER, &line, patch("/node_labels", json!("{'a': 'b'}"))).await;
    assert_eq!(
        (status, &shown["node_labels"], &shown["status"]),
        (202, &json!({"a": "b"}), &json!("UPDATE_IN_PROGRESS"))
    );
    let (status, text) =
        service.refused(MEMBER, &line, json!([{"op": "add", "path": "/node_labels/c", "value": "d"}])).await;
    assert!(status == 409 && text.starts_with("Updating a nodegroup when status is"), "{text}");
    let masters = format!("PATCH {cluster}/nodegroups/default-master");
    let (status, text) = service.refused(MEMBER, &masters, patch("/node_labels", json!({"a": "b"}))).await;
    assert!(status == 409 && text.contains("may not be set on master nodegroups"), "{text}");
}

#[tokio::test]
async fn who_may_do_what_with_nodegroups() {
    let service = Service::start().await;
    let cluster = complete(&service, json!({})).await;
    service.ask(MEMBER, &format!("POST {cluster}/nodegroups"), json!({"name": "gpu"})).await;
    for (who, read, write) in
        [("", 401, 401), (STRANGER, 404, 404), (READER, 200, 403), (COLLEAGUE, 200, 204), (ADMIN, 200, 204)]
    {
        assert_eq!(service.ask(who, &format!("GET {cluster}/nodegroups"), Value::Null).await.0, read, "list as {who}");
        assert_eq!(
            service.ask(who, &format!("GET {cluster}/nodegroups/gpu"), Value::Null).await.0,
            read,
            "show as {who}"
        );
        assert_eq!(
            service.ask(who, &format!("DELETE {cluster}/nodegroups/gpu"), Value::Null).await.0,
            write,
            "as {who}"
        );
    }
    let refused = service.refused(MEMBER, &format!("DELETE {cluster}/nodegroups/default-worker"), Value::Null).await;
    assert_eq!(refused, (400, "Deleting a default nodegroup is not supported.".to_owned()));
    let (_, _, shown) = service.ask(MEMBER, &format!("GET {cluster}/nodegroups/gpu"), Value::Null).await;
    assert_eq!(shown["status"], "DELETE_IN_PROGRESS");
    for verb in ["PATCH", "DELETE"] {
        let refused = service.refused(MEMBER, &format!("{verb} {cluster}/nodegroups"), Value::Null).await;
        assert_eq!(refused, (400, "Missing argument: \"nodegroup_id\"".to_owned()));
    }
}

#[tokio::test]
async fn an_upgrade_goes_forward_and_loses_nothing() {
    let service = Service::start().await;
    let cluster = complete(&service, json!({"labels": {"kube_tag": "v1.33.0", "etcd_volume_size": "5"}})).await;
    let older = service.template(MEMBER, json!({"labels": {"kube_tag": "v1.32.0"}})).await["uuid"].clone();
    let newer = service.template(MEMBER, json!({"labels": {"kube_tag": "v1.34.0"}})).await["uuid"].clone();
    let line = format!("POST {cluster}/actions/upgrade");
    let (status, text) = service.refused(MEMBER, &line, json!({"cluster_template": older})).await;
    assert!(status == 400 && text.contains("v1.32.0; allowed: v1.33.0 or later"), "{text}");
    assert_eq!(service.ask(READER, &line, json!({"cluster_template": newer})).await.0, 403);
    assert_eq!(service.ask(STRANGER, &line, json!({"cluster_template": newer})).await.0, 404);
    let (status, _, body) = service.ask(MEMBER, &line, json!({"cluster_template": newer})).await;
    assert_eq!((status, members(&body)), (202, vec!["uuid"]), "{body}");
    let (status, text) = service.refused(MEMBER, &line, json!({"cluster_template": newer})).await;
    assert_eq!(status, 400, "upgrades are refused so: {text}");
    assert!(text.starts_with("Upgrading a cluster when status is \"UPDATE_IN_PROGRESS\" is not supported."), "{text}");
    let lonely = complete(&service, json!({})).await;
    let (status, text) =
        service.refused(MEMBER, &format!("POST {lonely}/actions/upgrade"), json!({"cluster_template": newer})).await;
    assert!(status == 400 && text.contains("etcd_volume_size"), "{text}");
}

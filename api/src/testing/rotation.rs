//! Rotation of authorities and credentials: what is accepted, what is refused and why.

use conductor::cluster::{self, Changes, Status};
use conductor::column::{StringMap, now};
use conductor::node::Phase;
use conductor::scope::Scope;
use serde_json::{Value, json};

use super::cloud::{ADMIN, MEMBER, READER, STRANGER, Service};

/// A cluster at rest whose only node has reported, with those versions.
async fn at_rest(service: &Service, labels: Value, versions: StringMap) -> String {
    let template = service.template(MEMBER, json!({"labels": labels})).await;
    let uuid = service.cluster(MEMBER, &template, json!({"node_count": 0})).await;
    let db = &service.api.conductor.db;
    let view = cluster::store::view(db, &Scope::All, &uuid).await.unwrap();
    for operation in conductor::operation::store::active(db, &uuid).await.unwrap() {
        let end = conductor::operation::store::End::succeeded();
        conductor::operation::store::finish(db, &operation.uuid, end).await.unwrap();
    }
    cluster::store::set_status(db, &uuid, Status::CreateComplete, None).await.unwrap();
    let master = view.nodegroups.iter().find(|group| group.role == "master").unwrap();
    let prefix = drivers::node_prefix(view.cluster.stack_name.as_deref().unwrap(), &master.name);
    let report = conductor::node::store::Report {
        cluster_uuid: uuid.clone(),
        nodegroup_uuid: master.uuid.clone(),
        name: format!("{prefix}-0"),
        role: "master".into(),
        phase: Phase::Ready,
        step: None,
        message: None,
        log: vec![],
        versions: Some(versions),
        addresses: None,
    };
    conductor::node::store::report(db, report, now()).await.unwrap();
    uuid
}

fn hears() -> StringMap {
    StringMap::from([("orders", "1")])
}

#[tokio::test]
async fn a_rotation_is_accepted_once_and_shown() {
    let service = Service::start().await;
    let uuid = at_rest(&service, json!({"cloud_provider_enabled": "true"}), hears()).await;
    let (status, _, body) = service.ask(MEMBER, &format!("PATCH /v1/certificates/{uuid}/"), Value::Null).await;
    assert_eq!((status, body), (202, json!({"uuid": uuid})));
    let (_, _, shown) = service.ask(MEMBER, &format!("GET /v1/clusters/{uuid}"), Value::Null).await;
    assert_eq!(shown["status"], "UPDATE_IN_PROGRESS");
    for path in ["certificates", "credentials"] {
        let (status, text) = service.refused(MEMBER, &format!("PATCH /v1/{path}/{uuid}"), Value::Null).await;
        assert_eq!(status, 400);
        let words = "Updating a cluster when status is \"UPDATE_IN_PROGRESS\" is not supported.";
        assert!(text.starts_with(words), "{text}");
    }
    let db = &service.api.conductor.db;
    let operation = conductor::operation::store::active(db, &uuid).await.unwrap().remove(0);
    assert_eq!((operation.kind.as_str(), &operation.token), ("certificate.rotate", &None));
    assert_eq!(operation.input, json!({"generation": 1}));
}

#[tokio::test]
async fn a_credential_is_rotated_from_1_12_on_by_members() {
    let service = Service::start().await;
    let uuid = at_rest(&service, json!({"cloud_provider_enabled": "true"}), hears()).await;
    let line = format!("PATCH /v1/credentials/{uuid}");
    let (status, _, body) = service.ask_at("1.11", MEMBER, &line, Value::Null).await;
    assert_eq!(status, 406, "{body}");
    for (who, status) in [(READER, 403), (STRANGER, 404), (ADMIN, 404)] {
        assert_eq!(service.refused(who, &line, Value::Null).await.0, status, "{who}");
    }
    let (status, _, body) = service.ask_at("1.12", MEMBER, &line, Value::Null).await;
    assert_eq!((status, body), (202, json!({"uuid": uuid})));
}

#[tokio::test]
async fn what_cannot_be_rotated_says_why() {
    let service = Service::start().await;
    let deaf = at_rest(&service, json!({"cloud_provider_enabled": "true"}), StringMap::default()).await;
    let plain = at_rest(&service, json!({}), hears()).await;
    for (path, words) in [
        (format!("certificates/{deaf}"), "nodes that take no orders"),
        (format!("credentials/{deaf}"), "nodes that take no orders"),
        (format!("credentials/{plain}"), "label cloud_provider_enabled=true"),
    ] {
        let (status, text) = service.refused(MEMBER, &format!("PATCH /v1/{path}"), Value::Null).await;
        assert!(status == 400 && text.contains(words), "{path}: {status} {text}");
    }
    let line = format!("PATCH /v1/certificates/{plain}");
    let (status, text) = service.refused(MEMBER, &line, json!({"ca_cert_type": "etcd"})).await;
    assert_eq!((status, text.as_str()), (400, "Unknown argument: \"ca_cert_type\""));
    assert_eq!(service.refused(READER, &line, Value::Null).await.0, 403);
    assert_eq!(service.refused(STRANGER, &line, Value::Null).await.0, 404);

    let db = &service.api.conductor.db;
    let view = cluster::store::view(db, &Scope::All, &plain).await.unwrap();
    let mut spec = view.cluster.spec.unwrap();
    spec["desired"]["tls_disabled"] = true.into();
    cluster::store::change(db, &plain, Changes { spec: Some(Some(spec)), ..Default::default() }).await.unwrap();
    let (status, text) = service.refused(MEMBER, &line, Value::Null).await;
    assert!(status == 400 && text.contains("TLS disabled"), "{text}");
    let failed = Status::DeleteFailed;
    cluster::store::change(db, &plain, Changes { status: Some(failed), ..Default::default() }).await.unwrap();
    let (_, _, shown) = service.ask(MEMBER, &format!("GET /v1/clusters/{plain}"), Value::Null).await;
    assert_eq!(shown["status"], "DELETE_FAILED", "refusals change nothing");
}

//! Events that wait to be sent.

use chrono::TimeDelta;
use conductor::cluster::{Changes, Status};
use conductor::column::now;
use conductor::notification::Notification;
use conductor::notification::store::{delete, insert, prune, waiting};
use conductor::operation::store::{End, finish, supersede};
use conductor::{cluster, operation};
use serde_json::{Value, json};

use crate::databases::TestDatabase;
use crate::sample;

on_every_database!(
    an_operation_that_notifies_leaves_an_event_at_its_beginning_and_its_end,
    an_operation_that_does_not_notify_leaves_none,
    the_end_of_a_deletion_still_tells_of_the_cluster,
    what_was_sent_is_forgotten_and_what_waits_is_bounded,
);

fn told(events: &[Notification]) -> Vec<(&str, &str, &str)> {
    let outcome = |event: &'_ Notification| match event.payload["outcome"].as_str() {
        Some("pending") => "pending",
        Some("success") => "success",
        _ => "failure",
    };
    events.iter().map(|event| (event.event_type.as_str(), event.priority.as_str(), outcome(event))).collect()
}

fn content(event: &Notification) -> &Value {
    &event.payload["target"]["attachments"][0]["content"]
}

async fn notifying_cluster(t: &TestDatabase) -> (cluster::Cluster, String) {
    let template = sample::kept_template(&t.db, "p1").await;
    let mut new = sample::new_cluster("c", &template, "p1");
    new.operation.notifies = true;
    let cluster = cluster::store::insert(&t.db, new).await.unwrap().cluster;
    let operation = operation::store::active(&t.db, &cluster.uuid).await.unwrap().remove(0);
    assert!(operation.notifies);
    (cluster, operation.uuid)
}

async fn an_operation_that_notifies_leaves_an_event_at_its_beginning_and_its_end(t: TestDatabase) {
    let (cluster, created) = notifying_cluster(&t).await;
    let changes = Changes { api_address: Some(Some("https://a:6443".into())), ..Default::default() };
    cluster::store::change(&t.db, &cluster.uuid, changes).await.unwrap();
    assert!(finish(&t.db, &created, End::succeeded()).await.unwrap());
    assert!(!finish(&t.db, &created, End::succeeded()).await.unwrap(), "and once only");
    for kind in ["nodegroup.update", "cluster.resize"] {
        let mut new = sample::operation(&cluster, kind);
        new.notifies = true;
        let begun = operation::store::insert(&t.db, new).await.unwrap();
        assert!(finish(&t.db, &begun.uuid, End::failed("refused", "no", None)).await.unwrap());
    }
    let mut new = sample::operation(&cluster, "cluster.upgrade");
    new.notifies = true;
    operation::store::insert(&t.db, new).await.unwrap();
    supersede(&t.db, &cluster.uuid).await.unwrap();

    let events = waiting(&t.db, 100).await.unwrap();
    let [create, update] = ["magnum.cluster.create", "magnum.cluster.update"];
    let mut expected = vec![(create, "INFO", "pending"), (create, "INFO", "success")];
    for _ in 0..3 {
        expected.extend([(update, "INFO", "pending"), (update, "ERROR", "failure")]);
    }
    assert_eq!(told(&events), expected);
    let (pending, success) = (&events[0], &events[1]);
    assert_eq!(content(pending)["status"], "CREATE_IN_PROGRESS");
    assert_eq!(content(pending)["api_address"], Value::Null);
    assert_eq!(
        (&content(success)["status"], &content(success)["api_address"]),
        (&json!("CREATE_COMPLETE"), &json!("https://a:6443"))
    );
    assert_eq!(
        pending.context,
        json!({"_context_user_id": "user", "_context_project_id": "p1", "_context_request_id": "req-1"})
    );

    let keys = |value: &Value| {
        let mut keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(
        keys(&success.payload),
        ["action", "eventTime", "eventType", "id", "initiator", "observer", "outcome", "target", "typeURI"]
    );
    assert_eq!(success.payload["typeURI"], "http://schemas.dmtf.org/cloud/audit/1.0/event");
    assert_eq!((&success.payload["eventType"], &success.payload["action"]), (&json!("activity"), &json!("create")));
    assert_eq!(keys(&success.payload["observer"]), ["id", "typeURI"]);
    assert_eq!(keys(&success.payload["initiator"]), ["id", "project_id", "typeURI", "user_id"]);
    let target = &success.payload["target"];
    assert_eq!(keys(target), ["attachments", "id", "name", "typeURI"]);
    assert_eq!((&target["id"], &target["name"]), (&json!(cluster.uuid), &json!("c")));
    assert_eq!((&target["attachments"][0]["name"]), &json!("cluster_data"));
    let mut members = vec![
        "status",
        "status_reason",
        "project_id",
        "created_at",
        "updated_at",
        "cluster_template_id",
        "keypair",
        "docker_volume_size:",
        "docker_volume_size",
        "labels",
        "master_flavor_id",
        "flavor_id",
        "stack_id",
        "health_status",
        "create_timeout",
        "api_address",
        "discovery_url",
        "node_addresses",
        "master_addresses",
        "node_count",
        "master_count",
    ];
    members.sort_unstable();
    assert_eq!(keys(content(success)), members);
}

async fn an_operation_that_does_not_notify_leaves_none(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    let cluster = sample::kept_cluster(&t.db, "c", &template, "p1").await;
    let operation = operation::store::active(&t.db, &cluster.uuid).await.unwrap().remove(0);
    finish(&t.db, &operation.uuid, End::succeeded()).await.unwrap();
    assert_eq!(waiting(&t.db, 100).await.unwrap(), []);
}

async fn the_end_of_a_deletion_still_tells_of_the_cluster(t: TestDatabase) {
    let (cluster, created) = notifying_cluster(&t).await;
    finish(&t.db, &created, End::succeeded()).await.unwrap();
    let mut new = sample::operation(&cluster, "cluster.delete");
    new.notifies = true;
    cluster::store::set_status(&t.db, &cluster.uuid, Status::DeleteInProgress, None).await.unwrap();
    let deletion = operation::store::insert(&t.db, new).await.unwrap();
    finish(&t.db, &deletion.uuid, End::succeeded()).await.unwrap();
    assert!(cluster::store::remove(&t.db, &cluster.uuid).await.unwrap());
    let events = waiting(&t.db, 100).await.unwrap();
    let delete = "magnum.cluster.delete";
    assert_eq!(told(&events[2..]), [(delete, "INFO", "pending"), (delete, "INFO", "success")]);
    assert_eq!(content(&events[2])["status"], "DELETE_IN_PROGRESS");
    assert_eq!(content(&events[3])["status"], "DELETE_COMPLETE");
}

async fn what_was_sent_is_forgotten_and_what_waits_is_bounded(t: TestDatabase) {
    let event = |number: i64, age: TimeDelta| Notification {
        id: 0,
        message_id: sample::uuid(),
        event_type: format!("magnum.cluster.{number}"),
        priority: "INFO".into(),
        payload: json!({"number": number, "text": "ä\"\\"}),
        context: json!({}),
        created_at: now() - age,
    };
    for number in 0..10 {
        let age = if number < 3 { TimeDelta::hours(25) } else { TimeDelta::zero() };
        insert(&t.db, event(number, age)).await.unwrap();
    }
    let numbers = async || -> Vec<i64> {
        let events = waiting(&t.db, 100).await.unwrap();
        events.iter().map(|event| event.payload["number"].as_i64().unwrap()).collect()
    };
    let first = waiting(&t.db, 2).await.unwrap();
    assert_eq!(first.iter().map(|event| event.payload["number"].as_i64().unwrap()).collect::<Vec<_>>(), [0, 1]);
    delete(&t.db, &[first[1].id]).await.unwrap();
    delete(&t.db, &[]).await.unwrap();
    assert_eq!(numbers().await, [0, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(prune(&t.db, now() - TimeDelta::hours(24), 100).await.unwrap(), 2);
    assert_eq!(numbers().await, [3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(prune(&t.db, now() - TimeDelta::hours(24), 4).await.unwrap(), 3);
    assert_eq!(numbers().await, [6, 7, 8, 9]);
    assert_eq!(prune(&t.db, now() - TimeDelta::hours(24), 4).await.unwrap(), 0);
}

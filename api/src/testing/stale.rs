//! Requests about what has gone, or was changed, since it was looked up for them.

use std::sync::Arc;

use conductor::cluster::{self, Changes, Cluster, Status};
use conductor::nodegroup::{self, Nodegroup, Wanted};
use conductor::operation;
use conductor::scope::Scope;
use serde_json::json;

use super::cloud::{MEMBER, Service};
use super::identity;

/// A complete cluster with a nodegroup of its own, as an earlier look found them.
async fn looked_up(service: &Service) -> (Cluster, Nodegroup) {
    let db = &service.api.conductor.db;
    let template = service.template(MEMBER, json!({})).await;
    let uuid = service.cluster(MEMBER, &template, json!({"node_count": 2})).await;
    finished(service, &uuid).await;
    let changes = Changes {
        status: Some(Status::CreateComplete),
        api_address: Some(Some("https://10.0.0.5:6443".into())),
        stack_id: Some(Some("5e5b4a2c-7f0b-4b1b-9f0e-0d3b8e0c1a11".into())),
        ..Default::default()
    };
    cluster::store::change(db, &uuid, changes).await.unwrap();
    let body = json!({"name": "gpu", "node_count": 3});
    let (status, _, made) = service.ask(MEMBER, &format!("POST /v1/clusters/{uuid}/nodegroups"), body).await;
    assert_eq!(status, 202, "{made}");
    finished(service, &uuid).await;
    let changes = nodegroup::store::Changes { status: Some(Status::CreateComplete), ..Default::default() };
    nodegroup::store::change_all(db, &uuid, changes).await.unwrap();
    cluster::store::set_status(db, &uuid, Status::UpdateComplete, None).await.unwrap();
    let cluster = cluster::store::find(db, &Scope::All, &uuid).await.unwrap();
    let group = nodegroup::store::find(db, &uuid, "gpu").await.unwrap();
    (cluster, group)
}

/// Ends what is under way.
async fn finished(service: &Service, cluster: &str) {
    let db = &service.api.conductor.db;
    for active in operation::store::active(db, cluster).await.unwrap() {
        operation::store::finish(db, &active.uuid, operation::store::End::succeeded()).await.unwrap();
    }
}

/// Operations under way.
async fn active(service: &Service, cluster: &Cluster) -> usize {
    operation::store::active(&service.api.conductor.db, &cluster.uuid).await.unwrap().len()
}

#[tokio::test]
async fn a_cluster_that_went_meanwhile_is_not_deleted_once_more() {
    let service = Service::start().await;
    let (cluster, group) = looked_up(&service).await;
    let caller = Arc::new(identity("alice", Some("p1"), &["member"]));
    assert!(cluster::store::remove(&service.api.conductor.db, &cluster.uuid).await.unwrap());
    cluster::delete(&service.api.conductor, &caller, &cluster).await.unwrap();
    nodegroup::delete(&service.api.conductor, &caller, &cluster, &group).await.unwrap();
    assert_eq!(active(&service, &cluster).await, 0, "nobody would ever end it");
}

#[tokio::test]
async fn a_nodegroup_that_went_meanwhile_leaves_its_cluster_alone() {
    let service = Service::start().await;
    let (cluster, group) = looked_up(&service).await;
    let caller = Arc::new(identity("alice", Some("p1"), &["member"]));
    nodegroup::store::delete(&service.api.conductor.db, &group.uuid).await.unwrap();
    nodegroup::delete(&service.api.conductor, &caller, &cluster, &group).await.unwrap();
    assert_eq!(active(&service, &cluster).await, 0);
    let now = cluster::store::find(&service.api.conductor.db, &Scope::All, &cluster.uuid).await.unwrap();
    assert_eq!(now.status, Status::UpdateComplete);
}

#[tokio::test]
async fn of_two_patches_of_one_state_the_later_is_refused() {
    let service = Service::start().await;
    let (cluster, group) = looked_up(&service).await;
    let caller = Arc::new(identity("alice", Some("p1"), &["member"]));
    let wanted = |least, most| Wanted {
        min_node_count: least,
        max_node_count: most,
        node_labels: [].into(),
        node_taints: Vec::new(),
    };
    let conductor = &service.api.conductor;
    nodegroup::update(conductor, &caller, &cluster, &group, &wanted(2, None)).await.unwrap();
    let error = nodegroup::update(conductor, &caller, &cluster, &group, &wanted(0, Some(9))).await.unwrap_err();
    assert_eq!(error.kind, conductor::Kind::Conflict);
    assert!(error.public.contains("was changed by another request in the meantime"), "{}", error.public);
    let now = nodegroup::store::find(&conductor.db, &cluster.uuid, "gpu").await.unwrap();
    assert_eq!((now.min_node_count, now.max_node_count), (2, None));
}

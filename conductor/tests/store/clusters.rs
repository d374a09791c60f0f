//! Clusters and nodegroups.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use conductor::cluster::store::{self, Stats};
use conductor::cluster::{Changes, HealthStatus, Owner, Status};
use conductor::column::{StringList, now};
use conductor::nodegroup::{self, Taint, Taints};
use conductor::page::Page;
use conductor::scope::Scope;
use conductor::{Kind, certificate, cluster_template, database, node, operation, quota};
use serde_json::json;

use crate::databases::TestDatabase;
use crate::sample;

on_every_database!(
    a_cluster_comes_with_everything_or_not_at_all,
    names_and_scopes_decide_what_is_found,
    changes_touch_only_what_they_name,
    a_status_can_be_changed_from_given_ones_only,
    removal_takes_everything_but_the_record,
    a_thousand_clusters_cost_three_queries,
    nodegroups_live_inside_their_cluster,
    clusters_and_nodes_are_counted,
    an_open_transaction_is_undone_when_dropped,
);

fn own() -> Scope {
    Scope::Project("p1".into())
}

async fn a_cluster_comes_with_everything_or_not_at_all(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    let new = sample::new_cluster("c", &template, "p1");
    let view = store::insert(&t.db, new.clone()).await.unwrap();
    assert_eq!(view.template_labels, template.labels);
    assert_eq!(store::view(&t.db, &own(), "c").await.unwrap(), view);
    assert_eq!(store::find(&t.db, &own(), &view.cluster.uuid).await.unwrap(), view.cluster);
    let names: Vec<&str> = view.nodegroups.iter().map(|nodegroup| nodegroup.name.as_str()).collect();
    assert_eq!(names, ["default-master", "default-worker"]);
    let active = operation::store::active(&t.db, &view.cluster.uuid).await.unwrap().remove(0);
    assert_eq!((active.kind.as_str(), active.number), ("cluster.create", 1));
    assert_eq!(active.instance, format!("{}/cluster.create/1", view.cluster.uuid));
    assert_eq!(active.input, new.operation.input);

    // The second nodegroup cannot be kept, so nothing is.
    let mut broken = sample::new_cluster("broken", &template, "p1");
    broken.nodegroups[1].name = broken.nodegroups[0].name.clone();
    assert_eq!(store::insert(&t.db, broken.clone()).await.unwrap_err().kind, Kind::Conflict);
    assert_eq!(store::find(&t.db, &own(), "broken").await.unwrap_err().kind, Kind::NotFound);
    assert!(operation::store::active(&t.db, &broken.cluster.uuid).await.unwrap().is_empty());
    assert_eq!(quota::store::usage(&t.db, "p1").await.unwrap(), 1);

    let mut orphan = sample::new_cluster("orphan", &template, "p1");
    orphan.cluster.cluster_template_id = sample::uuid();
    assert_eq!(store::insert(&t.db, orphan).await.unwrap_err().kind, Kind::NotFound);
    assert_eq!(quota::store::usage(&t.db, "p1").await.unwrap(), 1);
}

async fn names_and_scopes_decide_what_is_found(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    let cluster = sample::kept_cluster(&t.db, "Ci", &template, "p1").await;
    let foreign = sample::kept_cluster(&t.db, "Ci", &template, "p2").await;
    assert_eq!(store::find(&t.db, &own(), "Ci").await.unwrap(), cluster);
    assert_eq!(store::find(&t.db, &own(), &cluster.uuid.to_uppercase()).await.unwrap(), cluster);
    for absent in ["ci", "CI", "Ci ", foreign.uuid.as_str(), "c\0i"] {
        let error = store::find(&t.db, &own(), absent).await.unwrap_err();
        assert_eq!(error.kind, Kind::NotFound, "{absent:?}");
        assert_eq!(error.public, format!("Cluster {absent} could not be found."));
        assert_eq!(store::view(&t.db, &own(), absent).await.unwrap_err().kind, Kind::NotFound);
    }
    for ambiguous in [
        store::find(&t.db, &Scope::All, "Ci").await.unwrap_err(),
        store::view(&t.db, &Scope::All, "Ci").await.unwrap_err(),
    ] {
        assert_eq!(ambiguous.kind, Kind::Conflict);
        assert_eq!(ambiguous.public, "Multiple clusters exist with same name. Please use the cluster uuid instead.");
    }
    assert_eq!(store::find(&t.db, &Scope::All, &foreign.uuid).await.unwrap(), foreign);
}

async fn changes_touch_only_what_they_name(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    let upgraded = cluster_template::store::insert(&t.db, sample::template("newer", "p1")).await.unwrap();
    let before = sample::kept_cluster(&t.db, "c", &template, "p1").await;
    let bystander = sample::kept_cluster(&t.db, "d", &template, "p1").await;
    let text = |text: &str| Some(Some(text.to_owned()));
    let changes = Changes {
        cluster_template_id: Some(upgraded.uuid.clone()),
        labels: Some([("l", "2")].into()),
        status: Some(Status::CreateComplete),
        status_reason: text("done"),
        health_status: Some(Some(HealthStatus::Healthy)),
        health_status_reason: Some([("api", "ok")].into()),
        api_address: text("https://192.0.2.1:6443"),
        coe_version: text("v1.30"),
        container_version: text("1.7"),
        stack_id: text("stack"),
        stack_name: text("c-0123"),
        act_as: Some(Some(Owner::Requester)),
        trust_id: text("trust"),
        trustee_user_id: text("trustee"),
        trustee_username: text("name"),
        trustee_password: Some(Some(vec![0, 255, 128])),
        credential_id: text("credential"),
        credential_secret: Some(Some(vec![1; 300])),
        next_template_id: text(&before.cluster_template_id),
        spec: Some(Some(json!({"flavor": {"ram": 2048}}))),
        ssh_public_key: Some(None),
    };
    assert!(store::change(&t.db, &before.uuid, changes).await.unwrap());
    let after = store::find(&t.db, &own(), "c").await.unwrap();
    let mut expected = before.clone();
    expected.cluster_template_id = upgraded.uuid;
    expected.labels = [("l", "2")].into();
    expected.status = Status::CreateComplete;
    expected.status_reason = Some("done".into());
    expected.health_status = Some(HealthStatus::Healthy);
    expected.health_status_reason = [("api", "ok")].into();
    expected.api_address = Some("https://192.0.2.1:6443".into());
    expected.coe_version = Some("v1.30".into());
    expected.container_version = Some("1.7".into());
    expected.stack_id = Some("stack".into());
    expected.stack_name = Some("c-0123".into());
    expected.act_as = Some(Owner::Requester);
    expected.trust_id = Some("trust".into());
    expected.trustee_user_id = Some("trustee".into());
    expected.trustee_username = Some("name".into());
    expected.trustee_password = Some(vec![0, 255, 128]);
    expected.credential_id = Some("credential".into());
    expected.credential_secret = Some(vec![1; 300]);
    expected.next_template_id = Some(before.cluster_template_id.clone());
    expected.spec = Some(json!({"flavor": {"ram": 2048}}));
    expected.ssh_public_key = None;
    expected.updated_at = after.updated_at;
    assert_eq!(after, expected);
    assert!(after.updated_at.unwrap() >= before.created_at);

    assert!(store::set_status(&t.db, &before.uuid, Status::UpdateFailed, None).await.unwrap());
    let after = store::find(&t.db, &own(), "c").await.unwrap();
    assert_eq!((after.status, after.status_reason, after.stack_id), (Status::UpdateFailed, None, Some("stack".into())));
    assert_eq!(store::find(&t.db, &own(), "d").await.unwrap(), bystander);
    assert!(!store::set_status(&t.db, &sample::uuid(), Status::UpdateFailed, None).await.unwrap());
}

async fn a_status_can_be_changed_from_given_ones_only(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    let cluster = sample::kept_cluster(&t.db, "c", &template, "p1").await;
    let to = |status| Changes { status: Some(status), ..Default::default() };
    let stable = [Status::CreateComplete, Status::UpdateComplete];
    assert!(!store::change_from(&t.db, &cluster.uuid, &stable, to(Status::UpdateInProgress)).await.unwrap());
    assert_eq!(store::find(&t.db, &own(), "c").await.unwrap(), cluster);
    store::set_status(&t.db, &cluster.uuid, Status::UpdateComplete, None).await.unwrap();
    assert!(store::change_from(&t.db, &cluster.uuid, &stable, to(Status::UpdateInProgress)).await.unwrap());
    assert_eq!(store::find(&t.db, &own(), "c").await.unwrap().status, Status::UpdateInProgress);
}

async fn removal_takes_everything_but_the_record(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    let cluster = sample::kept_cluster(&t.db, "c", &template, "p1").await;
    let other = sample::kept_cluster(&t.db, "other", &template, "p1").await;
    for owner in [&cluster, &other] {
        crate::nodes::report(&t.db, owner, "n-0", node::Phase::Ready).await.unwrap();
        node::store::keep_token(&t.db, crate::nodes::token(owner, &owner.uuid, 60)).await.unwrap();
        certificate::store::insert_if_absent(&t.db, crate::nodes::keypair(owner, 1)).await.unwrap();
    }
    assert_eq!(quota::store::usage(&t.db, "p1").await.unwrap(), 2);

    let transaction = database::begin(&t.db).await.unwrap();
    assert!(store::remove(&transaction, &cluster.uuid).await.unwrap());
    transaction.commit().await.unwrap();
    assert!(!store::remove(&t.db, &cluster.uuid).await.unwrap());

    assert_eq!(quota::store::usage(&t.db, "p1").await.unwrap(), 1);
    assert_eq!(store::find(&t.db, &own(), "c").await.unwrap_err().kind, Kind::NotFound);
    for (owner, left) in [(&cluster, 0), (&other, 1)] {
        let uuids = [owner.uuid.clone()];
        assert_eq!(nodegroup::store::of_clusters(&t.db, &uuids).await.unwrap().len(), left * 2);
        assert_eq!(node::store::of_clusters(&t.db, &uuids).await.unwrap().len(), left);
        assert_eq!(certificate::store::of_cluster(&t.db, &owner.uuid).await.unwrap().len(), left);
        assert_eq!(node::store::token(&t.db, &owner.uuid, now()).await.unwrap().is_some(), left == 1);
        assert_eq!(operation::store::of_cluster(&t.db, &owner.uuid, 10).await.unwrap().len(), 1);
    }
}

async fn a_thousand_clusters_cost_three_queries(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    let makers = (0..10).map(|maker| {
        let (db, template) = (t.db.clone(), template.clone());
        tokio::spawn(async move {
            for number in 0..100 {
                sample::kept_cluster(&db, &format!("c{maker}-{number}"), &template, "p1").await;
            }
        })
    });
    for made in futures::future::join_all(makers).await {
        made.unwrap();
    }
    let queries = Arc::new(AtomicUsize::new(0));
    let mut counted = t.db.clone();
    let count = Arc::clone(&queries);
    counted.set_metric_callback(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let views = store::list(&counted, &own(), &Page::first(1000)).await.unwrap();
    assert_eq!(queries.swap(0, Ordering::Relaxed), 2);
    assert_eq!(views.len(), 1000);
    assert!(views.iter().all(|view| view.nodegroups.len() == 2 && view.template_labels == template.labels));
    assert!(views.iter().all(|view| view.nodegroups.iter().all(|group| group.cluster_uuid == view.cluster.uuid)));

    let mut second = Page::first(10);
    second.marker = Some(views[9].cluster.uuid.clone());
    let page = store::list(&counted, &own(), &second).await.unwrap();
    assert_eq!(queries.swap(0, Ordering::Relaxed), 3);
    assert_eq!(page, views[10..20]);

    second.marker = Some(views[999].cluster.uuid.clone());
    assert_eq!(store::list(&counted, &own(), &second).await.unwrap(), []);
    assert_eq!(store::list(&counted, &Scope::Project("p2".into()), &Page::first(10)).await.unwrap(), []);
}

async fn nodegroups_live_inside_their_cluster(t: TestDatabase) {
    use nodegroup::store::{Changes, change, change_all, change_defaults, delete, find, insert, list};
    let template = sample::kept_template(&t.db, "p1").await;
    let cluster = sample::kept_cluster(&t.db, "c", &template, "p1").await;
    let other = sample::kept_cluster(&t.db, "d", &template, "p1").await;
    let mut gpu = sample::nodegroup(&cluster, "Gpu", "ingress");
    gpu.is_default = false;
    let taint =
        |value: Option<&str>| Taint { key: "k".into(), value: value.map(str::to_owned), effect: "NoSchedule".into() };
    gpu.node_taints = Some(Taints(vec![taint(None), taint(Some("v"))]));
    gpu.node_labels = Some([("tier", "gpu")].into());
    gpu.spec = Some(serde_json::json!({"image": {"id": "ü"}, "previous": [{"workers": [0, 1]}]}));
    let gpu = insert(&t.db, gpu, "c").await.unwrap();
    assert_eq!(find(&t.db, &cluster.uuid, "Gpu").await.unwrap(), gpu);
    assert_eq!(find(&t.db, &cluster.uuid, &gpu.uuid.replace('-', "")).await.unwrap(), gpu);
    for (owner, ident) in [(&cluster, "gpu"), (&other, "Gpu"), (&other, gpu.uuid.as_str()), (&cluster, "a\0")] {
        let error = find(&t.db, &owner.uuid, ident).await.unwrap_err();
        assert_eq!(
            (error.kind, error.public.as_ref()),
            (Kind::NotFound, &*format!("Nodegroup {ident} could not be found."))
        );
    }
    let error = insert(&t.db, sample::nodegroup(&cluster, "Gpu", "worker"), "c").await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    assert_eq!(error.public, "A node group with name Gpu already exists in the cluster c.");
    insert(&t.db, sample::nodegroup(&other, "Gpu", "worker"), "d").await.unwrap();
    let mut homeless = sample::nodegroup(&cluster, "x", "worker");
    homeless.cluster_uuid = sample::uuid();
    assert_eq!(insert(&t.db, homeless, "x").await.unwrap_err().kind, Kind::NotFound);

    assert_eq!(list(&t.db, &cluster.uuid, None, &Page::first(10)).await.unwrap().len(), 3);
    assert_eq!(
        list(&t.db, &cluster.uuid, Some("ingress"), &Page::first(10)).await.unwrap(),
        std::slice::from_ref(&gpu)
    );
    assert_eq!(list(&t.db, &cluster.uuid, Some("INGRESS"), &Page::first(10)).await.unwrap(), []);

    let changes = Changes {
        node_count: Some(7),
        max_node_count: Some(Some(9)),
        status: Some(Status::UpdateComplete),
        node_addresses: Some(StringList(vec!["10.0.0.4".into()])),
        node_taints: Some(None),
        spec: Some(serde_json::json!({"image": null})),
        ..Default::default()
    };
    assert!(change(&t.db, &gpu.uuid, changes.clone()).await.unwrap());
    let after = find(&t.db, &cluster.uuid, "Gpu").await.unwrap();
    let mut expected = gpu.clone();
    (expected.node_count, expected.max_node_count, expected.status) = (7, Some(9), Status::UpdateComplete);
    (expected.node_addresses, expected.node_taints) = (StringList(vec!["10.0.0.4".into()]), None);
    (expected.updated_at, expected.spec) = (after.updated_at, Some(serde_json::json!({"image": null})));
    assert_eq!(after, expected);
    assert!(after.updated_at.is_some());

    assert_eq!(change_defaults(&t.db, &cluster.uuid, changes).await.unwrap(), 2);
    assert_eq!(find(&t.db, &cluster.uuid, "default-worker").await.unwrap().node_count, 7);
    assert_eq!(find(&t.db, &other.uuid, "default-worker").await.unwrap().node_count, 2);
    let going = Changes { status: Some(Status::DeleteInProgress), ..Default::default() };
    assert_eq!(change_all(&t.db, &cluster.uuid, going).await.unwrap(), 3);
    assert_eq!(find(&t.db, &cluster.uuid, "Gpu").await.unwrap().status, Status::DeleteInProgress);
    assert_eq!(find(&t.db, &other.uuid, "Gpu").await.unwrap().status, Status::CreateInProgress);
    assert!(delete(&t.db, &gpu.uuid).await.unwrap());
    assert!(!delete(&t.db, &gpu.uuid).await.unwrap());
}

async fn clusters_and_nodes_are_counted(t: TestDatabase) {
    assert_eq!(store::stats(&t.db, &Scope::All).await.unwrap(), Stats { clusters: 0, nodes: 0 });
    let template = sample::kept_template(&t.db, "p1").await;
    for (name, project) in [("a", "p1"), ("b", "p1"), ("c", "p2")] {
        sample::kept_cluster(&t.db, name, &template, project).await;
    }
    assert_eq!(store::stats(&t.db, &own()).await.unwrap(), Stats { clusters: 2, nodes: 6 });
    assert_eq!(store::stats(&t.db, &Scope::All).await.unwrap(), Stats { clusters: 3, nodes: 9 });
    assert_eq!(store::stats(&t.db, &Scope::Project("none".into())).await.unwrap(), Stats { clusters: 0, nodes: 0 });
}

async fn an_open_transaction_is_undone_when_dropped(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    let cluster = sample::kept_cluster(&t.db, "c", &template, "p1").await;
    let transaction = database::begin(&t.db).await.unwrap();
    store::set_status(&transaction, &cluster.uuid, Status::DeleteInProgress, None).await.unwrap();
    assert_eq!(store::find(&transaction, &own(), "c").await.unwrap().status, Status::DeleteInProgress);
    drop(transaction);
    assert_eq!(store::find(&t.db, &own(), "c").await.unwrap(), cluster);
}

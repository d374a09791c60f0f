//! Quotas and the reservations that keep them.

use conductor::Kind;
use conductor::page::Page;
use conductor::quota::CLUSTER;
use conductor::quota::store::{delete, find, insert, list, update, usage};
use conductor::scope::Scope;
use conductor::{cluster, operation};

use crate::databases::TestDatabase;
use crate::sample;

on_every_database!(
    a_project_has_one_quota_of_a_kind,
    of_fifty_at_once_five_are_made,
    the_first_of_a_project_are_made_at_once,
    a_quota_of_its_own_goes_before_the_default,
    what_is_given_back_can_be_taken_again,
);

async fn a_project_has_one_quota_of_a_kind(t: TestDatabase) {
    assert_eq!(find(&t.db, "p1", CLUSTER).await.unwrap(), None);
    let kept = insert(&t.db, "p1", CLUSTER, 3).await.unwrap();
    assert_eq!(find(&t.db, "p1", CLUSTER).await.unwrap(), Some(kept.clone()));
    let error = insert(&t.db, "p1", CLUSTER, 4).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    assert_eq!(error.public, "Quota for project p1 already exists for resource Cluster.");
    let other = insert(&t.db, "P1", CLUSTER, 4).await.unwrap();

    let changed = update(&t.db, "p1", CLUSTER, 7).await.unwrap();
    assert_eq!((changed.id, changed.hard_limit), (kept.id, 7));
    assert!(changed.updated_at.is_some());
    assert_eq!(update(&t.db, "p2", CLUSTER, 7).await.unwrap_err().kind, Kind::NotFound);

    let own = Scope::Project("p1".into());
    assert_eq!(list(&t.db, &own, &Page::first(10)).await.unwrap(), std::slice::from_ref(&changed));
    assert_eq!(list(&t.db, &Scope::All, &Page::first(10)).await.unwrap(), [changed, other]);

    delete(&t.db, "p1", CLUSTER).await.unwrap();
    assert_eq!(delete(&t.db, "p1", CLUSTER).await.unwrap_err().kind, Kind::NotFound);
    assert_eq!(find(&t.db, "p1", CLUSTER).await.unwrap(), None);
}

async fn of_fifty_at_once_five_are_made(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    let racers = (0..50).map(|number| {
        let mut new = sample::new_cluster(&format!("c{number}"), &template, "p1");
        new.quota = 5;
        let db = t.db.clone();
        tokio::spawn(async move { cluster::store::insert(&db, new).await })
    });
    let outcomes: Vec<_> =
        futures::future::join_all(racers).await.into_iter().map(|outcome| outcome.unwrap()).collect();
    for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!(error.kind, Kind::Forbidden, "{}", error.chain());
        assert_eq!(
            error.public,
            "Resource limit exceeded: You have reached the maximum clusters per project, 5. You may delete a cluster to \
             make room for a new one."
        );
    }
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 5);
    assert_eq!(usage(&t.db, "p1").await.unwrap(), 5);
    let kept = cluster::store::list(&t.db, &Scope::All, &Page::first(100)).await.unwrap();
    assert_eq!(kept.len(), 5);
    assert!(kept.iter().all(|view| view.nodegroups.len() == 2));
    assert_eq!(operation::store::unfinished(&t.db, 0, 100).await.unwrap().len(), 5);
}

/// Whoever makes the project's row, nobody takes its absence, or its sudden presence, for a full quota.
async fn the_first_of_a_project_are_made_at_once(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    for project in 0..10 {
        let project = format!("p{project}");
        let racers = (0..6).map(|number| {
            let mut new = sample::new_cluster(&format!("c{number}"), &template, &project);
            new.quota = 6;
            let db = t.db.clone();
            tokio::spawn(async move { cluster::store::insert(&db, new).await })
        });
        for made in futures::future::join_all(racers).await {
            made.unwrap().unwrap();
        }
        assert_eq!(usage(&t.db, &project).await.unwrap(), 6);
    }
}

async fn a_quota_of_its_own_goes_before_the_default(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    insert(&t.db, "p1", CLUSTER, 0).await.unwrap();
    let mut new = sample::new_cluster("c", &template, "p1");
    new.quota = 5;
    let error = cluster::store::insert(&t.db, new.clone()).await.unwrap_err();
    assert!(error.public.contains("per project, 0."), "{}", error.public);
    update(&t.db, "p1", CLUSTER, 1).await.unwrap();
    cluster::store::insert(&t.db, new).await.unwrap();
    let mut second = sample::new_cluster("d", &template, "p1");
    second.quota = 5;
    assert_eq!(cluster::store::insert(&t.db, second).await.unwrap_err().kind, Kind::Forbidden);
    sample::kept_cluster(&t.db, "other", &template, "p2").await;
}

async fn what_is_given_back_can_be_taken_again(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    let mut new = sample::new_cluster("c", &template, "p1");
    new.quota = 1;
    let kept = cluster::store::insert(&t.db, new).await.unwrap().cluster;
    let mut second = sample::new_cluster("d", &template, "p1");
    second.quota = 1;
    assert_eq!(cluster::store::insert(&t.db, second.clone()).await.unwrap_err().kind, Kind::Forbidden);
    assert!(cluster::store::remove(&t.db, &kept.uuid).await.unwrap());
    assert!(!cluster::store::remove(&t.db, &kept.uuid).await.unwrap());
    assert_eq!(usage(&t.db, "p1").await.unwrap(), 0);
    cluster::store::insert(&t.db, second).await.unwrap();
    assert_eq!(usage(&t.db, "p1").await.unwrap(), 1);
}

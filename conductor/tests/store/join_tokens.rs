//! Join tokens.

use chrono::{DateTime, TimeDelta};
use conductor::Kind;
use conductor::cluster::Cluster;
use conductor::column::now;
use conductor::join_token::{JoinTokens, store};

use crate::databases::TestDatabase;
use crate::sample;

on_every_database!(
    tokens_take_the_place_of_those_before,
    the_first_use_is_noted_and_an_earlier_one_counts,
    they_go_with_the_cluster,
);

async fn cluster(t: &TestDatabase) -> Cluster {
    let template = sample::kept_template(&t.db, "p1").await;
    sample::kept_cluster(&t.db, "swarm", &template, "p1").await
}

fn tokens(cluster: &Cluster) -> JoinTokens {
    JoinTokens {
        cluster_uuid: cluster.uuid.clone(),
        uuid: sample::uuid(),
        sealed: Some((0..=255).collect()),
        used_at: None,
        handed_in_at: now(),
    }
}

async fn tokens_take_the_place_of_those_before(t: TestDatabase) {
    let cluster = cluster(&t).await;
    assert_eq!(store::of(&t.db, &cluster.uuid).await.unwrap(), None);
    let first = tokens(&cluster);
    store::keep(&t.db, first.clone()).await.unwrap();
    store::use_at(&t.db, &first, now()).await.unwrap();
    let second = tokens(&cluster);
    store::keep(&t.db, second.clone()).await.unwrap();
    assert_eq!(store::of(&t.db, &cluster.uuid).await.unwrap(), Some(second), "nobody has used them");
    // A use of the first that comes late says nothing of the second.
    store::use_at(&t.db, &first, now()).await.unwrap();
    assert_eq!(store::of(&t.db, &cluster.uuid).await.unwrap().unwrap().used_at, None);
}

async fn the_first_use_is_noted_and_an_earlier_one_counts(t: TestDatabase) {
    let cluster = cluster(&t).await;
    let kept = tokens(&cluster);
    store::keep(&t.db, kept.clone()).await.unwrap();
    let used = async || store::of(&t.db, &cluster.uuid).await.unwrap().unwrap().used_at;
    let at = now();
    store::use_at(&t.db, &kept, at).await.unwrap();
    store::use_at(&t.db, &kept, at + TimeDelta::seconds(1)).await.unwrap();
    assert_eq!(used().await, Some(at));
    store::use_at(&t.db, &kept, DateTime::UNIX_EPOCH).await.unwrap();
    assert_eq!(used().await, Some(DateTime::UNIX_EPOCH));
}

async fn they_go_with_the_cluster(t: TestDatabase) {
    let cluster = cluster(&t).await;
    store::keep(&t.db, tokens(&cluster)).await.unwrap();
    assert!(conductor::cluster::store::remove(&t.db, &cluster.uuid).await.unwrap());
    assert_eq!(store::of(&t.db, &cluster.uuid).await.unwrap(), None);
    assert_eq!(store::keep(&t.db, tokens(&cluster)).await.unwrap_err().kind, Kind::NotFound);
}

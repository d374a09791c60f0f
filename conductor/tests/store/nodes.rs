//! Nodes, bootstrap tokens and key pairs.

use chrono::TimeDelta;
use conductor::certificate::{self, Keypair};
use conductor::cluster::Cluster;
use conductor::column::{StringList, now};
use conductor::node::store::{self, Count, Report};
use conductor::node::{BootstrapToken, Phase};
use conductor::{Kind, Result, column};
use sea_orm::DatabaseConnection;

use crate::databases::TestDatabase;
use crate::sample;

on_every_database!(
    a_later_report_replaces_the_earlier_one,
    nodes_are_counted_by_phase,
    reports_at_once_make_one_row,
    tokens_open_until_they_expire,
    reports_wake_every_operation_of_their_cluster,
    the_nodes_of_a_nodegroup_are_forgotten,
    a_key_pair_is_made_once,
    nothing_is_kept_for_a_cluster_that_is_gone,
);

fn node_group() -> String {
    "0a1b2c3d-0000-4000-8000-000000000001".into()
}

pub fn a_report(cluster: &Cluster, name: &str, phase: Phase) -> Report {
    Report {
        cluster_uuid: cluster.uuid.clone(),
        nodegroup_uuid: node_group(),
        name: name.to_owned(),
        role: "worker".into(),
        phase,
        step: None,
        message: None,
        log: Vec::new(),
        versions: None,
        addresses: None,
    }
}

pub async fn report(db: &DatabaseConnection, cluster: &Cluster, name: &str, phase: Phase) -> Result<()> {
    store::report(db, a_report(cluster, name, phase), now()).await
}

pub fn token(cluster: &Cluster, hash: &str, seconds: i64) -> BootstrapToken {
    BootstrapToken {
        hash: hash.to_owned(),
        cluster_uuid: cluster.uuid.clone(),
        nodegroup_uuid: node_group(),
        role: "master".into(),
        generation: 1,
        expires_at: now() + TimeDelta::seconds(seconds),
    }
}

pub fn keypair(cluster: &Cluster, generation: i32) -> Keypair {
    Keypair {
        id: 0,
        uuid: sample::uuid(),
        cluster_uuid: cluster.uuid.clone(),
        kind: certificate::Kind::FrontProxy,
        generation,
        certificate: "-----BEGIN CERTIFICATE-----\n".into(),
        private_key: Some((0..=255).collect()),
        private_key_ref: None,
        created_at: now(),
    }
}

async fn a_cluster(t: &TestDatabase) -> Cluster {
    let template = sample::kept_template(&t.db, "p1").await;
    sample::kept_cluster(&t.db, "c", &template, "p1").await
}

async fn a_later_report_replaces_the_earlier_one(t: TestDatabase) {
    let cluster = a_cluster(&t).await;
    let first = now() - TimeDelta::seconds(5);
    let mut booted = a_report(&cluster, "n-0", Phase::Booted);
    booted.versions = Some([("kernel", "6.1")].into());
    booted.addresses = Some(StringList(vec!["10.0.0.5".into()]));
    store::report(&t.db, booted, first).await.unwrap();

    let mut failed = a_report(&cluster, "n-0", Phase::Failed);
    failed.step = Some("kubelet".into());
    failed.message = Some("it does not start: „nein“".into());
    failed.log = vec!["line 1".into(), "line\t2".into()];
    let second = now();
    store::report(&t.db, failed.clone(), second).await.unwrap();

    let nodes = store::of_clusters(&t.db, std::slice::from_ref(&cluster.uuid)).await.unwrap();
    assert_eq!(nodes.len(), 1);
    let node = &nodes[0];
    assert_eq!((node.phase, &node.step, &node.message), (Phase::Failed, &failed.step, &failed.message));
    assert_eq!(node.log.0, failed.log);
    assert_eq!(node.versions, [("kernel", "6.1")].into());
    assert_eq!(node.addresses.0, ["10.0.0.5"]);
    assert_eq!((node.first_seen, node.updated_at), (first, second));

    report(&t.db, &cluster, "n-0", Phase::Ready).await.unwrap();
    let node = store::of_clusters(&t.db, std::slice::from_ref(&cluster.uuid)).await.unwrap().remove(0);
    assert_eq!((node.phase, node.step, node.message, node.log), (Phase::Ready, None, None, StringList::default()));

    let group = node_group();
    report(&t.db, &cluster, "n-1", Phase::Booted).await.unwrap();
    store::keep_only(&t.db, &sample::uuid(), &[]).await.unwrap();
    store::keep_only(&t.db, &group, &["n-0".into(), "n-7".into()]).await.unwrap();
    let names = async || {
        let nodes = store::of_clusters(&t.db, std::slice::from_ref(&cluster.uuid)).await.unwrap();
        nodes.into_iter().map(|node| node.name).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["n-0"]);
    report(&t.db, &cluster, "n-1", Phase::Booted).await.unwrap();
    store::keep_only(&t.db, &group, &[]).await.unwrap();
    assert!(names().await.is_empty());
    report(&t.db, &cluster, "n-0", Phase::Booted).await.unwrap();
    store::forget(&t.db, &cluster.uuid, &["n-0".into()]).await.unwrap();
    assert_eq!(store::of_clusters(&t.db, &[cluster.uuid]).await.unwrap(), []);
}

async fn nodes_are_counted_by_phase(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    let one = sample::kept_cluster(&t.db, "one", &template, "p1").await;
    let two = sample::kept_cluster(&t.db, "two", &template, "p1").await;
    for (cluster, name, phase) in [
        (&one, "a", Phase::Ready),
        (&one, "b", Phase::Ready),
        (&one, "c", Phase::ControlPlane),
        (&two, "a", Phase::Booted),
    ] {
        report(&t.db, cluster, name, phase).await.unwrap();
    }
    let mut counts = store::counts(&t.db, &[one.uuid.clone(), two.uuid.clone()]).await.unwrap();
    counts.sort_by_key(|count| (count.cluster_uuid != one.uuid, count.phase));
    let count = |cluster: &Cluster, phase, nodes| Count {
        cluster_uuid: cluster.uuid.clone(),
        nodegroup_uuid: node_group(),
        phase,
        nodes,
    };
    assert_eq!(
        counts,
        [count(&one, Phase::ControlPlane, 1), count(&one, Phase::Ready, 2), count(&two, Phase::Booted, 1)]
    );
    // All samples are of one nodegroup.
    for (name, others) in [("a", 2), ("b", 3), ("z", 4)] {
        assert_eq!(store::others(&t.db, &node_group(), name).await.unwrap(), others, "{name}");
    }
}

async fn reports_at_once_make_one_row(t: TestDatabase) {
    let cluster = a_cluster(&t).await;
    let reports = (0..20).map(|number| {
        let (db, cluster) = (t.db.clone(), cluster.clone());
        tokio::spawn(async move { report(&db, &cluster, &format!("n-{}", number % 2), Phase::Ready).await })
    });
    for reported in futures::future::join_all(reports).await {
        reported.unwrap().unwrap();
    }
    assert_eq!(store::of_clusters(&t.db, &[cluster.uuid]).await.unwrap().len(), 2);
}

async fn tokens_open_until_they_expire(t: TestDatabase) {
    let cluster = a_cluster(&t).await;
    let hash = "5e".repeat(32);
    let kept = token(&cluster, &hash, 60);
    store::keep_token(&t.db, kept.clone()).await.unwrap();
    assert_eq!(store::token(&t.db, &hash, now()).await.unwrap(), Some(kept.clone()));
    assert_eq!(store::token(&t.db, &hash, kept.expires_at).await.unwrap(), None);
    assert_eq!(store::token(&t.db, &hash.to_uppercase(), now()).await.unwrap(), None);

    let longer = token(&cluster, &hash, 600);
    store::keep_token(&t.db, longer.clone()).await.unwrap();
    assert_eq!(store::token(&t.db, &hash, kept.expires_at).await.unwrap(), Some(longer));

    store::delete_older_tokens(&t.db, &kept.nodegroup_uuid, 1).await.unwrap();
    assert!(store::token(&t.db, &hash, now()).await.unwrap().is_some());
    let second = BootstrapToken { generation: 2, ..token(&cluster, &"6f".repeat(32), 60) };
    store::keep_token(&t.db, second.clone()).await.unwrap();
    store::delete_older_tokens(&t.db, &kept.nodegroup_uuid, 2).await.unwrap();
    assert!(store::token(&t.db, &hash, now()).await.unwrap().is_none());
    assert_eq!(store::token(&t.db, &second.hash, now()).await.unwrap(), Some(second.clone()));
    store::keep_token(&t.db, kept.clone()).await.unwrap();

    store::delete_tokens(&t.db, &cluster.uuid, Some(&sample::uuid())).await.unwrap();
    assert!(store::token(&t.db, &hash, now()).await.unwrap().is_some());
    store::delete_tokens(&t.db, &cluster.uuid, Some(&kept.nodegroup_uuid)).await.unwrap();
    assert!(store::token(&t.db, &hash, now()).await.unwrap().is_none());
}

async fn reports_wake_every_operation_of_their_cluster(t: TestDatabase) {
    use conductor::operation::store as operations;
    let template = sample::kept_template(&t.db, "p1").await;
    let (one, two) = (sample::kept_cluster(&t.db, "one", &template, "p1").await, a_cluster(&t).await);
    let mut beside = sample::operation(&one, "nodegroup.update");
    beside.subject = sample::uuid();
    operations::insert(&t.db, beside).await.unwrap();
    let since = now() - TimeDelta::seconds(1);
    report(&t.db, &one, "n-0", Phase::Booted).await.unwrap();
    let heard = async || {
        let mut heard: Vec<_> =
            store::heard_since(&t.db, since).await.unwrap().into_iter().map(|(instance, _)| instance).collect();
        heard.sort();
        heard
    };
    let of = |cluster: &Cluster, what: &str| format!("{}/{what}", cluster.uuid);
    assert_eq!(heard().await, [of(&one, "cluster.create/1"), of(&one, "nodegroup.update/2")]);
    report(&t.db, &two, "n-0", Phase::Booted).await.unwrap();
    assert_eq!(heard().await.len(), 3);
    operations::supersede(&t.db, &one.uuid).await.unwrap();
    assert_eq!(heard().await, [of(&two, "cluster.create/1")]);
    assert_eq!(store::heard_since(&t.db, now()).await.unwrap(), []);
}

async fn the_nodes_of_a_nodegroup_are_forgotten(t: TestDatabase) {
    let cluster = a_cluster(&t).await;
    let mut other = a_report(&cluster, "other-0", Phase::Ready);
    other.nodegroup_uuid = sample::uuid();
    store::report(&t.db, other.clone(), now()).await.unwrap();
    report(&t.db, &cluster, "n-0", Phase::Ready).await.unwrap();
    store::forget_group(&t.db, &other.nodegroup_uuid).await.unwrap();
    let left = store::of_clusters(&t.db, std::slice::from_ref(&cluster.uuid)).await.unwrap();
    assert_eq!(left.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["n-0"]);
}

async fn a_key_pair_is_made_once(t: TestDatabase) {
    use certificate::store::{delete, delete_all, find, insert_if_absent, latest, of_cluster};
    let cluster = a_cluster(&t).await;
    let first = insert_if_absent(&t.db, keypair(&cluster, 1)).await.unwrap();
    assert_eq!(first.private_key, Some((0..=255).collect()));
    let again = insert_if_absent(&t.db, keypair(&cluster, 1)).await.unwrap();
    assert_eq!(again, first);
    let second = insert_if_absent(&t.db, keypair(&cluster, 2)).await.unwrap();
    let kind = certificate::Kind::FrontProxy;
    assert_eq!(find(&t.db, &cluster.uuid, kind, 1).await.unwrap(), Some(first.clone()));
    assert_eq!(latest(&t.db, &cluster.uuid, kind).await.unwrap(), Some(second.clone()));
    assert_eq!(latest(&t.db, &cluster.uuid, certificate::Kind::Kubernetes).await.unwrap(), None);
    delete(&t.db, &second.uuid).await.unwrap();
    assert_eq!(of_cluster(&t.db, &cluster.uuid).await.unwrap(), [first]);
    delete_all(&t.db, &cluster.uuid).await.unwrap();
    assert_eq!(of_cluster(&t.db, &cluster.uuid).await.unwrap(), []);

    let racers = (0..10).map(|_| {
        let (db, keypair) = (t.db.clone(), keypair(&cluster, 3));
        tokio::spawn(async move { insert_if_absent(&db, keypair).await })
    });
    let kept = futures::future::join_all(racers).await.into_iter().map(|kept| kept.unwrap().unwrap().uuid);
    let kept: std::collections::HashSet<String> = kept.collect();
    assert_eq!(kept.len(), 1);
}

async fn nothing_is_kept_for_a_cluster_that_is_gone(t: TestDatabase) {
    let cluster = a_cluster(&t).await;
    conductor::cluster::store::remove(&t.db, &cluster.uuid).await.unwrap();
    let errors = [
        report(&t.db, &cluster, "n", Phase::Ready).await.unwrap_err(),
        store::keep_token(&t.db, token(&cluster, "00", 60)).await.unwrap_err(),
        certificate::store::insert_if_absent(&t.db, keypair(&cluster, 1)).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind, Kind::NotFound);
        assert_eq!(error.public, format!("Cluster {} could not be found.", cluster.uuid));
    }
    assert_eq!(column::now().timestamp_subsec_nanos() % 1000, 0);
}

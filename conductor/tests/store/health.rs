//! Clusters to be asked for their health, and the keys for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use conductor::Conductor;
use conductor::certificate::{self, Keypair, Kind};
use conductor::cluster::store::{asked, change};
use conductor::cluster::{Changes, Cluster, HealthStatus, Status};
use conductor::column::StringMap;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::databases::TestDatabase;
use crate::{nodes, sample};

on_every_database!(
    clusters_at_rest_with_an_api_are_asked,
    keys_in_force_are_found_at_once,
    a_look_costs_as_much_for_many_as_for_one,
    clusters_that_are_silent_are_asked_side_by_side,
);

const REST: &[Status] = &[Status::CreateComplete, Status::UpdateComplete];

async fn clusters_at_rest_with_an_api_are_asked(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    let at = |address: &str, status| Changes {
        api_address: Some(Some(address.to_owned())),
        status: Some(status),
        ..Default::default()
    };
    let mut kept = Vec::new();
    for (name, changes) in [
        ("a", at("tcp://10.0.0.1:2376", Status::CreateComplete)),
        ("busy", at("tcp://10.0.0.2:2376", Status::UpdateInProgress)),
        ("new", Changes { status: Some(Status::CreateComplete), ..Default::default() }),
        ("b", at("tcp://10.0.0.3:2376", Status::UpdateComplete)),
        ("c", at("tcp://10.0.0.4:2376", Status::UpdateComplete)),
    ] {
        let cluster = sample::kept_cluster(&t.db, name, &template, "p1").await;
        change(&t.db, &cluster.uuid, changes).await.unwrap();
        kept.push(cluster);
    }
    let told = Changes {
        health_status: Some(Some(HealthStatus::Unhealthy)),
        health_status_reason: Some(StringMap::from([("api", "ok"), ("ü.Ready", "False")])),
        ..Default::default()
    };
    change(&t.db, &kept[3].uuid, told).await.unwrap();

    let ids = |found: &[conductor::cluster::store::Asked]| found.iter().map(|one| one.id).collect::<Vec<_>>();
    let all = asked(&t.db, &["kubernetes", "swarm"], REST, 0, 10).await.unwrap();
    assert_eq!(ids(&all), [kept[0].id, kept[3].id, kept[4].id]);
    assert_eq!((all[0].health_status, &all[0].health_status_reason), (None, &StringMap::default()));
    assert_eq!(all[1].health_status, Some(HealthStatus::Unhealthy));
    assert_eq!(all[1].health_status_reason["ü.Ready"], "False");
    assert_eq!((all[1].uuid.as_str(), all[1].driver.as_str()), (kept[3].uuid.as_str(), "kubernetes"));
    assert_eq!(all[1].api_address, "tcp://10.0.0.3:2376");
    assert!(!all[1].labels.is_empty() && all[1].labels == kept[3].labels);

    assert_eq!(ids(&asked(&t.db, &["kubernetes"], REST, 0, 2).await.unwrap()), [kept[0].id, kept[3].id]);
    assert_eq!(ids(&asked(&t.db, &["kubernetes"], REST, kept[3].id, 2).await.unwrap()), [kept[4].id]);
    assert_eq!(asked(&t.db, &["swarm"], REST, 0, 10).await.unwrap(), []);

    assert!(all.iter().all(conductor::cluster::store::Asked::has_tls));
    let spec = Some(serde_json::json!({"desired": {"tls_disabled": true}}));
    change(&t.db, &kept[4].uuid, Changes { spec: Some(spec), ..Default::default() }).await.unwrap();
    let all = asked(&t.db, &["kubernetes"], REST, 0, 10).await.unwrap();
    assert_eq!(all.iter().map(conductor::cluster::store::Asked::has_tls).collect::<Vec<_>>(), [true, true, false]);
}

/// What one look reads is the same for one cluster as for many, as long as nothing is found that is new.
async fn a_look_costs_as_much_for_many_as_for_one(t: TestDatabase) {
    let mut config = t.config.clone();
    config.keystone.auth_url = "http://127.0.0.1:1/v3".into();
    let mut conductor = Conductor::open(config).await.unwrap();
    let queries = Arc::new(AtomicUsize::new(0));
    let counted = queries.clone();
    conductor.db.set_metric_callback(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let template = sample::kept_template(&t.db, "p1").await;
    let (mut made, mut costs) = (0, Vec::new());
    for clusters in [1, 30, 150] {
        while made < clusters {
            let mut new = sample::new_cluster(&format!("c{made}"), &template, "p1");
            new.cluster.driver = "swarm".into();
            new.cluster.status = Status::CreateComplete;
            // Nothing listens there.
            new.cluster.api_address = Some("tcp://127.0.0.1:1".into());
            new.cluster.spec = Some(serde_json::json!({"desired": {"tls_disabled": true}}));
            conductor::cluster::store::insert(&t.db, new).await.unwrap();
            made += 1;
        }
        conductor::look_at_health(&conductor).await.unwrap();
        queries.store(0, Ordering::Relaxed);
        conductor::look_at_health(&conductor).await.unwrap();
        costs.push(queries.load(Ordering::Relaxed));
    }
    assert!(costs[0] > 0 && costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
    let told = asked(&t.db, &["swarm"], REST, 0, 200).await.unwrap();
    assert_eq!(told.len(), 150);
    for one in told {
        assert_eq!(one.health_status, Some(HealthStatus::Unknown), "{one:?}");
        assert!(one.health_status_reason["api"].starts_with("127.0.0.1:1: "), "{one:?}");
    }
}

/// One does not keep the others waiting.
async fn clusters_that_are_silent_are_asked_side_by_side(t: TestDatabase) {
    const AT_ONCE: usize = 3;
    let silent = Silent::start(AT_ONCE).await;
    let mut config = t.config.clone();
    config.keystone.auth_url = "http://127.0.0.1:1/v3".into();
    (config.health.at_once, config.health.timeout_s) = (AT_ONCE, 5);
    let conductor = Conductor::open(config).await.unwrap();
    let template = sample::kept_template(&t.db, "p1").await;
    for index in 0..AT_ONCE {
        let mut new = sample::new_cluster(&format!("c{index}"), &template, "p1");
        (new.cluster.driver, new.cluster.status) = ("swarm".into(), Status::CreateComplete);
        new.cluster.api_address = Some(format!("tcp://{}", silent.address));
        new.cluster.spec = Some(serde_json::json!({"desired": {"tls_disabled": true}}));
        conductor::cluster::store::insert(&t.db, new).await.unwrap();
    }
    conductor::look_at_health(&conductor).await.unwrap();
    assert_eq!(silent.most.load(Ordering::Relaxed), AT_ONCE);
}

/// Takes connections and says nothing, until so many are open at once; then they are closed.
struct Silent {
    address: SocketAddr,
    /// The most connections that were ever open.
    most: Arc<AtomicUsize>,
}

impl Silent {
    async fn start(enough: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, most) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let (seen, open, (all, _)) = (most.clone(), Arc::new(AtomicUsize::new(0)), watch::channel(false));
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let now = open.fetch_add(1, Ordering::Relaxed) + 1;
                seen.fetch_max(now, Ordering::Relaxed);
                let (open, mut done) = (open.clone(), all.subscribe());
                if now >= enough {
                    all.send_replace(true);
                }
                tokio::spawn(async move {
                    let mut heard = [0; 256];
                    let hung_up = async { while connection.read(&mut heard).await.is_ok_and(|bytes| bytes > 0) {} };
                    tokio::select! {
                        () = hung_up => {}
                        _ = done.wait_for(|is| *is) => {}
                    }
                    open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Self { address, most }
    }
}

fn pair(cluster: &Cluster, kind: Kind, generation: i32) -> Keypair {
    Keypair { kind, ..nodes::keypair(cluster, generation) }
}

async fn keys_in_force_are_found_at_once(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    let mut clusters = Vec::new();
    for name in ["a", "b", "other"] {
        let cluster = sample::kept_cluster(&t.db, name, &template, "p1").await;
        for (kind, generation) in
            [(Kind::Kubernetes, 1), (Kind::Client, 1), (Kind::Etcd, 1), (Kind::Client, 2), (Kind::Client, -3)]
        {
            certificate::store::insert_if_absent(&t.db, pair(&cluster, kind, generation)).await.unwrap();
        }
        clusters.push(cluster);
    }
    let uuids = [clusters[0].uuid.clone(), clusters[1].uuid.clone(), sample::uuid()];
    let found = certificate::store::in_force(&t.db, &uuids, &[Kind::Kubernetes, Kind::Client]).await.unwrap();
    let mut seen: Vec<_> =
        found.iter().map(|pair| (pair.cluster_uuid.as_str(), pair.kind.as_str(), pair.generation)).collect();
    seen.sort_unstable();
    let mut expected = Vec::new();
    for uuid in &uuids[..2] {
        expected.extend([(uuid.as_str(), "client", 2), (uuid.as_str(), "kubernetes", 1)]);
    }
    expected.sort_unstable();
    assert_eq!(seen, expected);
    assert_eq!(certificate::store::in_force(&t.db, &[], &Kind::ALL).await.unwrap(), []);
}

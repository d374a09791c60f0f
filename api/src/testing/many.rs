//! Listings cost the same number of queries, however many clusters there are, on every database.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use conductor::Conductor;
use serde_json::{Value, json};

use super::cloud::{ADMIN, MEMBER, Service};
use super::databases::{Kind, TestDatabase};
use super::sample;

const CLUSTERS: usize = 1000;

async fn lists_cost_the_same(kind: Kind) {
    let records = TestDatabase::new(kind).await;
    let mut template = sample::template("many", "p1");
    template.labels = [("kept", "1"), ("changed", "1")].into();
    let template = conductor::cluster_template::store::insert(&records.db, template).await.unwrap();
    let makers = (0..10).map(|maker| {
        let (db, template) = (records.db.clone(), template.clone());
        tokio::spawn(async move {
            for number in 0..CLUSTERS / 10 {
                let mut new = sample::new_cluster(&format!("c{maker}-{number}"), &template, "p1");
                new.cluster.labels = [("changed", "2"), ("own", "3")].into();
                conductor::cluster::store::insert(&db, new).await.unwrap();
            }
        })
    });
    for made in futures::future::join_all(makers).await {
        made.unwrap();
    }
    let queries = Arc::new(AtomicUsize::new(0));
    let counted = queries.clone();
    let count = move |conductor: &mut Conductor| {
        conductor.db.set_metric_callback(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
    };
    let change = |config: &mut conductor::Config| {
        config.database.url = records.config.database.url.clone();
        config.state_dir = records.config.state_dir.clone();
        config.api.max_limit = CLUSTERS as u64;
    };
    let service = Service::opened(change, count).await;
    for who in [MEMBER, ADMIN] {
        for (list, members) in [("/v1/clusters", &["labels"][..]), ("/v1/clusters/detail", &["labels_added"])] {
            queries.store(0, Ordering::Relaxed);
            let (status, _, body) = service.ask(who, &format!("GET {list}"), Value::Null).await;
            assert_eq!((status, queries.swap(0, Ordering::Relaxed)), (200, 2), "{list} as {who}");
            let clusters = body["clusters"].as_array().unwrap();
            assert_eq!(clusters.len(), CLUSTERS);
            for cluster in clusters {
                assert!(members.iter().all(|member| cluster[*member]["own"] == "3"), "{cluster}");
                assert_eq!((&cluster["master_count"], &cluster["node_count"]), (&json!(1), &json!(2)), "{cluster}");
                if list.ends_with("detail") {
                    assert_eq!(cluster["labels_overridden"], json!({"changed": "1"}));
                    assert_eq!(cluster["labels_skipped"], json!({"kept": "1"}));
                }
            }
            // A page after a marker asks for the marker, too.
            let marker = clusters[9]["uuid"].as_str().unwrap();
            let page = format!("GET {list}?limit=10&sort_key=name&marker={marker}");
            assert_eq!(service.ask(who, &page, Value::Null).await.2["clusters"].as_array().unwrap().len(), 10);
            assert_eq!(queries.swap(0, Ordering::Relaxed), 3, "{page} as {who}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_cost_the_same_on_sqlite() {
    lists_cost_the_same(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_cost_the_same_on_postgresql() {
    lists_cost_the_same(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_cost_the_same_on_mariadb() {
    lists_cost_the_same(Kind::MariaDb).await;
}

//! What the database refuses, and what callers are told.

use conductor::cluster::store as clusters;
use conductor::cluster_template::store as templates;
use conductor::page::Page;
use conductor::scope::Scope;
use conductor::{Kind, quota};
use sea_orm::ConnectionTrait;

use crate::databases::{self, TestDatabase};
use crate::sample;

on_every_database!(texts_that_cannot_be_stored_are_refused, writers_wait_for_each_other);

async fn texts_that_cannot_be_stored_are_refused(t: TestDatabase) {
    let mut long = sample::template("long", "p1");
    long.keypair_id = Some("x".repeat(256));
    let mut nul = sample::template("nul\0", "p1");
    nul.keypair_id = Some("key".into());
    let mut nul_label = sample::template("label", "p1");
    nul_label.labels = [("key", "\0")].into();
    // SQLite knows no lengths, and only PostgreSQL refuses U+0000; what is accepted comes back.
    let accepted: &[bool] = match t.kind {
        databases::Kind::Sqlite => &[true, true, true],
        databases::Kind::Postgres => &[false, false, false],
        databases::Kind::MariaDb => &[false, true, true],
    };
    for (template, accepted) in [long, nul, nul_label].into_iter().zip(accepted) {
        match templates::insert(&t.db, template).await {
            Ok(kept) => {
                assert!(accepted, "{kept:?}");
                assert_eq!(crate::templates::find_any(&t.db, &kept.uuid).await, kept);
            }
            Err(error) => {
                assert!(!accepted, "{}", error.chain());
                assert_eq!(error.kind, Kind::Invalid, "{}", error.chain());
            }
        }
    }
}

/// A reader that becomes a writer, and a writer that finds another at the same rows, both get through.
async fn writers_wait_for_each_other(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    let cluster = sample::kept_cluster(&t.db, "c", &template, "p1").await;
    let writers = (0..20).map(|number| {
        let (db, uuid) = (t.db.clone(), cluster.uuid.clone());
        tokio::spawn(async move {
            conductor::database::retry(|| async {
                let transaction = conductor::database::begin(&db).await?;
                let read = clusters::find(&transaction, &Scope::All, &uuid).await?;
                clusters::set_status(&transaction, &uuid, read.status, Some(format!("{number}"))).await?;
                transaction.commit().await?;
                Ok(())
            })
            .await
        })
    });
    for written in futures::future::join_all(writers).await {
        written.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let t = TestDatabase::new(databases::Kind::Sqlite).await;
    let template = sample::kept_template(&t.db, "p1").await;
    // One connection serves what comes one after another.
    t.db.execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
    let mut kept = 0;
    let error = loop {
        let mut new = sample::new_cluster("c", &template, "p1");
        new.cluster.discovery_url = Some("x".repeat(2000));
        match clusters::insert(&t.db, new).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 1000, "the disk is never full");
    };
    assert_eq!(error.kind, Kind::Unavailable, "{}", error.chain());
    assert!(error.public.contains("The database is not available"), "{}", error.public);
    t.db.execute_unprepared("PRAGMA max_page_count = 1000000").await.unwrap();
    let views = clusters::list(&t.db, &Scope::All, &Page::first(1000)).await.unwrap();
    assert_eq!(views.len(), kept);
    assert!(views.iter().all(|view| view.nodegroups.len() == 2));
    assert_eq!(usize::try_from(quota::store::usage(&t.db, "p1").await.unwrap()).unwrap(), kept);
    sample::kept_cluster(&t.db, "again", &template, "p1").await;
}

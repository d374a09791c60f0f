//! The schema: made once, made again, made by several at once, and equal to what the code expects.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use conductor::config;
use conductor::{Config, Kind, database};
use migrations::Migrator;
use migrations::sea_orm_migration::MigratorTrait;
use sea_orm::{ConnectionTrait, Statement};

use crate::databases::{self, TestDatabase};

on_every_database!(
    it_is_checked_and_brought_up_to_date,
    a_step_can_be_taken_twice,
    many_processes_may_bring_it_up_to_date_at_once,
    a_newer_one_is_served_but_not_changed,
    it_is_what_the_rows_expect,
    the_connection_is_as_it_should_be,
);

async fn run(t: &TestDatabase, sql: &str) -> Vec<BTreeMap<String, String>> {
    let rows = t.db.query_all_raw(Statement::from_string(t.db.get_database_backend(), sql)).await.unwrap();
    let text = |row: &sea_orm::QueryResult, name: &str| {
        let text: Option<String> = row.try_get("", name).ok();
        text.or_else(|| row.try_get::<i64>("", name).ok().map(|number| number.to_string()))
            .or_else(|| row.try_get::<i32>("", name).ok().map(|number| number.to_string()))
            .unwrap_or_default()
    };
    rows.iter()
        .map(|row| row.column_names().into_iter().map(|name| (name.clone(), text(row, &name))).collect())
        .collect()
}

async fn it_is_checked_and_brought_up_to_date(t: TestDatabase) {
    let steps = database::status(&t.db).await.unwrap();
    assert!(steps.iter().all(|step| step.applied));
    assert_eq!(steps.len(), Migrator::migrations().len());
    let names: Vec<&String> = steps.iter().map(|step| &step.name).collect();
    assert!(names.is_sorted());
    database::check_schema(&t.db).await.unwrap();
    database::ping(&t.db).await.unwrap();
    assert_eq!(database::migrate(&t.db).await.unwrap(), Vec::<String>::new());

    let empty = TestDatabase::empty(t.kind).await;
    assert!(database::status(&empty.db).await.unwrap().iter().all(|step| !step.applied));
    let error = database::check_schema(&empty.db).await.unwrap_err();
    assert!(error.public.contains("Run `jeroboam db upgrade`"), "{}", error.public);
    assert_eq!(database::prepare(&empty.db).await.is_ok(), t.kind == databases::Kind::Sqlite);
    let empty = TestDatabase::empty(t.kind).await;
    let taken = database::migrate(&empty.db).await.unwrap();
    assert_eq!(taken, steps.into_iter().map(|step| step.name).collect::<Vec<_>>());
    database::check_schema(&empty.db).await.unwrap();
}

/// As after a process was killed between a step and its record.
async fn a_step_can_be_taken_twice(t: TestDatabase) {
    let template = crate::sample::kept_template(&t.db, "p1").await;
    t.db.execute_unprepared("DELETE FROM seaql_migrations").await.unwrap();
    assert_eq!(database::migrate(&t.db).await.unwrap().len(), Migrator::migrations().len());
    database::check_schema(&t.db).await.unwrap();
    assert_eq!(crate::templates::find_any(&t.db, &template.uuid).await, template);
}

async fn many_processes_may_bring_it_up_to_date_at_once(t: TestDatabase) {
    let empty = TestDatabase::empty(t.kind).await;
    let mut racers = Vec::new();
    for _ in 0..4 {
        let db = database::connect(&empty.config).await.unwrap();
        racers.push(tokio::spawn(async move { database::migrate(&db).await }));
    }
    let mut taken = 0;
    for racer in racers {
        taken += racer.await.unwrap().unwrap().len();
    }
    assert_eq!(taken, Migrator::migrations().len());
    database::check_schema(&empty.db).await.unwrap();
}

async fn a_newer_one_is_served_but_not_changed(t: TestDatabase) {
    t.db.execute_unprepared("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_x', 0)")
        .await
        .unwrap();
    database::check_schema(&t.db).await.unwrap();
    let error = database::migrate(&t.db).await.unwrap_err();
    assert!(error.public.contains("m29990101_000001_x"), "{}", error.public);
}

/// Each table has exactly the columns of its row type, and each column may be empty exactly where the row says so.
async fn it_is_what_the_rows_expect(t: TestDatabase) {
    let columns = match t.kind {
        databases::Kind::Sqlite => {
            "SELECT m.name AS t, p.name AS c, CASE WHEN p.\"notnull\" = 1 OR p.pk > 0 THEN 'NO' ELSE 'YES' END AS n \
             FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'"
        }
        databases::Kind::Postgres => {
            "SELECT table_name::text AS t, column_name::text AS c, is_nullable::text AS n \
             FROM information_schema.columns WHERE table_schema = 'public'"
        }
        databases::Kind::MariaDb => {
            "SELECT CAST(table_name AS CHAR) AS t, CAST(column_name AS CHAR) AS c, CAST(is_nullable AS CHAR) AS n \
             FROM information_schema.columns WHERE table_schema = DATABASE()"
        }
    };
    let mut found: BTreeMap<String, BTreeMap<String, bool>> = BTreeMap::new();
    for row in run(&t, columns).await {
        found.entry(row["t"].clone()).or_default().insert(row["c"].clone(), row["n"] == "YES");
    }
    found.retain(|table, _| !table.starts_with("sqlite_") && table != "seaql_migrations");
    let expected: BTreeMap<String, BTreeMap<String, bool>> = database::expected_tables()
        .into_iter()
        .map(|(table, columns)| (table, columns.into_iter().collect()))
        .collect();
    assert_eq!(found, expected);
}

async fn the_connection_is_as_it_should_be(t: TestDatabase) {
    match t.kind {
        databases::Kind::Sqlite => {
            for (pragma, expected) in
                [("journal_mode", "wal"), ("foreign_keys", "1"), ("synchronous", "2"), ("busy_timeout", "15000")]
            {
                let rows = run(&t, &format!("PRAGMA {pragma}")).await;
                assert_eq!(rows[0].values().next().unwrap(), expected, "{pragma}");
            }
            let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&t.config.state_dir), 0o700);
            assert_eq!(mode(&t.config.state_dir.join("jeroboam.db")), 0o600);
        }
        databases::Kind::MariaDb => {
            let rows = run(
                &t,
                "SELECT DISTINCT CAST(table_collation AS CHAR) AS c FROM information_schema.tables \
                 WHERE table_schema = DATABASE() AND table_name <> 'seaql_migrations'",
            )
            .await;
            assert_eq!(rows.len(), 1);
            assert_eq!(rows[0]["c"], "utf8mb4_nopad_bin");
        }
        databases::Kind::Postgres => {}
    }
}

#[tokio::test]
async fn a_wrong_url_is_named_without_its_secrets() {
    for url in ["oracle://user:geheim@host/db", "geheim"] {
        let config = Config { database: config::Database { url: Some(url.to_owned().into()) }, ..Config::default() };
        let error = database::connect(&config).await.unwrap_err();
        assert!(error.public.contains("allowed: sqlite://, postgres:// or mysql://"), "{}", error.public);
        assert!(!error.chain().contains("geheim"), "{}", error.chain());
    }
    let config = Config {
        database: config::Database { url: Some("postgres://user:geheim@127.0.0.1:1/db".to_owned().into()) },
        ..Config::default()
    };
    let error = database::connect(&config).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unavailable);
    assert!(!error.chain().contains("geheim"), "{}", error.chain());
}

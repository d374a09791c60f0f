//! Every query on every database: each scenario runs on SQLite, PostgreSQL and MariaDB.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
#![allow(unreachable_pub, reason = "a test program has no outside")]

#[path = "support/databases.rs"]
mod databases;
#[path = "store/sample.rs"]
mod sample;

/// Runs each scenario of the module on each database, as tests named `<database>::<scenario>`.
macro_rules! on_every_database {
    ($($scenario:ident),* $(,)?) => {
        on_every_database!(@ sqlite Sqlite $($scenario)*);
        on_every_database!(@ postgres Postgres $($scenario)*);
        on_every_database!(@ mariadb MariaDb $($scenario)*);
    };
    (@ $module:ident $kind:ident $($scenario:ident)*) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $scenario() {
                    super::$scenario(crate::databases::TestDatabase::new(crate::databases::Kind::$kind).await).await;
                }
            )*
        }
    };
}

#[path = "store/clusters.rs"]
mod clusters;
#[path = "store/errors.rs"]
mod errors;
#[path = "store/gate.rs"]
mod gate;
#[path = "store/health.rs"]
mod health;
#[path = "store/join_tokens.rs"]
mod join_tokens;
#[path = "store/nodes.rs"]
mod nodes;
#[path = "store/notifications.rs"]
mod notifications;
#[path = "store/operations.rs"]
mod operations;
#[path = "store/orders.rs"]
mod orders;
#[path = "store/pages.rs"]
mod pages;
#[path = "store/quotas.rs"]
mod quotas;
#[path = "store/schema.rs"]
mod schema;
#[path = "store/services.rs"]
mod services;
#[path = "store/templates.rs"]
mod templates;

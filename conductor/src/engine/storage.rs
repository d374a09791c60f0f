//! Where the engine keeps its queues and histories: a SQLite file of its own, or a schema of its own in PostgreSQL.
//!
//! The SQLite storage commits without waiting for the disk (`synchronous=NORMAL` with a write-ahead log): a crash of
//! the process loses nothing, a power failure may undo the last moments. The workflow then repeats steps that were
//! done, which every step allows, and the reconciler starts again what was forgotten.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use duroxide::providers::Provider;
use duroxide::providers::sqlite::SqliteProvider;
use duroxide_pg::PostgresProvider;
use secrecy::{ExposeSecret, SecretString};

use super::guard::{Guard, Writers};
use crate::{Error, Result};

/// The schema in PostgreSQL, so that the engine may share a database with the records.
const SCHEMA: &str = "workflow";

/// Opens the storage named by `url`, makes or upgrades its tables, and guards it.
///
/// # Errors
/// `Invalid` for another kind of URL, `Unavailable` when the storage cannot be opened.
pub(super) async fn open(url: &SecretString, poll: Duration) -> Result<Arc<Guard>> {
    let (inner, writers): (Arc<dyn Provider>, _) = match url.expose_secret().split_once(':') {
        Some(("sqlite", rest)) => (Arc::new(sqlite(rest.strip_prefix("//").unwrap_or(rest)).await?), Writers::One),
        Some(("postgres" | "postgresql", _)) => {
            let opened = PostgresProvider::new_with_schema(url.expose_secret(), Some(SCHEMA)).await;
            (Arc::new(opened.map_err(|cause| unavailable().because(cause))?), Writers::Many)
        }
        other => {
            // Only the scheme is repeated: the rest may hold a password.
            let scheme = other.map_or("", |(scheme, _)| scheme);
            return Err(Error::invalid(format!(
                "engine.url: {scheme:?} is not a storage of the workflow engine; allowed are sqlite:// and postgres://"
            )));
        }
    };
    Ok(Arc::new(Guard::new(inner, writers, poll)))
}

/// The engine cannot be used at the moment.
pub(super) fn unavailable() -> Error {
    Error::unavailable("The workflow engine")
}

async fn sqlite(rest: &str) -> Result<SqliteProvider> {
    let path = rest.split('?').next().unwrap_or_default();
    if path.is_empty() || path.starts_with(':') {
        return Err(Error::invalid(format!(
            "engine.url: {path:?} is not a file; the workflow engine must outlive the process, give sqlite://<path>"
        )));
    }
    if let Some(directory) = Path::new(path).parent() {
        std::fs::create_dir_all(directory).map_err(|cause| {
            Error::new(
                crate::Kind::Unavailable,
                format!("engine.url: cannot make the directory {}: {cause}", directory.display()),
            )
        })?;
    }
    // The path is taken as it stands; the driver would read `%` as an escape.
    let url = format!("sqlite://{}?mode=rwc", path.replace('%', "%25"));
    SqliteProvider::new(&url, None).await.map_err(|cause| unavailable().because(cause))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use crate::engine::tests::postgres::Postgres;

    async fn refused(url: &str) -> Error {
        open(&url.to_owned().into(), Duration::from_secs(1)).await.err().unwrap()
    }

    #[tokio::test]
    async fn a_file_is_made_with_its_directories() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a b/100%/workflow.db");
        let url = format!("sqlite://{}", path.display());
        open(&url.into(), Duration::from_secs(1)).await.unwrap();
        assert!(path.is_file());
    }

    #[tokio::test]
    async fn other_storages_are_refused_without_their_password() {
        let error = refused("mysql://root:hunter2@db/x").await;
        assert_eq!(error.kind, Kind::Invalid);
        assert!(error.public.contains("\"mysql\"") && error.public.contains("postgres://"), "{error}");
        assert!(!error.chain().contains("hunter2"));
        assert_eq!(refused("sqlite::memory:").await.kind, Kind::Invalid);
    }

    #[tokio::test]
    async fn an_absent_database_is_unavailable_and_its_password_is_kept() {
        let present = Postgres::shared().database();
        let error = refused(&format!("{}_absent", present.replace("postgres@", "postgres:hunter2@"))).await;
        assert_eq!(error.kind, Kind::Unavailable);
        assert!(!error.chain().contains("hunter2"), "{}", error.chain());
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_made_is_named() {
        let error = refused("sqlite:///dev/null/x/workflow.db").await;
        assert!(error.public.contains("/dev/null/x"), "{error}");
    }
}

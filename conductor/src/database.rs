//! The records' database: SQLite, PostgreSQL or MariaDB.

use std::future::Future;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use migrations::Migrator;
use migrations::sea_orm_migration::{IntoSchemaManagerConnection, MigratorTrait, SchemaManager, seaql_migrations};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ColumnTrait, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    EntityTrait, IdenStatic, IsolationLevel, Iterable, RuntimeErr, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait, sqlx,
};
use secrecy::ExposeSecret;

/// What a query of a store runs on: the database, or a transaction that its caller has begun.
pub use sea_orm::ConnectionTrait as Connection;
/// The database itself, as [`connect`] gives it.
pub use sea_orm::DatabaseConnection as Records;

use crate::{Config, Error, Kind, Result};
use crate::{
    certificate, cluster, cluster_template, join_token, lease, node, nodegroup, notification, operation, order, quota,
    service,
};

/// How long a writer waits for another one, and a request for a free connection.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often a transaction is tried when others stand in its way.
const ATTEMPTS: u32 = 8;
/// The lock that lets one process at a time change the schema: its name on MariaDB, its number on PostgreSQL.
const LOCK: (&str, i64) = ("jeroboam-schema", 9_511_201_126);

/// Opens the database that the configuration names; makes the state directory and the SQLite file when absent.
///
/// # Errors
/// The URL is of an unknown kind, a file cannot be made, or the server does not answer.
pub async fn connect(config: &Config) -> Result<DatabaseConnection> {
    let url = config.database.url.as_ref().map(|url| url.expose_secret().to_owned());
    let options = match url {
        None => {
            private_directory(&config.state_dir)?;
            sqlite("sqlite://jeroboam.db", Some(config.state_dir.join("jeroboam.db")))?
        }
        Some(url) => match url.split_once(':').map(|(scheme, rest)| (scheme, rest.to_owned())) {
            Some(("sqlite", _)) => sqlite(&url, None)?,
            Some(("postgres" | "postgresql", _)) => server(url),
            Some(("mysql" | "mariadb", rest)) => server(format!("mysql:{rest}")),
            other => {
                let given = other.map_or("nothing", |(scheme, _)| scheme);
                return Err(Error::invalid(format!(
                    "database.url starts with {given:?}; allowed: sqlite://, postgres:// or mysql://"
                )));
            }
        },
    };
    Ok(Database::connect(options).await?)
}

/// Brings the schema up to date and names the steps that were taken; safe to run in several processes at once.
///
/// # Errors
/// The schema is newer than this program, or the database refuses.
pub async fn migrate(db: &DatabaseConnection) -> Result<Vec<String>> {
    // The transaction holds one connection, which holds the lock. On SQLite and PostgreSQL it also makes all steps
    // one; MariaDB commits at every step, and the steps can be repeated.
    check_server(db).await?;
    let transaction = begin(db).await?;
    lock(&transaction).await?;
    let outcome = take_steps(&transaction).await;
    if db.get_database_backend() == DbBackend::MySql {
        transaction.execute_unprepared(&format!("SELECT RELEASE_LOCK('{}')", LOCK.0)).await?;
    }
    let taken = outcome?;
    transaction.commit().await?;
    Ok(taken)
}

/// One step of the schema's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
}

/// Every step this program knows, in order, and whether the database has it; changes nothing.
///
/// # Errors
/// The database does not answer.
pub async fn status(db: &DatabaseConnection) -> Result<Vec<Step>> {
    let applied = applied(db).await?;
    let step = |name: String| Step { applied: applied.contains(&name), name };
    Ok(Migrator::migrations().iter().map(|migration| step(migration.name().to_owned())).collect())
}

/// The names of every step this program knows, in order.
#[must_use]
pub fn migration_names() -> Vec<String> {
    Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect()
}

/// Refuses a schema that lacks a step. A newer one is fine: steps expand before they contract.
///
/// # Errors
/// Steps are missing, with the command that takes them; or the database does not answer.
pub async fn check_schema(db: &DatabaseConnection) -> Result<()> {
    check_server(db).await?;
    let missing: Vec<Step> = status(db).await?.into_iter().filter(|step| !step.applied).collect();
    match missing.first() {
        None => Ok(()),
        Some(first) => Err(Error::new(
            Kind::Unavailable,
            format!(
                "The database's schema is too old: {} steps are missing, the first is {}. Run `jeroboam db upgrade`, \
                 then start again.",
                missing.len(),
                first.name
            ),
        )),
    }
}

/// Makes the database ready to be served from: SQLite is brought up to date, a server's schema is checked.
///
/// # Errors
/// As [`migrate`] or [`check_schema`].
pub async fn prepare(db: &DatabaseConnection) -> Result<()> {
    if db.get_database_backend() == DbBackend::Sqlite { migrate(db).await.map(|_| ()) } else { check_schema(db).await }
}

/// A table's name, and its columns with whether each may be empty.
pub type Columns = (String, Vec<(String, bool)>);

/// Every table as the row types expect it, for comparison with a schema.
#[must_use]
pub fn expected_tables() -> Vec<Columns> {
    fn table<E: EntityTrait>() -> Columns {
        let column = |column: E::Column| (column.as_str().to_owned(), column.def().is_null());
        (E::default().table_name().to_owned(), E::Column::iter().map(column).collect())
    }
    vec![
        table::<certificate::row::Entity>(),
        table::<cluster::row::Entity>(),
        table::<cluster::spare::row::Entity>(),
        table::<cluster_template::row::Entity>(),
        table::<join_token::row::Entity>(),
        table::<lease::row::Entity>(),
        table::<node::row::Entity>(),
        table::<node::token::Entity>(),
        table::<nodegroup::row::Entity>(),
        table::<notification::row::Entity>(),
        table::<operation::row::Entity>(),
        table::<order::row::Entity>(),
        table::<order::AnswerEntity>(),
        table::<quota::row::Entity>(),
        table::<quota::usage::Entity>(),
        table::<service::row::Entity>(),
    ]
}

/// Asks the database for a sign of life.
///
/// # Errors
/// It gives none.
pub async fn ping(db: &DatabaseConnection) -> Result<()> {
    db.query_one_raw(Statement::from_string(db.get_database_backend(), "SELECT 1")).await?;
    Ok(())
}

/// Begins a transaction that sees what others have committed and, on SQLite, is the only writer from its start.
///
/// # Errors
/// The database does not answer.
pub async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction> {
    let options = match db.get_database_backend() {
        // The default would fix what is seen at the first read and then refuse to change what others changed since.
        DbBackend::MySql => {
            TransactionOptions { isolation_level: Some(IsolationLevel::ReadCommitted), ..Default::default() }
        }
        // A reader that turns into a writer fails at once when another one was faster; a writer from the start waits.
        DbBackend::Sqlite => {
            TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..Default::default() }
        }
        _ => TransactionOptions::default(),
    };
    Ok(db.begin_with_options(options).await?)
}

/// Tries a whole transaction again when it failed only because others were at the same rows.
///
/// # Errors
/// The last attempt's error.
pub async fn retry<T, F: Future<Output = Result<T>>>(mut attempt: impl FnMut() -> F) -> Result<T> {
    let mut tried = 1;
    loop {
        match attempt().await {
            Err(error) if tried < ATTEMPTS && is_contention(&error) => {
                tokio::time::sleep(Duration::from_millis(5 << tried)).await;
                tried += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Whether the error says only that others were at the same rows, so that trying again may work.
#[must_use]
pub fn is_contention(error: &Error) -> bool {
    let cause = error.cause.as_deref().and_then(|cause| cause.downcast_ref::<DbErr>());
    cause.is_some_and(|cause| trouble(cause) == Trouble::Contended)
}

impl From<DbErr> for Error {
    fn from(cause: DbErr) -> Self {
        match trouble(&cause) {
            Trouble::Contended | Trouble::Away => Self::unavailable("The database").because(cause),
            Trouble::Nul => Self::invalid("A text holds the character U+0000, which cannot be stored.").because(cause),
            Trouble::Long => Self::invalid("A text is longer than what can be stored.").because(cause),
            Trouble::Other => Self::internal(cause),
        }
    }
}

/// What an error of the database means to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// Others were at the same rows.
    Contended,
    /// It does not answer, or cannot write for now: shutting down, out of room, read-only, too many connections.
    Away,
    /// A text holds U+0000.
    Nul,
    /// A text is too long.
    Long,
    /// Anything else, mostly defects of ours.
    Other,
}

fn trouble(error: &DbErr) -> Trouble {
    let error = match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => return Trouble::Away,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => error,
        _ => return Trouble::Other,
    };
    let error = match &**error {
        sqlx::Error::Database(error) => error,
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => return Trouble::Away,
        _ => return Trouble::Other,
    };
    // Two operations of one cluster drew the same number: the second draws again.
    if error.is_unique_violation()
        && ["uq_operation_number", "operation.number"].iter().any(|key| error.message().contains(key))
    {
        return Trouble::Contended;
    }
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return match error.number() {
            1020 | 1205 | 1213 => Trouble::Contended,
            1021 | 1040 | 1053 | 1114 | 1290 | 1836 => Trouble::Away,
            1406 => Trouble::Long,
            _ => Trouble::Other,
        };
    }
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
        return match &*code {
            "40001" | "40P01" => Trouble::Contended,
            "53100" | "53200" | "53300" | "57P01" | "57P02" | "57P03" | "25006" => Trouble::Away,
            "22021" | "22P05" => Trouble::Nul,
            "22001" => Trouble::Long,
            _ => Trouble::Other,
        };
    }
    // SQLite's extended codes carry the plain one in their lowest byte.
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(5 | 6) => Trouble::Contended,
        Ok(8 | 10 | 13 | 14) => Trouble::Away,
        Ok(18) => Trouble::Long,
        _ => Trouble::Other,
    }
}

/// Refuses servers on which the schema would not mean the same.
async fn check_server(db: &DatabaseConnection) -> Result<()> {
    if db.get_database_backend() != DbBackend::MySql {
        return Ok(());
    }
    let ask = Statement::from_string(DbBackend::MySql, "SELECT VERSION() AS version");
    let row = db.query_one_raw(ask).await?;
    let version = row.map(|row| row.try_get::<String>("", "version")).transpose()?.unwrap_or_default();
    if is_known_mariadb(&version) {
        return Ok(());
    }
    Err(Error::invalid(format!("The database server is {version:?}; allowed: MariaDB 10.6 or later")))
}

/// Whether that is how MariaDB 10.6 or later calls itself, as `10.11.6-MariaDB-0+deb12u1`.
fn is_known_mariadb(version: &str) -> bool {
    let mut numbers = version.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let release = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version.contains("MariaDB") && release >= (10, 6)
}

/// The names of the steps that the database has.
async fn applied<'c>(db: impl IntoSchemaManagerConnection<'c>) -> Result<Vec<String>> {
    let manager = SchemaManager::new(db);
    if !manager.has_table("seaql_migrations").await? {
        return Ok(Vec::new());
    }
    let rows = seaql_migrations::Entity::find().all(manager.get_connection()).await?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

async fn take_steps(transaction: &DatabaseTransaction) -> Result<Vec<String>> {
    let known: Vec<String> = Migrator::migrations().iter().map(|step| step.name().to_owned()).collect();
    let applied = applied(transaction).await?;
    if let Some(unknown) = applied.iter().find(|name| !known.contains(name)) {
        return Err(Error::new(
            Kind::Unavailable,
            format!("The database's schema is newer than this program: it has step {unknown}. Use a newer program."),
        ));
    }
    Migrator::up(transaction, None).await?;
    Ok(known.into_iter().filter(|name| !applied.contains(name)).collect())
}

/// Waits until no other process changes the schema. On SQLite the transaction is that lock.
async fn lock(transaction: &DatabaseTransaction) -> Result<()> {
    match transaction.get_database_backend() {
        DbBackend::Postgres => {
            transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({})", LOCK.1)).await?;
        }
        DbBackend::MySql => {
            let ask = Statement::from_string(DbBackend::MySql, format!("SELECT GET_LOCK('{}', 300) AS held", LOCK.0));
            let held = match transaction.query_one_raw(ask).await? {
                Some(row) => row.try_get::<Option<i64>>("", "held")?,
                None => None,
            };
            if held != Some(1) {
                return Err(Error::new(
                    Kind::Unavailable,
                    "Another process has been changing the database's schema for five minutes. Look at that one first.",
                ));
            }
        }
        _ => {}
    }
    Ok(())
}

fn quiet(mut options: ConnectOptions) -> ConnectOptions {
    options.sqlx_logging(false).record_stmt_in_spans(false).acquire_timeout(PATIENCE).connect_timeout(PATIENCE);
    options
}

/// Options for a server; connections beyond the first are closed after some idle minutes.
fn server(url: String) -> ConnectOptions {
    let mut options = quiet(ConnectOptions::new(url));
    options.max_connections(16).min_connections(1).idle_timeout(Duration::from_secs(300));
    options
}

/// Options for a file: readers beside one writer, and nothing that was committed is lost when the power goes.
fn sqlite(url: &str, file: Option<PathBuf>) -> Result<ConnectOptions> {
    let parsed: SqliteConnectOptions = url.parse().map_err(|cause| {
        Error::invalid("database.url is not a SQLite URL; allowed: sqlite://<path>").because(cause_of(cause))
    })?;
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(Error::invalid("database.url names a database in memory; allowed: sqlite://<path>"));
    }
    let file = file.unwrap_or_else(|| parsed.get_filename().to_owned());
    private_file(&file)?;
    let mut options = quiet(ConnectOptions::new(url));
    options.max_connections(5).min_connections(1).idle_timeout(Duration::from_secs(300));
    options.map_sqlx_sqlite_opts(move |options| {
        options
            .filename(&file)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE)
    });
    Ok(options)
}

fn cause_of(error: sqlx::Error) -> Box<dyn std::error::Error + Send + Sync> {
    Box::new(error)
}

/// Makes the directory for its owner alone, unless it exists.
fn private_directory(path: &Path) -> Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|cause| {
        Error::new(Kind::Unavailable, format!("The directory {} cannot be made: {cause}", path.display()))
            .because(cause)
    })
}

/// Makes the file for its owner alone, unless it exists.
fn private_file(path: &Path) -> Result<()> {
    std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(|_| ()).map_err(|cause| {
        Error::new(Kind::Unavailable, format!("The database file {} cannot be opened: {cause}", path.display()))
            .because(cause)
    })
}

#[cfg(test)]
mod tests {
    use super::is_known_mariadb;

    #[test]
    fn old_mariadb_and_mysql_are_told_apart() {
        for known in ["10.6.0-MariaDB", "10.11.6-MariaDB-0+deb12u1", "11.4.2-MariaDB-log"] {
            assert!(is_known_mariadb(known), "{known}");
        }
        for other in ["10.5.23-MariaDB", "8.0.36", "8.4.0-0ubuntu1", "5.5.5-MariaDB", ""] {
            assert!(!is_known_mariadb(other), "{other}");
        }
    }
}

//! Private database servers for the tests: own files, a free port on loopback, gone when the tests end, however they
//! end. One server of a kind per test program, a database of its own per test.
//!
//! Needs Debian's `postgresql` and `mariadb-server`. Where they are missing the tests fail: what holds on a database
//! must be seen on that database.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use conductor::{Config, database};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use tempfile::TempDir;

use self::postgres::Postgres;

#[allow(dead_code, reason = "not every program that has databases ends or copies them")]
#[path = "postgres.rs"]
mod postgres;

/// Runs the server until standard input closes, which the kernel does when the tests are gone; then removes its files.
const KEEPER: &str = r#"
directory=$1; shift
exec 2>/dev/null
"$@" >"$directory/log" 2>&1 </dev/null &
server=$!
read -r _
kill -KILL $server
wait $server
rm -rf "$directory"
"#;
/// `nobody`: servers refuse to run as root.
const NOBODY: u32 = 65534;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
    /// A server.
    MariaDb,
}

/// A database of one test.
pub struct TestDatabase {
    /// Which kind.
    pub kind: Kind,
    /// What names it to the code under test.
    pub config: Config,
    /// A connection made by the code under test.
    pub db: DatabaseConnection,
    /// Holds the state directory.
    _state: TempDir,
}

impl TestDatabase {
    /// A new database without a schema.
    pub async fn empty(kind: Kind) -> Self {
        let state = tempfile::tempdir().unwrap();
        let mut config = Config { state_dir: state.path().join("state"), ..Config::default() };
        config.database.url = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => Some(Postgres::shared().database().into()),
            Kind::MariaDb => Some(mariadb().create().await.into()),
        };
        let db = database::connect(&config).await.unwrap();
        Self { kind, config, db, _state: state }
    }

    /// A new database with the present schema.
    pub async fn new(kind: Kind) -> Self {
        let fresh = Self::empty(kind).await;
        database::migrate(&fresh.db).await.unwrap();
        fresh
    }
}

/// A running MariaDB.
struct Server {
    /// URL up to the database's name.
    url: String,
    /// The process that ends it; never waited for, since the tests' end is its end.
    _keeper: Child,
}

impl Server {
    async fn create(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let admin = Database::connect(format!("{}/mysql", self.url)).await.unwrap();
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        admin.close().await.unwrap();
        format!("{}/{name}", self.url)
    }
}

fn mariadb() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(start)
}

/// Makes the server's files and returns the command that runs it.
fn command(directory: &Path, port: u16) -> Command {
    let data = directory.join("data");
    let path = |option: &str, path: &Path| format!("--{option}={}", path.display());
    let mut init = Command::new("mariadb-install-db");
    init.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]);
    succeed(init.arg(path("datadir", &data)));
    let mut server = Command::new(mariadbd());
    server.arg("--no-defaults").arg(path("datadir", &data)).arg(path("socket", &directory.join("socket")));
    server.arg(path("pid-file", &directory.join("pid"))).arg(format!("--port={port}"));
    server.args([
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        "--max-connections=500",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-flush-method=nosync",
        "--innodb-buffer-pool-size=64M",
        "--innodb-log-file-size=32M",
        "--skip-log-bin",
    ]);
    // As installed, the server compares text without regard to case; the schema must not rely on it.
    server.args(["--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci"]);
    server
}

/// Starts the server and waits until it takes connections; again where another process was faster at the free port.
fn start() -> Server {
    let mut log = String::new();
    for _ in 0..3 {
        let directory = directory();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let server = command(&directory, port);
        let mut kept = Command::new("sh");
        kept.args(["-c", KEEPER, "keeper"]).arg(&directory).arg(server.get_program()).args(server.get_args());
        // In a group of its own: what ends the tests as a group must not end it before it has cleaned up.
        let mut keeper = unprivileged(&mut kept).process_group(0).stdin(Stdio::piped()).spawn().unwrap();
        let answers = answers(port, &directory.join("log"));
        log = std::fs::read_to_string(directory.join("log")).unwrap_or_default();
        if answers {
            return Server { url: format!("mysql://root@127.0.0.1:{port}"), _keeper: keeper };
        }
        drop(keeper.stdin.take());
        keeper.wait().unwrap();
    }
    panic!("MariaDB does not start: {log}");
}

fn answers(port: u16, log: &Path) -> bool {
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        if std::fs::read_to_string(log).is_ok_and(|log| log.contains("Address already in use")) {
            return false;
        }
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

fn directory() -> PathBuf {
    let directory = tempfile::Builder::new().prefix("jeroboam-mariadb-").tempdir().unwrap().keep();
    if is_root() {
        chown(&directory, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    directory
}

fn succeed(command: &mut Command) {
    let name = command.get_program().to_owned();
    let output = unprivileged(command).output().unwrap_or_else(|error| panic!("{name:?}: {error}; install it"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{name:?} failed: {} {}", text(&output.stdout), text(&output.stderr));
}

fn unprivileged(command: &mut Command) -> &mut Command {
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir("/")
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn mariadbd() -> &'static str {
    ["/usr/sbin/mariadbd", "/usr/bin/mariadbd", "/usr/libexec/mariadbd"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("apt-get install mariadb-server")
}

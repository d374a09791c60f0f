//! A private PostgreSQL server: its own files, a free port on loopback, gone when the tests end, however they end.
//!
//! Needs the server's programs (`apt-get install postgresql`); `JEROBOAM_TEST_POSTGRES_BIN` names another directory
//! for them. Where they are missing the tests fail: what holds on PostgreSQL must be seen on PostgreSQL.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use self::ports::Port;

#[path = "ports.rs"]
mod ports;

/// Ends the server and removes its files when standard input closes, which the kernel does when the tests are gone.
/// A line `keep <signal>` ends the server by that signal and keeps the files.
const KEEPER: &str = r#"
directory=$1; shift
"$@" >"$directory/server.log" 2>&1 &
server=$!
read -r word signal || word=remove signal=QUIT
kill -"$signal" $server
wait $server
[ "$word" = keep ] || rm -rf "$directory"
"#;

/// How a server ends.
#[derive(Debug, Clone, Copy)]
pub enum Shutdown {
    /// As an administrator does it: connections are told, everything is written.
    Fast,
    /// As if it had crashed: the log is replayed at the next start.
    Immediate,
}

/// A server of our own.
pub struct Postgres {
    directory: PathBuf,
    port: Port,
    owner: Option<(u32, u32)>,
    keeper: Option<Child>,
}

impl Postgres {
    /// Starts a server for one test; it ends with the value.
    pub fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("jeroboam-postgres-").tempdir().unwrap().keep();
        let owner = owner();
        if let Some((user, group)) = owner {
            chown(&directory, Some(user), Some(group)).unwrap();
        }
        let mut server = Self { directory, port: Port::free(), owner, keeper: None };
        let data = server.directory.join("data");
        let made = server
            .command("initdb")
            .args(["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "-D"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        server.resume();
        server
    }

    /// The server that all tests of this program share; each makes its own database.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// URL of a new, empty database.
    pub fn database(&self) -> String {
        self.copy_of("template1")
    }

    /// URL of a new database with that content.
    pub fn copy_of(&self, template: &str) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.create(&name, template)
    }

    /// URL of a new, empty database of that name.
    pub fn named(&self, name: &str) -> String {
        self.create(name, "template1")
    }

    /// Removes a database with whatever is connected to it, so that a long run does not fill the disk.
    pub fn remove(&self, url: &str) {
        let name = url.rsplit('/').next().unwrap();
        let removed = self.client("dropdb").args(["--force", name]).output().unwrap();
        let why = String::from_utf8_lossy(&removed.stderr);
        assert!(removed.status.success() || std::thread::panicking(), "dropdb failed: {why}");
    }

    /// Ends the server; its databases stay.
    pub fn stop(&mut self, how: Shutdown) {
        let mut keeper = self.keeper.take().expect("the server runs");
        let signal = match how {
            Shutdown::Fast => "INT",
            Shutdown::Immediate => "QUIT",
        };
        writeln!(keeper.stdin.take().unwrap(), "keep {signal}").unwrap();
        keeper.wait().unwrap();
    }

    /// Starts the server and waits until it answers.
    pub fn resume(&mut self) {
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "keeper"]).arg(&self.directory).arg(programs().join("postgres"));
        command.arg("-D").arg(self.directory.join("data")).arg("-p").arg(self.port.number.to_string());
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "max_wal_size=64MB",
            "max_connections=500",
            "shared_buffers=32MB",
        ] {
            command.args(["-c", setting]);
        }
        self.own(&mut command);
        self.keeper = Some(command.stdin(Stdio::piped()).spawn().unwrap());
        self.await_answer();
    }

    fn await_answer(&self) {
        let end = Instant::now() + Duration::from_secs(30);
        while !self.client("pg_isready").output().unwrap().status.success() {
            assert!(Instant::now() < end, "PostgreSQL does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn create(&self, name: &str, template: &str) -> String {
        let made = self.client("createdb").arg("--template").arg(template).arg(name).output().unwrap();
        assert!(made.status.success(), "createdb failed: {}", String::from_utf8_lossy(&made.stderr));
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port.number)
    }

    fn client(&self, program: &str) -> Command {
        let mut command = self.command(program);
        command.args(["-h", "127.0.0.1", "-U", "postgres", "-p"]).arg(self.port.number.to_string());
        command
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(programs().join(program));
        self.own(&mut command);
        command
    }

    /// The server refuses to run as root.
    fn own(&self, command: &mut Command) {
        command.current_dir(&self.directory);
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
    }

    fn log(&self) -> String {
        let mut text = String::new();
        let log = std::fs::read_to_string(self.directory.join("server.log")).unwrap_or_default();
        for line in log.lines().rev().take(10) {
            let _ = writeln!(text, "{line}");
        }
        text
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        match self.keeper.take() {
            Some(mut keeper) => {
                drop(keeper.stdin.take());
                let _ = keeper.wait();
            }
            None => {
                let _ = std::fs::remove_dir_all(&self.directory);
            }
        }
    }
}

/// Who runs the server when we are root: the user of the package, else nobody.
fn owner() -> Option<(u32, u32)> {
    let us = std::fs::metadata("/proc/self").ok().map(|us| std::os::unix::fs::MetadataExt::uid(&us));
    if us != Some(0) {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = users.lines().find_map(|line| {
        let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    Some(found.unwrap_or((65534, 65534)))
}

/// The directory of the newest server's programs.
fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        if let Some(named) = std::env::var_os("JEROBOAM_TEST_POSTGRES_BIN") {
            return named.into();
        }
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        versions
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
            .filter(|(_, programs)| programs.join("initdb").exists())
            .max()
            .map(|(_, programs)| programs)
            .expect("PostgreSQL is needed for the tests: apt-get install postgresql")
    })
}

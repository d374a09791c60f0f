//! tests/dockerd/rig as a guard: machines for servers whose names match, gone when it is dropped.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use crate::support::cloud::CLOUD;
use crate::support::{skipped, wait_for};

/// Exit status of a rig that cannot be had here.
const CANNOT: i32 = 77;

/// The file system of all machines; making it takes a minute or two, once.
static BASE: LazyLock<PathBuf> = LazyLock::new(|| {
    let output = Command::new(here("base")).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "tests/dockerd/base failed");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().lines().last().unwrap())
});

fn here(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dockerd").join(file)
}

pub(crate) struct Rig {
    process: Child,
    folder: tempfile::TempDir,
}

/// A machine that runs.
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) folder: PathBuf,
}

impl Rig {
    /// Nothing, with the reason printed, where there can be no machines.
    pub(crate) fn start(matching: &str) -> Option<Self> {
        if let Some(why) = cannot() {
            skipped("real Docker", &why);
            return None;
        }
        let folder = tempfile::Builder::new().prefix("jeroboam-rig-").tempdir().unwrap();
        let process = Command::new(here("rig"))
            .arg("--base")
            .arg(&*BASE)
            .arg("--dir")
            .arg(folder.path())
            .arg("--servers")
            .arg(CLOUD.dir().join("servers"))
            .args(["--match", matching])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut rig = Self { process, folder };
        wait_for("the rig to be there", Duration::from_secs(30), || {
            assert!(rig.process.try_wait().unwrap().is_none(), "the rig has ended: {}", rig.diary());
            rig.folder.path().join("network").exists().then_some(())
        });
        Some(rig)
    }

    pub(crate) fn base(&self) -> &Path {
        &BASE
    }

    /// As `10.231.9.0/24`.
    pub(crate) fn network(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("network")).unwrap()
    }

    /// The host's address among the machines.
    pub(crate) fn gateway(&self) -> String {
        self.network().replace(".0/24", ".1")
    }

    pub(crate) fn machines(&self) -> Vec<Machine> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.folder.path().join("machines")).into_iter().flatten() {
            let folder = entry.unwrap().path();
            let read = |file: &str| std::fs::read_to_string(folder.join(file)).map(|text| text.trim().to_owned());
            if let (Ok(name), Ok(address), true) = (read("name"), read("address"), is_alive(&folder)) {
                let address = address.split('/').next().unwrap().to_owned();
                found.push(Machine { name, address, folder });
            }
        }
        found
    }

    pub(crate) fn machine(&self, address: &str) -> Machine {
        self.machines().into_iter().find(|machine| machine.address == address).unwrap()
    }

    /// A program of the machines' file system, to be run here with their libraries.
    pub(crate) fn program(&self, path: &str) -> Command {
        let mut command = Command::new(BASE.join("usr/lib64/ld-linux-x86-64.so.2"));
        command.arg("--library-path").arg(BASE.join("usr/lib/x86_64-linux-gnu")).arg(BASE.join(path));
        command
    }

    /// What happened, and what the machines' units said last.
    pub(crate) fn diary(&self) -> String {
        let mut text = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        for machine in self.machines() {
            let said = machine.run(&["sh", "-c", "tail -n 25 /var/log/units/*.log /var/log/jeroboam/*.log"]);
            text += &format!("\n--- {} ({})\n{}", machine.name, machine.address, String::from_utf8_lossy(&said.stdout));
        }
        text
    }
}

/// What tests/dockerd/record says of Docker's answers; nothing, with the reason printed, where there can be no machines.
pub(crate) fn recorded() -> Option<Output> {
    if let Some(why) = cannot() {
        skipped("real Docker", &why);
        return None;
    }
    Some(Command::new(here("record")).arg("--base").arg(&*BASE).arg("--check").output().unwrap())
}

/// Why there can be no machines here; nothing if they can be tried.
fn cannot() -> Option<String> {
    let tried = Command::new(here("rig")).arg("--check").stdin(Stdio::null()).output().unwrap();
    let why = String::from_utf8_lossy(&tried.stdout).trim().to_owned();
    assert!(
        tried.status.success() || tried.status.code() == Some(CANNOT),
        "{}",
        String::from_utf8_lossy(&tried.stderr)
    );
    (!tried.status.success()).then_some(why)
}

fn is_alive(folder: &Path) -> bool {
    let pid = std::fs::read_to_string(folder.join("pid")).unwrap_or_default();
    folder.join("up").exists() && Path::new("/proc").join(pid.trim()).exists()
}

impl Machine {
    fn pid(&self) -> String {
        std::fs::read_to_string(self.folder.join("pid")).unwrap().trim().to_owned()
    }

    /// Runs a program inside.
    pub(crate) fn run(&self, command: &[&str]) -> Output {
        Command::new("nsenter")
            .args([
                "--target",
                &self.pid(),
                "--mount",
                "--pid",
                "--uts",
                "--ipc",
                "--net",
                "--cgroup",
                "--root",
                "--wd",
            ])
            .args(["env", "-i", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"])
            .args(command)
            .output()
            .unwrap()
    }

    /// As if the host of the server had lost power.
    pub(crate) fn kill(&self) {
        assert!(Command::new("kill").args(["-s", "KILL", &self.pid()]).status().unwrap().success());
    }
}

/// How many machines are away at the same time. They are asked one after the other, so that one may come back before
/// the next one goes: of several, those count that are away still when they are asked again the other way round.
pub(crate) fn away_at_once(machines: &[Machine], is_away: impl Fn(&Machine) -> bool) -> usize {
    let away: Vec<&Machine> = machines.iter().filter(|machine| is_away(machine)).collect();
    if away.len() < 2 {
        return away.len();
    }
    away.iter().rev().filter(|machine| is_away(machine)).count().max(1)
}

impl Drop for Rig {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.diary());
        }
        // It ends with its standard input, and removes what it has made.
        drop(self.process.stdin.take());
        let _ended = self.process.wait();
    }
}

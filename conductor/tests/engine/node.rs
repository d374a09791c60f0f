//! A conductor process of its own, so that it can be killed and frozen for real: this test program run again.

use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use conductor::engine::{BoxError, Engine, Options, Outcome, Step};

const URL: &str = "JEROBOAM_TEST_NODE_URL";
const EFFECTS: &str = "JEROBOAM_TEST_NODE_EFFECTS";
const POLL_MS: &str = "JEROBOAM_TEST_NODE_POLL_MS";

/// The steps of a trial operation, each of which takes a while; the third has to wait once.
pub const STEPS: [&str; 5] = ["trial/1", "trial/2", "trial/3", "trial/4", "trial/5"];
/// How long a step takes.
const TAKES: Duration = Duration::from_millis(150);

/// Leases as short as whole seconds allow sensibly.
pub fn options() -> Options {
    Options { lease: Duration::from_secs(4), poll: Duration::from_millis(100), ..Options::default() }
}

/// Begins that many trial operations and names their workflows.
pub async fn begin(engine: &Engine, count: usize) -> Vec<String> {
    let limit = Duration::from_secs(20);
    let mut instances = Vec::new();
    for index in 0..count {
        let instance = format!("trial-{index}");
        engine.begin(&instance, &instance, &STEPS.map(|name| (name, limit)), ("trial/f", limit)).await.unwrap();
        instances.push(instance);
    }
    instances
}

/// What the steps did, seen from outside: one log per operation, appended by every process.
#[derive(Clone)]
pub struct Effects(PathBuf);

impl Effects {
    pub fn in_directory(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    /// The steps of trial operations, noting their effects here.
    pub fn steps(&self) -> Vec<Step> {
        let steps = STEPS.into_iter().chain(["trial/f"]);
        steps
            .map(|name| {
                let effects = self.clone();
                Step::new(name, Duration::from_secs(20), move |operation| {
                    let effects = effects.clone();
                    async move { effects.run(&operation, name).await }
                })
            })
            .collect()
    }

    async fn run(&self, operation: &str, step: &str) -> Result<Outcome, BoxError> {
        self.note(operation, "begin", step)?;
        tokio::time::sleep(TAKES).await;
        let waits = step == "trial/3" && !self.done(operation).contains(&"wait trial/3".to_owned());
        self.note(operation, if waits { "wait" } else { "end" }, step)?;
        Ok(if waits { Outcome::Wait(Duration::from_millis(300)) } else { Outcome::Done })
    }

    fn note(&self, operation: &str, what: &str, step: &str) -> Result<(), BoxError> {
        let mut log = std::fs::OpenOptions::new().create(true).append(true).open(self.0.join(operation))?;
        // One write: lines of different processes do not mix.
        log.write_all(format!("{what} {step}\n").as_bytes())?;
        Ok(())
    }

    /// What an operation's steps noted so far.
    pub fn done(&self, operation: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.0.join(operation)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Steps ended, over all operations.
    pub fn ends(&self, operations: &[String]) -> usize {
        operations.iter().map(|name| self.count(name, "end")).sum()
    }

    /// Steps begun and not ended: in flight, or cut off.
    pub fn cut_off(&self, operations: &[String]) -> usize {
        let open = |name: &String| self.count(name, "begin") - self.count(name, "end") - self.count(name, "wait");
        operations.iter().map(open).sum()
    }

    /// Every step ended, and in order; returns how many were run more than once.
    pub fn complete(&self, operations: &[String]) -> usize {
        let mut repeated = 0;
        for operation in operations {
            let done = self.done(operation);
            let firsts = STEPS.map(|step| done.iter().position(|line| *line == format!("end {step}")));
            assert!(firsts.iter().all(Option::is_some) && firsts.is_sorted(), "{operation}: {done:?}");
            assert!(!done.iter().any(|line| line.ends_with("trial/f")), "{operation} failed: {done:?}");
            repeated += self.count(operation, "end") - STEPS.len();
        }
        repeated
    }

    fn count(&self, operation: &str, what: &str) -> usize {
        self.done(operation).iter().filter(|line| line.starts_with(what)).count()
    }
}

/// A conductor process; it ends with this value, and with the tests however they end.
pub struct Node(Child);

impl Node {
    pub fn start(url: &str, effects: &Effects) -> Self {
        Self::polling(url, effects, options().poll)
    }

    pub fn polling(url: &str, effects: &Effects, poll: Duration) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "node::runs_as_a_conductor_when_asked_to", "--nocapture"]);
        command.env(URL, url).env(EFFECTS, &effects.0).env(POLL_MS, poll.as_millis().to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// `kill -STOP`, `kill -CONT`.
    pub fn signal(&self, signal: &str) {
        let script = format!("kill -{signal} {}", self.id());
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Not a test of its own: the body of [`Node`]. It ends when its standard input closes.
#[test]
fn runs_as_a_conductor_when_asked_to() {
    let (Ok(url), Some(effects)) = (std::env::var(URL), std::env::var_os(EFFECTS)) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let steps = Effects(effects.into()).steps();
    let poll = Duration::from_millis(std::env::var(POLL_MS).unwrap().parse().unwrap());
    let engine = runtime.block_on(Engine::start(&url.into(), Options { poll, ..options() }, steps)).unwrap();
    let _ = std::io::stdin().read(&mut [0]);
    runtime.block_on(engine.shutdown(Duration::from_secs(1)));
}

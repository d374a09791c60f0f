//! What whole-service tests share: the real cloud, a service of their own, the unmodified client.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]
#![allow(unreachable_pub, reason = "each test program holds a copy")]
#![allow(missing_docs, reason = "named for what they do")]

pub mod cloud;
pub mod http;
#[path = "../../conductor/tests/support/ports.rs"]
#[allow(clippy::duplicate_mod, reason = "a database server of the same test program has a copy")]
pub mod ports;
pub mod relay;
pub mod service;
pub mod shape;
pub mod shared;
pub mod wire;

use std::io::Write as _;
use std::time::{Duration, Instant};

/// Waits until `condition` gives something; panics with `what` after `limit`. It looks every 100 ms at first and every
/// 500 ms in the end: looks cost the service and the cloud more than what they wait for does.
pub fn wait_for<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(begun.elapsed() < limit, "after {limit:?} still waiting: {what}");
        std::thread::sleep((begun.elapsed() / 8).clamp(Duration::from_millis(100), Duration::from_millis(500)));
    }
}

/// Says what is left out, and why. Not by eprintln: a test's output is hidden when it passes.
pub fn skipped(what: &str, why: &str) {
    let _unheard = writeln!(std::io::stderr(), "SKIPPED: {what}: {why}");
}

/// A name nobody else uses in this run, and that is not the beginning of another.
pub fn unique(prefix: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}-{}-{:03}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A network of loopback's that no other test of this or another run has at this time.
pub fn loopback_subnet() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id().wrapping_mul(16) + NEXT.fetch_add(1, Ordering::Relaxed);
    format!("127.{}.{}.0/24", 16 + number / 256 % 200, number % 256)
}

/// The bootstrap token in a server's user data (cloud-config).
pub fn bootstrap_token(user_data: &str) -> String {
    let config: serde_yaml::Value = serde_yaml::from_str(user_data).unwrap();
    let files = config["write_files"].as_sequence().unwrap();
    let file = files.iter().find(|file| file["path"].as_str() == Some("/etc/jeroboam/bootstrap-token")).unwrap();
    let token = file["content"].as_str().unwrap().trim();
    assert_eq!(token.len(), 43, "{token}");
    token.to_owned()
}

/// The settings in a server's user data (cloud-config), a line each.
pub fn node_settings(user_data: &str) -> String {
    let config: serde_yaml::Value = serde_yaml::from_str(user_data).unwrap();
    let files = config["write_files"].as_sequence().unwrap();
    let file = files.iter().find(|file| file["path"].as_str() == Some("/etc/jeroboam/node.env")).unwrap();
    file["content"].as_str().unwrap().to_owned()
}

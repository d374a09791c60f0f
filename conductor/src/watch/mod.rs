//! Loops without input: each looks at the records, does what is due, and can be killed at any point.

pub(crate) mod dispatch;
pub(crate) mod health;
pub(crate) mod heartbeat;
pub(crate) mod notifications;
pub(crate) mod retention;
pub(crate) mod stacks;

use uuid::Uuid;

/// This process among all that share the records: `<host>/<random>`.
fn holder() -> String {
    format!("{}/{}", host(), Uuid::new_v4())
}

/// This machine's name, as the kernel has it.
fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}

//! The options of `[health]`.

use serde::Deserialize;

/// `[health]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// Seconds between two looks; 0 takes none.
    pub poll_interval_s: u64,
    /// Seconds until one cluster's answer is given up.
    pub timeout_s: u64,
    /// Clusters asked at the same time.
    pub at_once: usize,
}

impl Default for Health {
    fn default() -> Self {
        Self { poll_interval_s: 60, timeout_s: 10, at_once: 16 }
    }
}

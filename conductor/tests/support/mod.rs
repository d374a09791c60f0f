//! What several test programs need.

pub mod postgres;

use std::time::{Duration, Instant};

/// Waits until `found` gives something, looking every few milliseconds, at most `limit`.
pub async fn eventually<T>(what: &str, limit: Duration, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

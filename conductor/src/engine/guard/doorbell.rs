//! One poller per queue, woken at once by what this process itself puts into the queue.
//!
//! The engine runs many slots, each of which would poll the storage on its own: that costs either latency or an idle
//! processor. Here one slot at a time polls while the others wait their turn, and whatever this process writes rings
//! the bell, so that work of its own starts within milliseconds. The interval only bounds how late the work of other
//! processes and the firing of timers are noticed.

use std::future::Future;
use std::time::Duration;

use duroxide::providers::ProviderError;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, timeout, timeout_at};

/// The polling of one queue.
pub(super) struct Doorbell {
    turn: Mutex<()>,
    bell: Notify,
    interval: Duration,
}

impl Doorbell {
    /// A queue looked at once per `interval` when nothing rings.
    pub(super) fn new(interval: Duration) -> Self {
        Self { turn: Mutex::new(()), bell: Notify::new(), interval }
    }

    /// Something may have entered the queue.
    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Polls until something is found or `patience` has passed; with no patience it asks once.
    pub(super) async fn fetch<T, F>(
        &self,
        patience: Duration,
        poll: impl Fn() -> F + Send,
    ) -> Result<Option<T>, ProviderError>
    where
        F: Future<Output = Result<Option<T>, ProviderError>> + Send,
        T: Send,
    {
        if patience.is_zero() {
            return poll().await;
        }
        let deadline = Instant::now() + patience;
        let Ok(_turn) = timeout_at(deadline, self.turn.lock()).await else { return Ok(None) };
        loop {
            if let Some(found) = poll().await? {
                return Ok(Some(found));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            // Rung or not, the queue is looked at again.
            let _ = timeout(self.interval.min(left), self.bell.notified()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    #[tokio::test]
    async fn many_idle_slots_poll_as_one() {
        let door = Arc::new(Doorbell::new(Duration::from_millis(100)));
        let polls = Arc::new(AtomicUsize::new(0));
        let slots = (0..8).map(|_| {
            let (door, polls) = (door.clone(), polls.clone());
            tokio::spawn(async move {
                let found = door
                    .fetch(Duration::from_secs(1), || async {
                        polls.fetch_add(1, SeqCst);
                        Ok(None::<()>)
                    })
                    .await;
                assert_eq!(found, Ok(None));
            })
        });
        futures::future::join_all(slots).await;
        let polls = polls.load(SeqCst);
        assert!((8..=20).contains(&polls), "{polls} polls in one second by eight slots");
    }

    #[tokio::test]
    async fn a_ring_ends_the_wait_even_when_it_came_before_it() {
        let door = Doorbell::new(Duration::from_secs(3600));
        let begun = Instant::now();
        let polls = AtomicUsize::new(0);
        let found = door
            .fetch(Duration::from_secs(7200), || async {
                // What is rung between the answer "nothing" and the wait must not be lost.
                door.ring();
                Ok((polls.fetch_add(1, SeqCst) == 1).then_some("work"))
            })
            .await;
        assert_eq!(found, Ok(Some("work")));
        assert!(begun.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test]
    async fn an_error_frees_the_turn() {
        let door = Doorbell::new(Duration::from_secs(1));
        let failed = door
            .fetch(Duration::from_secs(1), || async { Err::<Option<()>, _>(ProviderError::retryable("fetch", "away")) })
            .await;
        assert!(failed.is_err());
        assert_eq!(door.fetch(Duration::from_secs(1), || async { Ok(Some(1)) }).await, Ok(Some(1)));
    }
}

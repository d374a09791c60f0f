//! The guard between the engine and its storage: a hiccup of the database must not become a lost or failed step.
//!
//! The engine takes any failed lease renewal for a cancellation and deletes the work item, and any failed commit of a
//! turn for a failed workflow. The guard retries what may pass, and where it gives up it makes the engine give the
//! work back instead: another turn or another process takes it over when the lease ends.
//!
//! It also lets idle slots share one poller per queue, see [`doorbell`], and keeps writes to SQLite in line.

mod doorbell;
#[cfg(test)]
mod tests;
mod tokens;
mod verdict;

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use duroxide::providers::{
    DispatcherCapabilityFilter, ExecutionMetadata, OrchestrationItem, Provider, ProviderAdmin, ProviderError,
    ScheduledActivityIdentifier, SessionFetchConfig, TagFilter, WorkItem,
};
use duroxide::{Event, SystemStats};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use doorbell::Doorbell;
use tokens::Tokens;
pub(super) use verdict::Verdict;

type Answer<T> = Result<T, ProviderError>;

/// Pause between two tries of the same call.
const PAUSE: Duration = Duration::from_millis(150);
/// Pause before a write that met another is repeated.
const BREATH: Duration = Duration::from_millis(10);
/// No single call to the storage is awaited longer: a connection that hangs is dropped and made anew.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// How long a passing error is retried before the work is given back.
const PATIENCE: Duration = Duration::from_secs(4);

/// A storage that the engine may be trusted with.
pub(super) struct Guard {
    inner: Arc<dyn Provider>,
    patience: Duration,
    /// Leases of steps whose renewal failed although they may still be ours.
    unsure: Tokens,
    /// Leases of turns whose commit was given up.
    given_up: Tokens,
    turns: Doorbell,
    work: Doorbell,
    /// Held by the one write under way, where the storage takes no more than one.
    writer: Option<Mutex<()>>,
}

/// How many writes a storage takes at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writers {
    /// A second one is refused rather than queued, so the guard queues it.
    One,
    /// As many as there are.
    Many,
}

impl Guard {
    /// Guards `inner`, whose queues are looked at every `poll` when nothing rings.
    pub(super) fn new(inner: Arc<dyn Provider>, writers: Writers, poll: Duration) -> Self {
        Self {
            inner,
            writer: (writers == Writers::One).then(Mutex::default),
            patience: PATIENCE,
            unsure: Tokens::default(),
            given_up: Tokens::default(),
            turns: Doorbell::new(poll),
            work: Doorbell::new(poll),
        }
    }

    /// Does what writes past the guard, as the engine's maintenance does, in line with all other writes.
    pub(super) async fn in_line<T>(&self, work: impl Future<Output = T> + Send) -> T {
        let _only = self.writer_turn().await;
        work.await
    }

    async fn writer_turn(&self) -> Option<MutexGuard<'_, ()>> {
        match &self.writer {
            Some(writer) => Some(writer.lock().await),
            None => None,
        }
    }

    /// Repeats a call while its error is passing and patience lasts.
    async fn patiently<F>(&self, call: impl Fn() -> F + Send + Sync) -> Answer<()>
    where
        F: Future<Output = Answer<()>> + Send,
    {
        let end = Instant::now() + self.patience;
        loop {
            match self.write(&call).await {
                Err(error) if Verdict::of(&error) == Verdict::Passing && Instant::now() < end => sleep(PAUSE).await,
                answer => return answer,
            }
        }
    }

    /// One call that may write. Where one writer is all there is, a write that failed before may still be undone behind
    /// our back when the next one comes: that one is refused untouched, and repeated.
    async fn write<T, F>(&self, call: impl Fn() -> F + Send + Sync) -> Answer<T>
    where
        F: Future<Output = Answer<T>> + Send,
    {
        let only = self.writer_turn().await;
        let end = Instant::now() + self.patience;
        loop {
            match bounded(call()).await {
                Err(error) if only.is_some() && verdict::is_locked(&error) && Instant::now() < end => {
                    sleep(BREATH).await
                }
                answer => return answer,
            }
        }
    }
}

/// One call to the storage, which must not hang.
async fn bounded<T>(call: impl Future<Output = Answer<T>> + Send) -> Answer<T> {
    match timeout(CALL_LIMIT, call).await {
        Ok(answer) => answer,
        Err(_) => Err(ProviderError::retryable("storage", format!("no answer within {} s", CALL_LIMIT.as_secs()))),
    }
}

#[async_trait]
impl Provider for Guard {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn version(&self) -> &str {
        self.inner.version()
    }

    async fn fetch_orchestration_item(
        &self,
        lease: Duration,
        patience: Duration,
        filter: Option<&DispatcherCapabilityFilter>,
    ) -> Answer<Option<(OrchestrationItem, String, u32)>> {
        self.turns
            .fetch(patience, || self.write(|| self.inner.fetch_orchestration_item(lease, Duration::ZERO, filter)))
            .await
    }

    async fn ack_orchestration_item(
        &self,
        token: &str,
        execution: u64,
        history: Vec<Event>,
        work: Vec<WorkItem>,
        turns: Vec<WorkItem>,
        metadata: ExecutionMetadata,
        cancelled: Vec<ScheduledActivityIdentifier>,
    ) -> Answer<()> {
        // A second commit under a lease given up is the engine's attempt to record the workflow as failed.
        if self.given_up.holds(token) {
            return Err(ProviderError::permanent(
                "ack_orchestration_item",
                "this turn was given up and will be replayed when its lease ends",
            ));
        }
        let brings_work = !work.is_empty();
        let answer = self
            .patiently(|| {
                self.inner.ack_orchestration_item(
                    token,
                    execution,
                    history.clone(),
                    work.clone(),
                    turns.clone(),
                    metadata.clone(),
                    cancelled.clone(),
                )
            })
            .await;
        match answer {
            Ok(()) => {
                if brings_work {
                    self.work.ring();
                }
                // Messages that arrived during the turn become visible with its end.
                self.turns.ring();
                Ok(())
            }
            Err(error) if Verdict::of(&error) == Verdict::Refused => Err(error),
            Err(error) => {
                tracing::warn!(%error, "a workflow turn could not be committed; it will be replayed");
                self.given_up.remember(token);
                Err(ProviderError::permanent("ack_orchestration_item", error.message))
            }
        }
    }

    async fn abandon_orchestration_item(&self, token: &str, delay: Option<Duration>, uncounted: bool) -> Answer<()> {
        self.write(|| self.inner.abandon_orchestration_item(token, delay, uncounted)).await?;
        self.turns.ring();
        Ok(())
    }

    async fn renew_orchestration_item_lock(&self, token: &str, lease: Duration) -> Answer<()> {
        self.write(|| self.inner.renew_orchestration_item_lock(token, lease)).await
    }

    async fn enqueue_for_orchestrator(&self, item: WorkItem, delay: Option<Duration>) -> Answer<()> {
        self.write(|| self.inner.enqueue_for_orchestrator(item.clone(), delay)).await?;
        self.turns.ring();
        Ok(())
    }

    async fn enqueue_for_worker(&self, item: WorkItem) -> Answer<()> {
        self.write(|| self.inner.enqueue_for_worker(item.clone())).await?;
        self.work.ring();
        Ok(())
    }

    async fn fetch_work_item(
        &self,
        lease: Duration,
        patience: Duration,
        session: Option<&SessionFetchConfig>,
        tags: &TagFilter,
    ) -> Answer<Option<(WorkItem, String, u32)>> {
        self.work
            .fetch(patience, || self.write(|| self.inner.fetch_work_item(lease, Duration::ZERO, session, tags)))
            .await
    }

    async fn ack_work_item(&self, token: &str, completion: Option<WorkItem>) -> Answer<()> {
        let unsure = self.unsure.take(token);
        if completion.is_none() && unsure {
            return self.abandon_work_item(token, None, true).await;
        }
        self.patiently(|| self.inner.ack_work_item(token, completion.clone())).await?;
        self.turns.ring();
        Ok(())
    }

    async fn abandon_work_item(&self, token: &str, delay: Option<Duration>, uncounted: bool) -> Answer<()> {
        self.patiently(|| self.inner.abandon_work_item(token, delay, uncounted)).await?;
        self.work.ring();
        Ok(())
    }

    /// Retries until a third of the lease is gone; only a lease that is certainly lost ends it sooner.
    async fn renew_work_item_lock(&self, token: &str, lease: Duration) -> Answer<()> {
        let end = Instant::now() + lease / 3;
        loop {
            let error = match timeout_at(end, self.write(|| self.inner.renew_work_item_lock(token, lease))).await {
                Ok(Err(error)) if Verdict::of(&error) != Verdict::LeaseLost => error,
                Ok(answer) => return answer,
                Err(_) => ProviderError::retryable("renew_work_item_lock", "no answer in time"),
            };
            if Instant::now() + PAUSE >= end {
                tracing::warn!(%error, "a step's lease could not be renewed; the step is given back");
                self.unsure.remember(token);
                return Err(error);
            }
            sleep(PAUSE).await;
        }
    }

    async fn renew_session_lock(&self, owners: &[&str], lease: Duration, idle: Duration) -> Answer<usize> {
        self.write(|| self.inner.renew_session_lock(owners, lease, idle)).await
    }

    async fn cleanup_orphaned_sessions(&self, idle: Duration) -> Answer<usize> {
        self.write(|| self.inner.cleanup_orphaned_sessions(idle)).await
    }

    async fn read(&self, instance: &str) -> Answer<Vec<Event>> {
        bounded(self.inner.read(instance)).await
    }

    async fn read_with_execution(&self, instance: &str, execution: u64) -> Answer<Vec<Event>> {
        bounded(self.inner.read_with_execution(instance, execution)).await
    }

    async fn append_with_execution(&self, instance: &str, execution: u64, events: Vec<Event>) -> Answer<()> {
        self.write(|| self.inner.append_with_execution(instance, execution, events.clone())).await
    }

    fn as_management_capability(&self) -> Option<&dyn ProviderAdmin> {
        self.inner.as_management_capability()
    }

    async fn get_custom_status(&self, instance: &str, seen: u64) -> Answer<Option<(Option<String>, u64)>> {
        bounded(self.inner.get_custom_status(instance, seen)).await
    }

    async fn get_kv_value(&self, instance: &str, key: &str) -> Answer<Option<String>> {
        bounded(self.inner.get_kv_value(instance, key)).await
    }

    async fn get_kv_all_values(&self, instance: &str) -> Answer<HashMap<String, String>> {
        bounded(self.inner.get_kv_all_values(instance)).await
    }

    async fn get_instance_stats(&self, instance: &str) -> Answer<Option<SystemStats>> {
        bounded(self.inner.get_instance_stats(instance)).await
    }
}

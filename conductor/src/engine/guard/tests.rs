//! Each rule of the guard, against a storage that answers by script.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::*;

/// A storage that notes every call and answers from a script, then with success.
#[derive(Default)]
struct Scripted {
    answers: Mutex<VecDeque<Answer<()>>>,
    calls: Mutex<Vec<String>>,
    hangs: bool,
    writing: AtomicUsize,
}

impl Scripted {
    fn answer(&self, call: String) -> Answer<()> {
        self.calls.lock().unwrap().push(call);
        self.answers.lock().unwrap().pop_front().unwrap_or(Ok(()))
    }
}

#[async_trait]
impl Provider for Scripted {
    async fn fetch_orchestration_item(
        &self,
        _: Duration,
        _: Duration,
        _: Option<&DispatcherCapabilityFilter>,
    ) -> Answer<Option<(OrchestrationItem, String, u32)>> {
        Ok(None)
    }

    async fn ack_orchestration_item(
        &self,
        token: &str,
        _: u64,
        _: Vec<Event>,
        _: Vec<WorkItem>,
        _: Vec<WorkItem>,
        _: ExecutionMetadata,
        _: Vec<ScheduledActivityIdentifier>,
    ) -> Answer<()> {
        self.answer(format!("commit {token}"))
    }

    async fn abandon_orchestration_item(&self, token: &str, _: Option<Duration>, _: bool) -> Answer<()> {
        self.answer(format!("give back turn {token}"))
    }

    async fn read(&self, _: &str) -> Answer<Vec<Event>> {
        Ok(Vec::new())
    }

    async fn read_with_execution(&self, _: &str, _: u64) -> Answer<Vec<Event>> {
        Ok(Vec::new())
    }

    async fn append_with_execution(&self, _: &str, _: u64, _: Vec<Event>) -> Answer<()> {
        Ok(())
    }

    async fn enqueue_for_worker(&self, _: WorkItem) -> Answer<()> {
        let others = self.writing.fetch_add(1, SeqCst);
        tokio::task::yield_now().await;
        self.writing.fetch_sub(1, SeqCst);
        if others == 0 { Ok(()) } else { locked() }
    }

    async fn fetch_work_item(
        &self,
        _: Duration,
        _: Duration,
        _: Option<&SessionFetchConfig>,
        _: &TagFilter,
    ) -> Answer<Option<(WorkItem, String, u32)>> {
        Ok(None)
    }

    async fn ack_work_item(&self, token: &str, completion: Option<WorkItem>) -> Answer<()> {
        self.answer(format!("{} {token}", if completion.is_some() { "complete" } else { "drop" }))
    }

    async fn renew_work_item_lock(&self, token: &str, _: Duration) -> Answer<()> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        self.answer(format!("renew {token}"))
    }

    async fn renew_session_lock(&self, _: &[&str], _: Duration, _: Duration) -> Answer<usize> {
        Ok(0)
    }

    async fn cleanup_orphaned_sessions(&self, _: Duration) -> Answer<usize> {
        Ok(0)
    }

    async fn abandon_work_item(&self, token: &str, _: Option<Duration>, uncounted: bool) -> Answer<()> {
        self.answer(format!("give back {token}{}", if uncounted { "" } else { " counted" }))
    }

    async fn renew_orchestration_item_lock(&self, _: &str, _: Duration) -> Answer<()> {
        Ok(())
    }

    async fn enqueue_for_orchestrator(&self, _: WorkItem, _: Option<Duration>) -> Answer<()> {
        Ok(())
    }

    async fn get_custom_status(&self, _: &str, _: u64) -> Answer<Option<(Option<String>, u64)>> {
        Ok(None)
    }

    async fn get_kv_value(&self, _: &str, _: &str) -> Answer<Option<String>> {
        Ok(None)
    }

    async fn get_kv_all_values(&self, _: &str) -> Answer<HashMap<String, String>> {
        Ok(HashMap::new())
    }

    async fn get_instance_stats(&self, _: &str) -> Answer<Option<SystemStats>> {
        Ok(None)
    }
}

const LEASE: Duration = Duration::from_secs(6);

fn guard(answers: impl IntoIterator<Item = Answer<()>>) -> (Arc<Scripted>, Guard) {
    let inner = Arc::new(Scripted { answers: Mutex::new(answers.into_iter().collect()), ..Scripted::default() });
    let mut guard = Guard::new(inner.clone(), Writers::Many, Duration::from_millis(50));
    guard.patience = Duration::from_secs(2);
    (inner, guard)
}

fn calls(inner: &Scripted) -> Vec<String> {
    inner.calls.lock().unwrap().clone()
}

fn shutting_down() -> Answer<()> {
    Err(ProviderError::permanent("x", "Database error: terminating connection due to administrator command"))
}

fn locked() -> Answer<()> {
    let message = "Database locked: error returned from database: (code: 5) database is locked";
    Err(ProviderError::retryable("x", message))
}

fn lease_lost() -> Answer<()> {
    Err(ProviderError::permanent("x", "Lock token invalid, expired, or already acked"))
}

fn completion() -> WorkItem {
    WorkItem::ActivityCompleted { instance: "i".into(), execution_id: 1, id: 2, result: "done".into() }
}

async fn commit(guard: &Guard, token: &str) -> Answer<()> {
    guard.ack_orchestration_item(token, 1, vec![], vec![], vec![], ExecutionMetadata::default(), vec![]).await
}

#[tokio::test]
async fn a_renewal_survives_a_hiccup() {
    let (inner, guard) = guard([shutting_down(), shutting_down()]);
    guard.renew_work_item_lock("t", LEASE).await.unwrap();
    assert_eq!(calls(&inner), ["renew t", "renew t", "renew t"]);
    // The lease is certain again: dropping the item is the engine's own decision.
    guard.ack_work_item("t", None).await.unwrap();
    assert_eq!(calls(&inner).last().unwrap(), "drop t");
}

#[tokio::test]
async fn a_step_whose_renewal_failed_is_given_back_and_not_dropped() {
    let (inner, guard) = guard(std::iter::repeat_with(shutting_down).take(50));
    let begun = Instant::now();
    guard.renew_work_item_lock("t", LEASE).await.unwrap_err();
    assert!(begun.elapsed() < LEASE / 2, "gave up after {:?}, too late to give the step back", begun.elapsed());
    inner.answers.lock().unwrap().clear();
    inner.calls.lock().unwrap().clear();
    guard.ack_work_item("t", None).await.unwrap();
    assert_eq!(calls(&inner), ["give back t"]);
    guard.ack_work_item("t", None).await.unwrap();
    assert_eq!(calls(&inner), ["give back t", "drop t"], "the token is forgotten after its use");
}

#[tokio::test]
async fn a_hanging_renewal_is_given_up_within_the_lease() {
    let inner = Arc::new(Scripted { hangs: true, ..Scripted::default() });
    let guard = Guard::new(inner.clone(), Writers::Many, Duration::from_millis(50));
    let begun = Instant::now();
    guard.renew_work_item_lock("t", LEASE).await.unwrap_err();
    assert!(begun.elapsed() < LEASE / 2, "gave up after {:?}", begun.elapsed());
    guard.ack_work_item("t", None).await.unwrap();
    assert_eq!(calls(&inner), ["give back t"]);
}

#[tokio::test]
async fn a_lost_lease_is_final_at_once() {
    let (inner, guard) = guard([lease_lost()]);
    guard.renew_work_item_lock("t", LEASE).await.unwrap_err();
    assert_eq!(calls(&inner), ["renew t"]);
    guard.ack_work_item("t", None).await.unwrap();
    assert_eq!(calls(&inner), ["renew t", "drop t"]);
}

#[tokio::test]
async fn a_result_is_delivered_through_a_hiccup() {
    let (inner, guard) = guard([shutting_down()]);
    guard.ack_work_item("t", Some(completion())).await.unwrap();
    assert_eq!(calls(&inner), ["complete t", "complete t"]);
}

#[tokio::test]
async fn giving_back_is_patient_too() {
    let (inner, guard) = guard([shutting_down()]);
    guard.abandon_work_item("t", None, false).await.unwrap();
    assert_eq!(calls(&inner), ["give back t counted", "give back t counted"]);
}

#[tokio::test]
async fn a_turn_is_committed_through_a_hiccup() {
    let (inner, guard) = guard([shutting_down(), shutting_down()]);
    commit(&guard, "t").await.unwrap();
    assert_eq!(calls(&inner).len(), 3);
}

#[tokio::test]
async fn a_turn_given_up_cannot_be_recorded_as_failed() {
    let (inner, guard) = guard(std::iter::repeat_with(shutting_down).take(50));
    let error = commit(&guard, "t").await.unwrap_err();
    assert!(!error.is_retryable(), "the engine would retry on its own");
    inner.answers.lock().unwrap().clear();
    inner.calls.lock().unwrap().clear();
    commit(&guard, "t").await.unwrap_err();
    assert_eq!(calls(&inner), [""; 0], "the storage is not even asked");
    commit(&guard, "another").await.unwrap();
}

#[tokio::test]
async fn a_turn_whose_lease_is_lost_cannot_be_recorded_as_failed_either() {
    let (inner, guard) = guard([Err(ProviderError::permanent("ack", "Invalid lock token"))]);
    commit(&guard, "t").await.unwrap_err();
    commit(&guard, "t").await.unwrap_err();
    assert_eq!(calls(&inner), ["commit t"]);
}

#[tokio::test]
async fn a_turn_the_storage_refuses_may_be_recorded_as_failed() {
    let (inner, guard) = guard([Err(ProviderError::permanent("ack", "Duplicate detected: history_pkey"))]);
    commit(&guard, "t").await.unwrap_err();
    commit(&guard, "t").await.unwrap();
    assert_eq!(calls(&inner), ["commit t", "commit t"]);
}

#[tokio::test]
async fn writes_to_a_storage_with_one_writer_are_kept_in_line() {
    for (writers, all_taken) in [(Writers::One, true), (Writers::Many, false)] {
        let guard = Guard::new(Arc::new(Scripted::default()), writers, Duration::from_millis(50));
        let item = || WorkItem::CancelInstance { instance: "i".into(), reason: String::new() };
        let taken = futures::future::join_all((0..10).map(|_| guard.enqueue_for_worker(item()))).await;
        assert_eq!(taken.iter().all(Result::is_ok), all_taken, "{writers:?}");
    }
}

/// A transaction that failed is rolled back after its caller knows of it, so that the next write may still meet it.
#[tokio::test]
async fn a_write_that_meets_one_being_undone_is_repeated() {
    for (writers, taken) in [(Writers::One, true), (Writers::Many, false)] {
        let inner = Arc::new(Scripted { answers: Mutex::new([locked(), locked()].into()), ..Scripted::default() });
        let guard = Guard::new(inner.clone(), writers, Duration::from_millis(50));
        assert_eq!(guard.abandon_orchestration_item("t", None, false).await.is_ok(), taken, "{writers:?}");
        assert_eq!(calls(&inner).len(), if taken { 3 } else { 1 }, "{writers:?}");
    }
}

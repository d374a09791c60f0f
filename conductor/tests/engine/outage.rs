//! The engine's PostgreSQL goes away, or answers with errors, while steps run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use conductor::engine::{BoxError, Engine, Options, Outcome, Step};
use sea_orm::{ConnectionTrait, Database};

use super::node::{Effects, begin, options};
use super::support::postgres::{Postgres, Shutdown};
use super::{BOUND, all_ended, ended, eventually};

const OPERATIONS: usize = 40;

struct Trial {
    _home: tempfile::TempDir,
    server: Postgres,
    effects: Effects,
    engine: Engine,
    operations: Vec<String>,
}

impl Trial {
    async fn under_load() -> Self {
        let home = tempfile::tempdir().unwrap();
        let effects = Effects::in_directory(home.path());
        let server = Postgres::start();
        let engine = Engine::start(&server.database().into(), options(), effects.steps()).await.unwrap();
        let operations = begin(&engine, OPERATIONS).await;
        let trial = Self { _home: home, server, effects, engine, operations };
        trial.progress(10).await;
        trial
    }

    /// Waits until that many more steps have ended.
    async fn progress(&self, steps: usize) {
        let aim = self.effects.ends(&self.operations) + steps;
        eventually("progress", BOUND, async || (self.effects.ends(&self.operations) >= aim).then_some(())).await;
    }

    async fn complete(self) {
        all_ended(&self.engine, &self.operations).await;
        let repeated = self.effects.complete(&self.operations);
        println!("{repeated} steps ended twice");
        // A step ends twice only when its result could not be delivered while it still held its lease.
        assert!(repeated <= 4 * options().workers, "{repeated} steps ended twice");
        self.engine.shutdown(Duration::ZERO).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_of_the_database_under_load_lose_and_fail_nothing() {
    let mut trial = Trial::under_load().await;
    for how in [Shutdown::Fast, Shutdown::Immediate, Shutdown::Fast, Shutdown::Immediate] {
        trial.server.stop(how);
        trial.server.resume();
        trial.progress(20).await;
    }
    trial.complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_longer_than_every_lease_loses_and_fails_nothing() {
    let mut trial = Trial::under_load().await;
    trial.server.stop(Shutdown::Fast);
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert!(trial.engine.ready().await.is_err());
    trial.server.resume();
    let back = Instant::now();
    trial.progress(1).await;
    println!("first step {:?} after the database was back", back.elapsed());
    trial.complete().await;
}

/// Makes the next `count` renewals of a step's lease fail, as a server that is shutting down would.
async fn refuse_renewals(url: &str, count: u32) {
    let database = Database::connect(url).await.unwrap();
    // A sequence keeps counting although the transactions that used it fail.
    let sql = format!(
        "CREATE SEQUENCE workflow.refusals;
         CREATE FUNCTION workflow.refuse() RETURNS trigger AS $$ BEGIN
             IF nextval('workflow.refusals') <= {count} THEN
                 RAISE EXCEPTION 'terminating connection due to administrator command' USING ERRCODE = '57P01';
             END IF;
             RETURN NEW;
         END $$ LANGUAGE plpgsql;
         CREATE TRIGGER refuse BEFORE UPDATE ON workflow.worker_queue FOR EACH ROW
             WHEN (OLD.lock_token = NEW.lock_token) EXECUTE FUNCTION workflow.refuse();"
    );
    database.execute_unprepared(&sql).await.unwrap();
    database.close().await.unwrap();
}

/// Runs one step of twelve seconds under a lease of four, and returns how often it was begun and ended. It ends long
/// after a renewal that fails has been given up.
async fn long_step(refusals: u32) -> (usize, usize) {
    let url = Postgres::shared().database();
    let (begun, finished) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counters = (begun.clone(), finished.clone());
    let step = Step::new("long", BOUND, move |_| {
        let (begun, finished) = counters.clone();
        async move {
            begun.fetch_add(1, SeqCst);
            tokio::time::sleep(Duration::from_secs(12)).await;
            finished.fetch_add(1, SeqCst);
            Ok::<_, BoxError>(Outcome::Done)
        }
    });
    let options = Options { lease: Duration::from_secs(4), ..options() };
    let engine = Engine::start(&url.clone().into(), options, vec![step]).await.unwrap();
    refuse_renewals(&url, refusals).await;
    engine.begin("i", "o", &[("long", BOUND)], ("long", BOUND)).await.unwrap();
    assert_eq!(ended(&engine, "i").await, Ok(()));
    engine.shutdown(Duration::ZERO).await;
    (begun.load(SeqCst), finished.load(SeqCst))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_whose_renewal_fails_for_a_moment_is_kept() {
    assert_eq!(long_step(4).await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_lease_cannot_be_renewed_is_run_again() {
    // More than the guard tries within a third of the lease.
    assert_eq!(long_step(12).await, (2, 1));
}

//! The reconciler between the operations' records and the engine.
//!
//! Records and engine share no transaction, so a start or an end can be lost between their commits. This loop begins
//! every operation that has no workflow, settles every one whose workflow has ended without settling it, and wakes
//! those that wait for nodes. All of it may be repeated without harm.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::column::{Moment, now};
use crate::engine::{Engine, State};
use crate::operation::{Code, Fault, Kind, Operation, State as Stage, store};
use crate::{Conductor, Result, cluster, node};

/// How often the records are read when nobody wakes the loop: a conductor beside separate API processes depends on it.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often running operations are compared with the engine.
const AUDIT: Duration = Duration::from_secs(30);

/// Operations read at once.
const BATCH: u64 = 200;

/// How long a begun operation is left to its workflow before it is begun again or its end is doubted.
const SETTLED: TimeDelta = TimeDelta::seconds(20);

pub(crate) async fn run(conductor: Arc<Conductor>, shutdown: CancellationToken) {
    let Some(engine) = conductor.engine.get().cloned() else { return };
    let mut round =
        Round { conductor: &conductor, engine: &engine, begun: HashMap::new(), heard: now() - TimeDelta::minutes(1) };
    let mut audited: Option<Instant> = None;
    loop {
        let audit = audited.is_none_or(|at| at.elapsed() >= AUDIT);
        if audit {
            audited = Some(Instant::now());
        }
        if let Err(error) = round.look(audit).await {
            tracing::warn!(error = %error.chain(), "operations cannot be dispatched; trying again");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = conductor.wake.notified() => {}
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

struct Round<'a> {
    conductor: &'a Conductor,
    engine: &'a Engine,
    /// When this process began which pending operation: it stays pending until its first step runs.
    begun: HashMap<String, Moment>,
    /// The moment of the latest report that was passed on.
    heard: Moment,
}

impl Round<'_> {
    async fn look(&mut self, audit: bool) -> Result<()> {
        let at = now();
        self.begun.retain(|_, begun| at - *begun < SETTLED);
        let mut after = 0;
        loop {
            let batch = store::unfinished(&self.conductor.db, after, BATCH).await?;
            for operation in &batch {
                match operation.state {
                    Stage::Pending => self.begin(operation).await?,
                    _ if audit => self.audit(operation).await?,
                    _ => {}
                }
            }
            match batch.last() {
                Some(last) if batch.len() as u64 == BATCH => after = last.id,
                _ => break,
            }
        }
        self.pass_on().await
    }

    async fn begin(&mut self, operation: &Operation) -> Result<()> {
        if self.begun.contains_key(&operation.uuid) {
            return Ok(());
        }
        let Some(kind) = Kind::find(&operation.kind) else {
            let text = format!("This conductor does not know the operation {}", operation.kind);
            return self.give_up(operation, &Fault::new(Code::Internal, text)).await;
        };
        let steps: Vec<_> = kind.steps.iter().map(|step| (step.name, step.limit)).collect();
        let on_failure = (kind.on_failure.name, kind.on_failure.limit);
        self.engine.begin(&operation.instance, &operation.uuid, &steps, on_failure).await?;
        self.begun.insert(operation.uuid.clone(), now());
        Ok(())
    }

    /// Compares a running operation with its workflow.
    async fn audit(&mut self, operation: &Operation) -> Result<()> {
        if operation.started_at.is_some_and(|at| now() - at < SETTLED) {
            return Ok(());
        }
        match self.engine.state(&operation.instance).await? {
            State::Running => Ok(()),
            State::Missing => {
                tracing::warn!(operation = %operation.uuid, "the engine does not know this operation; beginning it again");
                self.begin(operation).await
            }
            State::Ended(outcome) => {
                // It may have ended between the two looks.
                let latest = store::find(&self.conductor.db, &operation.uuid).await?;
                if latest.is_none_or(|latest| latest.active.is_none()) {
                    return Ok(());
                }
                let why = outcome.err().unwrap_or_else(|| "it ended without settling the operation".to_owned());
                tracing::error!(operation = %operation.uuid, why, "the workflow has ended and the operation has not");
                self.give_up(operation, &Fault::new(Code::Internal, "The operation's workflow ended early")).await
            }
        }
    }

    async fn give_up(&self, operation: &Operation, fault: &Fault) -> Result<()> {
        store::note_fault(&self.conductor.db, &operation.uuid, fault).await?;
        let Some(operation) = store::find(&self.conductor.db, &operation.uuid).await? else { return Ok(()) };
        cluster::settle_failed(self.conductor, &operation).await
    }

    /// Wakes the operations whose nodes have reported.
    async fn pass_on(&mut self) -> Result<()> {
        for (instance, at) in node::store::heard_since(&self.conductor.db, self.heard).await? {
            self.engine.wake(&instance).await?;
            self.heard = self.heard.max(at);
        }
        Ok(())
    }
}

//! The reconciler between the operations' records and the engine.
//!
//! Records and engine share no transaction, so a start or an end can be lost between their commits. This loop begins
//! every operation that has no workflow, settles every one whose workflow has ended without settling it, and wakes
//! those that wait for nodes. All of it may be repeated without harm.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, State};
use crate::operation::{Code, Fault, Kind, Operation, State as Progress, store};
use crate::{Conductor, Result, cluster, node};

/// How often the records are read when nobody wakes the loop: a conductor beside separate API processes depends on it.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often running operations are compared with the engine.
const AUDIT: Duration = Duration::from_secs(30);

/// Operations handled per round.
const BATCH: u64 = 200;

/// How long an operation may run before its workflow's state is doubted.
const SETTLED: TimeDelta = TimeDelta::seconds(20);

pub(crate) async fn run(conductor: Arc<Conductor>, shutdown: CancellationToken) {
    let Some(engine) = conductor.engine.get().cloned() else { return };
    let mut heard = Utc::now() - TimeDelta::minutes(1);
    let mut audited = None;
    loop {
        if let Err(error) = begin_pending(&conductor, &engine).await {
            tracing::warn!(error = %error.chain(), "pending operations cannot be begun; trying again");
        }
        match wake_for_nodes(&conductor, &engine, heard).await {
            Ok(latest) => heard = latest,
            Err(error) => tracing::warn!(error = %error.chain(), "the nodes' reports cannot be read; trying again"),
        }
        if audited.is_none_or(|at: tokio::time::Instant| at.elapsed() >= AUDIT) {
            audited = Some(tokio::time::Instant::now());
            if let Err(error) = audit(&conductor, &engine).await {
                tracing::warn!(error = %error.chain(), "operations cannot be compared with the engine; trying again");
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = conductor.wake.notified() => {}
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

async fn begin_pending(conductor: &Conductor, engine: &Engine) -> Result<()> {
    for operation in store::unfinished(&conductor.db, Progress::Pending, BATCH).await? {
        begin(conductor, engine, &operation).await?;
        store::mark_running(&conductor.db, &operation.uuid).await?;
    }
    Ok(())
}

async fn begin(conductor: &Conductor, engine: &Engine, operation: &Operation) -> Result<()> {
    let Some(kind) = Kind::find(&operation.kind) else {
        let fault = Fault::new(Code::Internal, format!("This conductor does not know the operation {}", operation.kind));
        return cluster::store::settle_failed(&conductor.db, operation, &fault).await;
    };
    let limits: Vec<_> = kind.steps.iter().map(|step| (step.name, step.limit)).collect();
    engine.begin(&operation.instance, &operation.uuid, &limits, (kind.on_failure.name, kind.on_failure.limit)).await
}

/// Wakes the operations whose nodes have reported since `heard`; gives the moment of the latest report.
async fn wake_for_nodes(conductor: &Conductor, engine: &Engine, heard: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let news = node::store::heard_since(&conductor.db, heard).await?;
    let mut latest = heard;
    for (instance, at) in news {
        engine.wake(&instance).await?;
        latest = latest.max(at);
    }
    Ok(latest)
}

/// Begins what the engine has lost and settles what it has ended.
async fn audit(conductor: &Conductor, engine: &Engine) -> Result<()> {
    for operation in store::unfinished(&conductor.db, Progress::Running, BATCH).await? {
        if operation.started_at.is_some_and(|at| Utc::now() - at < SETTLED) {
            continue;
        }
        match engine.state(&operation.instance).await? {
            State::Running => {}
            State::Missing => {
                tracing::warn!(operation = %operation.uuid, "the engine does not know this operation; beginning it again");
                begin(conductor, engine, &operation).await?;
            }
            State::Ended(outcome) => {
                // The row may have been settled between the two reads.
                if !store::is_active(&conductor.db, &operation.uuid).await? {
                    continue;
                }
                let why = outcome.err().unwrap_or_else(|| "it ended without settling the operation".to_owned());
                tracing::error!(operation = %operation.uuid, why, "the workflow has ended and the operation has not");
                let fault = Fault::new(Code::Internal, "The operation's workflow ended early");
                cluster::store::settle_failed(&conductor.db, &operation, &fault).await?;
            }
        }
    }
    Ok(())
}

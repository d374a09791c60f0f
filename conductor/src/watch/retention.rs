//! Forgets what is over: workflows and operations that ended long ago.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::column::now;
use crate::operation::store;
use crate::{Conductor, Result, database};

/// How often there is a look.
const INTERVAL: Duration = Duration::from_secs(3600);

/// How long an ended workflow's history is kept; its operation says what matters.
const HISTORIES: Duration = Duration::from_secs(24 * 3600);

/// How long an ended operation is kept; a living cluster's last one is kept longer.
const OPERATIONS: TimeDelta = TimeDelta::days(30);

/// Workflows forgotten at once.
const BATCH: u32 = 500;

pub(crate) async fn run(conductor: Arc<Conductor>, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = forget(&conductor).await {
            tracing::warn!(error = %error.chain(), "what is over cannot be forgotten; trying again in an hour");
        }
    }
}

async fn forget(conductor: &Conductor) -> Result<()> {
    let before = now() - OPERATIONS;
    let operations = database::retry(|| store::prune(&conductor.db, before)).await?;
    let mut workflows = 0;
    if let Some(engine) = conductor.engine.get() {
        loop {
            let purged = engine.purge(HISTORIES, BATCH).await?;
            workflows += purged;
            if purged < u64::from(BATCH) {
                break;
            }
        }
    }
    tracing::debug!(operations, workflows, "forgot what is over");
    Ok(())
}

//! The conducting half of a process: the engine and the loops around it.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::engine::{self, Engine};
use crate::operation::{KINDS, Kind, Step, run_step};
use crate::{Conductor, Result, watch};

/// The loops of a process that conducts.
pub struct Running {
    engine: Arc<Engine>,
    loops: JoinSet<()>,
}

/// Starts the engine and the loops; they stop when `shutdown` is cancelled.
///
/// # Errors
/// The engine's storage cannot be opened.
pub async fn start(conductor: Arc<Conductor>, shutdown: CancellationToken) -> Result<Running> {
    let steps = KINDS
        .iter()
        .flat_map(|kind| kind.steps.iter().chain([&kind.on_failure]).map(move |step| (*kind, *step)))
        .map(|(kind, step)| bind(conductor.clone(), kind, step))
        .collect();
    let engine = Arc::new(Engine::start(&conductor.config.engine_url(), engine::Options::default(), steps).await?);
    // Set once per process: a second start would be a defect of the caller, and keeps the first engine.
    let engine = conductor.engine.get_or_init(|| engine).clone();

    let mut loops = JoinSet::new();
    loops.spawn(watch::dispatch::run(conductor.clone(), shutdown.clone()));
    loops.spawn(watch::stacks::run(conductor.clone(), shutdown.clone()));
    loops.spawn(watch::health::run(conductor.clone(), shutdown.clone()));
    loops.spawn(watch::heartbeat::run(conductor.clone(), shutdown.clone()));
    loops.spawn(watch::notifications::run(conductor.clone(), shutdown.clone()));
    loops.spawn(watch::retention::run(conductor, shutdown));
    Ok(Running { engine, loops })
}

impl Running {
    /// Waits for the loops and the steps under way, at most `grace` for each.
    pub async fn finish(mut self, grace: Duration) {
        let ended = tokio::time::timeout(grace, async { while self.loops.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!("a loop did not end in time and is cut off");
            self.loops.shutdown().await;
        }
        self.engine.shutdown(grace).await;
    }
}

/// Ties a step to this process's conductor, as the engine wants it.
fn bind(conductor: Arc<Conductor>, kind: &'static Kind, step: Step) -> engine::Step {
    engine::Step {
        name: step.name,
        limit: step.limit,
        run: Arc::new(move |operation| {
            let conductor = conductor.clone();
            async move { Ok(run_step(conductor, kind, step, operation).await) }.boxed()
        }),
    }
}

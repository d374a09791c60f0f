//! The engine through its public interface: what a workflow does, and what it survives.
#![allow(clippy::unwrap_used, clippy::print_stdout, unreachable_pub, reason = "a test program")]

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "shared with other test programs")]
mod support;

mod crash;
mod flow;
mod node;
mod outage;

use std::time::Duration;

use conductor::engine::{Engine, State};
use support::eventually;

/// Longer than anything here takes on a busy machine.
const BOUND: Duration = Duration::from_secs(90);

/// Waits for the end of a workflow.
async fn ended(engine: &Engine, instance: &str) -> Result<(), String> {
    eventually(instance, BOUND, async || match engine.state(instance).await {
        Ok(State::Ended(end)) => Some(end),
        _ => None,
    })
    .await
}

/// Waits for the end of all and expects that the engine itself failed none.
async fn all_ended(engine: &Engine, instances: &[String]) {
    let names: Vec<&str> = instances.iter().map(String::as_str).collect();
    eventually("all workflows end", BOUND, async || {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let states = engine.states(&names).await.ok()?;
        for (name, state) in names.iter().zip(&states) {
            assert!(!matches!(state, State::Ended(Err(_))), "{name}: {state:?}");
        }
        states.iter().all(|state| *state == State::Ended(Ok(()))).then_some(())
    })
    .await;
}

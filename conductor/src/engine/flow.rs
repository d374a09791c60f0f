//! The one durable workflow: it walks the steps named in its input, whatever they do.
//!
//! An operation's steps, their limits and the backoff are written into the input when it begins, so that later code
//! cannot break a workflow under way. The history holds the operation's id and outcomes, never what steps work with.
//!
//! This is version 1.0.0. Its sequence of durable calls must never change; a change is a new function registered
//! under a new version beside it, until no instance of the old one is left.

use std::time::Duration;

use duroxide::{Either2, OrchestrationContext};
use serde::{Deserialize, Serialize};

/// The name under which the workflow is registered.
pub(super) const NAME: &str = "jeroboam.operation";
/// The version of its sequence.
pub(super) const VERSION: &str = "1.0.0";
/// The queue that wakes a waiting step.
pub(super) const WAKE: &str = "wake";

/// Steps run before the history is cut and the workflow continues as new.
const RUNS_PER_EXECUTION: u32 = 20;
/// The shortest pause between two runs of a step that asked for one.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// What a workflow does, and where it stands when it continues as new.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The operation's id, the only argument of every step.
    pub(super) operation: String,
    /// The steps in order.
    pub(super) steps: Vec<Stage>,
    /// The step that settles a failed operation.
    pub(super) on_failure: Stage,
    /// How long a step that fails or is lost rests before it is run again.
    pub(super) backoff: Backoff,
    /// What a step may take above its limit until it counts as lost: queueing and a takeover are part of it.
    pub(super) slack_ms: u64,
    /// Where it stands.
    #[serde(default)]
    pub(super) position: Position,
}

/// A named step and its limit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stage {
    pub(super) name: String,
    pub(super) limit_ms: u64,
}

/// Exponential backoff without randomness of its own: a replay must find the same durations.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Backoff {
    pub(super) first_ms: u64,
    pub(super) cap_ms: u64,
}

/// Where a workflow stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// Index of the current step.
    step: usize,
    /// Failures of it in a row.
    attempt: u32,
    /// The failure step is running instead.
    failing: bool,
}

/// The argument of a step as the engine keeps it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) operation: String,
    pub(super) limit_ms: u64,
}

/// A step's outcome as the engine keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    Done,
    Wait { max_ms: u64 },
    Retry { after_ms: u64 },
    Stop,
    Fail,
}

/// What follows a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Run,
    Pause(Duration),
    AwaitWake(Duration),
    End(&'static str),
}

/// The workflow itself.
pub(super) async fn run(context: OrchestrationContext, input: String) -> Result<String, String> {
    let mut plan: Plan = serde_json::from_str(&input).map_err(|error| format!("the input is not a plan: {error}"))?;
    let instance = context.instance_id();
    for _ in 0..RUNS_PER_EXECUTION {
        let Some(stage) = plan.current() else { return Ok("done".into()) };
        let call = Call { operation: plan.operation.clone(), limit_ms: stage.limit_ms };
        let call = serde_json::to_string(&call).map_err(|error| error.to_string())?;
        let step = context.schedule_activity(&stage.name, call);
        let lost = context.schedule_timer(Duration::from_millis(stage.limit_ms.saturating_add(plan.slack_ms)));
        let reply = match context.select2(step, lost).await {
            Either2::First(Ok(text)) => serde_json::from_str(&text).ok(),
            Either2::First(Err(_)) | Either2::Second(()) => None,
        };
        match plan.advance(reply, &instance) {
            Next::Run => {}
            Next::Pause(pause) => context.schedule_timer(pause).await,
            Next::AwaitWake(longest) => {
                let wake = context.dequeue_event(WAKE);
                let enough = context.schedule_timer(longest);
                context.select2(wake, enough).await;
            }
            Next::End(how) => return Ok(how.into()),
        }
    }
    let next = serde_json::to_string(&plan).map_err(|error| error.to_string())?;
    context.continue_as_new(next).await
}

impl Plan {
    fn current(&self) -> Option<&Stage> {
        if self.position.failing { Some(&self.on_failure) } else { self.steps.get(self.position.step) }
    }

    /// Moves on; `None` stands for a step that failed without an outcome, ran into its limit or was lost.
    fn advance(&mut self, reply: Option<Reply>, instance: &str) -> Next {
        let at = &mut self.position;
        if !matches!(reply, None | Some(Reply::Fail)) {
            at.attempt = 0;
        }
        match reply {
            Some(Reply::Done) if at.failing => Next::End("failed"),
            Some(Reply::Done) => {
                at.step += 1;
                Next::Run
            }
            Some(Reply::Wait { max_ms }) => Next::AwaitWake(Duration::from_millis(max_ms).max(SHORTEST_PAUSE)),
            Some(Reply::Retry { after_ms }) => Next::Pause(Duration::from_millis(after_ms).max(SHORTEST_PAUSE)),
            Some(Reply::Stop) => Next::End("stopped"),
            Some(Reply::Fail) if !at.failing => {
                *at = Position { failing: true, attempt: 0, step: at.step };
                Next::Run
            }
            Some(Reply::Fail) | None => {
                let pause = self.backoff.pause(at.attempt, &format!("{instance}/{}", at.step));
                at.attempt = at.attempt.saturating_add(1);
                Next::Pause(pause.max(SHORTEST_PAUSE))
            }
        }
    }
}

impl Backoff {
    /// The pause after failure number `attempt` (from 0): doubled each time, capped, then varied by up to a quarter
    /// either way, so that operations which failed together do not come back together.
    fn pause(self, attempt: u32, seed: &str) -> Duration {
        let plain = self.first_ms.saturating_mul(1 << attempt.min(20)).min(self.cap_ms);
        let spread = plain / 2;
        let shift = if spread == 0 { 0 } else { fnv1a(&format!("{seed}/{attempt}")) % (spread + 1) };
        Duration::from_millis(plain - spread / 2 + shift)
    }
}

/// FNV-1a: the same number on every machine and with every compiler, for ever.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let stage = |name: &str| Stage { name: name.into(), limit_ms: 1000 };
        Plan {
            operation: "o".into(),
            steps: vec![stage("a"), stage("b")],
            on_failure: stage("f"),
            backoff: Backoff { first_ms: 1000, cap_ms: 60_000 },
            slack_ms: 0,
            position: Position::default(),
        }
    }

    #[test]
    fn backoff_doubles_up_to_its_cap_within_a_quarter() {
        let backoff = Backoff { first_ms: 1000, cap_ms: 60_000 };
        for (attempt, plain) in [(0, 1000), (1, 2000), (5, 32_000), (6, 60_000), (4_000_000_000, 60_000)] {
            for seed in ["x", "y", "z"] {
                let pause = backoff.pause(attempt, seed).as_millis();
                assert!((plain * 3 / 4..=plain * 5 / 4).contains(&pause), "attempt {attempt}: {pause} ms");
            }
        }
    }

    #[test]
    fn jitter_is_the_same_in_every_replay_and_differs_between_instances() {
        let backoff = Backoff { first_ms: 1000, cap_ms: 60_000 };
        // Written down: a replay in another year must find the same durations.
        assert_eq!(fnv1a("c1/create/1/0/3"), 0x4da0_159e_baaa_3153);
        let pauses: std::collections::HashSet<_> = (0..20).map(|n| backoff.pause(3, &format!("c{n}"))).collect();
        assert!(pauses.len() > 15, "{pauses:?}");
    }

    #[test]
    fn failures_are_counted_per_step_and_forgotten_by_success() {
        let mut plan = plan();
        assert!(matches!(plan.advance(None, "i"), Next::Pause(_)));
        assert!(matches!(plan.advance(None, "i"), Next::Pause(_)));
        assert_eq!(plan.position.attempt, 2);
        assert_eq!(plan.advance(Some(Reply::Wait { max_ms: 900 }), "i"), Next::AwaitWake(Duration::from_millis(900)));
        assert_eq!(plan.position, Position { step: 0, attempt: 0, failing: false });
        assert_eq!(plan.advance(Some(Reply::Done), "i"), Next::Run);
        assert_eq!(plan.current().unwrap().name, "b");
    }

    #[test]
    fn a_failed_failure_step_is_tried_again_for_ever() {
        let mut plan = plan();
        assert_eq!(plan.advance(Some(Reply::Fail), "i"), Next::Run);
        assert_eq!(plan.current().unwrap().name, "f");
        for _ in 0..100 {
            assert!(matches!(plan.advance(Some(Reply::Fail), "i"), Next::Pause(_)));
        }
        assert_eq!(plan.position.attempt, 100);
        assert_eq!(plan.advance(Some(Reply::Done), "i"), Next::End("failed"));
    }

    #[test]
    fn a_step_that_asks_for_no_pause_still_gets_one() {
        assert_eq!(plan().advance(Some(Reply::Retry { after_ms: 0 }), "i"), Next::Pause(SHORTEST_PAUSE));
        assert_eq!(plan().advance(Some(Reply::Wait { max_ms: 0 }), "i"), Next::AwaitWake(SHORTEST_PAUSE));
    }

    #[test]
    fn inputs_of_this_version_stay_readable() {
        let written = r#"{"operation":"o","steps":[{"name":"a","limit_ms":5}],"on_failure":{"name":"f","limit_ms":6},
            "backoff":{"first_ms":1,"cap_ms":2},"slack_ms":3,"position":{"step":1,"attempt":2,"failing":true}}"#;
        let plan: Plan = serde_json::from_str(written).unwrap();
        assert_eq!(plan.position, Position { step: 1, attempt: 2, failing: true });
        for (reply, text) in [
            (Reply::Done, r#""done""#),
            (Reply::Wait { max_ms: 5 }, r#"{"wait":{"max_ms":5}}"#),
            (Reply::Retry { after_ms: 5 }, r#"{"retry":{"after_ms":5}}"#),
            (Reply::Stop, r#""stop""#),
            (Reply::Fail, r#""fail""#),
        ] {
            assert_eq!(serde_json::to_string(&reply).unwrap(), text);
        }
    }
}

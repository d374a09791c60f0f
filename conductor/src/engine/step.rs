//! A step: the plain asynchronous function that an operation's plan names, free of the engine's types.

use std::fmt::Write as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use duroxide::runtime::registry::ActivityRegistry;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::flow::{Call, Reply};

/// Any error of a step; it is logged and counts as "try again later".
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What runs when a step's turn has come; its argument is the operation's id.
pub type StepFn = Arc<dyn Fn(String) -> BoxFuture<'static, Result<Outcome, BoxError>> + Send + Sync>;

/// A step that this process can run.
///
/// It may run more than once, even twice at the same time when a process was frozen: it must be idempotent, and must
/// check first that its operation is still under way.
#[derive(Clone)]
pub struct Step {
    /// Its name in plans, for ever: `cluster.create/submit`.
    pub name: &'static str,
    /// When it is cut off; the plan carries the limit it was begun with.
    pub limit: Duration,
    /// The step itself.
    pub run: StepFn,
}

impl Step {
    /// A step from an asynchronous function.
    pub fn new<F, R, E>(name: &'static str, limit: Duration, run: F) -> Self
    where
        F: Fn(String) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Outcome, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self { name, limit, run: Arc::new(move |operation| run(operation).map(|end| end.map_err(Into::into)).boxed()) }
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The next step may run.
    Done,
    /// Something outside must happen first: the same step runs again when woken, at the latest after that time.
    Wait(Duration),
    /// The same step runs again after that time.
    Retry(Duration),
    /// The operation is no longer under way: the workflow ends quietly.
    Stop,
    /// The operation has failed: its failure step runs, then the workflow ends.
    Fail,
}

impl From<Outcome> for Reply {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Done,
            Outcome::Wait(longest) => Self::Wait { max_ms: milliseconds(longest) },
            Outcome::Retry(pause) => Self::Retry { after_ms: milliseconds(pause) },
            Outcome::Stop => Self::Stop,
            Outcome::Fail => Self::Fail,
        }
    }
}

/// A duration as plans hold it.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The steps as the engine's activities.
pub(super) fn activities(steps: Vec<Step>) -> ActivityRegistry {
    steps
        .into_iter()
        .fold(ActivityRegistry::builder(), |registry, step| {
            registry.register(step.name, move |_, call: String| run(step.name, step.run.clone(), call))
        })
        .build()
}

/// Runs a step within its limit. The engine keeps what is returned, so errors stay in the log.
async fn run(name: &'static str, step: StepFn, call: String) -> Result<String, String> {
    let call: Call = serde_json::from_str(&call).map_err(|error| format!("the call is not understood: {error}"))?;
    let operation = call.operation.clone();
    let limit = Duration::from_millis(call.limit_ms);
    match tokio::time::timeout(limit, step(call.operation)).await {
        Ok(Ok(outcome)) => serde_json::to_string(&Reply::from(outcome)).map_err(|error| error.to_string()),
        Ok(Err(error)) => {
            tracing::warn!(step = name, operation, error = causes(error.as_ref()), "a step failed and will be retried");
            Err("failed".into())
        }
        Err(_) => {
            tracing::warn!(step = name, operation, limit_ms = call.limit_ms, "a step was cut off and will be retried");
            Err("cut off".into())
        }
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let _ = write!(text, ": {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn reply(step: Step) -> Result<String, String> {
        run(step.name, step.run, r#"{"operation":"o1","limit_ms":1000}"#.into()).await
    }

    #[tokio::test]
    async fn a_step_is_cut_off_at_the_limit_of_its_plan() {
        let step = Step::new("s", Duration::from_secs(3600), |_| async {
            tokio::time::sleep(Duration::from_secs(600)).await;
            Ok::<_, BoxError>(Outcome::Done)
        });
        let begun = tokio::time::Instant::now();
        assert_eq!(reply(step).await, Err("cut off".into()));
        let taken = begun.elapsed();
        assert!((Duration::from_secs(1)..Duration::from_secs(3)).contains(&taken), "{taken:?}");
    }

    #[tokio::test]
    async fn an_error_leaves_nothing_of_itself_in_the_history() {
        let step = Step::new("s", Duration::from_secs(1), |_| async { Err::<Outcome, BoxError>("token abc".into()) });
        assert_eq!(reply(step).await, Err("failed".into()));
    }

    #[tokio::test]
    async fn a_step_is_given_the_operation() {
        let step = Step::new("s", Duration::from_secs(1), |operation| async move {
            assert_eq!(operation, "o1");
            Ok::<_, BoxError>(Outcome::Wait(Duration::from_millis(1500)))
        });
        assert_eq!(reply(step).await, Ok(r#"{"wait":{"max_ms":1500}}"#.into()));
    }
}

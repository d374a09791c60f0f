//! Durable workflows: what an operation still has to do survives any process, and is done by whichever is alive.
//!
//! This folder is the only one that names the engine (`duroxide`). The rest of the house gives it [`Step`]s, begins
//! workflows by naming their steps, and wakes those that wait. See [`flow`] for what a workflow does and [`guard`] for
//! why the engine's storage is not used bare.
//!
//! Where no log subscriber is installed when it starts, the engine installs a silent one: install ours before.

mod flow;
mod guard;
mod step;
mod storage;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use duroxide::providers::Provider;
use duroxide::runtime::{ObservabilityConfig, OrchestrationRegistry, Runtime, RuntimeOptions};
use duroxide::{Client, ClientError, InstanceFilter};
use secrecy::SecretString;

use crate::{Error, Result};
use flow::{Backoff, Plan, Stage};
use guard::{Guard, Verdict};
use step::milliseconds;
pub use step::{BoxError, Outcome, Step, StepFn};

/// How the engine works; the defaults suit both storages.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a process owns a step without renewing, in whole seconds from 2: another takes over after that time.
    pub lease: Duration,
    /// How often the queues are looked at for the work of other processes and for timers; own work starts at once.
    pub poll: Duration,
    /// Steps run at the same time by this process.
    pub workers: usize,
    /// Pause after the first failure of a step; doubled with each further one.
    pub first_backoff: Duration,
    /// The longest such pause.
    pub longest_backoff: Duration,
    /// What a step may take above its limit, waiting for a worker or a takeover included, until it counts as lost.
    pub slack: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(10),
            poll: Duration::from_millis(250),
            workers: 8,
            first_backoff: Duration::from_secs(1),
            longest_backoff: Duration::from_secs(60),
            slack: Duration::from_secs(60),
        }
    }
}

/// Where a workflow stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Never begun, begun a moment ago, or purged.
    Missing,
    /// Running or waiting.
    Running,
    /// Ended: as its steps decided, or with the reason why the engine could not go on.
    Ended(Result<(), String>),
}

/// A process's access to the workflows, and the runner of their steps.
#[derive(Clone)]
pub struct Engine {
    store: Arc<Guard>,
    client: Client,
    runtime: Option<Arc<Runtime>>,
    options: Options,
}

impl Engine {
    /// Opens the storage and runs steps until [`Engine::shutdown`].
    ///
    /// # Errors
    /// `Invalid` for a URL that cannot be used, `Unavailable` when the storage cannot be opened, `Internal` when two
    /// steps have the same name.
    pub async fn start(url: &SecretString, options: Options, steps: Vec<Step>) -> Result<Self> {
        let store = storage::open(url, options.poll).await?;
        Self::run(store, options, steps).await
    }

    /// Opens the storage to begin, wake and look at workflows whose steps other processes run.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub async fn connect(url: &SecretString, options: Options) -> Result<Self> {
        let store = storage::open(url, options.poll).await?;
        Ok(Self { client: Client::new(store.clone()), store, runtime: None, options })
    }

    async fn run(store: Arc<Guard>, options: Options, steps: Vec<Step>) -> Result<Self> {
        let mut names = HashSet::new();
        if let Some(step) = steps.iter().find(|step| !names.insert(step.name)) {
            return Err(Error::internal(format!("two steps are named {:?}", step.name)));
        }
        let flows = OrchestrationRegistry::builder().register_versioned(flow::NAME, flow::VERSION, flow::run).build();
        let runtime =
            Runtime::start_with_options(store.clone(), step::activities(steps), flows, options.of_runtime()).await;
        Ok(Self { client: Client::new(store.clone()), store, runtime: Some(runtime), options })
    }

    /// Begins the workflow `instance` for an operation: `steps` in order, each with its limit, and `on_failure` when
    /// one of them says so. Beginning it again, running or ended, changes nothing.
    ///
    /// # Errors
    /// `Unavailable` when the storage is away.
    pub async fn begin(
        &self,
        instance: &str,
        operation: &str,
        steps: &[(&str, Duration)],
        on_failure: (&str, Duration),
    ) -> Result<()> {
        let stage = |&(name, limit): &(&str, Duration)| Stage { name: name.into(), limit_ms: milliseconds(limit) };
        let plan = Plan {
            operation: operation.into(),
            steps: steps.iter().map(stage).collect(),
            on_failure: stage(&on_failure),
            backoff: Backoff {
                first_ms: milliseconds(self.options.first_backoff),
                cap_ms: milliseconds(self.options.longest_backoff),
            },
            slack_ms: milliseconds(self.options.slack),
            position: flow::Position::default(),
        };
        let input = serde_json::to_string(&plan).map_err(Error::internal)?;
        self.client.start_orchestration_versioned(instance, flow::NAME, flow::VERSION, input).await.map_err(failure)
    }

    /// Runs a waiting step now. A step that is running when woken runs once more if it then waits. A call for a
    /// workflow that is missing or ended has no effect; a call that gets lost costs the rest of the wait.
    ///
    /// # Errors
    /// `Unavailable` when the storage is away.
    pub async fn wake(&self, instance: &str) -> Result<()> {
        self.client.enqueue_event(instance, flow::WAKE, "").await.map_err(failure)
    }

    /// Where a workflow stands: one query, without its history.
    ///
    /// # Errors
    /// `Unavailable` when the storage is away.
    pub async fn state(&self, instance: &str) -> Result<State> {
        let info = match self.client.get_instance_info(instance).await {
            Ok(info) => info,
            Err(ClientError::Provider(error)) if !error.is_retryable() && error.message.ends_with("not found") => {
                return Ok(State::Missing);
            }
            Err(error) => return Err(failure(error)),
        };
        Ok(match info.status.as_str() {
            "Completed" => State::Ended(Ok(())),
            "Failed" => State::Ended(Err(info.output.unwrap_or_else(|| "no reason is recorded".into()))),
            _ => State::Running,
        })
    }

    /// Where several workflows stand, in the order asked: one query for all that run, one more for each other.
    ///
    /// # Errors
    /// `Unavailable` when the storage is away.
    pub async fn states(&self, instances: &[&str]) -> Result<Vec<State>> {
        let running = self.client.list_instances_by_status("Running").await.map_err(failure)?;
        let running: HashSet<&str> = running.iter().map(String::as_str).collect();
        let mut states = Vec::with_capacity(instances.len());
        for instance in instances {
            states.push(match running.contains(instance) {
                true => State::Running,
                false => self.state(instance).await?,
            });
        }
        Ok(states)
    }

    /// Forgets workflows that ended longer than `older_than` ago, at most `limit`, and returns how many. A workflow
    /// begun again after that runs again.
    ///
    /// # Errors
    /// `Unavailable` when the storage is away.
    pub async fn purge(&self, older_than: Duration, limit: u32) -> Result<u64> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let before = milliseconds(now.saturating_sub(older_than));
        let filter = InstanceFilter { instance_ids: None, completed_before: Some(before), limit: Some(limit) };
        let purged = self.store.in_line(self.client.delete_instance_bulk(filter)).await.map_err(failure)?;
        Ok(purged.instances_deleted)
    }

    /// Whether the storage answers within five seconds.
    ///
    /// # Errors
    /// `Unavailable` when it does not.
    pub async fn ready(&self) -> Result<()> {
        let question = self.store.get_custom_status("ready?", 0);
        match tokio::time::timeout(Duration::from_secs(5), question).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(storage::unavailable().because(error)),
            Err(elapsed) => Err(storage::unavailable().because(elapsed)),
        }
    }

    /// Takes no more work and waits up to `grace` for steps under way; those cut off run again elsewhere or later.
    pub async fn shutdown(&self, grace: Duration) {
        if let Some(runtime) = self.runtime.clone() {
            runtime.shutdown(Some(milliseconds(grace))).await;
        }
    }
}

impl Options {
    fn of_runtime(&self) -> RuntimeOptions {
        RuntimeOptions {
            dispatcher_min_poll_interval: self.poll,
            // The guard waits for work; the engine's slots only ask.
            dispatcher_long_poll_timeout: Duration::from_secs(30),
            orchestration_concurrency: 2,
            worker_concurrency: self.workers,
            orchestrator_lock_timeout: Duration::from_secs(self.lease.as_secs().div_ceil(2).max(2)),
            worker_lock_timeout: Duration::from_secs(self.lease.as_secs().max(2)),
            worker_lock_renewal_buffer: Duration::from_secs(self.lease.as_secs().div_ceil(2)),
            activity_cancellation_grace_period: Duration::from_secs(2),
            // A message is fetched again after every crash and every lapsed lease: that must not end a workflow soon.
            max_attempts: 1000,
            // Without a log subscriber the engine installs one; it is to be silent. (The value enters a filter twice.)
            observability: ObservabilityConfig { log_level: "off,off".into(), ..ObservabilityConfig::default() },
            ..RuntimeOptions::default()
        }
    }
}

fn failure(error: ClientError) -> Error {
    match &error {
        ClientError::Provider(cause) if Verdict::of(cause) == Verdict::Passing => storage::unavailable().because(error),
        ClientError::Timeout => storage::unavailable().because(error),
        _ => Error::internal(error),
    }
}

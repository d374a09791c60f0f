//! Steps: what a workflow is made of. No type of the engine appears here.
//!
//! A step is a plain async function that may run any number of times: it looks before it makes, adopts what is its
//! own, and says whether it is done, must wait, or has failed.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures::future::BoxFuture;
use tracing::Instrument as _;

use super::{Code, Fault, Operation, store};
use crate::cluster::{self, Action, Cluster};
use crate::engine::Outcome;
use crate::nodegroup::Nodegroup;
use crate::scope::Scope;
use crate::{Conductor, Error, Kind as ErrorKind, database, openstack};

/// What a step works on, read anew each time it runs.
#[derive(Debug, Clone)]
pub struct Work {
    /// The operation.
    pub operation: Operation,
    /// Its cluster.
    pub cluster: Cluster,
    /// The cluster's nodegroups.
    pub nodegroups: Vec<Nodegroup>,
}

/// A step that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// On to the next step.
    Done,
    /// Run again when woken, or after this long at the latest.
    Wait(Duration),
}

/// A step that failed.
#[derive(Debug)]
pub enum Failure {
    /// For now: run again later.
    Later(Error),
    /// For good: the operation has failed.
    Final(Fault),
    /// Keystone refused. It has been seen, under load, to refuse what it grants a moment later (its threads mix up the
    /// scopes of their requests): for good only when it has said so [`BELIEVED`] times.
    Refused(openstack::Error),
}

/// What a step gives back.
pub type Result<T = Next, E = Failure> = std::result::Result<T, E>;

/// One step of an operation.
#[derive(Clone, Copy)]
pub struct Step {
    /// Its name, as `cluster.create/submit`; recorded in histories, so it never changes its meaning.
    pub name: &'static str,
    /// How long one run may take.
    pub limit: Duration,
    /// What it does.
    pub run: for<'a> fn(&'a Conductor, &'a Work) -> BoxFuture<'a, Result>,
}

/// A kind of operation: its steps in order, and the one that settles a failure.
pub struct Kind {
    /// Its name, as `cluster.create`.
    pub name: &'static str,
    /// What it does, as a sentence begins: `Resizing a cluster`.
    pub doing: &'static str,
    /// Whether it must be alone on the whole cluster, its nodegroups included.
    pub exclusive: bool,
    /// How a request at the wrong moment is refused: `Conflict`, or `Invalid` where the contract wants 400.
    pub refusal: ErrorKind,
    /// What it does to the cluster.
    pub cluster: Action,
    /// What it does to the nodegroup it is about, else to those in the cluster's own stack; nothing leaves their
    /// statuses alone.
    pub nodegroups: Option<Action>,
    /// The steps in order.
    pub steps: &'static [Step],
    /// Runs instead of the rest when a step fails for good; must not fail for good itself.
    pub on_failure: Step,
}

impl Kind {
    /// The kind of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        super::KINDS.iter().copied().find(|kind| kind.name == name)
    }
}

/// How many times Keystone must refuse a step until that is taken for its last word.
const BELIEVED: i32 = 3;

/// The longest pause between two tries of a step.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Runs one step of an operation for the engine.
pub(crate) async fn run(conductor: Arc<Conductor>, kind: &'static Kind, step: Step, operation: String) -> Outcome {
    let work = match load(&conductor, &operation).await {
        Ok(Some(work)) => work,
        Ok(None) => return Outcome::Stop,
        Err(error) => {
            tracing::warn!(%operation, step = step.name, error = %error.chain(), "the records cannot be read; trying again");
            return Outcome::Retry(Duration::from_secs(2));
        }
    };
    let request_id = work.operation.request_id.clone().unwrap_or_default();
    let span = tracing::info_span!("step", step = step.name, cluster = %work.cluster.uuid, %operation, %request_id);
    openstack::REQUEST_ID.scope(request_id, attempt(&conductor, kind, step, &work)).instrument(span).await
}

/// The records a step needs; nothing when the operation has ended or the cluster is gone.
async fn load(conductor: &Conductor, operation: &str) -> crate::Result<Option<Work>> {
    let operation = store::find(&conductor.db, operation).await?.filter(|operation| operation.active.is_some());
    let Some(operation) = operation else { return Ok(None) };
    match cluster::store::view(&conductor.db, &Scope::All, &operation.cluster_uuid).await {
        Ok(view) => Ok(Some(Work { operation, cluster: view.cluster, nodegroups: view.nodegroups })),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Work {
    /// The nodegroup that the operation is about.
    ///
    /// # Errors
    /// It is about none, or that one is gone.
    pub fn nodegroup(&self) -> std::result::Result<&Nodegroup, Failure> {
        let about = self.operation.nodegroup_uuid.as_deref();
        let found = self.nodegroups.iter().find(|group| Some(group.uuid.as_str()) == about);
        found.ok_or_else(|| Failure::Final(Fault::new(Code::Vanished, "The operation's nodegroup is gone")))
    }

    /// Shows how far the operation is, unless it says so already or the cluster's status has changed meanwhile.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn say(&self, conductor: &Conductor, text: &str) -> crate::Result<()> {
        if self.cluster.status_reason.as_deref() != Some(text) {
            let changes = cluster::Changes { status_reason: Some(Some(text.to_owned())), ..Default::default() };
            cluster::store::change_from(&conductor.db, &self.cluster.uuid, &[self.cluster.status], changes).await?;
        }
        Ok(())
    }

    /// How many times this step has failed for now since it was entered.
    fn failures(&self, step: &str) -> i32 {
        if self.operation.step.as_deref() == Some(step) { self.operation.attempt } else { 0 }
    }
}

async fn attempt(conductor: &Conductor, kind: &'static Kind, step: Step, work: &Work) -> Outcome {
    let settles = step.name == kind.on_failure.name;
    if !settles && work.operation.deadline.is_some_and(|deadline| Utc::now() > deadline) {
        return fail(conductor, work, out_of_time(conductor, work).await).await;
    }
    let failures = work.failures(step.name);
    let obstacle = work.operation.message.as_deref().filter(|_| failures > 0).map(|text| obstacle(kind, step, text));
    match store::begin_step(&conductor.db, &work.operation.uuid, step.name, failures).await {
        Ok(true) => {}
        Ok(false) => return Outcome::Stop,
        Err(error) => return later(step, 1, &error),
    }
    let result = tokio::time::timeout(step.limit, (step.run)(conductor, work)).await;
    if let (Ok(Ok(_)), Some(text)) = (&result, obstacle) {
        overcome(conductor, work, &text).await;
    }
    match result {
        Ok(Ok(Next::Done)) => Outcome::Done,
        Ok(Ok(Next::Wait(longest))) => Outcome::Wait(until_deadline(work, longest)),
        Ok(Err(Failure::Later(error))) => again(conductor, work, (kind, step), failures + 1, &error).await,
        Ok(Err(Failure::Refused(error))) if settles || failures + 1 < BELIEVED => {
            again(conductor, work, (kind, step), failures + 1, &error.into()).await
        }
        Ok(Err(Failure::Refused(error))) => fail(conductor, work, refusal(&error)).await,
        Ok(Err(Failure::Final(fault))) if settles => {
            tracing::error!(fault = %fault.reason(), "settling a failure failed; trying again");
            Outcome::Retry(LONGEST_PAUSE)
        }
        Ok(Err(Failure::Final(fault))) => fail(conductor, work, fault).await,
        Err(_) => later(step, failures + 1, &Error::internal(format!("no end after {} s", step.limit.as_secs()))),
    }
}

/// Records the failure, so that the settling step finds it, and turns the workflow to that step.
async fn fail(conductor: &Conductor, work: &Work, fault: Fault) -> Outcome {
    tracing::info!(code = fault.code.as_str(), reason = %fault.reason(), "the operation has failed");
    match store::note_fault(&conductor.db, &work.operation.uuid, &fault).await {
        Ok(()) => Outcome::Fail,
        Err(error) => {
            tracing::warn!(error = %error.chain(), "the failure is not on record yet; trying again");
            Outcome::Retry(Duration::from_secs(2))
        }
    }
}

/// Notes that the step failed for now, shows the obstacle, and has the step run again.
async fn again(conductor: &Conductor, work: &Work, (kind, step): (&Kind, Step), tries: i32, error: &Error) -> Outcome {
    if let Err(record) = note_obstacle(conductor, work, obstacle(kind, step, &error.public), tries, error).await {
        tracing::debug!(error = %record.chain(), "the failed attempt is not on record");
    }
    later(step, tries, error)
}

async fn note_obstacle(
    conductor: &Conductor,
    work: &Work,
    text: String,
    tries: i32,
    error: &Error,
) -> crate::Result<()> {
    let transaction = database::begin(&conductor.db).await?;
    let changes = cluster::Changes { status_reason: Some(Some(text)), ..Default::default() };
    cluster::store::change(&transaction, &work.cluster.uuid, changes).await?;
    if store::note_failure(&transaction, &work.operation.uuid, tries, &error.public).await? {
        transaction.commit().await?;
    }
    Ok(())
}

/// The obstacle is no more: it is shown no longer, unless something else is shown already.
async fn overcome(conductor: &Conductor, work: &Work, obstacle: &str) {
    let cleared = cluster::store::clear_reason(&conductor.db, &work.cluster.uuid, obstacle).await;
    if let Err(record) = cleared {
        tracing::debug!(error = %record.chain(), "the obstacle is still shown");
    }
}

/// What stands in a step's way, for people.
fn obstacle(kind: &Kind, step: Step, text: &str) -> String {
    let (doing, name) = (kind.doing, step.name.rsplit('/').next().unwrap_or(step.name));
    format!("{doing}, step {name}: {} It is tried again until it succeeds or the time is over.", sentence(text))
}

fn sentence(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}

fn later(step: Step, tries: i32, error: &Error) -> Outcome {
    let pause = Duration::from_secs(1 << tries.clamp(0, 6)).min(LONGEST_PAUSE);
    tracing::warn!(step = step.name, tries, error = %error.chain(), pause_s = pause.as_secs(), "the step will run again");
    Outcome::Retry(pause)
}

/// A wait ends at the operation's deadline, so that a silent cloud cannot prolong it.
fn until_deadline(work: &Work, longest: Duration) -> Duration {
    let left = work.operation.deadline.map(|deadline| (deadline - Utc::now()).to_std().unwrap_or_default());
    left.map_or(longest, |left| longest.min(left + Duration::from_secs(1)))
}

async fn out_of_time(conductor: &Conductor, work: &Work) -> Fault {
    // The deadline is taken a moment before the operation is recorded.
    let seconds = work.operation.deadline.map_or(0, |deadline| (deadline - work.operation.created_at).num_seconds());
    let given = (seconds + 30) / 60;
    let mut text = format!("The time given ({given} minute{}) ran out", if given == 1 { "" } else { "s" });
    if let Some(step) = &work.operation.step {
        let _infallible = write!(text, " in step {step}");
    }
    match cluster::progress::unfinished(conductor, work).await {
        Ok(Some(unfinished)) => {
            let _infallible = write!(text, ": {unfinished}");
        }
        Ok(None) => {}
        Err(error) => tracing::debug!(error = %error.chain(), "what is unfinished cannot be said"),
    }
    if let Some(message) = work.operation.message.as_deref().filter(|message| !message.is_empty()) {
        let _infallible = write!(text, ". Last obstacle: {}", message.trim_end_matches('.'));
    }
    Fault::new(Code::TimedOut, text)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.kind {
            ErrorKind::Unavailable | ErrorKind::Internal => Self::Later(error),
            ErrorKind::Forbidden | ErrorKind::Unauthenticated => {
                Self::Final(Fault::new(Code::NotAuthorized, error.public))
            }
            ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Conflict => {
                Self::Final(Fault::new(Code::Refused, error.public))
            }
        }
    }
}

impl From<openstack::Error> for Failure {
    fn from(error: openstack::Error) -> Self {
        if error.is_transient() {
            return Self::Later(Error::from(error));
        }
        match error.service {
            openstack::Service::Keystone => Self::Refused(error),
            _ => Self::Final(refusal(&error)),
        }
    }
}

/// A service's last word as the operation's failure.
fn refusal(error: &openstack::Error) -> Fault {
    let code = match error.kind {
        openstack::Kind::NotGranted
        | openstack::Kind::Forbidden
        | openstack::Kind::Unauthorized
        | openstack::Kind::Credentials => Code::NotAuthorized,
        openstack::Kind::Quota => Code::CloudQuota,
        openstack::Kind::NotFound => Code::Vanished,
        _ => Code::Refused,
    };
    Fault::new(code, error.to_string())
}

//! Queries on operations.

use sea_orm::prelude::Json;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, Func, Query};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, FromQueryResult,
    JoinType, QueryFilter, QueryOrder, QuerySelect, QueryTrait, RelationDef, SqlErr,
};
use uuid::Uuid;

use super::row::{ActiveModel, Column, Entity};
use super::{Fault, Operation, State};
use crate::cluster::{Owner, row as cluster};
use crate::column::{Moment, now};
use crate::notification::{self, Outcome};
use crate::{Error, Result};

/// Observations written by one statement.
const TOGETHER: usize = 200;

/// An operation to begin.
#[derive(Debug, Clone, PartialEq)]
pub struct NewOperation {
    /// The cluster it changes.
    pub cluster_uuid: String,
    /// The nodegroup it is about, where it is about one.
    pub nodegroup_uuid: Option<String>,
    /// What it must be alone on: the cluster's UUID, or that of a nodegroup with a stack of its own.
    pub subject: String,
    /// That cluster's project.
    pub project_id: String,
    /// Who asked for it.
    pub user_id: String,
    /// What it does, as `cluster.create`.
    pub kind: String,
    /// What it was asked to do; no secrets.
    pub input: Json,
    /// When it fails unless it has ended; nothing means never.
    pub deadline: Option<Moment>,
    /// The request that asked for it.
    pub request_id: Option<String>,
    /// The requester's token, sealed.
    pub token: Option<Vec<u8>>,
    /// Whether its beginning and end are notified.
    pub notifies: bool,
}

/// What the watcher saw of an operation's stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The operation's UUID.
    pub operation: String,
    /// Heat's status of the stack.
    pub status: String,
    /// Heat's reason.
    pub reason: Option<String>,
}

/// How an operation ends.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// `Succeeded`, `Failed` or `Superseded`.
    pub state: State,
    /// Why it failed, as a word out of the table of codes.
    pub code: Option<String>,
    /// Why it failed, for people.
    pub message: Option<String>,
    /// Why it failed, in full.
    pub fault: Option<Json>,
}

impl End {
    /// It did what was asked.
    #[must_use]
    pub fn succeeded() -> Self {
        Self { state: State::Succeeded, code: None, message: None, fault: None }
    }

    /// It did not.
    pub fn failed(code: impl Into<String>, message: impl Into<String>, fault: Option<Json>) -> Self {
        Self { state: State::Failed, code: Some(code.into()), message: Some(message.into()), fault }
    }
}

/// Begins an operation as the only one that may change its subject. Run it in the transaction of the change that it
/// follows from, inside [`crate::database::retry`].
///
/// # Errors
/// `Conflict` when another operation is active.
pub async fn insert(c: &impl ConnectionTrait, new: NewOperation) -> Result<Operation> {
    let last: Option<Option<i32>> = Entity::find()
        .select_only()
        .column_as(Column::Number.max(), "number")
        .filter(Column::ClusterUuid.eq(&new.cluster_uuid))
        .into_tuple()
        .one(c)
        .await?;
    let number = last.flatten().unwrap_or(0) + 1;
    let mut operation = Operation {
        id: 0,
        uuid: Uuid::new_v4().to_string(),
        instance: format!("{}/{}/{number}", new.cluster_uuid, new.kind),
        active: Some(new.subject),
        cluster_uuid: new.cluster_uuid,
        nodegroup_uuid: new.nodegroup_uuid,
        project_id: new.project_id,
        user_id: new.user_id,
        kind: new.kind,
        number,
        input: new.input,
        state: State::Pending,
        step: None,
        attempt: 0,
        progress: None,
        deadline: new.deadline,
        created_at: now(),
        started_at: None,
        finished_at: None,
        code: None,
        message: None,
        fault: None,
        request_id: new.request_id,
        token: new.token,
        stack_id: None,
        observed_status: None,
        observed_reason: None,
        observed_at: None,
        notifies: new.notifies,
    };
    let mut row = ActiveModel::from(operation.clone()).reset_all();
    row.id = ActiveValue::NotSet;
    let inserted = Entity::insert(row).exec(c).await.map_err(|error| taken(error, &operation.cluster_uuid))?;
    operation.id = inserted.last_insert_id;
    notification::store::record(c, &operation, Outcome::Pending).await?;
    Ok(operation)
}

/// The operation with that UUID.
///
/// # Errors
/// The database does not answer.
pub async fn find(c: &impl ConnectionTrait, uuid: &str) -> Result<Option<Operation>> {
    Ok(Entity::find().filter(Column::Uuid.eq(uuid)).one(c).await?)
}

/// Whether the operation is still one that may change its subject.
///
/// # Errors
/// The database does not answer.
pub async fn is_active(c: &impl ConnectionTrait, uuid: &str) -> Result<bool> {
    Ok(find(c, uuid).await?.is_some_and(|operation| operation.active.is_some()))
}

/// The operations that change the cluster or its nodegroups now, oldest first.
///
/// # Errors
/// The database does not answer.
pub async fn active(c: &impl ConnectionTrait, cluster_uuid: &str) -> Result<Vec<Operation>> {
    let of = Entity::find().filter(Column::ClusterUuid.eq(cluster_uuid)).filter(Column::Active.is_not_null());
    Ok(of.order_by_asc(Column::Number).all(c).await?)
}

/// The cluster's operations whose place another one took, as long as they are on record.
///
/// # Errors
/// The database does not answer.
pub async fn superseded(c: &impl ConnectionTrait, cluster_uuid: &str) -> Result<Vec<Operation>> {
    let of = Entity::find().filter(Column::ClusterUuid.eq(cluster_uuid)).filter(Column::State.eq(State::Superseded));
    Ok(of.order_by_asc(Column::Number).all(c).await?)
}

/// The cluster's operations that had not ended at that moment, oldest first: those that may have done anything since.
///
/// # Errors
/// The database does not answer.
pub async fn open_at(c: &impl ConnectionTrait, cluster_uuid: &str, at: Moment) -> Result<Vec<Operation>> {
    let open = Condition::any().add(Column::FinishedAt.is_null()).add(Column::FinishedAt.gte(at));
    let of = Entity::find().filter(Column::ClusterUuid.eq(cluster_uuid)).filter(open);
    Ok(of.order_by_asc(Column::Number).all(c).await?)
}

/// The cluster's operations, newest first, at most `limit`.
///
/// # Errors
/// The database does not answer.
pub async fn of_cluster(c: &impl ConnectionTrait, cluster_uuid: &str, limit: u64) -> Result<Vec<Operation>> {
    let of = Entity::find().filter(Column::ClusterUuid.eq(cluster_uuid));
    Ok(of.order_by_desc(Column::Number).limit(limit).all(c).await?)
}

/// Operations that have not ended, in the order of their `id`, at most `limit`, beginning after the `id` given.
///
/// # Errors
/// The database does not answer.
pub async fn unfinished(c: &impl ConnectionTrait, after: i64, limit: u64) -> Result<Vec<Operation>> {
    let open = Entity::find().filter(unended()).filter(Column::Id.gt(after));
    Ok(open.order_by_asc(Column::Id).limit(limit).all(c).await?)
}

/// Operations that have not ended though their deadline has passed at `at`, longest overdue first, at most `limit`.
///
/// # Errors
/// The database does not answer.
pub async fn overdue(c: &impl ConnectionTrait, at: Moment, limit: u64) -> Result<Vec<Operation>> {
    let late = Entity::find().filter(unended()).filter(Column::Deadline.lte(at));
    Ok(late.order_by_asc(Column::Deadline).order_by_asc(Column::Id).limit(limit).all(c).await?)
}

/// Notes that a step begins, for the `attempt`-th time; false when the operation has ended, so that the step must not.
///
/// # Errors
/// The database does not answer.
pub async fn begin_step(c: &impl ConnectionTrait, uuid: &str, step: &str, attempt: i32) -> Result<bool> {
    let started = Func::coalesce([Expr::col(Column::StartedAt), Expr::value(now())]);
    let begun = Entity::update_many()
        .col_expr(Column::State, Expr::value(State::Running.as_str()))
        .col_expr(Column::Step, Expr::value(step))
        .col_expr(Column::Attempt, Expr::value(attempt))
        .col_expr(Column::StartedAt, started.into())
        .filter(Column::Uuid.eq(uuid))
        .filter(unended())
        .exec(c)
        .await?;
    Ok(begun.rows_affected > 0)
}

/// Notes how far the operation has come; false when it has ended.
///
/// # Errors
/// The database does not answer.
pub async fn set_progress(c: &impl ConnectionTrait, uuid: &str, progress: Json) -> Result<bool> {
    let row = ActiveModel { progress: ActiveValue::Set(Some(progress)), ..Default::default() };
    set(c, uuid, row).await
}

/// Changes what is noted about how far the operation has come; false when it has ended. Only the operation's own step
/// may do so.
///
/// # Errors
/// The database does not answer.
pub async fn note(c: &impl ConnectionTrait, uuid: &str, change: impl FnOnce(&mut Json)) -> Result<bool> {
    let Some(operation) = find(c, uuid).await? else { return Ok(false) };
    let mut progress = operation.progress.unwrap_or_else(|| Json::Object(serde_json::Map::new()));
    change(&mut progress);
    set_progress(c, uuid, progress).await
}

/// Notes that Heat is about to be asked for a stack, so that a delete which follows this operation knows that one may
/// appear yet; false when the operation has ended, so that Heat must not be asked.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn note_submission(c: &impl ConnectionTrait, uuid: &str) -> Result<bool> {
    note(c, uuid, |progress| progress["submitting"] = now().timestamp().into()).await
}

/// Notes that the present step has failed for now, for the `failures`-th time, and with what words; false when the
/// operation has ended.
///
/// # Errors
/// The database does not answer.
pub async fn note_failure(c: &impl ConnectionTrait, uuid: &str, failures: i32, message: &str) -> Result<bool> {
    let row = ActiveModel {
        attempt: ActiveValue::Set(failures),
        message: ActiveValue::Set(Some(message.to_owned())),
        ..Default::default()
    };
    set(c, uuid, row).await
}

/// Gives the operation until then; false when it has ended.
///
/// # Errors
/// The database does not answer.
pub async fn set_deadline(c: &impl ConnectionTrait, uuid: &str, until: Moment) -> Result<bool> {
    let row = ActiveModel { deadline: ActiveValue::Set(Some(until)), ..Default::default() };
    set(c, uuid, row).await
}

/// Notes why the operation is about to fail, for the step that settles it.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn note_fault(c: &impl ConnectionTrait, uuid: &str, fault: &Fault) -> Result<()> {
    let fault = serde_json::to_value(fault).map_err(Error::internal)?;
    let row = ActiveModel { fault: ActiveValue::Set(Some(fault)), ..Default::default() };
    set(c, uuid, row).await.map(drop)
}

/// Forgets what the watcher saw, so that the next listing counts as news.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn forget_observation(c: &impl ConnectionTrait, uuid: &str) -> Result<()> {
    let row = ActiveModel { observed_status: ActiveValue::Set(None), ..Default::default() };
    set(c, uuid, row).await.map(drop)
}

/// Has the watcher follow that stack for the operation, from its next look on: what it saw before is forgotten.
///
/// # Errors
/// The database does not answer.
pub async fn follow(c: &impl ConnectionTrait, uuid: &str, stack_id: &str) -> Result<bool> {
    let row = ActiveModel {
        stack_id: ActiveValue::Set(Some(stack_id.to_owned())),
        observed_status: ActiveValue::Set(None),
        observed_reason: ActiveValue::Set(None),
        ..Default::default()
    };
    set(c, uuid, row).await
}

/// Has the watcher follow no stack in particular any more.
///
/// # Errors
/// The database does not answer.
pub async fn unfollow(c: &impl ConnectionTrait, uuid: &str) -> Result<bool> {
    let row = ActiveModel {
        stack_id: ActiveValue::Set(None),
        observed_status: ActiveValue::Set(None),
        observed_reason: ActiveValue::Set(None),
        ..Default::default()
    };
    set(c, uuid, row).await
}

/// An operation that waits for its stack.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Awaiting {
    /// The operation's UUID.
    pub uuid: String,
    /// Its cluster's UUID.
    pub cluster_uuid: String,
    /// That cluster's project.
    pub project_id: String,
    /// Who owns that cluster's stacks.
    pub act_as: Option<Owner>,
    /// Heat's identifier of the stack.
    pub stack_id: String,
    /// The engine's identifier of its workflow.
    pub instance: String,
    /// What the watcher saw last.
    pub observed_status: Option<String>,
}

/// The operations whose stack is under way in Heat, in one query: those that follow a stack, and those that await
/// their cluster's.
///
/// # Errors
/// The database does not answer.
pub async fn awaiting_stacks(c: &impl ConnectionTrait) -> Result<Vec<Awaiting>> {
    let own = || Expr::col((Entity, Column::StackId));
    let clusters = || Expr::col((cluster::Entity, cluster::Column::StackId));
    let awaits = Condition::all().add(Column::Step.ends_with("/await")).add(cluster::Column::StackId.is_not_null());
    let waiting = Entity::find()
        .select_only()
        .columns([Column::Uuid, Column::ClusterUuid, Column::ProjectId, Column::Instance, Column::ObservedStatus])
        .column_as(cluster::Column::ActAs, "act_as")
        .column_as(Expr::expr(Func::coalesce([own(), clusters()])), "stack_id")
        .join(JoinType::InnerJoin, to_cluster())
        .filter(unended())
        .filter(Condition::any().add(Column::StackId.is_not_null()).add(awaits));
    Ok(waiting.order_by_asc(Column::Id).into_model::<Awaiting>().all(c).await?)
}

/// Forgets the requester's token, as soon as Heat has accepted what needed it.
///
/// # Errors
/// The database does not answer.
pub async fn erase_token(c: &impl ConnectionTrait, uuid: &str) -> Result<()> {
    let row = ActiveModel { token: ActiveValue::Set(None), ..Default::default() };
    Entity::update_many().set(row).filter(Column::Uuid.eq(uuid)).exec(c).await?;
    Ok(())
}

/// Notes what the watcher saw, for many operations in few statements; ended ones are left as they are.
///
/// # Errors
/// The database does not answer.
pub async fn observe(c: &impl ConnectionTrait, observations: &[Observation], at: Moment) -> Result<()> {
    for together in observations.chunks(TOGETHER) {
        let mut status = CaseStatement::new();
        let mut reason = CaseStatement::new();
        for seen in together {
            status = status.case(Column::Uuid.eq(&seen.operation), Expr::value(seen.status.clone()));
            reason = reason.case(Column::Uuid.eq(&seen.operation), Expr::value(seen.reason.clone()));
        }
        Entity::update_many()
            .col_expr(Column::ObservedStatus, status.into())
            .col_expr(Column::ObservedReason, reason.into())
            .col_expr(Column::ObservedAt, Expr::value(at))
            .filter(Column::Uuid.is_in(together.iter().map(|seen| &seen.operation)))
            .filter(unended())
            .exec(c)
            .await?;
    }
    Ok(())
}

/// Ends the operation, lets the next one in and forgets the requester's token; false when it had ended before. Run it
/// in one transaction with the change of the cluster's status that goes with it, and with [`tell`] after that change.
///
/// # Errors
/// The database does not answer.
pub async fn finish(c: &impl ConnectionTrait, uuid: &str, end: End) -> Result<bool> {
    let row = ActiveModel {
        state: ActiveValue::Set(end.state),
        code: ActiveValue::Set(end.code),
        message: ActiveValue::Set(end.message),
        fault: ActiveValue::Set(end.fault),
        finished_at: ActiveValue::Set(Some(now())),
        active: ActiveValue::Set(None),
        token: ActiveValue::Set(None),
        ..Default::default()
    };
    set(c, uuid, row).await
}

/// Records the notification of an operation's end, with the cluster as it is in the transaction by now.
///
/// # Errors
/// The database does not answer.
pub async fn tell(c: &impl ConnectionTrait, uuid: &str) -> Result<()> {
    let Some(ended) = find(c, uuid).await?.filter(|operation| operation.state.is_final()) else { return Ok(()) };
    let outcome = if ended.state == State::Succeeded { Outcome::Success } else { Outcome::Failure };
    notification::store::record(c, &ended, outcome).await
}

/// Ends all active operations of the cluster because another one takes their place, and returns them as they were. Run
/// it in one transaction with the [`insert`] of the other one.
///
/// # Errors
/// The database does not answer.
pub async fn supersede(c: &impl ConnectionTrait, cluster_uuid: &str) -> Result<Vec<Operation>> {
    let mut superseded = Vec::new();
    for operation in active(c, cluster_uuid).await? {
        let end = End { state: State::Superseded, code: None, message: None, fault: None };
        if finish(c, &operation.uuid, end).await? {
            tell(c, &operation.uuid).await?;
            superseded.push(operation);
        }
    }
    Ok(superseded)
}

/// Forgets operations that ended before `before` and returns how many. The last one of a cluster that lives on stays:
/// from its number the next one counts, and no number may come twice.
///
/// # Errors
/// The database does not answer.
pub async fn prune(c: &impl ConnectionTrait, before: Moment) -> Result<u64> {
    let last = Entity::find()
        .select_only()
        .column(Column::ClusterUuid)
        .column_as(Column::Number.max(), "number")
        .join(JoinType::InnerJoin, to_cluster())
        .group_by(Column::ClusterUuid)
        .into_query();
    // By way of a table of its own: not every database lets a statement delete from the table that it selects from.
    let last = Query::select().columns([Column::ClusterUuid, Column::Number]).from_subquery(last, "last").take();
    let own = Expr::tuple([Expr::col((Entity, Column::ClusterUuid)), Expr::col((Entity, Column::Number))]);
    let over = Entity::delete_many().filter(Column::FinishedAt.lt(before)).filter(own.not_in_subquery(last));
    Ok(over.exec(c).await?.rows_affected)
}

/// From an operation to its cluster, which may be gone.
fn to_cluster() -> RelationDef {
    Entity::belongs_to(cluster::Entity).from(Column::ClusterUuid).to(cluster::Column::Uuid).into()
}

async fn set(c: &impl ConnectionTrait, uuid: &str, row: ActiveModel) -> Result<bool> {
    let changed = Entity::update_many().set(row).filter(Column::Uuid.eq(uuid)).filter(unended()).exec(c).await?;
    Ok(changed.rows_affected > 0)
}

fn unended() -> Condition {
    Condition::all().add(Column::State.is_in([State::Pending, State::Running]))
}

fn taken(error: DbErr, cluster_uuid: &str) -> Error {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(text)) if text.contains("active") => Error::conflict(format!(
            "Cluster {cluster_uuid} is being changed by another operation. Wait until that one has ended."
        ))
        .because(error),
        _ => error.into(),
    }
}

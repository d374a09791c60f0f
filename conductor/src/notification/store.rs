//! Queries on events that wait to be sent.

use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use serde_json::json;
use uuid::Uuid;

use super::row::{ActiveModel, Column, Entity};
use super::{Notification, Outcome, event};
use crate::column::{Moment, now};
use crate::operation::Operation;
use crate::scope::Scope;
use crate::{Kind, Result, cluster};

/// Records what has become of an operation, where it notifies. Run it in the transaction of that change.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn record(c: &impl ConnectionTrait, operation: &Operation, outcome: Outcome) -> Result<()> {
    if !operation.notifies {
        return Ok(());
    }
    let view = match cluster::store::view(c, &Scope::All, &operation.cluster_uuid).await {
        Ok(view) => view,
        // Nothing is left to tell of.
        Err(error) if error.kind == Kind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let notification = Notification {
        id: 0,
        message_id: Uuid::new_v4().to_string(),
        event_type: format!("magnum.cluster.{}", event::action(&operation.kind)),
        priority: outcome.priority().to_owned(),
        payload: event::payload(operation, &view, outcome),
        context: json!({
            "_context_user_id": operation.user_id,
            "_context_project_id": operation.project_id,
            "_context_request_id": operation.request_id,
        }),
        created_at: now(),
    };
    insert(c, notification).await
}

/// Keeps an event until it is sent; its `id` is set here.
///
/// # Errors
/// The database does not answer.
pub async fn insert(c: &impl ConnectionTrait, event: Notification) -> Result<()> {
    let mut row = ActiveModel::from(event).reset_all();
    row.id = ActiveValue::NotSet;
    Entity::insert(row).exec_without_returning(c).await?;
    Ok(())
}

/// The events that wait longest, in order, at most `limit`.
///
/// # Errors
/// The database does not answer.
pub async fn waiting(c: &impl ConnectionTrait, limit: u64) -> Result<Vec<Notification>> {
    Ok(Entity::find().order_by_asc(Column::Id).limit(limit).all(c).await?)
}

/// Forgets events that were sent.
///
/// # Errors
/// The database does not answer.
pub async fn delete(c: &impl ConnectionTrait, ids: &[i64]) -> Result<()> {
    if !ids.is_empty() {
        Entity::delete_many().filter(Column::Id.is_in(ids.iter().copied())).exec(c).await?;
    }
    Ok(())
}

/// Forgets events recorded before `before`, and the oldest of those above `most`; returns how many.
///
/// # Errors
/// The database does not answer.
pub async fn prune(c: &impl ConnectionTrait, before: Moment, most: u64) -> Result<u64> {
    let old = Entity::delete_many().filter(Column::CreatedAt.lt(before)).exec(c).await?.rows_affected;
    let newest_too_many: Option<i64> = Entity::find()
        .select_only()
        .column(Column::Id)
        .order_by_desc(Column::Id)
        .offset(most)
        .limit(1)
        .into_tuple()
        .one(c)
        .await?;
    let many = match newest_too_many {
        Some(id) => Entity::delete_many().filter(Column::Id.lte(id)).exec(c).await?.rows_affected,
        None => 0,
    };
    Ok(old + many)
}

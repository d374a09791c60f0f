//! Queries on quotas, and the reservations that keep them.

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, SqlErr,
};

use super::row::{ActiveModel, Column, Entity};
use super::{CLUSTER, Quota, usage};
use crate::column::now;
use crate::page::Page;
use crate::scope::Scope;
use crate::{Error, Result};

/// How often a reservation is tried while others change the same row between its statements.
const RACES: usize = 20;

/// The project's own quota, when it has one.
///
/// # Errors
/// The database does not answer.
pub async fn find(c: &impl ConnectionTrait, project_id: &str, resource: &str) -> Result<Option<Quota>> {
    Ok(Entity::find().filter(of(project_id, resource)).one(c).await?)
}

/// One page of the quotas; the marker is an `id`.
///
/// # Errors
/// `Invalid` for an unknown sort key or a marker that is no number, `NotFound` for an unknown marker.
pub async fn list(c: &impl ConnectionTrait, scope: &Scope, page: &Page) -> Result<Vec<Quota>> {
    let key = page.column::<Column>(&[])?;
    let scoped = Entity::find().filter(scope.on(Column::ProjectId));
    let marker = match &page.marker {
        None => None,
        Some(text) => {
            let id: i64 = text.parse().map_err(|_| {
                Error::invalid(format!("marker is {text:?}; allowed: the id of a quota, a whole number"))
            })?;
            let known = scoped.clone().filter(Column::Id.eq(id)).one(c).await?;
            Some(known.ok_or_else(|| Error::not_found(format!("Quota {id} could not be found.")))?.id)
        }
    };
    Ok(page.of(scoped, key, Column::Id, marker).all(c).await?)
}

/// Gives the project a quota of its own.
///
/// # Errors
/// `Conflict` when it has one.
pub async fn insert(c: &impl ConnectionTrait, project_id: &str, resource: &str, hard_limit: i32) -> Result<Quota> {
    let mut quota = Quota {
        id: 0,
        project_id: project_id.to_owned(),
        resource: resource.to_owned(),
        hard_limit,
        created_at: now(),
        updated_at: None,
    };
    let mut row = ActiveModel::from(quota.clone()).reset_all();
    row.id = ActiveValue::NotSet;
    let inserted = Entity::insert(row).exec(c).await.map_err(|error| match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => {
            Error::conflict(format!("Quota for project {project_id} already exists for resource {resource}."))
        }
        _ => error.into(),
    })?;
    quota.id = inserted.last_insert_id;
    Ok(quota)
}

/// Changes the limit of the project's own quota.
///
/// # Errors
/// `NotFound` when it has none.
pub async fn update(c: &impl ConnectionTrait, project_id: &str, resource: &str, hard_limit: i32) -> Result<Quota> {
    let row = ActiveModel {
        hard_limit: ActiveValue::Set(hard_limit),
        updated_at: ActiveValue::Set(Some(now())),
        ..Default::default()
    };
    Entity::update_many().set(row).filter(of(project_id, resource)).exec(c).await?;
    find(c, project_id, resource).await?.ok_or_else(|| absent(project_id, resource))
}

/// Removes the project's own quota.
///
/// # Errors
/// `NotFound` when it has none.
pub async fn delete(c: &impl ConnectionTrait, project_id: &str, resource: &str) -> Result<()> {
    match Entity::delete_many().filter(of(project_id, resource)).exec(c).await?.rows_affected {
        0 => Err(absent(project_id, resource)),
        _ => Ok(()),
    }
}

/// How many clusters the project has reserved.
///
/// # Errors
/// The database does not answer.
pub async fn usage(c: &impl ConnectionTrait, project_id: &str) -> Result<i32> {
    Ok(usage::Entity::find_by_id(project_id).one(c).await?.map_or(0, |usage| usage.clusters))
}

/// Reserves one cluster for the project, in the transaction that makes it. `default` is the limit of a project
/// without a quota of its own. The usage's row stays locked until the transaction ends.
///
/// # Errors
/// `Forbidden` when the project has as many as it may.
pub(crate) async fn reserve(c: &impl ConnectionTrait, project_id: &str, default: i32) -> Result<()> {
    let limit = find(c, project_id, CLUSTER).await?.map_or(default, |quota| quota.hard_limit);
    // A refused take alone says too little: the row may be absent, or have come between the take and the look.
    for _ in 0..RACES {
        if take(c, project_id, limit).await? {
            return Ok(());
        }
        match usage::Entity::find_by_id(project_id).one(c).await? {
            Some(usage) if usage.clusters >= limit => return Err(exceeded(limit)),
            Some(_) => {}
            None if limit <= 0 => return Err(exceeded(limit)),
            None => begin_usage(c, project_id).await?,
        }
    }
    Err(Error::unavailable("The database").because(format!("the usage of project {project_id} changes too often")))
}

/// Makes the project's row, unless another request was faster.
async fn begin_usage(c: &impl ConnectionTrait, project_id: &str) -> Result<()> {
    let none =
        usage::ActiveModel { project_id: ActiveValue::Set(project_id.to_owned()), clusters: ActiveValue::Set(0) };
    let mut known = OnConflict::column(usage::Column::ProjectId);
    known.do_nothing_on([usage::Column::ProjectId]);
    usage::Entity::insert(none).on_conflict(known).try_insert().exec_without_returning(c).await?;
    Ok(())
}

fn exceeded(limit: i32) -> Error {
    Error::forbidden(format!(
        "Resource limit exceeded: You have reached the maximum clusters per project, {limit}. You may delete a cluster \
         to make room for a new one."
    ))
}

/// Gives back the reservation of a cluster that is gone, in the transaction that removes it.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn release(c: &impl ConnectionTrait, project_id: &str) -> Result<()> {
    let held = Condition::all().add(usage::Column::ProjectId.eq(project_id)).add(usage::Column::Clusters.gt(0));
    usage::Entity::update_many()
        .col_expr(usage::Column::Clusters, Expr::col(usage::Column::Clusters).sub(1))
        .filter(held)
        .exec(c)
        .await?;
    Ok(())
}

/// Counts one cluster more, unless that exceeds the limit or the project has no row yet.
async fn take(c: &impl ConnectionTrait, project_id: &str, limit: i32) -> Result<bool> {
    let room = Condition::all().add(usage::Column::ProjectId.eq(project_id)).add(usage::Column::Clusters.lt(limit));
    let taken = usage::Entity::update_many()
        .col_expr(usage::Column::Clusters, Expr::col(usage::Column::Clusters).add(1))
        .filter(room)
        .exec(c)
        .await?;
    Ok(taken.rows_affected > 0)
}

fn of(project_id: &str, resource: &str) -> Condition {
    Condition::all().add(Column::ProjectId.eq(project_id)).add(Column::Resource.eq(resource))
}

/// What it means that the project has no quota of its own for the resource.
#[must_use]
pub fn absent(project_id: &str, resource: &str) -> Error {
    Error::not_found(format!("Quota could not be found: project {project_id} has none for resource {resource}."))
}

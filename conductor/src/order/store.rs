//! Queries on orders and the answers of nodes.

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    SqlErr,
};
use uuid::Uuid;

use super::answer::row as answer;
use super::row::{ActiveModel, Column, Entity};
use super::{Answer, Kind, Order};
use crate::column::{Moment, now};
use crate::node::row as node;
use crate::{Error, Result};

/// The cluster's order in force; most clusters have none, which one look at the primary key tells.
///
/// # Errors
/// The database does not answer.
pub async fn of(c: &impl ConnectionTrait, cluster_uuid: &str) -> Result<Option<Order>> {
    Ok(Entity::find_by_id(cluster_uuid).one(c).await?)
}

/// Gives the order in place of the one in force, unless it is the one in force already: a repeated step gives it once.
///
/// # Errors
/// `NotFound` when the cluster is gone.
pub async fn give(
    c: &impl ConnectionTrait,
    cluster_uuid: &str,
    operation_uuid: &str,
    kind: Kind,
    generation: i32,
) -> Result<Order> {
    let present = of(c, cluster_uuid).await?;
    if let Some(order) = present.filter(|order| order.operation_uuid == operation_uuid && order.kind == kind) {
        return Ok(order);
    }
    let order = Order {
        cluster_uuid: cluster_uuid.to_owned(),
        uuid: Uuid::new_v4().to_string(),
        operation_uuid: operation_uuid.to_owned(),
        kind,
        generation,
        given_at: now(),
    };
    let mut known = OnConflict::column(Column::ClusterUuid);
    known.update_columns([Column::Uuid, Column::OperationUuid, Column::Kind, Column::Generation, Column::GivenAt]);
    let row = ActiveModel::from(order.clone()).reset_all();
    let given = Entity::insert(row).on_conflict(known).exec_without_returning(c).await;
    given.map_err(|error| match error.sql_err() {
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => {
            Error::not_found(format!("Cluster {cluster_uuid} could not be found."))
        }
        _ => error.into(),
    })?;
    Ok(order)
}

/// Withdraws the order; one that is no longer in force is left alone.
///
/// # Errors
/// The database does not answer.
pub async fn withdraw(c: &impl ConnectionTrait, order: &Order) -> Result<()> {
    Entity::delete_many().filter(Column::Uuid.eq(&order.uuid)).exec(c).await?;
    answer::Entity::delete_many().filter(answer::Column::OrderUuid.eq(&order.uuid)).exec(c).await?;
    Ok(())
}

/// Keeps what a node answers in place of its last answer, and notes that it was heard, which wakes who waits for it.
///
/// # Errors
/// The database does not answer.
pub async fn answer(c: &impl ConnectionTrait, given: Answer) -> Result<()> {
    let heard = node::ActiveModel { updated_at: ActiveValue::Set(given.answered_at), ..Default::default() };
    let which =
        Condition::all().add(node::Column::ClusterUuid.eq(&given.cluster_uuid)).add(node::Column::Name.eq(&given.name));
    let mut known = OnConflict::columns([answer::Column::ClusterUuid, answer::Column::Name]);
    known.update_columns([
        answer::Column::OrderUuid,
        answer::Column::State,
        answer::Column::Message,
        answer::Column::Log,
        answer::Column::AnsweredAt,
    ]);
    let mut row = answer::ActiveModel::from(given).reset_all();
    row.id = ActiveValue::NotSet;
    answer::Entity::insert(row).on_conflict(known).exec_without_returning(c).await?;
    node::Entity::update_many().set(heard).filter(which).exec(c).await?;
    Ok(())
}

/// A node's answer to that order.
///
/// # Errors
/// The database does not answer.
pub async fn answer_of(c: &impl ConnectionTrait, order: &Order, node: &str) -> Result<Option<Answer>> {
    let which = Condition::all()
        .add(answer::Column::ClusterUuid.eq(&order.cluster_uuid))
        .add(answer::Column::Name.eq(node))
        .add(answer::Column::OrderUuid.eq(&order.uuid));
    Ok(answer::Entity::find().filter(which).one(c).await?)
}

/// All answers of the cluster's nodes since then, to whatever order.
///
/// # Errors
/// The database does not answer.
pub async fn answers_since(c: &impl ConnectionTrait, cluster_uuid: &str, since: Moment) -> Result<Vec<Answer>> {
    let which =
        Condition::all().add(answer::Column::ClusterUuid.eq(cluster_uuid)).add(answer::Column::AnsweredAt.gte(since));
    Ok(answer::Entity::find().filter(which).order_by_asc(answer::Column::Name).all(c).await?)
}

/// All answers to that order, by the nodes' names.
///
/// # Errors
/// The database does not answer.
pub async fn answers(c: &impl ConnectionTrait, order: &Order) -> Result<Vec<Answer>> {
    let which = Condition::all()
        .add(answer::Column::ClusterUuid.eq(&order.cluster_uuid))
        .add(answer::Column::OrderUuid.eq(&order.uuid));
    Ok(answer::Entity::find().filter(which).order_by_asc(answer::Column::Name).all(c).await?)
}

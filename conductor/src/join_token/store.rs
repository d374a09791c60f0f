//! Queries on join tokens.

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, SqlErr,
};

use super::JoinTokens;
use super::row::{ActiveModel, Column, Entity};
use crate::column::Moment;
use crate::{Error, Result};

/// The cluster's join tokens, if managers have handed in any.
///
/// # Errors
/// The database does not answer.
pub async fn of(c: &impl ConnectionTrait, cluster_uuid: &str) -> Result<Option<JoinTokens>> {
    Ok(Entity::find_by_id(cluster_uuid).one(c).await?)
}

/// Keeps the tokens in place of those that are there.
///
/// # Errors
/// `NotFound` when the cluster is gone.
pub async fn keep(c: &impl ConnectionTrait, tokens: JoinTokens) -> Result<()> {
    let cluster_uuid = tokens.cluster_uuid.clone();
    let mut known = OnConflict::column(Column::ClusterUuid);
    known.update_columns([Column::Uuid, Column::Sealed, Column::UsedAt, Column::HandedInAt]);
    let row = ActiveModel::from(tokens).reset_all();
    let kept = Entity::insert(row).on_conflict(known).exec_without_returning(c).await;
    kept.map(|_| ()).map_err(|error| match error.sql_err() {
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => {
            Error::not_found(format!("Cluster {cluster_uuid} could not be found."))
        }
        _ => error.into(),
    })
}

/// Notes that the tokens were used at that moment, or before it; an earlier moment stays, and others' tokens are left
/// alone.
///
/// # Errors
/// The database does not answer.
pub async fn use_at(c: &impl ConnectionTrait, tokens: &JoinTokens, at: Moment) -> Result<()> {
    let later = Condition::any().add(Column::UsedAt.is_null()).add(Column::UsedAt.gt(at));
    let which = Condition::all()
        .add(Column::ClusterUuid.eq(&tokens.cluster_uuid))
        .add(Column::Uuid.eq(&tokens.uuid))
        .add(later);
    let used = ActiveModel { used_at: ActiveValue::Set(Some(at)), ..Default::default() };
    Entity::update_many().set(used).filter(which).exec(c).await?;
    Ok(())
}

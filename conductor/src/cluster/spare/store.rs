//! Queries on spare credentials.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, SqlErr};

use super::Spare;
use super::row::{ActiveModel, Column, Entity};
use crate::{Error, Result};

/// The cluster's spare credential.
///
/// # Errors
/// The database does not answer.
pub async fn of(c: &impl ConnectionTrait, cluster_uuid: &str) -> Result<Option<Spare>> {
    Ok(Entity::find_by_id(cluster_uuid).one(c).await?)
}

/// Keeps the spare credential in place of what was kept.
///
/// # Errors
/// `NotFound` when the cluster is gone.
pub async fn keep(c: &impl ConnectionTrait, spare: Spare) -> Result<()> {
    let cluster_uuid = spare.cluster_uuid.clone();
    let mut known = OnConflict::column(Column::ClusterUuid);
    known.update_columns([
        Column::OperationUuid,
        Column::Name,
        Column::Secret,
        Column::SubjectId,
        Column::TrustId,
        Column::CreatedAt,
    ]);
    let row = ActiveModel::from(spare).reset_all();
    let kept = Entity::insert(row).on_conflict(known).exec_without_returning(c).await;
    kept.map(drop).map_err(|error| match error.sql_err() {
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => {
            Error::not_found(format!("Cluster {cluster_uuid} could not be found."))
        }
        _ => error.into(),
    })
}

/// Forgets the spare credential; none is fine.
///
/// # Errors
/// The database does not answer.
pub async fn forget(c: &impl ConnectionTrait, cluster_uuid: &str) -> Result<()> {
    Entity::delete_by_id(cluster_uuid).exec(c).await?;
    Ok(())
}

//! Queries on key pairs.

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, SqlErr,
};

use super::row::{ActiveModel, Column, Entity};
use super::{Keypair, Kind};
use crate::{Error, Result};

/// Keeps the key pair unless its cluster has one of that kind and generation; returns the one that is kept, so that
/// a repeated step goes on with the key of its first run. `id` is set here.
///
/// # Errors
/// `NotFound` when the cluster is gone.
pub async fn insert_if_absent(c: &impl ConnectionTrait, keypair: Keypair) -> Result<Keypair> {
    let mut row = ActiveModel::from(keypair.clone()).reset_all();
    row.id = ActiveValue::NotSet;
    let mut known = OnConflict::columns([Column::ClusterUuid, Column::Kind, Column::Generation]);
    known.do_nothing_on([Column::Id]);
    let inserted = Entity::insert(row).on_conflict(known).try_insert().exec_without_returning(c).await;
    inserted.map_err(|error| match error.sql_err() {
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => {
            Error::not_found(format!("Cluster {} could not be found.", keypair.cluster_uuid))
        }
        _ => error.into(),
    })?;
    let kept = find(c, &keypair.cluster_uuid, keypair.kind, keypair.generation).await?;
    kept.ok_or_else(|| Error::not_found(format!("Cluster {} could not be found.", keypair.cluster_uuid)))
}

/// The key pair of that kind and generation.
///
/// # Errors
/// The database does not answer.
pub async fn find(
    c: &impl ConnectionTrait,
    cluster_uuid: &str,
    kind: Kind,
    generation: i32,
) -> Result<Option<Keypair>> {
    let which = of(cluster_uuid, kind).add(Column::Generation.eq(generation));
    Ok(Entity::find().filter(which).one(c).await?)
}

/// The key pair of that kind that is in force: the newest that is not still being introduced.
///
/// # Errors
/// The database does not answer.
pub async fn latest(c: &impl ConnectionTrait, cluster_uuid: &str, kind: Kind) -> Result<Option<Keypair>> {
    Ok(Entity::find()
        .filter(of(cluster_uuid, kind).add(Column::Generation.gt(0)))
        .order_by_desc(Column::Generation)
        .one(c)
        .await?)
}

/// The certificates (PEM) of that kind that are not forgotten: also of generations that are not, or no more, in force.
///
/// # Errors
/// The database does not answer.
pub async fn recognised(c: &impl ConnectionTrait, cluster_uuid: &str, kind: Kind) -> Result<Vec<String>> {
    let certificates = Entity::find().select_only().column(Column::Certificate).filter(of(cluster_uuid, kind));
    Ok(certificates.into_tuple().all(c).await?)
}

/// All key pairs of the cluster, oldest first.
///
/// # Errors
/// The database does not answer.
pub async fn of_cluster(c: &impl ConnectionTrait, cluster_uuid: &str) -> Result<Vec<Keypair>> {
    Ok(Entity::find().filter(Column::ClusterUuid.eq(cluster_uuid)).order_by_asc(Column::Id).all(c).await?)
}

/// The key pairs of these kinds that are in force, of all these clusters, in one query.
///
/// # Errors
/// The database does not answer.
pub async fn in_force(c: &impl ConnectionTrait, cluster_uuids: &[String], kinds: &[Kind]) -> Result<Vec<Keypair>> {
    let which = Condition::all()
        .add(Column::ClusterUuid.is_in(cluster_uuids))
        .add(Column::Kind.is_in(kinds.iter().copied()))
        .add(Column::Generation.gt(0));
    let mut found = Entity::find().filter(which).order_by_desc(Column::Generation).all(c).await?;
    let mut seen = std::collections::HashSet::new();
    found.retain(|pair| seen.insert((pair.cluster_uuid.clone(), pair.kind)));
    Ok(found)
}

/// The generation that the cluster's next authorities will be.
///
/// # Errors
/// The database does not answer.
pub async fn next_generation(c: &impl ConnectionTrait, cluster_uuid: &str) -> Result<i32> {
    let pairs = of_cluster(c, cluster_uuid).await?;
    Ok(pairs.iter().map(|pair| pair.generation.abs()).max().unwrap_or(0) + 1)
}

/// Puts the key pairs of a generation that was being introduced in force; run it in the transaction of what goes with it.
///
/// # Errors
/// The database does not answer.
pub async fn put_in_force(c: &impl ConnectionTrait, cluster_uuid: &str, generation: i32) -> Result<()> {
    let row = ActiveModel { generation: ActiveValue::Set(generation), ..Default::default() };
    let which = Condition::all().add(Column::ClusterUuid.eq(cluster_uuid)).add(Column::Generation.eq(-generation));
    Entity::update_many().set(row).filter(which).exec(c).await?;
    Ok(())
}

/// Forgets the private half of a key pair; its certificate stays.
///
/// # Errors
/// The database does not answer.
pub async fn drop_private_key(c: &impl ConnectionTrait, uuid: &str) -> Result<()> {
    let row = ActiveModel {
        private_key: ActiveValue::Set(None),
        private_key_ref: ActiveValue::Set(None),
        ..Default::default()
    };
    Entity::update_many().set(row).filter(Column::Uuid.eq(uuid)).exec(c).await?;
    Ok(())
}

/// Removes one key pair; absent is fine.
///
/// # Errors
/// The database does not answer.
pub async fn delete(c: &impl ConnectionTrait, uuid: &str) -> Result<()> {
    Entity::delete_many().filter(Column::Uuid.eq(uuid)).exec(c).await?;
    Ok(())
}

/// Removes all key pairs of the cluster.
///
/// # Errors
/// The database does not answer.
pub async fn delete_all(c: &impl ConnectionTrait, cluster_uuid: &str) -> Result<()> {
    Entity::delete_many().filter(Column::ClusterUuid.eq(cluster_uuid)).exec(c).await?;
    Ok(())
}

fn of(cluster_uuid: &str, kind: Kind) -> Condition {
    Condition::all().add(Column::ClusterUuid.eq(cluster_uuid)).add(Column::Kind.eq(kind))
}

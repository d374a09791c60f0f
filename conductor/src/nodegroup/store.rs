//! Queries on nodegroups.

use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, SqlErr,
};

use super::row::{ActiveModel, Column, Entity};
use super::{Nodegroup, Taints};
use crate::cluster::Status;
use crate::column::{StringList, StringMap, given, now};
use crate::ident::Ident;
use crate::page::Page;
use crate::{Error, Result};

/// What of a nodegroup changes; nothing leaves a column as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Number of nodes it should have.
    pub node_count: Option<i32>,
    /// Fewest nodes it may have.
    pub min_node_count: Option<i32>,
    /// Most nodes it may have.
    pub max_node_count: Option<Option<i32>>,
    /// Flavor of its servers.
    pub flavor_id: Option<Option<String>>,
    /// Image of its servers.
    pub image_id: Option<Option<String>>,
    /// Labels.
    pub labels: Option<StringMap>,
    /// Heat's identifier of the stack that holds it.
    pub stack_id: Option<Option<String>>,
    /// Which of its nodes' bootstrap tokens is the present one.
    pub token_generation: Option<i32>,
    /// Where its life stands.
    pub status: Option<Status>,
    /// Why, for people.
    pub status_reason: Option<Option<String>>,
    /// Version of the COE on its nodes.
    pub version: Option<Option<String>>,
    /// Addresses of its nodes.
    pub node_addresses: Option<StringList>,
    /// Kubernetes labels of its nodes.
    pub node_labels: Option<Option<StringMap>>,
    /// Kubernetes taints of its nodes.
    pub node_taints: Option<Option<Taints>>,
    /// What was looked up for its own stack.
    pub spec: Option<serde_json::Value>,
}

/// The cluster's nodegroup with that UUID or name.
///
/// # Errors
/// `NotFound`.
pub async fn find(c: &impl ConnectionTrait, cluster_uuid: &str, ident: &str) -> Result<Nodegroup> {
    let named = match Ident::from(ident) {
        Ident::Uuid(uuid) => Column::Uuid.eq(uuid),
        Ident::Name(name) if name.contains('\0') => return Err(absent(ident)),
        Ident::Name(name) => Column::Name.eq(name),
    };
    let found = Entity::find().filter(Column::ClusterUuid.eq(cluster_uuid)).filter(named).one(c).await?;
    found.ok_or_else(|| absent(ident))
}

/// One page of the cluster's nodegroups, of all roles or one.
///
/// # Errors
/// `Invalid` for an unknown sort key, `NotFound` for an unknown marker.
pub async fn list(
    c: &impl ConnectionTrait,
    cluster_uuid: &str,
    role: Option<&str>,
    page: &Page,
) -> Result<Vec<Nodegroup>> {
    let key = page.column::<Column>(&[])?;
    let of = Condition::all().add(Column::ClusterUuid.eq(cluster_uuid));
    let marker = match &page.marker {
        None => None,
        Some(uuid) => {
            let id = Entity::find().select_only().column(Column::Id).filter(of.clone()).filter(Column::Uuid.eq(uuid));
            Some(id.into_tuple::<i64>().one(c).await?.ok_or_else(|| absent(uuid))?)
        }
    };
    let of = of.add_option(role.map(|role| Column::Role.eq(role)));
    Ok(page.of(Entity::find().filter(of), key, Column::Id, marker).all(c).await?)
}

/// All nodegroups of these clusters, each cluster's in the order in which they were made.
///
/// # Errors
/// The database does not answer.
pub async fn of_clusters(c: &impl ConnectionTrait, cluster_uuids: &[String]) -> Result<Vec<Nodegroup>> {
    let of = Entity::find().filter(Column::ClusterUuid.is_in(cluster_uuids));
    Ok(of.order_by_asc(Column::Id).all(c).await?)
}

/// Keeps a new nodegroup; its `id` and `updated_at` are set here. `cluster_name` is for the error's text.
///
/// # Errors
/// `Conflict` when the cluster has one with that name, `NotFound` when the cluster is gone.
pub async fn insert(c: &impl ConnectionTrait, mut nodegroup: Nodegroup, cluster_name: &str) -> Result<Nodegroup> {
    (nodegroup.id, nodegroup.updated_at) = (0, None);
    let mut row = ActiveModel::from(nodegroup.clone()).reset_all();
    row.id = ActiveValue::NotSet;
    let inserted = Entity::insert(row).exec(c).await.map_err(|error| match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => Error::conflict(format!(
            "A node group with name {} already exists in the cluster {cluster_name}.",
            nodegroup.name
        )),
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => {
            Error::not_found(format!("Cluster {} could not be found.", nodegroup.cluster_uuid))
        }
        _ => error.into(),
    })?;
    nodegroup.id = inserted.last_insert_id;
    Ok(nodegroup)
}

/// Changes the nodegroup and sets `updated_at`; false when it is gone.
///
/// # Errors
/// The database does not answer.
pub async fn change(c: &impl ConnectionTrait, uuid: &str, changes: Changes) -> Result<bool> {
    Ok(set(c, Condition::all().add(Column::Uuid.eq(uuid)), changes).await? > 0)
}

/// Changes all nodegroups of the cluster that came with it, as those in the cluster's own stack.
///
/// # Errors
/// The database does not answer.
pub async fn change_defaults(c: &impl ConnectionTrait, cluster_uuid: &str, changes: Changes) -> Result<u64> {
    let which = Condition::all().add(Column::ClusterUuid.eq(cluster_uuid)).add(Column::IsDefault.eq(true));
    set(c, which, changes).await
}

/// Changes all nodegroups of the cluster.
///
/// # Errors
/// The database does not answer.
pub async fn change_all(c: &impl ConnectionTrait, cluster_uuid: &str, changes: Changes) -> Result<u64> {
    set(c, Condition::all().add(Column::ClusterUuid.eq(cluster_uuid)), changes).await
}

/// Removes the nodegroup; false when it is gone already.
///
/// # Errors
/// The database does not answer.
pub async fn delete(c: &impl ConnectionTrait, uuid: &str) -> Result<bool> {
    Ok(Entity::delete_many().filter(Column::Uuid.eq(uuid)).exec(c).await?.rows_affected > 0)
}

async fn set(c: &impl ConnectionTrait, which: Condition, changes: Changes) -> Result<u64> {
    let row = ActiveModel {
        node_count: given(changes.node_count),
        min_node_count: given(changes.min_node_count),
        max_node_count: given(changes.max_node_count),
        flavor_id: given(changes.flavor_id),
        image_id: given(changes.image_id),
        labels: given(changes.labels),
        stack_id: given(changes.stack_id),
        token_generation: given(changes.token_generation),
        status: given(changes.status),
        status_reason: given(changes.status_reason),
        version: given(changes.version),
        node_addresses: given(changes.node_addresses),
        node_labels: given(changes.node_labels),
        node_taints: given(changes.node_taints),
        spec: given(changes.spec.map(Some)),
        updated_at: ActiveValue::Set(Some(now())),
        ..Default::default()
    };
    Ok(Entity::update_many().set(row).filter(which).exec(c).await?.rows_affected)
}

fn absent(ident: &str) -> Error {
    Error::not_found(format!("Nodegroup {ident} could not be found."))
}

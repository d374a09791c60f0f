//! Queries on nodes and their bootstrap tokens.

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, FromQueryResult,
    JoinType, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, RelationDef, SqlErr,
};

use super::row::{ActiveModel, Column, Entity};
use super::{BootstrapToken, Node, Phase, token};
use crate::cluster::row as cluster;
use crate::column::{Moment, StringList, StringMap};
use crate::nodegroup::row as nodegroup;
use crate::operation::row as operation;
use crate::{Error, Result};

/// What a node says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its cluster's UUID.
    pub cluster_uuid: String,
    /// Its nodegroup's UUID.
    pub nodegroup_uuid: String,
    /// Its name.
    pub name: String,
    /// Its nodegroup's role.
    pub role: String,
    /// How far it has come.
    pub phase: Phase,
    /// The step it works on, or failed in.
    pub step: Option<String>,
    /// What it says about that.
    pub message: Option<String>,
    /// The last lines of that step's log.
    pub log: Vec<String>,
    /// Versions of its software; nothing leaves the known ones.
    pub versions: Option<StringMap>,
    /// Its addresses; nothing leaves the known ones.
    pub addresses: Option<StringList>,
}

/// How many nodes of a nodegroup have come to a phase.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Count {
    /// The cluster's UUID.
    pub cluster_uuid: String,
    /// The nodegroup's UUID.
    pub nodegroup_uuid: String,
    /// The phase.
    pub phase: Phase,
    /// Nodes in it.
    pub nodes: i64,
}

/// Keeps what a node reports: its first report makes its row, later ones replace the last.
///
/// # Errors
/// `NotFound` when the cluster is gone.
pub async fn report(c: &impl ConnectionTrait, report: Report, at: Moment) -> Result<()> {
    let mut replaced =
        vec![Column::NodegroupUuid, Column::Role, Column::Phase, Column::Step, Column::Message, Column::Log];
    replaced.push(Column::UpdatedAt);
    replaced.extend(report.versions.as_ref().map(|_| Column::Versions));
    replaced.extend(report.addresses.as_ref().map(|_| Column::Addresses));
    let cluster_uuid = report.cluster_uuid.clone();
    let row = ActiveModel {
        id: ActiveValue::NotSet,
        cluster_uuid: ActiveValue::Set(report.cluster_uuid),
        nodegroup_uuid: ActiveValue::Set(report.nodegroup_uuid),
        name: ActiveValue::Set(report.name),
        role: ActiveValue::Set(report.role),
        phase: ActiveValue::Set(report.phase),
        step: ActiveValue::Set(report.step),
        message: ActiveValue::Set(report.message),
        log: ActiveValue::Set(report.log.into()),
        versions: ActiveValue::Set(report.versions.unwrap_or_default()),
        addresses: ActiveValue::Set(report.addresses.unwrap_or_default()),
        first_seen: ActiveValue::Set(at),
        updated_at: ActiveValue::Set(at),
    };
    let mut known = OnConflict::columns([Column::ClusterUuid, Column::Name]);
    known.update_columns(replaced);
    let kept = Entity::insert(row).on_conflict(known).exec_without_returning(c).await;
    kept.map(|_| ()).map_err(|error| gone(error, &cluster_uuid))
}

/// What the nodes of these clusters last reported, by cluster and name.
///
/// # Errors
/// The database does not answer.
pub async fn of_clusters(c: &impl ConnectionTrait, cluster_uuids: &[String]) -> Result<Vec<Node>> {
    let of = Entity::find().filter(Column::ClusterUuid.is_in(cluster_uuids));
    Ok(of.order_by_asc(Column::ClusterUuid).order_by_asc(Column::Name).all(c).await?)
}

/// How many nodes of the nodegroup have reported, besides the one of that name.
///
/// # Errors
/// The database does not answer.
pub async fn others(c: &impl ConnectionTrait, nodegroup_uuid: &str, name: &str) -> Result<u64> {
    let others = Entity::find().filter(Column::NodegroupUuid.eq(nodegroup_uuid)).filter(Column::Name.ne(name));
    Ok(others.count(c).await?)
}

/// How many nodes of these clusters have come to which phase, in one query.
///
/// # Errors
/// The database does not answer.
pub async fn counts(c: &impl ConnectionTrait, cluster_uuids: &[String]) -> Result<Vec<Count>> {
    let counted = Entity::find()
        .select_only()
        .columns([Column::ClusterUuid, Column::NodegroupUuid, Column::Phase])
        .column_as(Column::Id.count(), "nodes")
        .filter(Column::ClusterUuid.is_in(cluster_uuids))
        .group_by(Column::ClusterUuid)
        .group_by(Column::NodegroupUuid)
        .group_by(Column::Phase)
        .into_model::<Count>()
        .all(c)
        .await?;
    Ok(counted)
}

/// The workflows of the operations under way whose cluster's nodes have reported after `since`, each with the moment of
/// the latest report; in one query.
///
/// # Errors
/// The database does not answer.
pub async fn heard_since(c: &impl ConnectionTrait, since: Moment) -> Result<Vec<(String, Moment)>> {
    let operation: RelationDef =
        Entity::belongs_to(operation::Entity).from(Column::ClusterUuid).to(operation::Column::ClusterUuid).into();
    let heard = Entity::find()
        .select_only()
        .column_as(operation::Column::Instance, "instance")
        .column_as(Column::UpdatedAt.max(), "at")
        .join(JoinType::InnerJoin, operation)
        .filter(operation::Column::Active.is_not_null())
        .filter(Column::UpdatedAt.gt(since))
        .group_by(operation::Column::Instance);
    Ok(heard.into_tuple::<(String, Moment)>().all(c).await?)
}

/// Forgets nodes that are no more.
///
/// # Errors
/// The database does not answer.
pub async fn forget(c: &impl ConnectionTrait, cluster_uuid: &str, names: &[String]) -> Result<()> {
    let which = Condition::all().add(Column::ClusterUuid.eq(cluster_uuid)).add(Column::Name.is_in(names));
    Entity::delete_many().filter(which).exec(c).await?;
    Ok(())
}

/// What the names of a nodegroup's nodes are made of.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Group {
    /// The nodegroup's UUID.
    pub uuid: String,
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: String,
    /// The cluster's stack.
    pub stack_name: Option<String>,
}

/// The cluster's nodegroups with the name of its stack, in one query.
///
/// # Errors
/// The database does not answer.
pub async fn prefixes(c: &impl ConnectionTrait, cluster_uuid: &str) -> Result<Vec<Group>> {
    let cluster: RelationDef = nodegroup::Entity::belongs_to(cluster::Entity)
        .from(nodegroup::Column::ClusterUuid)
        .to(cluster::Column::Uuid)
        .into();
    let groups = nodegroup::Entity::find()
        .select_only()
        .columns([nodegroup::Column::Uuid, nodegroup::Column::Name, nodegroup::Column::Role])
        .column_as(cluster::Column::StackName, "stack_name")
        .join(JoinType::InnerJoin, cluster)
        .filter(nodegroup::Column::ClusterUuid.eq(cluster_uuid));
    Ok(groups.into_model::<Group>().all(c).await?)
}

/// Forgets all nodes of a nodegroup.
///
/// # Errors
/// The database does not answer.
pub async fn forget_group(c: &impl ConnectionTrait, nodegroup_uuid: &str) -> Result<()> {
    Entity::delete_many().filter(Column::NodegroupUuid.eq(nodegroup_uuid)).exec(c).await?;
    Ok(())
}

/// Forgets the nodes of a nodegroup but those of these names.
///
/// # Errors
/// The database does not answer.
pub async fn keep_only(c: &impl ConnectionTrait, nodegroup_uuid: &str, names: &[String]) -> Result<()> {
    let which = Condition::all().add(Column::NodegroupUuid.eq(nodegroup_uuid)).add(Column::Name.is_not_in(names));
    Entity::delete_many().filter(which).exec(c).await?;
    Ok(())
}

/// Makes the token known, or known for longer.
///
/// # Errors
/// `NotFound` when the cluster is gone.
pub async fn keep_token(c: &impl ConnectionTrait, kept: BootstrapToken) -> Result<()> {
    let cluster_uuid = kept.cluster_uuid.clone();
    let mut known = OnConflict::column(token::Column::Hash);
    known.update_column(token::Column::ExpiresAt);
    let row = token::ActiveModel::from(kept).reset_all();
    let inserted = token::Entity::insert(row).on_conflict(known).exec_without_returning(c).await;
    inserted.map(|_| ()).map_err(|error| gone(error, &cluster_uuid))
}

/// Whose token has this SHA-256 (in lower case hexadecimal digits), unless it has expired at `at`.
///
/// # Errors
/// The database does not answer.
pub async fn token(c: &impl ConnectionTrait, hash: &str, at: Moment) -> Result<Option<BootstrapToken>> {
    Ok(token::Entity::find_by_id(hash).filter(token::Column::ExpiresAt.gt(at)).one(c).await?)
}

/// Forgets all tokens of the cluster, or only those of one of its nodegroups.
///
/// # Errors
/// The database does not answer.
pub async fn delete_tokens(c: &impl ConnectionTrait, cluster_uuid: &str, nodegroup_uuid: Option<&str>) -> Result<()> {
    let which = Condition::all()
        .add(token::Column::ClusterUuid.eq(cluster_uuid))
        .add_option(nodegroup_uuid.map(|uuid| token::Column::NodegroupUuid.eq(uuid)));
    token::Entity::delete_many().filter(which).exec(c).await?;
    Ok(())
}

/// Forgets the nodegroup's tokens that came before that generation.
///
/// # Errors
/// The database does not answer.
pub async fn delete_older_tokens(c: &impl ConnectionTrait, nodegroup_uuid: &str, generation: i32) -> Result<()> {
    let which = Condition::all()
        .add(token::Column::NodegroupUuid.eq(nodegroup_uuid))
        .add(token::Column::Generation.lt(generation));
    token::Entity::delete_many().filter(which).exec(c).await?;
    Ok(())
}

fn gone(error: DbErr, cluster_uuid: &str) -> Error {
    match error.sql_err() {
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => {
            Error::not_found(format!("Cluster {cluster_uuid} could not be found."))
        }
        _ => error.into(),
    }
}

//! Queries on clusters.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait, UnionType};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, ConnectionTrait, DatabaseConnection, DbBackend, DbErr,
    EntityTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder, QueryResult, QuerySelect, QueryTrait, RelationDef,
    Select,
};

use super::row::{ActiveModel, Column, Entity};
use super::spare::row as spare;
use super::{Changes, Cluster, HealthStatus, NewCluster, Status, View};
use crate::cluster_template::row as cluster_template;
use crate::cluster_template::store::unless_absent;
use crate::column::{StringMap, given, now};
use crate::ident::Ident;
use crate::nodegroup::{Nodegroup, row as nodegroup};
use crate::page::Page;
use crate::scope::Scope;
use crate::{Error, Result, certificate, database, node, operation, quota};

/// Columns that are not for sorting.
const PRIVATE: &[&str] = &["ssh_public_key", "trustee_password", "credential_secret", "spec", "next_template_id"];

/// The cluster with that UUID or name, among those visible.
///
/// # Errors
/// `NotFound`; `Conflict` when several have the name.
pub async fn find(c: &impl ConnectionTrait, scope: &Scope, ident: &str) -> Result<Cluster> {
    one(named(scope, ident)?.limit(2).all(c).await?, ident)
}

/// The UUID of the cluster with that trustee, be it in use, not yet, or no more.
///
/// # Errors
/// The database does not answer.
pub async fn of_trustee(c: &impl ConnectionTrait, user_id: &str) -> Result<Option<String>> {
    with_inside(c, Column::TrusteeUserId, user_id).await
}

/// The UUID of the cluster with that application credential inside, be it in use, not yet, or no more.
///
/// # Errors
/// The database does not answer.
pub async fn of_credential(c: &impl ConnectionTrait, credential_id: &str) -> Result<Option<String>> {
    with_inside(c, Column::CredentialId, credential_id).await
}

/// The UUID of the cluster that has this in that column, or for its spare credential. One query, because requests wait
/// for it, in two parts, so that the first finds its index; the second reads what is being replaced now: little.
async fn with_inside(c: &impl ConnectionTrait, column: Column, id: &str) -> Result<Option<String>> {
    let spare = spare::Entity::find().select_only().column(spare::Column::ClusterUuid);
    let spare = spare.filter(spare::Column::SubjectId.eq(id)).into_query();
    let mut found = Entity::find().select_only().column(Column::Uuid).filter(column.eq(id));
    QuerySelect::query(&mut found).union(UnionType::All, spare);
    Ok(found.into_tuple().one(c).await?)
}

/// Like [`find`], with what a cluster is shown with; two queries.
///
/// # Errors
/// As [`find`].
pub async fn view(c: &impl ConnectionTrait, scope: &Scope, ident: &str) -> Result<View> {
    let found = with_template(named(scope, ident)?.limit(2)).all(c).await?;
    let row = one(found, ident)?;
    let nodegroups = crate::nodegroup::store::of_clusters(c, std::slice::from_ref(&row.cluster.uuid)).await?;
    Ok(View { cluster: row.cluster, nodegroups, template_labels: row.template_labels })
}

/// One page of the visible clusters; three queries at most, however many there are.
///
/// # Errors
/// `Invalid` for an unknown sort key, `NotFound` for an unknown marker.
pub async fn list(c: &impl ConnectionTrait, scope: &Scope, page: &Page) -> Result<Vec<View>> {
    let key = page.column::<Column>(PRIVATE)?;
    let visible = Entity::find().filter(scope.on(Column::ProjectId));
    let marker = match &page.marker {
        None => None,
        Some(uuid) => {
            let id = visible.clone().select_only().column(Column::Id).filter(Column::Uuid.eq(uuid));
            Some(id.into_tuple::<i64>().one(c).await?.ok_or_else(|| absent(uuid))?)
        }
    };
    let rows = with_template(page.of(visible, key, Column::Id, marker)).all(c).await?;
    let uuids: Vec<String> = rows.iter().map(|row| row.cluster.uuid.clone()).collect();
    let mut nodegroups: HashMap<String, Vec<Nodegroup>> = HashMap::with_capacity(uuids.len());
    if !uuids.is_empty() {
        for nodegroup in crate::nodegroup::store::of_clusters(c, &uuids).await? {
            nodegroups.entry(nodegroup.cluster_uuid.clone()).or_default().push(nodegroup);
        }
    }
    let view = |row: WithTemplate| View {
        nodegroups: nodegroups.remove(&row.cluster.uuid).unwrap_or_default(),
        cluster: row.cluster,
        template_labels: row.template_labels,
    };
    Ok(rows.into_iter().map(view).collect())
}

/// Keeps a new cluster, its nodegroups and the operation that makes it, and reserves it against the project's quota;
/// all or nothing. Their `id` and `updated_at` are set here.
///
/// # Errors
/// `Forbidden` when the project has as many clusters as it may, `NotFound` when the template is gone.
pub async fn insert(db: &DatabaseConnection, new: NewCluster) -> Result<View> {
    database::retry(|| insert_once(db, new.clone())).await
}

async fn insert_once(db: &DatabaseConnection, new: NewCluster) -> Result<View> {
    let transaction = database::begin(db).await?;
    let mut cluster = new.cluster;
    quota::store::reserve(&transaction, &cluster.project_id, new.quota).await?;
    (cluster.id, cluster.updated_at) = (0, None);
    let mut row = ActiveModel::from(cluster.clone()).reset_all();
    row.id = ActiveValue::NotSet;
    let inserted = Entity::insert(row).exec(&transaction).await;
    let inserted = inserted.map_err(|error| unless_absent(error, &cluster.cluster_template_id))?;
    cluster.id = inserted.last_insert_id;
    let mut nodegroups = Vec::with_capacity(new.nodegroups.len());
    for nodegroup in new.nodegroups {
        nodegroups.push(crate::nodegroup::store::insert(&transaction, nodegroup, &cluster.name).await?);
    }
    operation::store::insert(&transaction, new.operation).await?;
    let labels = cluster_template::Entity::find()
        .select_only()
        .column(cluster_template::Column::Labels)
        .filter(cluster_template::Column::Uuid.eq(&cluster.cluster_template_id))
        .into_tuple::<StringMap>()
        .one(&transaction)
        .await?;
    transaction.commit().await?;
    Ok(View { cluster, nodegroups, template_labels: labels.unwrap_or_default() })
}

/// Changes the cluster and sets `updated_at`; false when it is gone.
///
/// # Errors
/// The database does not answer.
pub async fn change(c: &impl ConnectionTrait, uuid: &str, changes: Changes) -> Result<bool> {
    set(c, Condition::all().add(Column::Uuid.eq(uuid)), changes).await
}

/// Like [`change`], but only while the cluster's status is one of `from`; false when it is another, or gone.
///
/// # Errors
/// The database does not answer.
pub async fn change_from(c: &impl ConnectionTrait, uuid: &str, from: &[Status], changes: Changes) -> Result<bool> {
    let which = Condition::all().add(Column::Uuid.eq(uuid)).add(Column::Status.is_in(from.iter().copied()));
    set(c, which, changes).await
}

/// Notes the cluster template that the cluster is to be upgraded to, which stays until that is over.
///
/// # Errors
/// `NotFound` when the template is gone.
pub async fn aim(c: &impl ConnectionTrait, uuid: &str, template: &str) -> Result<()> {
    let next = Entity::update_many().col_expr(Column::NextTemplateId, Expr::value(template));
    let noted = next.filter(Column::Uuid.eq(uuid)).exec(c).await;
    noted.map_err(|error| unless_absent(error, template))?;
    Ok(())
}

/// Takes the cluster's row for the rest of the transaction: whoever else takes it waits until that has ended. Sets
/// `updated_at`; false when the cluster is gone.
///
/// # Errors
/// The database does not answer.
pub async fn take(c: &impl ConnectionTrait, uuid: &str) -> Result<bool> {
    change(c, uuid, Changes::default()).await
}

/// Removes the reason of the cluster's status while it is that text.
///
/// # Errors
/// The database does not answer.
pub async fn clear_reason(c: &impl ConnectionTrait, uuid: &str, text: &str) -> Result<bool> {
    let which = Condition::all().add(Column::Uuid.eq(uuid)).add(Column::StatusReason.eq(text));
    set(c, which, Changes { status_reason: Some(None), ..Default::default() }).await
}

/// Sets the cluster's status and its reason; false when it is gone.
///
/// # Errors
/// The database does not answer.
pub async fn set_status(c: &impl ConnectionTrait, uuid: &str, status: Status, reason: Option<String>) -> Result<bool> {
    change(c, uuid, Changes { status: Some(status), status_reason: Some(reason), ..Default::default() }).await
}

/// Removes the cluster with its nodegroups, nodes, tokens and key pairs and gives back its place in the quota; false
/// when it is gone already. Its operations stay, as a record. Run it in one transaction with the end of the operation.
///
/// # Errors
/// The database does not answer.
pub async fn remove(c: &impl ConnectionTrait, uuid: &str) -> Result<bool> {
    let Some(cluster) = Entity::find().filter(Column::Uuid.eq(uuid)).one(c).await? else { return Ok(false) };
    node::store::delete_tokens(c, uuid, None).await?;
    node::row::Entity::delete_many().filter(node::row::Column::ClusterUuid.eq(uuid)).exec(c).await?;
    certificate::store::delete_all(c, uuid).await?;
    nodegroup::Entity::delete_many().filter(nodegroup::Column::ClusterUuid.eq(uuid)).exec(c).await?;
    let removed = Entity::delete_many().filter(Column::Uuid.eq(uuid)).exec(c).await?.rows_affected > 0;
    if removed {
        quota::store::release(c, &cluster.project_id).await?;
    }
    Ok(removed)
}

/// What is needed of a cluster to ask for its health, and what was found last.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Asked {
    /// Internal number.
    pub id: i64,
    /// Its identifier.
    pub uuid: String,
    /// Name of the driver.
    pub driver: String,
    /// The COE's API as a URL.
    pub api_address: String,
    /// Its labels.
    pub labels: StringMap,
    /// Whether the COE worked.
    pub health_status: Option<HealthStatus>,
    /// What was found.
    pub health_status_reason: StringMap,
    /// As in the cluster's row.
    pub spec: Option<sea_orm::JsonValue>,
}

impl Asked {
    /// Whether its API speaks TLS, as its owner wished.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.spec.as_ref().is_none_or(super::facts::have_tls)
    }
}

/// Clusters of these drivers in these statuses that have an API, at most `limit` behind the one with the number
/// `after`.
///
/// # Errors
/// The database does not answer.
pub async fn asked(
    c: &impl ConnectionTrait,
    drivers: &[&str],
    statuses: &[Status],
    after: i64,
    limit: u64,
) -> Result<Vec<Asked>> {
    let columns = [
        Column::Id,
        Column::Uuid,
        Column::Driver,
        Column::ApiAddress,
        Column::Labels,
        Column::HealthStatus,
        Column::HealthStatusReason,
        Column::Spec,
    ];
    let which = Condition::all()
        .add(Column::Driver.is_in(drivers.iter().copied()))
        .add(Column::Status.is_in(statuses.iter().copied()))
        .add(Column::ApiAddress.is_not_null())
        .add(Column::Id.gt(after));
    let found = Entity::find().select_only().columns(columns).filter(which).order_by_asc(Column::Id).limit(limit);
    Ok(found.into_model::<Asked>().all(c).await?)
}

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Clusters.
    pub clusters: i64,
    /// Nodes their nodegroups should have, masters included.
    pub nodes: i64,
}

/// Counts the visible clusters and nodes.
///
/// # Errors
/// The database does not answer.
pub async fn stats(c: &impl ConnectionTrait, scope: &Scope) -> Result<Stats> {
    let clusters: Option<i64> = Entity::find()
        .select_only()
        .column_as(Column::Id.count(), "clusters")
        .filter(scope.on(Column::ProjectId))
        .into_tuple()
        .one(c)
        .await?;
    // The sum's type differs between the databases.
    let whole = if c.get_database_backend() == DbBackend::MySql { "signed" } else { "bigint" };
    let nodes: Option<Option<i64>> = nodegroup::Entity::find()
        .select_only()
        .column_as(Expr::col(nodegroup::Column::NodeCount).sum().cast_as(whole), "nodes")
        .filter(scope.on(nodegroup::Column::ProjectId))
        .into_tuple()
        .one(c)
        .await?;
    Ok(Stats { clusters: clusters.unwrap_or(0), nodes: nodes.flatten().unwrap_or(0) })
}

async fn set(c: &impl ConnectionTrait, which: Condition, changes: Changes) -> Result<bool> {
    let row = ActiveModel {
        cluster_template_id: given(changes.cluster_template_id),
        next_template_id: given(changes.next_template_id),
        ssh_public_key: given(changes.ssh_public_key),
        labels: given(changes.labels),
        status: given(changes.status),
        status_reason: given(changes.status_reason),
        health_status: given(changes.health_status),
        health_status_reason: given(changes.health_status_reason),
        api_address: given(changes.api_address),
        coe_version: given(changes.coe_version),
        container_version: given(changes.container_version),
        stack_id: given(changes.stack_id),
        stack_name: given(changes.stack_name),
        act_as: given(changes.act_as),
        trust_id: given(changes.trust_id),
        trustee_user_id: given(changes.trustee_user_id),
        trustee_username: given(changes.trustee_username),
        trustee_password: given(changes.trustee_password),
        credential_id: given(changes.credential_id),
        credential_secret: given(changes.credential_secret),
        spec: given(changes.spec),
        updated_at: ActiveValue::Set(Some(now())),
        ..Default::default()
    };
    Ok(Entity::update_many().set(row).filter(which).exec(c).await?.rows_affected > 0)
}

/// A cluster's row beside its template's labels.
struct WithTemplate {
    cluster: Cluster,
    template_labels: StringMap,
}

impl FromQueryResult for WithTemplate {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            cluster: Cluster::from_query_result(row, prefix)?,
            template_labels: row.try_get("", "template_labels")?,
        })
    }
}

fn with_template(clusters: Select<Entity>) -> sea_orm::Selector<sea_orm::SelectModel<WithTemplate>> {
    let template: RelationDef = Entity::belongs_to(cluster_template::Entity)
        .from(Column::ClusterTemplateId)
        .to(cluster_template::Column::Uuid)
        .into();
    clusters
        .column_as(cluster_template::Column::Labels, "template_labels")
        .join(JoinType::InnerJoin, template)
        .into_model::<WithTemplate>()
}

fn named(scope: &Scope, ident: &str) -> Result<Select<Entity>> {
    let named = match Ident::from(ident) {
        Ident::Uuid(uuid) => Column::Uuid.eq(uuid),
        Ident::Name(name) if name.contains('\0') => return Err(absent(ident)),
        Ident::Name(name) => Column::Name.eq(name),
    };
    Ok(Entity::find().filter(scope.on(Column::ProjectId)).filter(named))
}

fn one<T>(mut found: Vec<T>, ident: &str) -> Result<T> {
    match (found.pop(), found.pop()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(absent(ident)),
        _ => Err(Error::conflict("Multiple clusters exist with same name. Please use the cluster uuid instead.")),
    }
}

fn absent(ident: &str) -> Error {
    Error::not_found(format!("Cluster {ident} could not be found."))
}

//! Queries on cluster templates.

use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter,
    QuerySelect, SelectExt, SqlErr,
};

use super::ClusterTemplate;
use super::row::{ActiveModel, Column, Entity};
use crate::cluster::row as cluster;
use crate::column::now;
use crate::ident::Ident;
use crate::page::Page;
use crate::scope::Scope;
use crate::{Error, Result};

/// Columns that are not for sorting.
const PRIVATE: &[&str] = &["revision"];

/// The template with that UUID or name, among those visible.
///
/// # Errors
/// `NotFound`; `Conflict` when several have the name.
pub async fn find(c: &impl ConnectionTrait, scope: &Scope, ident: &str) -> Result<ClusterTemplate> {
    let named = match Ident::from(ident) {
        Ident::Uuid(uuid) => Column::Uuid.eq(uuid),
        Ident::Name(name) if name.contains('\0') => return Err(absent(ident)),
        Ident::Name(name) => Column::Name.eq(name),
    };
    let mut found = Entity::find().filter(visible(scope)).filter(named).limit(2).all(c).await?;
    match (found.pop(), found.pop()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(absent(ident)),
        _ => Err(Error::conflict(
            "Multiple ClusterTemplates exist with same name. Please use the ClusterTemplate uuid instead.",
        )),
    }
}

/// One page of the visible templates.
///
/// # Errors
/// `Invalid` for an unknown sort key, `NotFound` for an unknown marker.
pub async fn list(c: &impl ConnectionTrait, scope: &Scope, page: &Page) -> Result<Vec<ClusterTemplate>> {
    let key = page.column::<Column>(PRIVATE)?;
    let marker = match &page.marker {
        None => None,
        Some(uuid) => {
            let id = Entity::find().select_only().column(Column::Id).filter(visible(scope));
            let id = id.filter(Column::Uuid.eq(uuid)).into_tuple::<i64>().one(c).await?;
            Some(id.ok_or_else(|| absent(uuid))?)
        }
    };
    Ok(page.of(Entity::find().filter(visible(scope)), key, Column::Id, marker).all(c).await?)
}

/// Keeps a new template; its `id`, `revision` and `updated_at` are set here.
///
/// # Errors
/// `Conflict` when its UUID is taken.
pub async fn insert(c: &impl ConnectionTrait, mut template: ClusterTemplate) -> Result<ClusterTemplate> {
    (template.id, template.revision, template.updated_at) = (0, 0, None);
    let mut row = ActiveModel::from(template.clone()).reset_all();
    row.id = ActiveValue::NotSet;
    let inserted = Entity::insert(row).exec(c).await.map_err(|error| match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => {
            Error::conflict(format!("A ClusterTemplate with UUID {} already exists.", template.uuid))
        }
        _ => error.into(),
    })?;
    template.id = inserted.last_insert_id;
    Ok(template)
}

/// Replaces the template by `changed`, whose `revision` is the one that was read; sets `revision` and `updated_at`.
///
/// # Errors
/// `Conflict` when another request changed or removed it since it was read.
pub async fn update(c: &impl ConnectionTrait, mut changed: ClusterTemplate) -> Result<ClusterTemplate> {
    let read = changed.revision;
    changed.revision = read + 1;
    changed.updated_at = Some(now());
    let mut row = ActiveModel::from(changed.clone()).reset_all();
    (row.id, row.uuid, row.created_at) = (ActiveValue::NotSet, ActiveValue::NotSet, ActiveValue::NotSet);
    let same = Condition::all().add(Column::Uuid.eq(&changed.uuid)).add(Column::Revision.eq(read));
    match Entity::update_many().set(row).filter(same).exec(c).await?.rows_affected {
        0 => Err(Error::conflict(format!(
            "ClusterTemplate {} was changed by another request in the meantime. Read it again and repeat the change.",
            changed.uuid
        ))),
        _ => Ok(changed),
    }
}

/// Removes the template.
///
/// # Errors
/// `Invalid` when a cluster refers to it, `NotFound` when it is gone already.
pub async fn delete(c: &impl ConnectionTrait, uuid: &str) -> Result<()> {
    let deleted = Entity::delete_many().filter(Column::Uuid.eq(uuid)).exec(c).await;
    // SQLite says of a restricted deletion only "constraint failed" (1811), which the ORM does not classify.
    let restricted = |error: &DbErr| error.to_string().contains("FOREIGN KEY constraint failed");
    let deleted = deleted.map_err(|error| match error.sql_err() {
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => in_use(uuid),
        _ if restricted(&error) => in_use(uuid),
        _ => error.into(),
    })?;
    if deleted.rows_affected == 0 { Err(absent(uuid)) } else { Ok(()) }
}

/// Whether a cluster refers to the template, or is being upgraded to it.
///
/// # Errors
/// The database does not answer.
pub async fn is_referenced(c: &impl ConnectionTrait, uuid: &str) -> Result<bool> {
    let by = [cluster::Column::ClusterTemplateId, cluster::Column::NextTemplateId].map(|column| column.eq(uuid));
    let by = by.into_iter().fold(Condition::any(), Condition::add);
    Ok(cluster::Entity::find().filter(by).exists(c).await?)
}

/// The answer to a change that a referenced template does not allow.
#[must_use]
pub fn in_use(uuid: &str) -> Error {
    Error::invalid(format!("ClusterTemplate {uuid} is referenced by one or multiple clusters."))
}

/// The answer to a row that could not be written because it names that template.
pub(crate) fn unless_absent(error: DbErr, uuid: &str) -> Error {
    match error.sql_err() {
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => absent(uuid),
        _ => error.into(),
    }
}

fn absent(ident: &str) -> Error {
    Error::not_found(format!("ClusterTemplate {ident} could not be found."))
}

/// One's own templates, hidden ones too, and everybody's public ones that are not hidden.
fn visible(scope: &Scope) -> Condition {
    match scope {
        Scope::All => Condition::all(),
        Scope::Project(_) => Condition::any()
            .add(scope.on(Column::ProjectId))
            .add(Condition::all().add(Column::Public.eq(true)).add(Column::Hidden.eq(false))),
    }
}

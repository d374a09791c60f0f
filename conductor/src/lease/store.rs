//! Queries on leases. The callers' clocks decide, so a lease must be long against their difference.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter};

use super::Lease;
use super::row::{ActiveModel, Column, Entity};
use crate::Result;
use crate::column::Moment;

/// Takes or keeps the lease until `until`, unless another holder's has not expired at `at`; says whether it is ours.
///
/// # Errors
/// The database does not answer.
pub async fn try_acquire(
    c: &impl ConnectionTrait,
    name: &str,
    holder: &str,
    at: Moment,
    until: Moment,
) -> Result<bool> {
    let free = Condition::any().add(Column::Holder.eq(holder)).add(Column::ExpiresAt.lte(at));
    if set(c, Condition::all().add(Column::Name.eq(name)).add(free), holder, until).await? {
        return Ok(true);
    }
    let first = ActiveModel {
        name: ActiveValue::Set(name.to_owned()),
        holder: ActiveValue::Set(holder.to_owned()),
        expires_at: ActiveValue::Set(until),
    };
    let mut known = OnConflict::column(Column::Name);
    known.do_nothing_on([Column::Name]);
    Entity::insert(first).on_conflict(known).try_insert().exec_without_returning(c).await?;
    Ok(find(c, name).await?.is_some_and(|lease| lease.holder == holder && lease.expires_at == until))
}

/// Keeps the lease until `until`; false when it is another's by now.
///
/// # Errors
/// The database does not answer.
pub async fn renew(c: &impl ConnectionTrait, name: &str, holder: &str, until: Moment) -> Result<bool> {
    set(c, Condition::all().add(Column::Name.eq(name)).add(Column::Holder.eq(holder)), holder, until).await
}

/// Gives the lease up, when it is ours.
///
/// # Errors
/// The database does not answer.
pub async fn release(c: &impl ConnectionTrait, name: &str, holder: &str) -> Result<()> {
    Entity::delete_many().filter(Column::Name.eq(name)).filter(Column::Holder.eq(holder)).exec(c).await?;
    Ok(())
}

/// Who holds the lease, expired or not.
///
/// # Errors
/// The database does not answer.
pub async fn find(c: &impl ConnectionTrait, name: &str) -> Result<Option<Lease>> {
    Ok(Entity::find_by_id(name).one(c).await?)
}

async fn set(c: &impl ConnectionTrait, which: Condition, holder: &str, until: Moment) -> Result<bool> {
    let row = ActiveModel {
        holder: ActiveValue::Set(holder.to_owned()),
        expires_at: ActiveValue::Set(until),
        ..Default::default()
    };
    Ok(Entity::update_many().set(row).filter(which).exec(c).await?.rows_affected > 0)
}

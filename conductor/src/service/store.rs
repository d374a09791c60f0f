//! Queries on services.

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
};

use super::Service;
use super::row::{ActiveModel, Column, Entity};
use crate::column::Moment;
use crate::{Error, Result};

/// Notes that the process lives; its row keeps its `id` from the first time on.
///
/// # Errors
/// The database does not answer.
pub async fn heartbeat(c: &impl ConnectionTrait, host: &str, binary: &str, at: Moment) -> Result<Service> {
    if !beat(c, host, binary, at).await? {
        let first = Service {
            id: 0,
            host: host.to_owned(),
            binary: binary.to_owned(),
            disabled: false,
            disabled_reason: None,
            forced_down: false,
            report_count: 0,
            last_seen_up: None,
            created_at: at,
            updated_at: None,
        };
        let mut row = ActiveModel::from(first).reset_all();
        row.id = ActiveValue::NotSet;
        let mut known = OnConflict::columns([Column::Host, Column::Binary]);
        known.do_nothing_on([Column::Id]);
        Entity::insert(row).on_conflict(known).try_insert().exec_without_returning(c).await?;
        beat(c, host, binary, at).await?;
    }
    let service = Entity::find().filter(of(host, binary)).one(c).await?;
    service.ok_or_else(|| Error::internal(format!("service {binary} on {host} vanished")))
}

/// All services, in the order in which they came.
///
/// # Errors
/// The database does not answer.
pub async fn list(c: &impl ConnectionTrait) -> Result<Vec<Service>> {
    Ok(Entity::find().order_by_asc(Column::Id).all(c).await?)
}

async fn beat(c: &impl ConnectionTrait, host: &str, binary: &str, at: Moment) -> Result<bool> {
    let beaten = Entity::update_many()
        .col_expr(Column::ReportCount, Expr::col(Column::ReportCount).add(1))
        .col_expr(Column::LastSeenUp, Expr::value(at))
        .col_expr(Column::UpdatedAt, Expr::value(at))
        .filter(of(host, binary))
        .exec(c)
        .await?;
    Ok(beaten.rows_affected > 0)
}

fn of(host: &str, binary: &str) -> Condition {
    Condition::all().add(Column::Host.eq(host)).add(Column::Binary.eq(binary))
}

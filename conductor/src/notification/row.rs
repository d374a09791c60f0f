//! The table `notification`.
#![allow(unreachable_pub, reason = "the derive writes public items; only the row type leaves the slice")]

use sea_orm::entity::prelude::*;

use crate::column::Moment;

/// An event that waits to be sent, as it is stored.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "notification")]
pub struct Model {
    /// Counts in the order in which events were recorded.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Its identifier on the wire; the same however often it is sent.
    #[sea_orm(column_type = "String(StringLen::N(36))")]
    pub message_id: String,
    /// What happened, as `magnum.cluster.create`.
    pub event_type: String,
    /// `INFO` or `ERROR`.
    pub priority: String,
    /// The CADF event.
    #[sea_orm(column_type = "JsonBinary")]
    pub payload: Json,
    /// Who asked, and under which request.
    #[sea_orm(column_type = "JsonBinary")]
    pub context: Json,
    /// When it was recorded.
    pub created_at: Moment,
}

/// No relations: queries are written out.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

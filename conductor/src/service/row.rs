//! The table `service`.
#![allow(unreachable_pub, reason = "the derive writes public items; only the row type leaves the slice")]

use sea_orm::entity::prelude::*;

use crate::column::Moment;

/// A process of ours that lives, or lived, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "service")]
pub struct Model {
    /// Its identifier on the wire, too.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The machine it runs on.
    pub host: String,
    /// What it is called on the wire.
    pub binary: String,
    /// Whether an operator took it out of use.
    pub disabled: bool,
    /// Why.
    pub disabled_reason: Option<String>,
    /// Whether an operator declared it dead.
    pub forced_down: bool,
    /// How many times it said that it lives.
    pub report_count: i32,
    /// When it last did.
    pub last_seen_up: Option<Moment>,
    /// When it first did.
    pub created_at: Moment,
    /// When the row was last changed.
    pub updated_at: Option<Moment>,
}

/// No relations: queries are written out.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

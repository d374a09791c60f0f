//! The table `quota`.
#![allow(unreachable_pub, reason = "the derive writes public items; only the row type leaves the slice")]

use sea_orm::entity::prelude::*;

use crate::column::Moment;

/// A project's own limit, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "quota")]
pub struct Model {
    /// Its identifier on the wire, too.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The project.
    pub project_id: String,
    /// What is limited: `Cluster`.
    #[sea_orm(column_type = "String(StringLen::N(32))")]
    pub resource: String,
    /// How many there may be.
    pub hard_limit: i32,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Option<Moment>,
}

/// No relations: queries are written out.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

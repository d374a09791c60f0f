//! The table `lease`.
#![allow(unreachable_pub, reason = "the derive writes public items; only the row type leaves the slice")]

use sea_orm::entity::prelude::*;

use crate::column::Moment;

/// Who does what only one process may do, and until when.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "lease")]
pub struct Model {
    /// What only one may do.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// Who does it.
    pub holder: String,
    /// Until when, unless renewed.
    pub expires_at: Moment,
}

/// No relations: queries are written out.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

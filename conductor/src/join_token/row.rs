//! The table `join_tokens`.
#![allow(unreachable_pub, reason = "the derive writes public items; only the row type leaves the slice")]

use sea_orm::entity::prelude::*;

use crate::column::Moment;

/// What lets nodes join their cluster, as it is stored; a cluster has one such row or none.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "join_tokens")]
pub struct Model {
    /// The cluster's UUID.
    #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(36))")]
    pub cluster_uuid: String,
    /// Its identifier, another one for other tokens.
    #[sea_orm(column_type = "String(StringLen::N(36))")]
    pub uuid: String,
    /// The tokens, sealed.
    #[sea_orm(column_type = "Blob", nullable)]
    pub sealed: Option<Vec<u8>>,
    /// When a node first got one of them; nothing while nobody has.
    pub used_at: Option<Moment>,
    /// When they were handed in.
    pub handed_in_at: Moment,
}

/// No relations: queries are written out.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! The table `bootstrap_token`.
#![allow(unreachable_pub, reason = "the derive writes public items; only the row type leaves the slice")]

use sea_orm::entity::prelude::*;

use crate::column::Moment;

/// What is kept of a bootstrap token: enough to recognise it, not to use it.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "bootstrap_token")]
pub struct Model {
    /// SHA-256 of the token, in lower case hexadecimal digits.
    #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(64))")]
    pub hash: String,
    /// UUID of the cluster whose nodes hold it.
    #[sea_orm(column_type = "String(StringLen::N(36))")]
    pub cluster_uuid: String,
    /// UUID of the nodegroup whose nodes hold it.
    #[sea_orm(column_type = "String(StringLen::N(36))")]
    pub nodegroup_uuid: String,
    /// That nodegroup's role.
    pub role: String,
    /// 1 for the first, one more with every rotation.
    pub generation: i32,
    /// From when on it opens nothing.
    pub expires_at: Moment,
}

/// No relations: queries are written out.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

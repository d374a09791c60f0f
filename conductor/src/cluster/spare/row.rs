//! The table `spare_credential`.
#![allow(unreachable_pub, reason = "the derive writes public items; only the row type leaves the slice")]

use sea_orm::entity::prelude::*;

use crate::column::Moment;

/// The credential of a cluster that is not in use yet, or no more, as it is stored; a cluster has one such row or none.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "spare_credential")]
pub struct Model {
    /// The cluster's UUID.
    #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(36))")]
    pub cluster_uuid: String,
    /// The operation that made the row.
    #[sea_orm(column_type = "String(StringLen::N(36))")]
    pub operation_uuid: String,
    /// The name of the application credential or of the trustee at Keystone; empty for one known by its identifier only.
    pub name: String,
    /// The application credential's secret or the trustee's password, sealed.
    #[sea_orm(column_type = "Blob", nullable)]
    pub secret: Option<Vec<u8>>,
    /// Keystone's identifier of the application credential or of the trustee.
    pub subject_id: Option<String>,
    /// Keystone's identifier of the trust.
    pub trust_id: Option<String>,
    /// When the row was made.
    pub created_at: Moment,
}

/// No relations: queries are written out.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

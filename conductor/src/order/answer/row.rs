//! The table `node_order_answer`.
#![allow(unreachable_pub, reason = "the derive writes public items; only the row types leave the slice")]

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::column::{Moment, StringList};

/// What a node last answered to an order, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "node_order_answer")]
pub struct Model {
    /// Internal number.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Its cluster's UUID.
    #[sea_orm(column_type = "String(StringLen::N(36))")]
    pub cluster_uuid: String,
    /// The node's name, unique within the cluster.
    pub name: String,
    /// The order that it answers.
    #[sea_orm(column_type = "String(StringLen::N(36))")]
    pub order_uuid: String,
    /// What it says.
    pub state: State,
    /// Why it failed.
    #[sea_orm(column_type = "Text", nullable)]
    pub message: Option<String>,
    /// The last lines of its log, when it failed.
    #[sea_orm(column_type = "JsonBinary")]
    pub log: StringList,
    /// When it answered.
    pub answered_at: Moment,
}

/// How a node fared with an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is carried out.
    Done,
    /// It could not be.
    Failed,
}

/// No relations: queries are written out.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

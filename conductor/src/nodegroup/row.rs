//! The table `nodegroup`.
#![allow(unreachable_pub, reason = "the derive writes public items; only the row type leaves the slice")]

use std::fmt;

use sea_orm::FromJsonQueryResult;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::cluster::Status;
use crate::column::{Moment, StringList, StringMap};

/// A nodegroup as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "nodegroup")]
pub struct Model {
    /// Internal number.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Its identifier.
    #[sea_orm(unique, column_type = "String(StringLen::N(36))")]
    pub uuid: String,
    /// Its cluster's UUID.
    #[sea_orm(column_type = "String(StringLen::N(36))")]
    pub cluster_uuid: String,
    /// The project that owns it.
    pub project_id: String,
    /// Its name, unique within the cluster.
    pub name: String,
    /// `master`, or any other word for a group of workers.
    pub role: String,
    /// Flavor of its servers, by name or identifier, as given.
    pub flavor_id: Option<String>,
    /// Image of its servers, by name or identifier, as given.
    pub image_id: Option<String>,
    /// Number of nodes it should have.
    pub node_count: i32,
    /// Fewest nodes it may have.
    pub min_node_count: i32,
    /// Most nodes it may have; 0 or nothing means no limit.
    pub max_node_count: Option<i32>,
    /// GiB of the container volume.
    pub docker_volume_size: Option<i32>,
    /// Labels after inheritance.
    #[sea_orm(column_type = "JsonBinary")]
    pub labels: StringMap,
    /// Whether it came with the cluster and goes only with it.
    pub is_default: bool,
    /// Heat's identifier of the stack that holds it.
    pub stack_id: Option<String>,
    /// Which of its nodes' bootstrap tokens is the present one: 1 for the first, never one that was before.
    pub token_generation: i32,
    /// Where its life stands.
    pub status: Status,
    /// Why, for people.
    #[sea_orm(column_type = "Text", nullable)]
    pub status_reason: Option<String>,
    /// Version of the COE on its nodes.
    pub version: Option<String>,
    /// Addresses of its nodes.
    #[sea_orm(column_type = "JsonBinary")]
    pub node_addresses: StringList,
    /// Kubernetes labels of its nodes.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub node_labels: Option<StringMap>,
    /// Kubernetes taints of its nodes.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub node_taints: Option<Taints>,
    /// What was looked up for its own stack; nothing for those in the cluster's. No secrets.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub spec: Option<Json>,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Option<Moment>,
}

/// What keeps pods off a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

impl fmt::Display for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value.as_deref().filter(|value| !value.is_empty()) {
            Some(value) => write!(f, "{}={value}:{}", self.key, self.effect),
            None => write!(f, "{}:{}", self.key, self.effect),
        }
    }
}

/// Taints of a nodegroup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(transparent)]
pub struct Taints(pub Vec<Taint>);

/// No relations: queries are written out.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

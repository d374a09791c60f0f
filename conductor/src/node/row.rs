//! The table `node`.
#![allow(unreachable_pub, reason = "the derive writes public items; only the row types leave the slice")]

use std::fmt;

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::column::{Moment, StringList, StringMap};

/// What a node last reported, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "node")]
pub struct Model {
    /// Internal number.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Its cluster's UUID.
    #[sea_orm(column_type = "String(StringLen::N(36))")]
    pub cluster_uuid: String,
    /// Its nodegroup's UUID.
    #[sea_orm(column_type = "String(StringLen::N(36))")]
    pub nodegroup_uuid: String,
    /// Its name and its server's, unique within the cluster.
    pub name: String,
    /// Its nodegroup's role.
    pub role: String,
    /// How far it has come.
    pub phase: Phase,
    /// The step it works on, or failed in.
    pub step: Option<String>,
    /// What it says about that.
    #[sea_orm(column_type = "Text", nullable)]
    pub message: Option<String>,
    /// The last lines of that step's log.
    #[sea_orm(column_type = "JsonBinary")]
    pub log: StringList,
    /// Names of its software to their versions.
    #[sea_orm(column_type = "JsonBinary")]
    pub versions: StringMap,
    /// Its addresses.
    #[sea_orm(column_type = "JsonBinary")]
    pub addresses: StringList,
    /// When it reported first.
    pub first_seen: Moment,
    /// When it reported last.
    pub updated_at: Moment,
}

/// How far a node has come; the order is the order of its boot.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "kebab-case")]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Its operating system runs.
    Booted,
    /// It has its certificates.
    Certificates,
    /// Its container runtime runs.
    Runtime,
    /// Its etcd member runs.
    Etcd,
    /// Its control plane runs.
    ControlPlane,
    /// Its kubelet runs.
    Kubelet,
    /// It has joined the cluster, where nodes do.
    Joined,
    /// It takes its part in the cluster.
    Ready,
    /// It gave up.
    Failed,
}

impl Phase {
    /// The word of the node's report.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Booted => "booted",
            Self::Certificates => "certificates",
            Self::Runtime => "runtime",
            Self::Etcd => "etcd",
            Self::ControlPlane => "control-plane",
            Self::Kubelet => "kubelet",
            Self::Joined => "joined",
            Self::Ready => "ready",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No relations: queries are written out.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! The table `operation`.
#![allow(unreachable_pub, reason = "the derive writes public items; only the row types leave the slice")]

use std::fmt;

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::column::Moment;

/// A change of a cluster, from the request to its end, as it is stored.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "operation")]
pub struct Model {
    /// Internal number.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Its identifier.
    #[sea_orm(unique, column_type = "String(StringLen::N(36))")]
    pub uuid: String,
    /// UUID of the cluster it changes; the row may be gone already.
    #[sea_orm(column_type = "String(StringLen::N(36))")]
    pub cluster_uuid: String,
    /// UUID of the nodegroup it is about, where it is about one; the row may be gone already.
    #[sea_orm(column_type = "String(StringLen::N(36))", nullable)]
    pub nodegroup_uuid: Option<String>,
    /// That cluster's project.
    pub project_id: String,
    /// Who asked for it.
    pub user_id: String,
    /// What it does, as `cluster.create`.
    pub kind: String,
    /// Counts the operations of a cluster from 1.
    pub number: i32,
    /// What it was asked to do; no secrets.
    #[sea_orm(column_type = "JsonBinary")]
    pub input: Json,
    /// Whether it has ended, and how.
    pub state: State,
    /// The step it works on or ended in.
    pub step: Option<String>,
    /// How many times that step has been tried.
    pub attempt: i32,
    /// How far it has come, for people.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub progress: Option<Json>,
    /// When it fails unless it has ended; nothing means never.
    pub deadline: Option<Moment>,
    /// When it was asked for.
    pub created_at: Moment,
    /// When its first step began.
    pub started_at: Option<Moment>,
    /// When it ended.
    pub finished_at: Option<Moment>,
    /// While it is the one operation that may change its subject: that subject's UUID (a cluster with its stack, or a
    /// nodegroup that has a stack of its own). Unique: the lock.
    #[sea_orm(unique)]
    pub active: Option<String>,
    /// Why it failed, as a word out of the table of codes.
    pub code: Option<String>,
    /// Why it failed, for people.
    #[sea_orm(column_type = "Text", nullable)]
    pub message: Option<String>,
    /// Why it failed, in full.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub fault: Option<Json>,
    /// The request that asked for it.
    pub request_id: Option<String>,
    /// The requester's token, sealed, while it is needed.
    #[sea_orm(column_type = "Blob", nullable)]
    pub token: Option<Vec<u8>>,
    /// Heat's identifier of the stack whose update it awaits; nothing means the cluster's.
    pub stack_id: Option<String>,
    /// Heat's status of that stack when it was last seen.
    pub observed_status: Option<String>,
    /// Heat's reason for that status.
    #[sea_orm(column_type = "Text", nullable)]
    pub observed_reason: Option<String>,
    /// When it was seen.
    pub observed_at: Option<Moment>,
    /// Whether its beginning and end are notified.
    pub notifies: bool,
    /// The engine's identifier of its workflow: `<cluster uuid>/<kind>/<number>`.
    pub instance: String,
}

/// Whether an operation has ended, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Asked for; no step has begun.
    Pending,
    /// A step has begun.
    Running,
    /// It did what was asked.
    Succeeded,
    /// It did not; `code` and `message` say why.
    Failed,
    /// Another operation took its place.
    Superseded,
}

impl State {
    /// Whether it is over.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    /// The word as it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No relations: queries are written out.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

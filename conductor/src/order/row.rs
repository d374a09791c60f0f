//! The table `node_order`.
#![allow(unreachable_pub, reason = "the derive writes public items; only the row types leave the slice")]

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::column::Moment;

/// What the nodes of a cluster are to do, as it is stored; a cluster has one such row or none.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "node_order")]
pub struct Model {
    /// The cluster's UUID.
    #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(36))")]
    pub cluster_uuid: String,
    /// Its identifier, which answers name.
    #[sea_orm(column_type = "String(StringLen::N(36))")]
    pub uuid: String,
    /// The operation that gave it; an order stands until another takes its place, also when its operation has ended.
    #[sea_orm(column_type = "String(StringLen::N(36))")]
    pub operation_uuid: String,
    /// What is to be done.
    pub kind: Kind,
    /// The generation of authorities that is coming or going; 0 where none is.
    pub generation: i32,
    /// When it was given.
    pub given_at: Moment,
}

/// What nodes can be told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "kebab-case")]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Trust the new authorities beside the present ones.
    Trust,
    /// Have all certificates signed by the new authorities.
    Leaf,
    /// Have all certificates signed by the present authorities again, and go on trusting both.
    Return,
    /// Trust the new authorities, which are the present ones now, and no others.
    Commit,
    /// Trust the present authorities and no others; the new ones are given up.
    Back,
    /// Masters: put the new credential into the cluster.
    Credential,
    /// Masters: put the present credential back into the cluster.
    CredentialBack,
    /// Masters: rotate the join tokens, and hand in the new ones. No operation gives it; see [`crate::join_token`].
    JoinTokens,
}

impl Kind {
    /// The word as it is stored and as nodes read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trust => "trust",
            Self::Leaf => "leaf",
            Self::Return => "return",
            Self::Commit => "commit",
            Self::Back => "back",
            Self::Credential => "credential",
            Self::CredentialBack => "credential-back",
            Self::JoinTokens => "join-tokens",
        }
    }

    /// Whether it is for control plane nodes alone.
    #[must_use]
    pub fn masters_only(self) -> bool {
        matches!(self, Self::Credential | Self::CredentialBack | Self::JoinTokens)
    }

    /// Whether both generations of authorities are trusted while it is in force.
    #[must_use]
    pub fn trusts_both(self) -> bool {
        matches!(self, Self::Trust | Self::Leaf | Self::Return)
    }
}

/// No relations: queries are written out.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

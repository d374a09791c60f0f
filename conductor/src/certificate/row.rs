//! The table `x509_keypair`.
#![allow(unreachable_pub, reason = "the derive writes public items; only the row types leave the slice")]

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::column::Moment;

/// A certificate or public key of a cluster with its private key, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "x509_keypair")]
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
    /// What it is for.
    pub kind: Kind,
    /// 1 for the first of its kind, one more with every rotation; below zero, as -2 for 2, as long as it is not in force.
    pub generation: i32,
    /// The certificate in PEM; for a service account's key, its public key in PEM.
    #[sea_orm(column_type = "Text")]
    pub certificate: String,
    /// The private key, sealed.
    #[sea_orm(column_type = "Blob", nullable)]
    pub private_key: Option<Vec<u8>>,
    /// Where the private key is kept, when not here.
    pub private_key_ref: Option<String>,
    /// When it was made.
    pub created_at: Moment,
}

/// What a key pair is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "kebab-case")]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The COE's authority.
    Kubernetes,
    /// The authority of etcd.
    Etcd,
    /// The authority of the API aggregation layer.
    FrontProxy,
    /// The conductor's own client certificate.
    Client,
    /// The key that signs service account tokens.
    ServiceAccount,
}

impl Model {
    /// Whether it is, or was, the cluster's own; not while it is being introduced, and never when that failed.
    #[must_use]
    pub fn in_force(&self) -> bool {
        self.generation > 0
    }
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Kubernetes, Self::Etcd, Self::FrontProxy, Self::Client, Self::ServiceAccount];

    /// The word as it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Etcd => "etcd",
            Self::FrontProxy => "front-proxy",
            Self::Client => "client",
            Self::ServiceAccount => "service-account",
        }
    }
}

impl From<drivers::Ca> for Kind {
    fn from(ca: drivers::Ca) -> Self {
        match ca {
            drivers::Ca::Kubernetes => Self::Kubernetes,
            drivers::Ca::Etcd => Self::Etcd,
            drivers::Ca::FrontProxy => Self::FrontProxy,
        }
    }
}

/// No relations: queries are written out.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! The table `cluster`.
#![allow(unreachable_pub, reason = "the derive writes public items; only the row type leaves the slice")]

use sea_orm::entity::prelude::*;

use super::status::{HealthStatus, Owner, Status};
use crate::column::{Moment, StringMap};

/// A cluster as it is stored.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "cluster")]
pub struct Model {
    /// Internal number.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Its identifier.
    #[sea_orm(unique, column_type = "String(StringLen::N(36))")]
    pub uuid: String,
    /// Its name, which need not be unique.
    pub name: String,
    /// The project that owns it.
    pub project_id: String,
    /// The user who made it.
    pub user_id: String,
    /// UUID of its cluster template.
    #[sea_orm(column_type = "String(StringLen::N(36))")]
    pub cluster_template_id: String,
    /// UUID of the cluster template that it is being upgraded to.
    #[sea_orm(column_type = "String(StringLen::N(36))", nullable)]
    pub next_template_id: Option<String>,
    /// Name of the Nova keypair that was asked for.
    pub keypair: Option<String>,
    /// That keypair's public key, in OpenSSH's format, read when the cluster was made.
    #[sea_orm(column_type = "Text", nullable)]
    pub ssh_public_key: Option<String>,
    /// GiB of the container volume.
    pub docker_volume_size: Option<i32>,
    /// Labels after inheritance.
    #[sea_orm(column_type = "JsonBinary")]
    pub labels: StringMap,
    /// Flavor of masters, by name or identifier, as given.
    pub master_flavor_id: Option<String>,
    /// Flavor of workers, by name or identifier, as given.
    pub flavor_id: Option<String>,
    /// Minutes until an unfinished create fails; 0 or nothing means no limit.
    pub create_timeout: Option<i32>,
    /// Kept for clients; nothing reads it.
    #[sea_orm(column_type = "Text", nullable)]
    pub discovery_url: Option<String>,
    /// The user's own network, by name or identifier, as given.
    pub fixed_network: Option<String>,
    /// The user's own subnet, by name or identifier, as given.
    pub fixed_subnet: Option<String>,
    /// Floating IPs for nodes.
    pub floating_ip_enabled: bool,
    /// A load balancer in front of the masters.
    pub master_lb_enabled: bool,
    /// Where its life stands.
    pub status: Status,
    /// Why, for people.
    #[sea_orm(column_type = "Text", nullable)]
    pub status_reason: Option<String>,
    /// Whether the COE works; nothing until somebody looked.
    pub health_status: Option<HealthStatus>,
    /// `api` and `<node>.Ready` to what was found.
    #[sea_orm(column_type = "JsonBinary")]
    pub health_status_reason: StringMap,
    /// The COE's API as a URL.
    #[sea_orm(column_type = "Text", nullable)]
    pub api_address: Option<String>,
    /// Version of the COE.
    pub coe_version: Option<String>,
    /// Version of the container runtime.
    pub container_version: Option<String>,
    /// Heat's identifier of the stack.
    pub stack_id: Option<String>,
    /// The stack's name.
    pub stack_name: Option<String>,
    /// Who owns the stack; nothing until decided.
    pub act_as: Option<Owner>,
    /// Keystone's identifier of our trust.
    pub trust_id: Option<String>,
    /// Keystone's identifier of the trustee.
    pub trustee_user_id: Option<String>,
    /// The trustee's name.
    pub trustee_username: Option<String>,
    /// The trustee's password, sealed.
    #[sea_orm(column_type = "Blob", nullable)]
    pub trustee_password: Option<Vec<u8>>,
    /// Keystone's identifier of the application credential inside the cluster.
    pub credential_id: Option<String>,
    /// That credential's secret, sealed.
    #[sea_orm(column_type = "Blob", nullable)]
    pub credential_secret: Option<Vec<u8>>,
    /// The facts looked up for the driver, as they were when the stack was last written; no secrets.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub spec: Option<Json>,
    /// Name of the driver.
    pub driver: String,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Option<Moment>,
}

/// No relations: queries are written out.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

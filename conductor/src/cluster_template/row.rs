//! The table `cluster_template`.
#![allow(unreachable_pub, reason = "the derive writes public items; only the row type leaves the slice")]

use sea_orm::entity::prelude::*;

use crate::column::{Moment, StringMap};

/// A cluster template as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "cluster_template")]
pub struct Model {
    /// Internal number.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Its identifier.
    #[sea_orm(unique, column_type = "String(StringLen::N(36))")]
    pub uuid: String,
    /// Its name, which need not be unique.
    pub name: Option<String>,
    /// The project that owns it.
    pub project_id: String,
    /// The user who made it.
    pub user_id: String,
    /// `kubernetes`, `swarm`, `swarm-mode` or `mesos`.
    pub coe: String,
    /// Image of the nodes, by name or identifier, as given.
    pub image_id: String,
    /// Flavor of workers, by name or identifier, as given.
    pub flavor_id: Option<String>,
    /// Flavor of masters, by name or identifier, as given.
    pub master_flavor_id: Option<String>,
    /// Comma separated IPv4 addresses.
    #[sea_orm(column_type = "Text", nullable)]
    pub dns_nameserver: Option<String>,
    /// Nova keypair that clusters take unless they name their own.
    pub keypair_id: Option<String>,
    /// External network, by name or identifier, as given.
    pub external_network_id: Option<String>,
    /// The user's own network, by name or identifier, as given.
    pub fixed_network: Option<String>,
    /// The user's own subnet, by name or identifier, as given.
    pub fixed_subnet: Option<String>,
    /// The COE's network plugin.
    pub network_driver: Option<String>,
    /// Port of the COE's API.
    pub apiserver_port: Option<i32>,
    /// GiB of the container volume.
    pub docker_volume_size: Option<i32>,
    /// The container runtime's storage driver.
    pub docker_storage_driver: Option<String>,
    /// The image's `os_distro`.
    pub cluster_distro: String,
    /// Proxy for HTTP.
    pub http_proxy: Option<String>,
    /// Proxy for HTTPS.
    pub https_proxy: Option<String>,
    /// What is reached without a proxy, comma separated.
    pub no_proxy: Option<String>,
    /// `cinder` or nothing.
    pub volume_driver: Option<String>,
    /// A registry inside the cluster.
    pub registry_enabled: bool,
    /// Labels.
    #[sea_orm(column_type = "JsonBinary")]
    pub labels: StringMap,
    /// No TLS on the COE's API.
    pub tls_disabled: bool,
    /// Visible to every project, unless hidden.
    pub public: bool,
    /// `vm` or `bm`.
    pub server_type: String,
    /// `host:port` of a registry without TLS.
    pub insecure_registry: Option<String>,
    /// A load balancer in front of the masters.
    pub master_lb_enabled: bool,
    /// Floating IPs for nodes.
    pub floating_ip_enabled: bool,
    /// Visible to its project only, and closed to new clusters.
    pub hidden: bool,
    /// Comma separated by convention.
    pub tags: Option<String>,
    /// Name of the driver.
    pub driver: Option<String>,
    /// Counts the changes, so that two of them cannot overwrite each other unseen.
    pub revision: i32,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Option<Moment>,
}

/// No relations: queries are written out.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

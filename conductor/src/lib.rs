//! The heart: what a cluster is and how it changes.

pub mod certificate;
pub mod cluster;
pub mod cluster_template;
pub mod column;
mod conductor;
pub mod config;
pub mod database;
mod docker;
pub mod doctor;
pub mod engine;
mod error;
pub mod ident;
pub mod identity;
pub mod join_token;
pub mod lease;
pub mod lookup;
pub mod node;
pub mod nodegroup;
pub mod notification;
pub mod openstack;
pub mod operation;
pub mod order;
pub mod page;
pub mod pki;
pub mod quota;
pub mod readiness;
pub mod run;
pub mod scope;
pub mod secret;
pub mod service;
mod watch;

pub use conductor::Conductor;
pub use config::Config;
pub use error::{Error, Kind, Result};
pub use watch::health::look as look_at_health;

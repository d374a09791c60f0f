//! The heart: what a cluster is and how it changes.

pub mod certificate;
pub mod cluster;
pub mod cluster_template;
pub mod column;
pub mod config;
mod error;
pub mod lease;
pub mod node;
pub mod nodegroup;
pub mod operation;
pub mod quota;
pub mod service;
pub mod identity;
pub mod openstack;

pub use config::Config;
pub use error::{Error, Kind, Result};

//! The heart: what a cluster is and how it changes.

pub mod certificate;
pub mod cluster;
pub mod cluster_template;
pub mod column;
pub mod config;
pub mod database;
mod error;
pub mod ident;
pub mod lease;
pub mod node;
pub mod nodegroup;
pub mod operation;
pub mod page;
pub mod quota;
pub mod scope;
pub mod service;

pub use config::Config;
pub use error::{Error, Kind, Result};

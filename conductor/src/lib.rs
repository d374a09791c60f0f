//! The heart: what a cluster is and how it changes.

pub mod config;
mod error;
pub mod identity;
pub mod openstack;

pub use config::Config;
pub use error::{Error, Kind, Result};

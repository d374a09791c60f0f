//! The heart: what a cluster is and how it changes.

pub mod config;
mod error;
pub mod pki;
pub mod secret;

pub use config::Config;
pub use error::{Error, Kind, Result};

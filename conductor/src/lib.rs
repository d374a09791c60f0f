//! The heart: what a cluster is and how it changes.

pub mod config;
pub mod engine;
mod error;

pub use config::Config;
pub use error::{Error, Kind, Result};

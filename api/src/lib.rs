//! North edge: HTTP in, one operation called, HTTP out.

pub mod body;
pub mod caller;
pub mod coerce;
pub mod edge;
pub mod error;
pub mod links;
pub mod literal;
pub mod microversion;
pub mod page;
pub mod patch;
pub mod path;
pub mod query;
pub mod request_id;
pub mod root;
pub mod server;
pub mod time;

#[cfg(test)]
mod edge_tests;
#[cfg(test)]
mod server_tests;
#[cfg(test)]
mod testing;

pub use error::{Error, Result};

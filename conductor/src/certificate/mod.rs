//! Certificates and keys of clusters.

pub(crate) mod row;
pub mod store;

pub use row::{Kind, Model as Keypair};

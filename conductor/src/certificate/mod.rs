//! Certificates and keys of clusters.

pub(crate) mod row;

pub use row::{Kind, Model as Keypair};

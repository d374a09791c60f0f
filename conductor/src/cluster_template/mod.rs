//! Cluster templates: what clusters are made from.

pub(crate) mod row;
pub mod store;

pub use row::Model as ClusterTemplate;

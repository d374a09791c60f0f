//! Cluster templates: what clusters are made from.

pub(crate) mod row;

pub use row::Model as ClusterTemplate;

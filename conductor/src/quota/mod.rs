//! Quotas: how many clusters a project may have, and how many it has.

pub(crate) mod row;
pub mod store;
pub(crate) mod usage;

pub use row::Model as Quota;

/// The one resource that is limited.
pub const CLUSTER: &str = "Cluster";

//! Clusters: the rows and where their lives stand.

pub(crate) mod row;
mod status;

pub use row::Model as Cluster;
pub use status::{HealthStatus, Identity, Status};

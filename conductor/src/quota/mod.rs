//! Quotas: how many clusters a project may have, and how many it has.

mod create;
pub(crate) mod row;
pub mod store;
pub(crate) mod usage;

pub use create::create;
pub use row::Model as Quota;
pub use store::absent;

/// The one resource that is limited.
pub const CLUSTER: &str = "Cluster";

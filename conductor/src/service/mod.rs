//! Services: the processes that do the work, and when they were last seen.

pub(crate) mod row;
pub mod store;

pub use row::Model as Service;

/// What a conductor calls itself, as clients know it.
pub const CONDUCTOR: &str = "magnum-conductor";

//! Leases: what only one process at a time may do.

pub(crate) mod row;
pub mod store;

pub use row::Model as Lease;

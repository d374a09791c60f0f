//! Leases: what only one process at a time may do.

pub(crate) mod row;

pub use row::Model as Lease;

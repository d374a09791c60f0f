//! What nodes answer to orders.

pub(crate) mod row;

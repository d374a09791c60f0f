//! Operations: the changes of clusters, as lock, outbox and public record in one.

pub(crate) mod row;
pub mod store;

pub use row::{Model as Operation, State};

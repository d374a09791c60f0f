//! Cluster templates: what clusters are made from.

mod create;
mod draft;
mod driver;
pub(crate) mod row;
pub mod store;
mod update;

pub use create::{Publishing, create};
pub use draft::Draft;
pub use driver::driver;
pub use row::Model as ClusterTemplate;
pub use update::{delete, update};

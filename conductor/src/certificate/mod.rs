//! Certificates and keys of clusters.

mod issue;
mod keep;
pub(crate) mod row;
pub mod store;

pub use issue::{authority, service_account, sign, sign_for_node};
pub use keep::{ensure, forget};
pub use row::{Kind, Model as Keypair};

pub use crate::pki::ServiceAccount;

use crate::{Error, Result};

/// Runs what computes for a noticeable part of a second beside the threads that answer requests.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

//! Certificates and keys of clusters.

mod issue;
mod keep;
mod present;
mod replace;
pub(crate) mod row;
pub mod store;

pub use issue::{authority, service_account, sign, sign_for_node};
pub use keep::{ensure, forget};
pub(crate) use present::{Pairs, identities, identity};
pub(crate) use replace::{forget_past, give_up, introduce};
pub use row::{Kind, Model as Keypair};

pub use crate::pki::ServiceAccount;

use crate::{Error, Result};

/// Runs what computes for a noticeable part of a second beside the threads that answer requests.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

//! Certificates and keys of clusters.

mod issue;
mod keep;
pub(crate) mod row;
pub mod store;

pub use issue::{authority, service_account, sign, sign_for_node};
pub(crate) use keep::{ensure, forget};
pub use row::{Kind, Model as Keypair};

pub use crate::pki::ServiceAccount;

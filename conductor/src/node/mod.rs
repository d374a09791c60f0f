//! Nodes: what they report, and how they are known.

mod admit;
mod identity;
mod report;
pub(crate) mod row;
pub mod store;
pub(crate) mod token;

pub(crate) use admit::{admit, bootstrap_token};
pub use identity::{Holder, Shown, authenticate, authenticate_by_certificate, hash as body_hash};
pub use report::{Report, agent_secret, cloud_config, report, service_account};
pub(crate) use report::{bounded, known, prefix_of};
pub use row::{Model as Node, Phase};
pub use token::Model as BootstrapToken;

//! Nodes: what they report, and the tokens by which they are known.

mod admit;
mod report;
pub(crate) mod row;
pub mod store;
pub(crate) mod token;

pub(crate) use admit::{admit, bootstrap_token};
pub(crate) use report::prefix_of;
pub use report::{Report, authenticate, cloud_config, report, service_account};
pub use row::{Model as Node, Phase};
pub use token::Model as BootstrapToken;

//! Nodes: what they report, and the tokens by which they are known.

pub(crate) mod row;
pub mod store;
pub(crate) mod token;

pub use row::{Model as Node, Phase};
pub use token::Model as BootstrapToken;

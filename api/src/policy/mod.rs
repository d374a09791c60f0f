//! Who may do what: rules in the language of oslo.policy, our defaults overlaid with the operator's file.
//!
//! The language is the one operators know, with two differences: `http:` checks are refused when the file is read, and
//! so are rules that refer to each other in a circle. Whatever else cannot be understood never matches, as there.

mod credentials;
mod defaults;
mod enforcer;
mod evaluate;
mod expression;
mod rules;

#[cfg(test)]
mod tests;

pub use credentials::{Credentials, Target};
pub use enforcer::Enforcer;
pub use rules::PolicyError;

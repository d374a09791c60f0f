//! Operations: the changes of clusters, as lock, outbox and public record in one.

mod fault;
mod new;
pub(crate) mod row;
mod step;
pub mod store;

use crate::{cluster, nodegroup};

pub use fault::{Code, Fault, Resource, Whose};
pub(crate) use new::{by, token_context};
pub use row::{Model as Operation, State};
pub(crate) use step::run as run_step;
pub use step::{Failure, Kind, Next, Result as StepResult, Step, Work};

/// Every kind of operation there is.
pub static KINDS: &[&Kind] = &[
    &cluster::create::KIND,
    &cluster::resize::KIND,
    &cluster::delete::KIND,
    &cluster::upgrade::KIND,
    &cluster::upgrade::NODEGROUP,
    &nodegroup::create::KIND,
    &nodegroup::update::KIND,
    &nodegroup::delete::KIND,
    &cluster::rotate_authorities::KIND,
    &cluster::rotate_credential::KIND,
];

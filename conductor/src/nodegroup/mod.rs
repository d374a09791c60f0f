//! Nodegroups: nodes of one cluster that are alike.

pub mod create;
pub mod delete;
mod facts;
pub(crate) mod row;
mod rules;
pub mod store;
pub mod update;

pub use create::{Request, create};
pub use delete::delete;
pub(crate) use facts::{Facts, desired};
pub use update::{Wanted, update};

use crate::cluster::change::Target;
use crate::operation::{Code, Failure, Fault, Work};

pub use row::{Model as Nodegroup, Taint, Taints};

/// The role of masters.
pub const MASTER: &str = "master";
/// The role of workers whose nodegroup names no other.
pub const WORKER: &str = "worker";
/// The name of the nodegroup of masters.
pub const DEFAULT_MASTER: &str = "default-master";
/// The name of the nodegroup of workers that every cluster has.
pub const DEFAULT_WORKER: &str = "default-worker";

/// What nodes of a nodegroup with that role are for: every role but `master` runs workloads.
#[must_use]
pub fn node_role(role: &str) -> drivers::Role {
    if role == MASTER { drivers::Role::Master } else { drivers::Role::Worker }
}

/// The stack of the operation's cluster.
fn of_cluster(work: &Work) -> Result<Target, Failure> {
    let gone = || Failure::Final(Fault::new(Code::Vanished, "The cluster has no stack"));
    Target::cluster(&work.cluster).ok_or_else(gone)
}

impl Nodegroup {
    /// What must be held to change it: its cluster where it is in that one's stack, else itself.
    #[must_use]
    pub fn subject(&self) -> &str {
        if self.is_default { &self.cluster_uuid } else { &self.uuid }
    }

    /// What its nodes are for.
    #[must_use]
    pub fn node_role(&self) -> drivers::Role {
        node_role(&self.role)
    }
}

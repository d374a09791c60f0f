//! Nodegroups: nodes of one cluster that are alike.

pub(crate) mod row;
pub mod store;

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

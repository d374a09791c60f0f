//! `cluster.upgrade` and `nodegroup.upgrade`: nodes by another image and other labels, in place of those that are there.
//!
//! Heat never rebuilds a node by itself. Masters are replaced one at a time, each in two updates: one without its
//! server, one with it again, so that it keeps its name, port and volumes. Workers are replaced in batches by surge: new
//! members first, then old ones leave as more new ones come, so that there are never fewer than asked for. Each update is
//! a round (`rounds.rs`); which nodes are still of an earlier definition is on record (`definition.rs`), so that a
//! repeated request goes on where an earlier one stopped. At last the plain stack is submitted, which replaces nothing.

mod definition;
mod finish;
mod majority;
mod request;
mod rounds;

use std::time::Duration;

pub use request::{Request, upgrade};

use super::Action;
use crate::Kind as ErrorKind;
use crate::operation::{Kind, Step};

/// Of the control plane and the default workers.
pub static KIND: Kind = Kind {
    name: "cluster.upgrade",
    doing: "Upgrading a cluster",
    exclusive: true,
    refusal: ErrorKind::Invalid,
    cluster: Action::Update,
    nodegroups: Some(Action::Update),
    steps: &[
        Step { name: "cluster.upgrade/prepare", limit: CALLS, run: |c, w| Box::pin(definition::prepare(c, w)) },
        Step { name: "cluster.upgrade/masters", limit: CALLS, run: |c, w| Box::pin(rounds::masters(c, w)) },
        Step { name: "cluster.upgrade/workers", limit: CALLS, run: |c, w| Box::pin(rounds::workers(c, w)) },
        Step { name: "cluster.upgrade/plain", limit: CALLS, run: |c, w| Box::pin(rounds::plain(c, w)) },
        Step { name: "cluster.upgrade/finish", limit: CALLS, run: |c, w| Box::pin(finish::complete(c, w)) },
    ],
    on_failure: Step { name: "cluster.upgrade/fail", limit: CALLS, run: |c, w| Box::pin(finish::failed(c, w)) },
};

/// Of a nodegroup that did not come with the cluster.
pub static NODEGROUP: Kind = Kind {
    name: "nodegroup.upgrade",
    doing: "Upgrading a nodegroup",
    exclusive: false,
    refusal: ErrorKind::Invalid,
    cluster: Action::Update,
    nodegroups: Some(Action::Update),
    steps: &[
        Step { name: "nodegroup.upgrade/prepare", limit: CALLS, run: |c, w| Box::pin(definition::prepare(c, w)) },
        Step { name: "nodegroup.upgrade/workers", limit: CALLS, run: |c, w| Box::pin(rounds::workers(c, w)) },
        Step { name: "nodegroup.upgrade/plain", limit: CALLS, run: |c, w| Box::pin(rounds::plain(c, w)) },
        Step { name: "nodegroup.upgrade/finish", limit: CALLS, run: |c, w| Box::pin(finish::complete(c, w)) },
    ],
    on_failure: Step { name: "nodegroup.upgrade/fail", limit: CALLS, run: |c, w| Box::pin(finish::failed(c, w)) },
};

/// A step is a handful of calls, each with its own deadline.
const CALLS: Duration = Duration::from_secs(120);

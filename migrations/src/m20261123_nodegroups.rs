//! What is looked up for a nodegroup that has a stack of its own.

use crate::column::json_null;
use crate::step::{Change, Step};

/// In order.
pub(crate) const STEPS: &[Step] =
    &[Step { name: "m20261123_nodegroups_000001_spec", change: Change::Column("nodegroup", "spec", json_null) }];

//! Operations on nodegroups, and the stack that an operation follows.

use sea_orm_migration::prelude::ColumnDef;

use crate::column::{integer, string_null};
use crate::step::{Change, Step};

/// In order.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "m20261122_operations_000001_nodegroup",
        change: Change::Column("operation", "nodegroup_uuid", uuid_null),
    },
    Step { name: "m20261122_operations_000002_stack", change: Change::Column("operation", "stack_id", string_null) },
    Step {
        name: "m20261122_operations_000003_generation",
        change: Change::Column("nodegroup", "token_generation", one),
    },
];

/// A UUID as 36 characters, or nothing.
fn uuid_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).string_len(36).null().take()
}

/// A whole number that is 1 in the rows there are.
fn one(name: &'static str) -> ColumnDef {
    integer(name).default(1).take()
}

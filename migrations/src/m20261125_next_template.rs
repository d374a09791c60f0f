//! What a cluster is being upgraded to.

use sea_orm_migration::prelude::ColumnDef;

use crate::step::{Change, Step};

/// In order.
pub(crate) const STEPS: &[Step] = &[Step {
    name: "m20261125_next_template_000001_next_template_id",
    change: Change::Column("cluster", "next_template_id", template),
}];

/// A cluster template that stays as long as it is named here. All three databases read a reference within a column.
fn template(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).string_len(36).null().extra("REFERENCES cluster_template (uuid)").take()
}

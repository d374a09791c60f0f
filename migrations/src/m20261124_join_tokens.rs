//! What lets nodes join a cluster whose masters make join tokens themselves.

use sea_orm_migration::prelude::{ForeignKey, ForeignKeyAction, Table, TableCreateStatement};
use sea_orm_migration::sea_orm::DbBackend;

use crate::column::{moment, moment_null, sealed_null, uuid};
use crate::step::{Change, Step};

/// In order.
pub(crate) const STEPS: &[Step] =
    &[Step { name: "m20261124_join_tokens_000001_join_tokens", change: Change::Table(join_tokens) }];

/// Those of a cluster: at most one row.
fn join_tokens(db: DbBackend) -> TableCreateStatement {
    let mut of_cluster = ForeignKey::create()
        .name("fk_join_tokens_cluster_uuid")
        .from("join_tokens", "cluster_uuid")
        .to("cluster", "uuid")
        .on_delete(ForeignKeyAction::Cascade)
        .take();
    Table::create()
        .table("join_tokens")
        .col(uuid("cluster_uuid").primary_key().take())
        .col(uuid("uuid"))
        .col(sealed_null("sealed"))
        .col(moment_null(db, "used_at"))
        .col(moment(db, "handed_in_at"))
        .foreign_key(&mut of_cluster)
        .take()
}

//! Notifications that wait to be sent, and quick answers to whose trustee or credential somebody is.

use sea_orm_migration::prelude::{ColumnDef, Table, TableCreateStatement};
use sea_orm_migration::sea_orm::DbBackend;

use crate::column::{boolean, id, json, moment, uuid, word};
use crate::step::{Change, Step};

/// In order.
pub(crate) const STEPS: &[Step] = &[
    Step { name: "m20261122_notifications_000001_notification", change: Change::Table(notification) },
    Step { name: "m20261122_notifications_000002_notifies", change: Change::Column("operation", "notifies", notifies) },
    Step {
        name: "m20261122_notifications_000003_cluster_trustee",
        change: Change::Statement("CREATE INDEX IF NOT EXISTS ix_cluster_trustee ON cluster (trustee_user_id)"),
    },
    Step {
        name: "m20261122_notifications_000004_cluster_credential",
        change: Change::Statement("CREATE INDEX IF NOT EXISTS ix_cluster_credential ON cluster (credential_id)"),
    },
];

fn notification(db: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("notification")
        .col(id())
        .col(uuid("message_id"))
        .col(word("event_type"))
        .col(word("priority"))
        .col(json("payload"))
        .col(json("context"))
        .col(moment(db, "created_at"))
        .take()
}

/// Whether the operation's beginning and end are notified; the previous release's are not.
fn notifies(name: &'static str) -> ColumnDef {
    boolean(name).default(false).take()
}

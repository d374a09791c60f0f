//! Replacing certificates and credentials of living clusters: what nodes are told to do, what they have done, and the
//! credential that is not the cluster's yet, or no more.

use sea_orm_migration::prelude::{ForeignKey, ForeignKeyAction, ForeignKeyCreateStatement, Index, Table};
use sea_orm_migration::prelude::{IndexCreateStatement, TableCreateStatement};
use sea_orm_migration::sea_orm::DbBackend;

use crate::column::{integer, json, moment, sealed_null, string, string_null, text_null, uuid, word};
use crate::step::{Change, Step};

/// In order.
pub(crate) const STEPS: &[Step] = &[
    Step { name: "m20261122_rotation_000001_node_order", change: Change::Table(node_order) },
    Step { name: "m20261122_rotation_000002_node_order_answer", change: Change::Table(node_order_answer) },
    Step { name: "m20261122_rotation_000003_spare_credential", change: Change::Table(spare_credential) },
];

/// The order in force of a cluster: at most one.
fn node_order(db: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("node_order")
        .col(uuid("cluster_uuid").primary_key().take())
        .col(uuid("uuid"))
        .col(uuid("operation_uuid"))
        .col(word("kind"))
        .col(integer("generation"))
        .col(moment(db, "given_at"))
        .foreign_key(&mut of_cluster("node_order"))
        .take()
}

fn node_order_answer(db: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("node_order_answer")
        .col(crate::column::id())
        .col(uuid("cluster_uuid"))
        .col(string("name"))
        .col(uuid("order_uuid"))
        .col(word("state"))
        .col(text_null("message"))
        .col(json("log"))
        .col(moment(db, "answered_at"))
        .index(&mut unique("uq_node_order_answer_name", &["cluster_uuid", "name"]))
        .foreign_key(&mut of_cluster("node_order_answer"))
        .take()
}

fn spare_credential(db: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("spare_credential")
        .col(uuid("cluster_uuid").primary_key().take())
        .col(uuid("operation_uuid"))
        .col(string("name"))
        .col(sealed_null("secret"))
        .col(string_null("subject_id"))
        .col(string_null("trust_id"))
        .col(moment(db, "created_at"))
        .foreign_key(&mut of_cluster("spare_credential"))
        .take()
}

fn unique(name: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create().name(name).unique().take();
    for column in columns {
        index.col(*column);
    }
    index
}

fn of_cluster(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("fk_{table}_cluster_uuid"))
        .from(table, "cluster_uuid")
        .to("cluster", "uuid")
        .on_delete(ForeignKeyAction::Cascade)
        .take()
}

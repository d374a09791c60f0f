//! One change of the schema, written once for three databases.

use sea_orm_migration::prelude::{ColumnDef, ConnectionTrait, DbErr, SchemaManager, Table, TableCreateStatement};
use sea_orm_migration::sea_orm::DbBackend;
use sea_orm_migration::{MigrationName, MigrationTrait};

/// A named change.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    /// `m<date>_<number>_<what>`; names sort in the order of the steps and never change.
    pub(crate) name: &'static str,
    /// The change itself.
    pub(crate) change: Change,
}

/// What a step does.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    /// A new table, with its keys and constraints.
    Table(fn(DbBackend) -> TableCreateStatement),
    /// A new column of a table, which may be empty or has a default.
    Column(&'static str, &'static str, fn(&'static str) -> ColumnDef),
    /// One statement that all three databases read alike and that may run twice.
    Statement(&'static str),
}

impl MigrationName for Step {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match self.change {
            Change::Table(table) => {
                let mut statement = table(manager.get_database_backend());
                statement.if_not_exists();
                if manager.get_database_backend() == DbBackend::MySql {
                    // Names are compared byte by byte and to their last space, as on the other two databases.
                    statement.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_nopad_bin");
                }
                manager.create_table(statement).await
            }
            Change::Column(table, name, column) => {
                if manager.has_column(table, name).await? {
                    return Ok(());
                }
                manager.alter_table(Table::alter().table(table).add_column(column(name)).take()).await
            }
            Change::Statement(sql) => manager.get_connection().execute_unprepared(sql).await.map(|_| ()),
        }
    }
}

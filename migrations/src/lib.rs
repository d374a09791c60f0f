//! The schema's history, forward only.
//!
//! What is stored: cluster templates, clusters with their nodegroups, nodes and key pairs, the operations that change
//! them, quotas with their use, and the running processes. A step makes exactly one change, because neither SQLite nor
//! MariaDB undoes half of a failed one; each step can be run again after the process was killed inside it.
//!
//! To change the schema: append a step to [`Migrator::migrations`] with today's date in its name, never edit one that
//! has shipped, and expand before you contract, so that the previous release still works on the new schema.

mod column;
mod m20261121;
mod m20261122_notifications;
mod m20261122_operations;
mod m20261122_rotation;
mod m20261123_nodegroups;
mod m20261124_join_tokens;
mod m20261125_next_template;
mod step;

use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// All steps in order.
#[derive(Debug, Clone, Copy)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let all = [
            m20261121::STEPS,
            m20261122_notifications::STEPS,
            m20261122_operations::STEPS,
            m20261122_rotation::STEPS,
            m20261123_nodegroups::STEPS,
            m20261124_join_tokens::STEPS,
            m20261125_next_template::STEPS,
        ];
        all.into_iter().flatten().map(|step| Box::new(*step) as Box<dyn MigrationTrait>).collect()
    }
}

pub use sea_orm_migration;

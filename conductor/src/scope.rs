//! Whose records a query may see. What is out of scope does not exist.

use sea_orm::{ColumnTrait, Condition};

/// Whose records a query may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Those of the project with this identifier.
    Project(String),
    /// Everybody's: for administrators and for the service itself.
    All,
}

impl Scope {
    /// The condition on the column that holds the project.
    pub(crate) fn on(&self, project: impl ColumnTrait) -> Condition {
        match self {
            Self::Project(id) => Condition::all().add(project.eq(id)),
            Self::All => Condition::all(),
        }
    }
}

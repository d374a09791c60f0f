//! Where a cluster's life stands, in the words of the API.
#![allow(unreachable_pub, reason = "the derive writes public items beside the enum")]

use std::fmt;

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// Status of a cluster or nodegroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the words of the API speak for themselves")]
pub enum Status {
    CreateInProgress,
    CreateFailed,
    CreateComplete,
    UpdateInProgress,
    UpdateFailed,
    UpdateComplete,
    DeleteInProgress,
    DeleteFailed,
    DeleteComplete,
    ResumeComplete,
    ResumeFailed,
    RestoreComplete,
    RollbackInProgress,
    RollbackFailed,
    RollbackComplete,
    SnapshotComplete,
    CheckComplete,
    AdoptComplete,
}

impl Status {
    /// The API's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateInProgress => "CREATE_IN_PROGRESS",
            Self::CreateFailed => "CREATE_FAILED",
            Self::CreateComplete => "CREATE_COMPLETE",
            Self::UpdateInProgress => "UPDATE_IN_PROGRESS",
            Self::UpdateFailed => "UPDATE_FAILED",
            Self::UpdateComplete => "UPDATE_COMPLETE",
            Self::DeleteInProgress => "DELETE_IN_PROGRESS",
            Self::DeleteFailed => "DELETE_FAILED",
            Self::DeleteComplete => "DELETE_COMPLETE",
            Self::ResumeComplete => "RESUME_COMPLETE",
            Self::ResumeFailed => "RESUME_FAILED",
            Self::RestoreComplete => "RESTORE_COMPLETE",
            Self::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Self::RollbackFailed => "ROLLBACK_FAILED",
            Self::RollbackComplete => "ROLLBACK_COMPLETE",
            Self::SnapshotComplete => "SNAPSHOT_COMPLETE",
            Self::CheckComplete => "CHECK_COMPLETE",
            Self::AdoptComplete => "ADOPT_COMPLETE",
        }
    }

    /// Whether something is under way.
    #[must_use]
    pub fn is_in_progress(self) -> bool {
        matches!(
            self,
            Self::CreateInProgress | Self::UpdateInProgress | Self::DeleteInProgress | Self::RollbackInProgress
        )
    }

    /// Whether the last change failed; such a cluster shows its faults.
    #[must_use]
    pub fn is_failed(self) -> bool {
        matches!(
            self,
            Self::CreateFailed | Self::UpdateFailed | Self::DeleteFailed | Self::RollbackFailed | Self::ResumeFailed
        )
    }

    /// Whether the cluster is whole and at rest, so that any change may begin.
    #[must_use]
    pub fn is_stable(self) -> bool {
        !self.is_in_progress() && !self.is_failed() && self != Self::DeleteComplete
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an operation does to a cluster or a nodegroup, as far as its status tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words speak for themselves")]
pub enum Action {
    Create,
    Update,
    Delete,
}

impl Action {
    /// The status while it is under way.
    #[must_use]
    pub fn under_way(self) -> Status {
        match self {
            Self::Create => Status::CreateInProgress,
            Self::Update => Status::UpdateInProgress,
            Self::Delete => Status::DeleteInProgress,
        }
    }

    /// The status when it is done.
    #[must_use]
    pub fn complete(self) -> Status {
        match self {
            Self::Create => Status::CreateComplete,
            Self::Update => Status::UpdateComplete,
            Self::Delete => Status::DeleteComplete,
        }
    }

    /// The status after it has failed.
    #[must_use]
    pub fn failed(self) -> Status {
        match self {
            Self::Create => Status::CreateFailed,
            Self::Update => Status::UpdateFailed,
            Self::Delete => Status::DeleteFailed,
        }
    }
}

/// Whether the COE of a cluster works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HealthStatus {
    /// It answers and all nodes are ready.
    Healthy,
    /// It answers that something is wrong.
    Unhealthy,
    /// It cannot be asked.
    Unknown,
}

impl HealthStatus {
    /// The API's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Unhealthy => "UNHEALTHY",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who owns a cluster's stacks at Heat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// The service's own user.
    Service,
    /// The user who asked for the cluster.
    Requester,
}

#[cfg(test)]
mod tests {
    use sea_orm::{ActiveEnum, Iterable};

    use super::{HealthStatus, Status};

    #[test]
    fn words_are_the_same_in_the_database_and_on_the_wire() {
        for status in Status::iter() {
            assert_eq!(status.to_value(), status.as_str());
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        for health in HealthStatus::iter() {
            assert_eq!(health.to_value(), health.as_str());
            assert_eq!(serde_json::to_value(health).unwrap(), health.as_str());
        }
    }

    #[test]
    fn every_status_is_one_of_stable_failed_or_under_way_except_deleted() {
        for status in Status::iter().filter(|status| *status != Status::DeleteComplete) {
            let kinds = [status.is_stable(), status.is_failed(), status.is_in_progress()];
            assert_eq!(kinds.iter().filter(|is| **is).count(), 1, "{status}");
        }
        assert_eq!(Status::iter().filter(|status| status.is_stable()).count(), 8);
        assert_eq!(Status::iter().filter(|status| status.is_failed()).count(), 5);
    }
}

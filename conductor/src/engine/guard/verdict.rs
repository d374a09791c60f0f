//! What an error of the engine's storage means for the lease it concerns.
//!
//! The storage marks an error as worth retrying or not, but PostgreSQL's marks a server that is shutting down (57P01)
//! and a serialization failure (40001) as permanent. So the mark is not trusted: an error counts as passing unless its
//! text says that the lease is gone or that the data itself was refused.

use duroxide::providers::ProviderError;

/// What an error means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Verdict {
    /// The lease has ended or the item is gone: somebody else owns the work, or nobody needs it.
    LeaseLost,
    /// The storage works and will never take this data.
    Refused,
    /// The storage is away, overloaded or restarting: the same call may succeed later.
    Passing,
}

/// How both storages say that a lease token is not valid any more.
const LEASE_LOST: [&str; 5] = [
    "Invalid lock token",
    "Lock token invalid",
    "Instance lock expired",
    "cancelled or lock expired",
    "not found or already processed",
];

/// How both storages say that the data is wrong.
const REFUSED: [&str; 11] = [
    "UNIQUE constraint failed",
    "Constraint violation",
    "Duplicate detected",
    "Foreign key violation",
    "Failed to serialize",
    "Failed to deserialize",
    "Serialization error",
    "Deserialization error",
    "Invalid completion",
    "Invalid work item type",
    "event_id must be set",
];

impl Verdict {
    /// Judges one error.
    pub(in crate::engine) fn of(error: &ProviderError) -> Self {
        if error.is_retryable() {
            return Self::Passing;
        }
        if LEASE_LOST.iter().any(|text| error.message.contains(text)) {
            return Self::LeaseLost;
        }
        if REFUSED.iter().any(|text| error.message.contains(text)) {
            return Self::Refused;
        }
        Self::Passing
    }
}

/// Whether SQLite refused a write, untouched, because of another that is under way.
pub(super) fn is_locked(error: &ProviderError) -> bool {
    error.message.contains("database is locked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dying_server_is_passing_although_the_storage_says_permanent() {
        for message in [
            "Database error: error returned from database: terminating connection due to administrator command",
            "Database error: error returned from database: the database system is starting up",
            "Serialization failure: error returned from database: could not serialize access",
            "Unexpected error: attempted to communicate with a crashed background worker",
        ] {
            assert_eq!(Verdict::of(&ProviderError::permanent("ack", message)), Verdict::Passing, "{message}");
        }
        assert_eq!(Verdict::of(&ProviderError::retryable("ack", "I/O error: Invalid lock token")), Verdict::Passing);
    }

    #[test]
    fn a_lost_lease_is_known_in_every_wording() {
        for message in [
            "Invalid lock token",
            "Invalid lock token or already acked",
            "Lock token invalid, expired, or already acked",
            "Lock renewal failed - activity was cancelled or lock expired",
            "Worker queue item not found or already processed",
            "Activity was cancelled or lock expired (worker queue row not found or lock invalid)",
            "Instance lock expired",
        ] {
            assert_eq!(Verdict::of(&ProviderError::permanent("ack", message)), Verdict::LeaseLost, "{message}");
        }
    }

    #[test]
    fn refused_data_is_not_retried() {
        for message in [
            "Failed to append history: error returned from database: (code: 1555) UNIQUE constraint failed: history.event_id",
            "Duplicate detected: error returned from database: duplicate key value violates unique constraint",
        ] {
            assert_eq!(Verdict::of(&ProviderError::permanent("ack", message)), Verdict::Refused, "{message}");
        }
    }
}

//! Notifications: what happens to clusters, for other services of the cloud (the contract's section 10.2).
//!
//! An event is recorded in the transaction of the change that it tells of, so that there is one exactly if there was
//! the change; `watch/notifications.rs` sends what is recorded.

mod event;
pub(crate) mod row;
pub mod store;

pub use row::Model as Notification;

/// How far an operation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was accepted.
    Pending,
    /// It did what was asked.
    Success,
    /// It did not, or another one took its place.
    Failure,
}

impl Outcome {
    /// CADF's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    fn priority(self) -> &'static str {
        if self == Self::Failure { "ERROR" } else { "INFO" }
    }
}

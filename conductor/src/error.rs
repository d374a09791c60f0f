//! The one error of every operation, without HTTP: a public text, a private cause, and what kind it is.

use std::borrow::Cow;
use std::time::Duration;

/// What went wrong, as far as the caller must react differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request is wrong: 400.
    Invalid,
    /// The caller's token is not, or no longer, valid: 401.
    Unauthenticated,
    /// The caller may not: 403.
    Forbidden,
    /// Absent, or not the caller's to see: 404.
    NotFound,
    /// It contradicts the present state: 409.
    Conflict,
    /// A service we depend on is away; trying again later may work: 503.
    Unavailable,
    /// A defect or a broken installation: 500.
    Internal,
}

/// An operation's failure.
#[derive(Debug, thiserror::Error)]
#[error("{public}")]
pub struct Error {
    /// What the caller must react to.
    pub kind: Kind,
    /// What the caller may read: names field, value and what is allowed; holds no secret.
    pub public: Cow<'static, str>,
    /// When trying again makes sense.
    pub retry_after: Option<Duration>,
    /// What only the log may see.
    #[source]
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of that kind with a text for the caller.
    pub fn new(kind: Kind, public: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, public: public.into(), retry_after: None, cause: None }
    }

    /// The request is wrong.
    pub fn invalid(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Invalid, public)
    }

    /// The caller may not.
    pub fn forbidden(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Forbidden, public)
    }

    /// Absent, or not the caller's to see.
    pub fn not_found(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::NotFound, public)
    }

    /// It contradicts the present state.
    pub fn conflict(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Conflict, public)
    }

    /// A service is away; `service` is its name as users know it, as "Keystone".
    pub fn unavailable(service: &str) -> Self {
        let mut error =
            Self::new(Kind::Unavailable, format!("{service} is not available at the moment. Try again later."));
        error.retry_after = Some(Duration::from_secs(5));
        error
    }

    /// A defect or a broken installation; the caller reads nothing of the cause.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(
            Kind::Internal,
            "The service failed to handle the request. Its log names the cause under this request's id.",
        )
        .because(cause)
    }

    /// Adds the private cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The public text and every cause below it, for the log.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.public.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

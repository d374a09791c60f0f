//! May this caller do that? The questions that operations put to the policy.

use conductor::scope::Scope;

use crate::Api;
use crate::caller::Caller;
use crate::error::{Error, Result};

/// Whose thing it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The project that owns it.
    pub project_id: String,
    /// The user who made it.
    pub user_id: String,
}

impl Target {
    /// A thing that exists.
    #[must_use]
    pub fn owned(project_id: &str, user_id: &str) -> Self {
        Self { project_id: project_id.to_owned(), user_id: user_id.to_owned() }
    }

    /// What the caller would make, or one's own things taken together.
    #[must_use]
    pub fn of(caller: &Caller) -> Self {
        Self::owned(caller.0.project_id.as_deref().unwrap_or_default(), &caller.0.user_id)
    }
}

impl Caller {
    /// The project the caller acts in.
    ///
    /// # Errors
    /// 403 for a token without one.
    pub fn project(&self) -> Result<&str> {
        let none = || conductor::Error::forbidden("The token is not scoped to a project; log in with one.");
        self.0.project_id.as_deref().ok_or_else(|| none().into())
    }
}

impl Api {
    /// Whether the policy makes the caller an administrator of the service.
    #[must_use]
    pub fn is_admin(&self, caller: &Caller) -> bool {
        self.policy.allows("context_is_admin", &caller.0, &Target::of(caller))
    }

    /// Refuses what the policy does not allow.
    ///
    /// # Errors
    /// 403 naming the rule.
    pub fn allow(&self, caller: &Caller, rule: &'static str, target: &Target) -> Result<()> {
        if self.policy.allows(rule, &caller.0, target) {
            return Ok(());
        }
        Err(Error::from(conductor::Error::forbidden(format!("Policy doesn't allow {rule} to be performed."))))
    }

    /// Whose things the caller may see: everybody's for an administrator, who needs `all_projects` for that, else
    /// those of the caller's project.
    ///
    /// # Errors
    /// 403 for an administrator whom the policy denies the rule, and for a token without a project.
    pub fn scope(&self, caller: &Caller, all_projects: &'static str) -> Result<Scope> {
        if self.is_admin(caller) {
            self.allow(caller, all_projects, &Target::of(caller))?;
            return Ok(Scope::All);
        }
        Ok(Scope::Project(caller.project()?.to_owned()))
    }
}

//! May this caller do that? The questions that operations put to the policy.

use conductor::cluster::Cluster;
use conductor::scope::Scope;

use crate::Api;
use crate::caller::Caller;
use crate::error::Result;
use crate::policy::{Credentials, Target};

/// What a token that lies inside a cluster may do to that cluster, and nothing else.
const INSIDE: [&str; 3] = ["certificate:get", "certificate:create", "cluster:update_health_status"];

/// The name under which a target carries its cluster.
const CLUSTER: &str = "cluster_uuid";

/// A cluster as the policy sees it.
#[must_use]
pub fn target(cluster: &Cluster) -> Target {
    let target = Target::object(&cluster.project_id, &cluster.user_id).with(CLUSTER, &cluster.uuid);
    match &cluster.trustee_user_id {
        Some(trustee) => target.with("trustee_user_id", trustee),
        None => target,
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

    /// What the policy may know of the caller.
    fn credentials(&self) -> Credentials {
        let identity = &self.0;
        Credentials {
            user_id: Some(identity.user_id.clone()),
            user_name: Some(identity.user_name.clone()),
            user_domain_id: Some(identity.user_domain_id.clone()),
            project_id: identity.project_id.clone(),
            project_name: identity.project_name.clone(),
            project_domain_id: identity.project_domain_id.clone(),
            domain_id: identity.domain_id.clone(),
            system_scope: identity.system.then(|| "all".to_owned()),
            roles: identity.roles.clone(),
            is_admin: false,
        }
    }
}

impl Api {
    /// Whether the policy makes the caller an administrator of the service.
    #[must_use]
    pub fn is_admin(&self, caller: &Caller) -> bool {
        self.policy.is_admin(&caller.credentials())
    }

    /// Refuses what the policy does not allow; without a target it is about the caller's own project.
    ///
    /// # Errors
    /// 403 naming the rule.
    pub fn allow(&self, caller: &Caller, rule: &'static str, target: Option<Target>) -> Result<()> {
        let mut credentials = caller.credentials();
        credentials.is_admin = self.policy.is_admin(&credentials);
        let target = target.unwrap_or_else(|| Target::caller(&credentials));
        let inside = caller.0.cluster.as_deref();
        let limited = inside.is_some_and(|own| !INSIDE.contains(&rule) || target.get(CLUSTER) != Some(own));
        if !limited && self.policy.allow(rule, &credentials, &target) {
            return Ok(());
        }
        let text = format!("Policy doesn't allow {rule} to be performed.");
        Err(conductor::Error::forbidden(text).into())
    }

    /// Whose things the caller may see: everybody's for an administrator, who needs `all_projects` for that, else
    /// those of the caller's project.
    ///
    /// # Errors
    /// 403 for an administrator whom the policy denies the rule, and for a token without a project.
    pub fn scope(&self, caller: &Caller, all_projects: &'static str) -> Result<Scope> {
        if caller.0.cluster.is_none() && self.is_admin(caller) {
            self.allow(caller, all_projects, None)?;
            return Ok(Scope::All);
        }
        Ok(Scope::Project(caller.project()?.to_owned()))
    }
}

//! The two sides of a rule: who asks, and what is asked for.

use std::collections::BTreeMap;

/// Who asks, as Keystone vouches for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The user's identifier.
    pub user_id: Option<String>,
    /// The user's name.
    pub user_name: Option<String>,
    /// The domain of the user.
    pub user_domain_id: Option<String>,
    /// The project the token is for.
    pub project_id: Option<String>,
    /// The name of that project.
    pub project_name: Option<String>,
    /// The domain of that project.
    pub project_domain_id: Option<String>,
    /// The domain the token is for, when it is for a domain; not the user's.
    pub domain_id: Option<String>,
    /// `all` when the token is for the whole system.
    pub system_scope: Option<String>,
    /// Names of the roles in the token.
    pub roles: Vec<String>,
    /// Whether the rule `context_is_admin` holds, see [`super::Enforcer::is_admin`].
    pub is_admin: bool,
}

/// One value of the credentials.
pub(super) enum Held<'a> {
    One(&'a str),
    Many(&'a [String]),
}

impl Credentials {
    /// The value under that name; an absent one reads `None`, as in Python.
    pub(super) fn get(&self, name: &str) -> Option<Held<'_>> {
        let text = match name {
            "user_id" => &self.user_id,
            "user_name" => &self.user_name,
            "user_domain_id" => &self.user_domain_id,
            "project_id" => &self.project_id,
            "project_name" => &self.project_name,
            "project_domain_id" => &self.project_domain_id,
            "domain_id" => &self.domain_id,
            "system_scope" => &self.system_scope,
            // Present only in tokens for the system.
            "system" => return self.system_scope.as_deref().map(Held::One),
            "roles" => return Some(Held::Many(&self.roles)),
            "is_admin" => return Some(Held::One(if self.is_admin { "True" } else { "False" })),
            _ => return None,
        };
        Some(Held::One(text.as_deref().unwrap_or("None")))
    }

    /// Whether the token is for a project, rather than for a domain or for the whole system.
    pub(super) fn is_for_project(&self) -> bool {
        let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        !given(&self.system_scope) && !given(&self.domain_id)
    }
}

/// What is asked for: the values that `%(name)s` stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target(BTreeMap<String, String>);

impl Target {
    /// An object that belongs to a project and was made by a user.
    #[must_use]
    pub fn object(project_id: &str, user_id: &str) -> Self {
        Self::default().with("project_id", project_id).with("user_id", user_id)
    }

    /// The caller's own project and user, for requests that concern no object.
    #[must_use]
    pub fn caller(credentials: &Credentials) -> Self {
        let given = [("project_id", &credentials.project_id), ("user_id", &credentials.user_id)];
        let given = given.into_iter().filter_map(|(name, value)| value.as_deref().map(|value| (name, value)));
        given.fold(Self::default(), |target, (name, value)| target.with(name, value))
    }

    /// The same with one more value, as `trustee_domain_id`.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The value of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

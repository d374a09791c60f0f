//! The one place that reads a test cloud's `cloud.json`, as `tests/cloud/up` writes it.

use std::collections::BTreeMap;

use conductor::Config;
use secrecy::SecretString;
use serde::Deserialize;

/// What a test needs to know of its cloud.
#[derive(Deserialize)]
pub(crate) struct TestCloud {
    auth_url: String,
    regions: Vec<String>,
    users: BTreeMap<String, User>,
}

#[derive(Deserialize)]
struct User {
    password: String,
    domain: String,
    project: Option<String>,
}

impl TestCloud {
    /// Reads the file that `JEROBOAM_TEST_CLOUD` names; says so where it names none.
    pub(crate) fn find() -> Option<Self> {
        let Ok(path) = std::env::var("JEROBOAM_TEST_CLOUD") else {
            eprintln!("skipped: JEROBOAM_TEST_CLOUD does not name the cloud.json of a running test cloud");
            return None;
        };
        let text = std::fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{path}: {cause}"));
        Some(serde_json::from_str(&text).unwrap_or_else(|cause| panic!("{path}: {cause}")))
    }

    /// The service's configuration.
    pub(crate) fn config(&self) -> Config {
        let mut config = self.as_user("jeroboam");
        let admin = self.user("jeroboam_domain_admin");
        config.trust.trustee_domain_name = Some(admin.domain.clone());
        config.trust.trustee_domain_admin_name = Some("jeroboam_domain_admin".into());
        config.trust.trustee_domain_admin_password = Some(admin.password.clone().into());
        config
    }

    /// As if that person were the service's user: `demo` and `demo2` of the domain where the service's user is
    /// granted, `closed` of a domain where it is not, `admin`.
    pub(crate) fn as_user(&self, name: &str) -> Config {
        let user = self.user(name);
        let mut config = Config::default();
        config.keystone.auth_url = self.auth_url.clone();
        config.keystone.region_name = self.regions.first().cloned();
        config.keystone.username = name.to_owned();
        config.keystone.password = SecretString::from(user.password.clone());
        config.keystone.user_domain_name = user.domain.clone();
        config.keystone.project_domain_name = user.domain.clone();
        config.keystone.project_name = user.project.clone().unwrap_or_default();
        config
    }

    fn user(&self, name: &str) -> &User {
        self.users.get(name).unwrap_or_else(|| panic!("cloud.json names no user {name:?}"))
    }
}

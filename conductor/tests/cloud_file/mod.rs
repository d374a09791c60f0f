//! The one place that reads a test cloud's `cloud.json`.

use conductor::Config;
use secrecy::SecretString;
use serde::Deserialize;

/// What a test needs to know of its cloud.
#[derive(Deserialize)]
pub(crate) struct TestCloud {
    auth_url: String,
    region: Option<String>,
    service: Login,
    tenant: Login,
    other_tenant: Login,
    trustee_domain: TrusteeDomain,
    image: String,
}

#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
    project: String,
}

#[derive(Deserialize)]
struct TrusteeDomain {
    name: String,
    admin_name: String,
    admin_password: String,
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
        let mut config = self.login(&self.service);
        config.trust.trustee_domain_name = Some(self.trustee_domain.name.clone());
        config.trust.trustee_domain_admin_name = Some(self.trustee_domain.admin_name.clone());
        config.trust.trustee_domain_admin_password = Some(self.trustee_domain.admin_password.clone().into());
        config
    }

    /// As if a plain member of a project were the service's user.
    pub(crate) fn as_tenant(&self) -> Config {
        self.login(&self.tenant)
    }

    /// The same for a member of another project.
    pub(crate) fn as_other_tenant(&self) -> Config {
        self.login(&self.other_tenant)
    }

    /// The name of an image with `os_distro`.
    pub(crate) fn image(&self) -> &str {
        &self.image
    }

    fn login(&self, login: &Login) -> Config {
        let mut config = Config::default();
        config.keystone.auth_url = self.auth_url.clone();
        config.keystone.region_name = self.region.clone();
        config.keystone.username = login.username.clone();
        config.keystone.password = SecretString::from(login.password.clone());
        config.keystone.project_name = login.project.clone();
        config
    }
}

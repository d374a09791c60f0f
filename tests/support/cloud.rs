//! The real cloud that `tests/cloud/up` brought up, as its `cloud.json` describes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::{Value, json};

pub struct Cloud {
    pub about: Value,
    /// Rules ordered by tests of this process, by their test's own key.
    faults: Mutex<()>,
}

/// The cloud of this run; absent is a failure of the set-up, never a reason to skip.
pub static CLOUD: LazyLock<Cloud> = LazyLock::new(|| {
    let path = std::env::var("JEROBOAM_TEST_CLOUD")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("build/cloud/cloud.json"), PathBuf::from);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; bring the cloud up with tests/cloud/up", path.display()));
    Cloud { about: serde_json::from_str(&text).unwrap(), faults: Mutex::new(()) }
});

impl Cloud {
    pub fn text(&self, pointer: &str) -> &str {
        self.about.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("cloud.json has no {pointer}"))
    }

    pub fn dir(&self) -> &Path {
        Path::new(self.text("/paths/dir"))
    }

    pub fn configuration(&self) -> &Path {
        Path::new(self.text("/paths/configuration"))
    }

    /// Environment of a user's login by password.
    pub fn login(&self, user: &str) -> BTreeMap<String, String> {
        let about = &self.about["users"][user];
        let text = |key: &str| about[key].as_str().unwrap_or_else(|| panic!("user {user} has no {key}")).to_owned();
        let mut login = BTreeMap::from([
            ("OS_AUTH_URL".to_owned(), self.text("/auth_url").to_owned()),
            ("OS_IDENTITY_API_VERSION".to_owned(), "3".to_owned()),
            ("OS_REGION_NAME".to_owned(), "RegionOne".to_owned()),
            ("OS_USERNAME".to_owned(), user.to_owned()),
            ("OS_USER_DOMAIN_NAME".to_owned(), text("domain")),
            ("OS_PASSWORD".to_owned(), text("password")),
        ]);
        if about["project"].is_string() {
            login.insert("OS_PROJECT_NAME".to_owned(), text("project"));
            login.insert("OS_PROJECT_DOMAIN_NAME".to_owned(), text("domain"));
        }
        login
    }

    /// A token of the user, by password, scoped to its project.
    pub fn token(&self, user: &str) -> String {
        let login = self.login(user);
        let named = |name: &str, domain: &str| json!({"name": login[name], "domain": {"name": login[domain]}});
        let mut who = named("OS_USERNAME", "OS_USER_DOMAIN_NAME");
        who["password"] = login["OS_PASSWORD"].clone().into();
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": who}},
            "scope": {"project": named("OS_PROJECT_NAME", "OS_PROJECT_DOMAIN_NAME")},
        }});
        let url = format!("{}/auth/tokens", self.text("/auth_url"));
        let answer = super::http::request("POST", &url, &[], Some(&body));
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.header("x-subject-token").expect("a token").to_owned()
    }

    /// The unmodified client, aimed at a service; `arguments` as typed after `openstack`.
    pub fn openstack(&self, login: &BTreeMap<String, String>, endpoint: &str, arguments: &[&str]) -> Output {
        Command::new(self.text("/paths/openstack"))
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("HOME", self.dir())
            .env("PYTHONWARNINGS", "ignore")
            .env("OS_CONTAINER_INFRA_ENDPOINT_OVERRIDE", endpoint)
            .envs(login)
            .output()
            .unwrap()
    }

    /// What lies in Keystone, Heat and Barbican, by a tool that shares no code with the service.
    pub fn census(&self) -> Value {
        let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cloud/census"))
            .arg("--json")
            .env("CLOUD_DIR", self.dir())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Orders faults in Heat or the look-ups until the guard is dropped; rules are matched by the caller's names, so
    /// that tests side by side do not meet.
    pub fn faults(&'static self, rules: Vec<Value>) -> Faults {
        self.edit_rules(self.text("/faults"), |all| all.extend(rules.iter().cloned()));
        Faults { file: self.text("/faults").to_owned(), cloud: self, rules }
    }

    /// Orders how stand-ins of nodes behave until the guard is dropped.
    pub fn nodes(&'static self, rules: Vec<Value>) -> Faults {
        let file = self.dir().join("nodes.json").to_str().unwrap().to_owned();
        self.edit_rules(&file, |all| all.extend(rules.iter().cloned()));
        Faults { file, cloud: self, rules }
    }

    fn edit_rules(&self, file: &str, edit: impl FnOnce(&mut Vec<Value>)) {
        let _one_at_a_time = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = std::fs::File::create(format!("{file}.lock")).unwrap();
        lock.lock().unwrap();
        let mut all: Value =
            std::fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let mut rules = all["rules"].as_array().cloned().unwrap_or_default();
        edit(&mut rules);
        if !all.is_object() {
            all = json!({});
        }
        all["rules"] = rules.into();
        let fresh = format!("{file}.new");
        std::fs::write(&fresh, all.to_string()).unwrap();
        std::fs::rename(&fresh, file).unwrap();
    }
}

/// Ordered faults; lifted on drop.
pub struct Faults {
    file: String,
    cloud: &'static Cloud,
    rules: Vec<Value>,
}

impl Drop for Faults {
    fn drop(&mut self) {
        let rules = std::mem::take(&mut self.rules);
        self.cloud.edit_rules(&self.file, |all| all.retain(|rule| !rules.contains(rule)));
    }
}

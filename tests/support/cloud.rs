//! The real cloud that `tests/cloud/up` brought up, as its `cloud.json` describes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{LazyLock, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::http::{Answer, request};

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

    /// A request to a service of the cloud with that token; `path` begins after the service's address.
    pub fn call(&self, service: &str, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        request(method, &format!("{}{path}", self.text(&format!("/urls/{service}"))), &[("x-auth-token", token)], body)
    }

    /// A token for what `auth` says, in Keystone's words.
    pub fn token_for(&self, auth: &Value) -> String {
        let answer =
            request("POST", &format!("{}/auth/tokens", self.text("/auth_url")), &[], Some(&json!({"auth": auth})));
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.header("x-subject-token").expect("a token").to_owned()
    }

    /// A token of the user, by password, scoped to its project.
    pub fn token(&self, user: &str) -> String {
        let project = json!({"id": self.project(user)});
        self.token_for(&json!({"identity": self.password_of(user), "scope": {"project": project}}))
    }

    /// A user's login by password, in Keystone's words.
    pub fn password_of(&self, user: &str) -> Value {
        let who = json!({"id": self.user(user), "password": self.text(&format!("/users/{user}/password"))});
        json!({"methods": ["password"], "password": {"user": who}})
    }

    /// A user's identifier.
    pub fn user(&self, user: &str) -> &str {
        self.text(&format!("/users/{user}/id"))
    }

    /// The identifier of a user's project.
    pub fn project(&self, user: &str) -> &str {
        self.text(&format!("/projects/{}", self.text(&format!("/users/{user}/project"))))
    }

    /// A new application credential of the user with all its roles.
    pub fn application_credential(&'static self, user: &str) -> Lent {
        self.application_credential_until(user, None)
    }

    /// The same, until that moment: the tokens by it end then too.
    pub fn application_credential_until(&'static self, user: &str, end: Option<DateTime<Utc>>) -> Lent {
        let path = format!("/v3/users/{}/application_credentials", self.user(user));
        let token = self.token(user);
        let end = end.map(|end| end.format("%Y-%m-%dT%H:%M:%S%.6f").to_string());
        let body = json!({"application_credential": {"name": super::unique("ci"), "expires_at": end}});
        let answer = self.call("keystone", &token, "POST", &path, Some(&body));
        assert_eq!(answer.status, 201, "{}", answer.text);
        let made = &answer.json()["application_credential"];
        let text = |key: &str| made[key].as_str().unwrap().to_owned();
        let (id, secret) = (text("id"), text("secret"));
        let identity =
            json!({"methods": ["application_credential"], "application_credential": {"id": id, "secret": secret}});
        let lent = self.token_for(&json!({"identity": identity}));
        Lent { path: format!("{path}/{id}"), id, secret, token: lent, owner: token, cloud: self }
    }

    /// What `trustee` has by a new trust of `trustor`, in the trustee's own name: the look-ups' stand-ins have
    /// each token validate itself, which Keystone allows to nobody who stands for another.
    pub fn trust(&'static self, trustor: &str, trustee: &str) -> Lent {
        let trust = json!({"trust": {
            "trustor_user_id": self.user(trustor), "trustee_user_id": self.user(trustee), "impersonation": false,
            "project_id": self.project(trustor), "roles": [{"name": "member"}],
        }});
        let token = self.token(trustor);
        let answer = self.call("keystone", &token, "POST", "/v3/OS-TRUST/trusts", Some(&trust));
        assert_eq!(answer.status, 201, "{}", answer.text);
        let id = answer.json()["trust"]["id"].as_str().unwrap().to_owned();
        let scope = json!({"OS-TRUST:trust": {"id": id}});
        let lent = self.token_for(&json!({"identity": self.password_of(trustee), "scope": scope}));
        let path = format!("/v3/OS-TRUST/trusts/{id}");
        Lent { id, secret: String::new(), token: lent, path, owner: token, cloud: self }
    }

    /// The trusts that the user has given.
    pub fn trusts_of(&self, user: &str) -> Vec<Value> {
        let path = format!("/v3/OS-TRUST/trusts?trustor_user_id={}", self.user(user));
        let answer = self.call("keystone", &self.token(user), "GET", &path, None);
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["trusts"].as_array().unwrap().clone()
    }

    /// The stacks in the user's project that carry that text in their name, as Heat lists them.
    pub fn stacks(&self, user: &str, named: &str) -> Vec<Value> {
        let path = format!("/v1/{}/stacks", self.project(user));
        let answer = self.call("heat", &self.token(user), "GET", &path, None);
        assert_eq!(answer.status, 200, "{}", answer.text);
        let all = answer.json()["stacks"].as_array().unwrap().clone();
        // For a moment, Heat lists a stack that it has deleted.
        let there = |stack: &Value| stack["stack_status"] != "DELETE_COMPLETE";
        let is_named = |stack: &Value| stack["stack_name"].as_str().unwrap().contains(named);
        all.into_iter().filter(|stack| there(stack) && is_named(stack)).collect()
    }

    /// None of the stacks in the user's project carries that text in its name.
    pub fn no_stack(&self, user: &str, named: &str) {
        let stacks = self.stacks(user, named);
        assert!(stacks.is_empty(), "{}", Value::from(stacks));
    }

    /// The servers whose name begins so, as their machines get them.
    pub fn servers(&self, named: &str) -> Vec<Value> {
        let records = std::fs::read_dir(self.text("/paths/servers")).unwrap();
        // Most records are of other clusters, and long: what cannot be meant is not parsed.
        let read = |path: PathBuf| {
            let text = std::fs::read_to_string(path).ok()?;
            text.contains(named).then(|| serde_json::from_str::<Value>(&text).ok()).flatten()
        };
        let servers = records.filter_map(|entry| read(entry.unwrap().path()));
        servers.filter(|server| server["name"].as_str().is_some_and(|name| name.starts_with(named))).collect()
    }

    /// The user data of the servers whose name begins so, as the nodes get it.
    pub fn user_data(&self, named: &str) -> Vec<String> {
        self.servers(named).iter().map(|server| server["user_data"].as_str().unwrap().to_owned()).collect()
    }

    /// The unmodified client; `arguments` as typed after `openstack`.
    pub fn openstack(&self, login: &BTreeMap<String, String>, arguments: &[&str]) -> Output {
        self.command(login, self.text("/paths/openstack")).args(arguments).output().unwrap()
    }

    /// A program with that login in its environment, and little else.
    pub fn command(&self, login: &BTreeMap<String, String>, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("HOME", self.dir())
            .env("SHELL", "/bin/sh")
            .env("PYTHONWARNINGS", "ignore")
            .envs(login);
        command
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

    /// Orders faults in Heat's resources until the guard is dropped; rules are matched by the caller's names, so
    /// that tests side by side do not meet.
    pub fn faults(&'static self, rules: Vec<Value>) -> Faults {
        self.order(self.text("/faults").to_owned(), "resources", rules)
    }

    /// Orders how stand-ins of nodes behave until the guard is dropped.
    pub fn nodes(&'static self, rules: Vec<Value>) -> Faults {
        let file = self.dir().join("nodes.json").to_str().unwrap().to_owned();
        self.order(file, "rules", rules)
    }

    /// The same, before all rules that are in force: the first that fits a node holds.
    pub fn nodes_first(&'static self, rules: Vec<Value>) -> Faults {
        let file = self.dir().join("nodes.json").to_str().unwrap().to_owned();
        self.edit_rules(&file, "rules", |all| drop(all.splice(0..0, rules.iter().cloned())));
        Faults { file, key: "rules", cloud: self, rules }
    }

    fn order(&'static self, file: String, key: &'static str, rules: Vec<Value>) -> Faults {
        self.edit_rules(&file, key, |all| all.extend(rules.iter().cloned()));
        Faults { file, key, cloud: self, rules }
    }

    fn edit_rules(&self, file: &str, key: &str, edit: impl FnOnce(&mut Vec<Value>)) {
        let _one_at_a_time = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = std::fs::File::create(format!("{file}.lock")).unwrap();
        lock.lock().unwrap();
        let mut all: Value =
            std::fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let mut rules = all[key].as_array().cloned().unwrap_or_default();
        edit(&mut rules);
        if !all.is_object() {
            all = json!({});
        }
        all[key] = rules.into();
        let fresh = format!("{file}.new");
        std::fs::write(&fresh, all.to_string()).unwrap();
        std::fs::rename(&fresh, file).unwrap();
    }
}

/// Ordered faults; lifted on drop.
pub struct Faults {
    file: String,
    key: &'static str,
    cloud: &'static Cloud,
    rules: Vec<Value>,
}

impl Drop for Faults {
    fn drop(&mut self) {
        let rules = std::mem::take(&mut self.rules);
        self.cloud.edit_rules(&self.file, self.key, |all| all.retain(|rule| !rules.contains(rule)));
    }
}

/// A user's rights in other hands, until it is dropped: an application credential or a trust.
pub struct Lent {
    pub id: String,
    /// Of an application credential.
    pub secret: String,
    /// A token by it.
    pub token: String,
    path: String,
    owner: String,
    cloud: &'static Cloud,
}

impl Drop for Lent {
    fn drop(&mut self) {
        let _gone = self.cloud.call("keystone", &self.owner, "DELETE", &self.path, None);
    }
}

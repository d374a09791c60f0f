//! A service of the test's own: the real binary, on its own port and files, ended with the test.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

use super::cloud::CLOUD;
use super::http::{Answer, request, try_request};
use super::ports::Port;
use super::relay::Relay;
use super::wait_for;

pub struct Service {
    process: Option<Child>,
    port: Port,
    dir: tempfile::TempDir,
    environment: Vec<(String, String)>,
    command: &'static str,
    /// Where clients find this service.
    relay: OnceLock<Relay>,
}

impl Service {
    /// `jeroboam serve` with the cloud's configuration; `environment` adds options as `JEROBOAM__…`.
    pub fn start(environment: &[(&str, &str)]) -> Self {
        let service = Self::prepare("serve", environment);
        service.started()
    }

    pub fn prepare(command: &'static str, environment: &[(&str, &str)]) -> Self {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let environment = environment.iter().map(own).collect();
        let (port, dir) = (Port::free(), tempfile::tempdir().unwrap());
        Self { process: None, port, dir, environment, command, relay: OnceLock::new() }
    }

    /// Reached at that address of this machine too, by which nodes are told to reach it.
    pub fn open_to(mut self, address: &str) -> Self {
        let url = format!("http://{address}:{}", self.port.number);
        self.environment.push(("JEROBOAM__API__HOST".to_owned(), "0.0.0.0".to_owned()));
        self.environment.push(("JEROBOAM__API__PUBLIC_URL".to_owned(), url));
        self
    }

    pub fn started(mut self) -> Self {
        self.restart();
        self
    }

    /// Starts the process again on the same port and files, and waits until it is ready.
    pub fn restart(&mut self) {
        self.spawn();
        let log = self.log_path();
        wait_for("the service to be ready", Duration::from_secs(60), || {
            if let Some(status) = self.process.as_mut().unwrap().try_wait().unwrap() {
                panic!("the service ended with {status}:\n{}", std::fs::read_to_string(&log).unwrap());
            }
            let answer = try_request("GET", &format!("{}/readyz", self.root()), &[], None).ok()?;
            (answer.status == 200).then_some(())
        });
    }

    /// Starts the process and returns at once.
    pub fn spawn(&mut self) {
        let log = File::options().create(true).append(true).open(self.log_path()).unwrap();
        let mut command = self.program();
        command.arg(self.command).stdout(log.try_clone().unwrap()).stderr(log);
        self.process = Some(command.spawn().unwrap());
    }

    /// Ends the process as a crash does, and starts it again with an option changed or added.
    pub fn restart_with(&mut self, option: &str, value: &str) {
        self.kill();
        self.environment.retain(|(name, _)| name != option);
        self.environment.push((option.to_owned(), value.to_owned()));
        self.restart();
    }

    /// Runs another command of the program with the same configuration, to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.program().args(arguments).output().unwrap()
    }

    fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jeroboam"));
        command
            .arg("--config")
            .arg(CLOUD.configuration())
            .env("JEROBOAM__STATE_DIR", self.state_dir())
            .env("JEROBOAM__API__PORT", self.port.number.to_string())
            .env("JEROBOAM__HEAT__POLL_INTERVAL_S", "2")
            // Where nodes are played, there is no way to a cluster's own API.
            .env("JEROBOAM__HEALTH__POLL_INTERVAL_S", "0")
            .env("JEROBOAM__DRIVERS__DRAIN_TIMEOUT_S", "0")
            .env("JEROBOAM_LOG", "info,conductor=debug,api=debug,duroxide=warn")
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null());
        command
    }

    /// The rows of a query on the records' SQLite file, read by another program than ours.
    pub fn rows(&self, query: &str) -> Value {
        const READ: &str = "import json, sqlite3, sys\n\
            rows = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True).execute(sys.argv[2]).fetchall()\n\
            print(json.dumps(rows, default=lambda value: value.hex()))";
        let file = self.state_dir().join("jeroboam.db");
        let output = Command::new("python3").args(["-c", READ]).arg(file).arg(query).output().unwrap();
        assert!(output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Changes the records' SQLite file behind the service's back.
    pub fn write(&self, statement: &str) {
        const WRITE: &str = "import sqlite3, sys\n\
            with sqlite3.connect(sys.argv[1], timeout=30) as records: records.execute(sys.argv[2])";
        let file = self.state_dir().join("jeroboam.db");
        let output = Command::new("python3").args(["-c", WRITE]).arg(file).arg(statement).output().unwrap();
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// SIGKILL: nothing of the process's own runs any more.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Sends a signal, as `TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits until the process has ended by itself.
    pub fn ended(&mut self) -> std::process::ExitStatus {
        let mut process = self.process.take().unwrap();
        wait_for("the service to end", Duration::from_secs(60), || process.try_wait().unwrap())
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    pub fn root(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number)
    }

    pub fn endpoint(&self) -> String {
        format!("{}/v1", self.root())
    }

    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("var")
    }

    pub fn log_path(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The unmodified client, to which this service is the cloud's; `arguments` as typed after `openstack`.
    pub fn openstack(&self, login: &BTreeMap<String, String>, arguments: &[&str]) -> Output {
        CLOUD.openstack(&self.login(login), arguments)
    }

    /// The same login to a cloud whose catalog names this service.
    pub fn login(&self, login: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let relay = self.relay.get_or_init(|| Relay::to_service(self.port.number));
        let mut login = login.clone();
        login.insert("OS_AUTH_URL".to_owned(), relay.auth_url());
        login
    }

    /// A request at the newest microversion with that token; `path` begins after `/v1`.
    pub fn call(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let headers = [("x-auth-token", token), ("openstack-api-version", "container-infra latest")];
        request(method, &format!("{}{path}", self.endpoint()), &headers, body)
    }

    /// Makes a cluster template for Ubuntu and gives its UUID; `more` overrides and adds members.
    pub fn template(&self, token: &str, more: Value) -> String {
        let mut body = json!({
            "name": super::unique("template"), "coe": "kubernetes", "image_id": "ubuntu-24.04",
            "external_network_id": "public", "flavor_id": "m1.small", "master_flavor_id": "m1.small",
            "network_driver": "flannel", "floating_ip_enabled": false,
        });
        merge(&mut body, more);
        let answer = self.call(token, "POST", "/clustertemplates", Some(&body));
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["uuid"].as_str().unwrap().to_owned()
    }

    /// Asks for a cluster of that template and gives its UUID; `more` overrides and adds members.
    pub fn cluster(&self, token: &str, template: &str, more: Value) -> String {
        let mut body =
            json!({"name": super::unique("c"), "cluster_template_id": template, "node_count": 1, "master_count": 1});
        merge(&mut body, more);
        let answer = self.call(token, "POST", "/clusters", Some(&body));
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.json()["uuid"].as_str().unwrap().to_owned()
    }

    /// The cluster as shown.
    pub fn show(&self, token: &str, cluster: &str) -> Value {
        let answer = self.call(token, "GET", &format!("/clusters/{cluster}"), None);
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// Waits until the cluster has settled, and gives it.
    pub fn settled(&self, token: &str, cluster: &str) -> Value {
        wait_for("the cluster to settle", Duration::from_secs(600), || {
            let shown = self.show(token, cluster);
            (!shown["status"].as_str().unwrap().ends_with("IN_PROGRESS")).then_some(shown)
        })
    }

    /// Waits until the cluster is complete, and gives it.
    pub fn complete(&self, token: &str, cluster: &str) -> Value {
        let shown = self.settled(token, cluster);
        assert_eq!(shown["status"], "CREATE_COMPLETE", "{}\n{}", shown["status_reason"], tail(&self.log()));
        shown
    }

    /// Waits until a change of the cluster is complete, and gives it.
    pub fn updated(&self, token: &str, cluster: &str) -> Value {
        let shown = self.settled(token, cluster);
        assert_eq!(shown["status"], "UPDATE_COMPLETE", "{}\n{}", shown["status_reason"], tail(&self.log()));
        shown
    }

    /// Deletes the cluster and waits until it is absent.
    pub fn gone(&self, token: &str, cluster: &str) {
        let answer = self.call(token, "DELETE", &format!("/clusters/{cluster}"), None);
        assert_eq!(answer.status, 204, "{}", answer.text);
        self.absent(token, cluster);
    }

    /// Waits until the cluster is absent.
    pub fn absent(&self, token: &str, cluster: &str) {
        let path = format!("/clusters/{cluster}");
        wait_for("the cluster to be gone", Duration::from_secs(120), || {
            let answer = self.call(token, "GET", &path, None);
            match answer.status {
                404 => Some(()),
                _ => {
                    let shown = answer.json();
                    assert_ne!(shown["status"], "DELETE_FAILED", "{}", shown["status_reason"]);
                    None
                }
            }
        });
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _gone = process.kill().and_then(|()| process.wait());
        }
        if std::thread::panicking() {
            eprintln!("the service's log ends:\n{}", tail(&self.log()));
        }
    }
}

/// The last lines of a text.
pub fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

fn merge(body: &mut Value, more: Value) {
    if let Value::Object(more) = more {
        for (key, value) in more {
            body[key] = value;
        }
    }
}

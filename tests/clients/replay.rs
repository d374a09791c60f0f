//! Sends what a client is known to send, and reads answers as strictly as it does.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Value, json};

use crate::support::cloud::CLOUD;
use crate::support::http::{Answer, request};
use crate::support::service::Service;
use crate::support::wait_for;

/// A client of which only its requests are known.
pub(crate) struct Client {
    pub(crate) service: Service,
    token: String,
}

impl Client {
    pub(crate) fn start(user: &str) -> Self {
        Self { service: Service::start(&[]), token: CLOUD.token(user) }
    }

    /// A request below `/v1`, at that version or without naming one, which must be answered so.
    pub(crate) fn sends(&self, version: Option<&str>, line: &str, body: Option<Value>, status: u16) -> Answer {
        let (method, path) = line.split_once(' ').unwrap();
        let version = version.map(|version| format!("container-infra {version}"));
        let mut headers = vec![("x-auth-token", self.token.as_str()), ("accept", "application/json")];
        headers.extend(version.as_deref().map(|version| ("openstack-api-version", version)));
        let answer = request(method, &format!("{}{path}", self.service.endpoint()), &headers, body.as_ref());
        assert_eq!(answer.status, status, "{line} {body:?}: {}", answer.text);
        answer
    }

    /// Asks again until the cluster has left these states, and reads each answer in full.
    pub(crate) fn polls(&self, version: Option<&str>, uuid: &str, pending: &[&str], target: &str) -> Value {
        wait_for("the cluster to change", std::time::Duration::from_secs(600), || {
            let shown = self.sends(version, &format!("GET /clusters/{uuid}"), None, 200).json();
            strict_cluster(&shown);
            let status = shown["status"].as_str().unwrap();
            assert!(pending.contains(&status) || status == target, "{shown}");
            (status == target).then_some(shown)
        })
    }

    /// Asks again until the cluster is absent.
    pub(crate) fn polls_until_absent(&self, version: Option<&str>, uuid: &str) {
        let version = version.map(|version| format!("container-infra {version}"));
        let mut headers = vec![("x-auth-token", self.token.as_str())];
        headers.extend(version.as_deref().map(|version| ("openstack-api-version", version)));
        let url = format!("{}/clusters/{uuid}", self.service.endpoint());
        wait_for("the cluster to be gone", std::time::Duration::from_secs(600), || {
            let answer = request("GET", &url, &headers, None);
            (answer.status == 404).then_some(())
        });
    }
}

/// A time with a numeric offset, as Go's `time.Time` wants it.
fn time(value: &Value) {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no time"));
    DateTime::parse_from_rfc3339(text).unwrap_or_else(|error| panic!("{text}: {error}"));
}

fn texts(value: &Value) {
    serde_json::from_value::<BTreeMap<String, String>>(value.clone())
        .unwrap_or_else(|_| panic!("{value} is no map of text"));
}

/// The members that are of one JSON type each; `null` is a zero value to Go, and to nobody else.
fn typed(body: &Value, members: &[(&str, &str)]) {
    for (member, kind) in members {
        let value = &body[*member];
        let fits = match *kind {
            "text" => value.is_string(),
            "text?" => value.is_string() || value.is_null(),
            "number" => value.is_i64(),
            "number?" => value.is_i64() || value.is_null(),
            "boolean" => value.is_boolean(),
            "list" => value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
            other => panic!("{other}"),
        };
        assert!(fits, "{member} is no {kind}: {value}");
    }
}

/// A whole cluster, in the types of gophercloud.
pub(crate) fn strict_cluster(body: &Value) {
    typed(
        body,
        &[
            ("uuid", "text"),
            ("name", "text"),
            ("cluster_template_id", "text"),
            ("status", "text"),
            ("status_reason", "text?"),
            ("project_id", "text"),
            ("user_id", "text"),
            ("keypair", "text?"),
            ("api_address", "text?"),
            ("coe_version", "text?"),
            ("container_version", "text?"),
            ("discovery_url", "text?"),
            ("flavor_id", "text?"),
            ("master_flavor_id", "text?"),
            ("fixed_network", "text?"),
            ("fixed_subnet", "text?"),
            ("health_status", "text?"),
            ("node_count", "number"),
            ("master_count", "number"),
            ("create_timeout", "number?"),
            ("docker_volume_size", "number?"),
            ("floating_ip_enabled", "boolean"),
            ("master_lb_enabled", "boolean"),
            ("merge_labels", "boolean"),
            ("node_addresses", "list"),
            ("master_addresses", "list"),
        ],
    );
    time(&body["created_at"]);
    if !body["updated_at"].is_null() {
        time(&body["updated_at"]);
    }
    for member in ["labels", "labels_added", "labels_overridden", "labels_skipped"] {
        texts(&body[member]);
    }
    assert!(body["health_status_reason"].is_object() && body["links"].is_array(), "{body}");
    if let Some(faults) = body.get("faults") {
        texts(faults);
    }
}

/// A whole cluster template, in the types of gophercloud.
pub(crate) fn strict_template(body: &Value) {
    typed(
        body,
        &[
            ("uuid", "text"),
            ("name", "text"),
            ("coe", "text"),
            ("image_id", "text"),
            ("cluster_distro", "text"),
            ("server_type", "text"),
            ("network_driver", "text"),
            ("project_id", "text"),
            ("user_id", "text"),
            ("flavor_id", "text?"),
            ("master_flavor_id", "text?"),
            ("keypair_id", "text?"),
            ("external_network_id", "text?"),
            ("fixed_network", "text?"),
            ("fixed_subnet", "text?"),
            ("dns_nameserver", "text?"),
            ("volume_driver", "text?"),
            ("docker_storage_driver", "text?"),
            ("http_proxy", "text?"),
            ("https_proxy", "text?"),
            ("no_proxy", "text?"),
            ("insecure_registry", "text?"),
            ("apiserver_port", "number?"),
            ("docker_volume_size", "number?"),
            ("public", "boolean"),
            ("hidden", "boolean"),
            ("tls_disabled", "boolean"),
            ("registry_enabled", "boolean"),
            ("floating_ip_enabled", "boolean"),
            ("master_lb_enabled", "boolean"),
        ],
    );
    texts(&body["labels"]);
    time(&body["created_at"]);
    if !body["updated_at"].is_null() {
        time(&body["updated_at"]);
    }
}

/// One change of a patch.
pub(crate) fn replace(path: &str, value: impl Into<Value>) -> Value {
    json!({"op": "replace", "path": path, "value": value.into()})
}

/// A signing request by OpenSSL with these arguments.
pub(crate) fn csr(arguments: &str) -> String {
    let line = format!("req -new -nodes {arguments} -keyout /dev/null");
    let output = std::process::Command::new("openssl").args(line.split(' ')).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

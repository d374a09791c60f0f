//! What nodes of a Mesos cluster are told besides what all nodes are told.

use serde_json::{Map, Value, json};

use super::{COE, has_marathon};
use crate::node::{Node, Own, given};

/// Where executors find what they need for TLS; anyone on the node may read it.
const OF_EXECUTORS: &str = "/etc/mesos/executor";

/// It.
pub(super) fn of(node: &Node<'_>) -> Own {
    let desired = &node.spec.desired;
    let labels = COE.values(&desired.labels);
    Own {
        settings: vec![
            ("MESOS_TLS", given(!desired.tls_disabled)),
            ("MARATHON", given(has_marathon(desired))),
            ("MESOS_PACKAGES_URL", given(packages_url(node).trim_end_matches('/'))),
            ("MESOS_ISOLATION", given(labels.list("mesos_slave_isolation").join(","))),
            ("MESOS_IMAGE_PROVIDERS", given(labels.list("mesos_slave_image_providers").join(",").to_uppercase())),
            ("MESOS_WORK_DIR", given(labels.text("mesos_slave_work_dir"))),
            (
                "EXECUTOR_ENVIRONMENT",
                given(executors(labels.text("mesos_slave_executor_env_variables"), !desired.tls_disabled)),
            ),
            ("RUNTIME_VOLUME", node.runtime_volume()),
        ],
        ..Own::default()
    }
}

/// Where the packages are: as the label says, else as the image does.
fn packages_url(node: &Node<'_>) -> String {
    let of_label = COE.values(&node.spec.desired.labels).text("mesos_packages_url").to_owned();
    if of_label.is_empty() { node.group.image.mesos_packages_url.clone().unwrap_or_default() } else { of_label }
}

/// The environment of executors: the user's, and with TLS what they must know to speak to their agent. Empty where
/// there is nothing, so that Mesos does as it does by itself.
fn executors(label: &str, tls: bool) -> String {
    let mut all: Map<String, Value> = serde_json::from_str(label).unwrap_or_default();
    if tls {
        let file = |name: &str| json!(format!("{OF_EXECUTORS}/{name}"));
        let ours = [
            ("LIBPROCESS_SSL_ENABLED", json!("true")),
            ("LIBPROCESS_SSL_CA_FILE", file("ca.crt")),
            ("LIBPROCESS_SSL_CERT_FILE", file("executor.crt")),
            ("LIBPROCESS_SSL_KEY_FILE", file("executor.key")),
            ("LIBPROCESS_SSL_VERIFY_SERVER_CERT", json!("true")),
            ("LIBPROCESS_SSL_VERIFY_IPADD", json!("true")),
            ("LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME", json!("openssl")),
            ("LIBPROCESS_SSL_CIPHERS", json!("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")),
        ];
        all.extend(ours.map(|(key, value)| (key.to_owned(), value)));
        // An environment of one's own is all that an executor has.
        all.entry("PATH").or_insert_with(|| json!("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
    }
    if all.is_empty() { String::new() } else { Value::from(all).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executors_have_the_users_environment_and_tls_of_ours() {
        assert_eq!(executors("", false), "");
        assert_eq!(executors(r#"{ "A": "it's \"b\"" }"#, false), r#"{"A":"it's \"b\""}"#);
        let with: Value =
            serde_json::from_str(&executors(r#"{"LIBPROCESS_SSL_ENABLED":"false","B":"1"}"#, true)).unwrap();
        assert_eq!(with["LIBPROCESS_SSL_ENABLED"], "true", "what the stack decides stays decided");
        assert_eq!(with["B"], "1");
        assert_eq!(with["LIBPROCESS_SSL_KEY_FILE"], "/etc/mesos/executor/executor.key");
    }
}

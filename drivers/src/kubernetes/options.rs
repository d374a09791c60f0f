//! Command line options that users may add, and those that they may not.
//!
//! Options end in the configuration of programs that run as root and hold keys: what reads or writes files, decides
//! who may come in, or is decided by the stack is refused.

use crate::label;

/// Labels that hold options, each with the options that are ours to decide.
pub(super) const LABELS: &[(&str, &[&str])] = &[
    (
        "kubeapi_options",
        &[
            "admission-control",
            "advertise-address",
            "allow-privileged",
            "anonymous-auth",
            "audit-log-maxage",
            "audit-log-maxbackup",
            "audit-log-maxsize",
            "authorization-mode",
            "bind-address",
            "enable-admission-plugins",
            "enable-bootstrap-token-auth",
            "etcd-servers",
            "external-hostname",
            "insecure-bind-address",
            "insecure-port",
            "kubelet-certificate-authority",
            "secure-port",
            "service-account-issuer",
            "service-cluster-ip-range",
            "tls-cipher-suites",
            "token-auth",
        ],
    ),
    (
        "kubecontroller_options",
        &[
            "allocate-node-cidrs",
            "bind-address",
            "cluster-cidr",
            "cluster-name",
            "controllers",
            "master",
            "node-cidr-mask-size",
            "root-ca",
            "secure-port",
            "service-cluster-ip-range",
            "use-service-account-credentials",
        ],
    ),
    ("kubescheduler_options", &["bind-address", "master", "secure-port"]),
    (
        "kubelet_options",
        &[
            "anonymous-auth",
            "authorization-mode",
            "cgroup-driver",
            "cloud-provider",
            "cluster-dns",
            "cluster-domain",
            "container-runtime-endpoint",
            "enable-debugging-handlers",
            "hostname-override",
            "node-ip",
            "port",
            "provider-id",
            "read-only-port",
            "register-node",
            "rotate-certificates",
            "rotate-server-certificates",
            "tls-cipher-suites",
        ],
    ),
    ("kubeproxy_options", &[]),
];

/// The proxy is configured by a file in the cluster: only these options have a place in it.
pub(super) const PROXY: &[&str] = &["healthz-bind-address", "metrics-bind-address", "nodeport-addresses", "proxy-mode"];

/// Starts of options that read or write files or decide who may come in.
const DENIED_STARTS: &[&str] = &[
    "audit-webhook-",
    "authentication-",
    "authorization-",
    "client-ca-",
    "cluster-signing-",
    "encryption-provider-",
    "etcd-",
    "experimental-",
    "kubelet-client-",
    "proxy-client-",
    "requestheader-",
    "service-account-",
    "tls-sni-",
    "volume-plugin-",
];

/// Ends of options that name files.
const DENIED_ENDS: &[&str] = &["-config", "-dir", "-file", "-files", "-path", "-socket", "-directory", "kubeconfig"];

/// Options that name files and end in none of these.
const DENIED: &[&str] = &["config", "audit-log-path", "cert-dir", "root-dir", "write-config-to", "profiling"];

/// Options as nodes read them, `--key=value` separated by single spaces; or the first that is refused.
pub(super) fn normalize(label: &str, value: &str) -> Result<String, String> {
    let parsed = label::options(value).ok_or_else(|| value.to_owned())?;
    match parsed.iter().find(|(key, _)| denied(label, key)) {
        Some((key, _)) => Err(format!("--{key}")),
        None => Ok(parsed.iter().map(|(key, value)| format!("--{key}={value}")).collect::<Vec<_>>().join(" ")),
    }
}

fn denied(label: &str, key: &str) -> bool {
    let ours = LABELS.iter().any(|(name, ours)| *name == label && ours.contains(&key));
    let unplaced = label == "kubeproxy_options" && !PROXY.contains(&key);
    ours || unplaced
        || DENIED.contains(&key)
        || DENIED_STARTS.iter().any(|start| key.starts_with(start))
        || DENIED_ENDS.iter().any(|end| key.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::normalize;

    #[test]
    fn harmless_options_pass_in_one_form() {
        let given = "--v=2,--feature-gates=A=true,B=false  --quiet";
        assert_eq!(normalize("kubelet_options", given), Ok("--v=2 --feature-gates=A=true,B=false --quiet=true".into()));
        assert_eq!(normalize("kubeproxy_options", "--proxy-mode=nftables"), Ok("--proxy-mode=nftables".into()));
        assert!(normalize("kubeapi_options", "--tls-min-version=VersionTLS13").is_ok());
    }

    #[test]
    fn what_opens_doors_or_names_files_is_refused_by_name() {
        for (label, option) in [
            ("kubeapi_options", "--anonymous-auth"),
            ("kubeapi_options", "--token-auth-file"),
            ("kubeapi_options", "--audit-log-path"),
            ("kubeapi_options", "--etcd-servers"),
            ("kubeapi_options", "--authorization-webhook-config-file"),
            ("kubeapi_options", "--encryption-provider-config"),
            ("kubelet_options", "--read-only-port"),
            ("kubelet_options", "--pod-manifest-path"),
            ("kubelet_options", "--kubeconfig"),
            ("kubelet_options", "--config"),
            ("kubecontroller_options", "--cluster-signing-key-file"),
            ("kubescheduler_options", "--config"),
            ("kubeproxy_options", "--masquerade-all"),
        ] {
            assert_eq!(normalize(label, &format!("{option}=x --v=1")), Err(option.to_owned()), "{label}");
        }
    }
}

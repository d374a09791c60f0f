//! What nodes of a Kubernetes cluster are told besides what all nodes are told.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::labels::DEFAULT_KUBE_TAG;
use super::settings::{NetworkDriver, Settings, labels};
use crate::node::{Node, Own, Setting, given};
use crate::{Image, Role, templates};

/// Tag of the image that holds flannel's CNI plugin; it goes with the default of label `flannel_tag`.
const FLANNEL_CNI_TAG: &str = "v1.9.1-flannel1";

/// It.
pub(super) fn of(node: &Node<'_>, settings: &Settings) -> Own {
    let values = labels(&node.spec.desired.labels);
    let own = Environment { node, settings };
    Own {
        settings: own.cluster().into_iter().chain(own.software()).collect(),
        alternative_names: values.list("api_server_cert_sans").iter().map(|name| alternative_name(name)).collect(),
        domains: vec![".svc".to_owned(), format!(".{}", values.text("dns_cluster_domain"))],
        networks: vec![settings.pod_cidr.to_string(), settings.service_cidr.to_string()],
        files: own.addons(),
    }
}

fn alternative_name(name: &str) -> String {
    let kind = if name.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
    format!("{kind}:{name}")
}

struct Environment<'a> {
    node: &'a Node<'a>,
    settings: &'a Settings,
}

impl Environment<'_> {
    /// Manifests that the first master applies.
    fn addons(&self) -> Vec<(String, &'static str)> {
        let wanted = |name: &str| name != "flannel.yaml" || self.settings.network_driver == NetworkDriver::Flannel;
        templates::of("kubernetes/addons")
            .filter(|(name, _)| self.node.group.role == Role::Master && wanted(name))
            .map(|(name, text)| (format!("/etc/jeroboam/addons/{name}"), text))
            .collect()
    }

    fn cluster(&self) -> Vec<(&'static str, Setting)> {
        let settings = self.settings;
        let labels = labels(&self.node.spec.desired.labels);
        let service = settings.service_cidr.network();
        vec![
            ("ETCD_VOLUME", self.node.state_volume("@@ETCD_VOLUME@@")),
            ("RUNTIME_VOLUME", self.node.runtime_volume()),
            ("POD_CIDR", given(settings.pod_cidr)),
            ("SERVICE_CIDR", given(settings.service_cidr)),
            ("API_SERVICE_ADDRESS", given(after(service, 1))),
            ("DNS_SERVICE_ADDRESS", given(after(service, 10))),
            ("DNS_DOMAIN", given(labels.text("dns_cluster_domain"))),
            ("NETWORK_DRIVER", given(settings.network_driver.as_str())),
            ("FLANNEL_BACKEND", given(&settings.flannel_backend)),
            ("FLANNEL_SUBNET_LENGTH", given(labels.text("flannel_network_subnetlen"))),
            ("FLANNEL_TAG", given(labels.text("flannel_tag"))),
            ("FLANNEL_CNI_TAG", given(FLANNEL_CNI_TAG)),
            ("CNI_MANIFEST_URL", given(self.manifest(labels.text("cni_manifest_url")))),
            ("CNI_MANIFEST_SHA256", given(self.manifest(labels.text("cni_manifest_sha256")).to_lowercase())),
            ("ADMISSION_PLUGINS", given(&settings.admission_plugins)),
            ("KUBEAPI_OPTIONS", given(self.api_options())),
            ("KUBECONTROLLER_OPTIONS", given(self.options("kubecontroller_options"))),
            ("KUBESCHEDULER_OPTIONS", given(self.options("kubescheduler_options"))),
            ("KUBELET_OPTIONS", given(self.options("kubelet_options"))),
            ("KUBEPROXY_OPTIONS", given(self.options("kubeproxy_options"))),
            ("KUBELET_TLS_CIPHER_SUITES", given(labels.list("kubelet_tls_cipher_suites").join(","))),
            ("AUDIT_LOG", given(labels.flag("audit_log_enabled") == Some(true))),
            ("AUDIT_LOG_MAXAGE", given(labels.text("audit_log_maxage"))),
            ("AUDIT_LOG_MAXBACKUP", given(labels.text("audit_log_maxbackup"))),
            ("AUDIT_LOG_MAXSIZE", given(labels.text("audit_log_maxsize"))),
            ("CLOUD_PROVIDER", given(labels.flag("cloud_provider_enabled") == Some(true))),
            ("ETCD_STATE", given(if self.node.rejoins { "existing" } else { "new" })),
        ]
    }

    /// Where a manifest is fetched from counts only for drivers that we do not bring.
    fn manifest<'a>(&self, text: &'a str) -> &'a str {
        if self.settings.network_driver == NetworkDriver::Flannel { "" } else { text }
    }

    fn options(&self, label: &str) -> String {
        self.settings.options.get(label).cloned().unwrap_or_default()
    }

    /// The API server's options with those that labels of their own stand for.
    fn api_options(&self) -> String {
        let labels = labels(&self.node.spec.desired.labels);
        let mut options = vec![self.options("kubeapi_options")];
        if labels.some("oidc_issuer_url").is_some() {
            let keys =
                ["issuer-url", "client-id", "username-claim", "username-prefix", "groups-claim", "groups-prefix"];
            for key in keys {
                let value = labels.text(&format!("oidc_{}", key.replace('-', "_")));
                if !value.is_empty() {
                    options.push(format!("--oidc-{key}={value}"));
                }
            }
        }
        options.push(format!("--tls-cipher-suites={}", labels.list("api_server_tls_cipher_suites").join(",")));
        options.retain(|option| !option.is_empty());
        options.join(" ")
    }

    fn software(&self) -> Vec<(&'static str, Setting)> {
        let labels = labels(&self.node.spec.desired.labels);
        vec![
            ("KUBE_VERSION", given(self.kube_version())),
            ("KUBE_INSTALL", given(labels.text("kube_install"))),
            ("KUBE_TARBALL_URL", given(labels.text("kube_tarball_url"))),
            ("KUBE_TARBALL_SHA256", given(labels.text("kube_tarball_sha256").to_lowercase())),
            ("KUBE_PACKAGES_URL", given(self.packages_url())),
            ("CONTAINERD_TARBALL_URL", given(labels.text("containerd_tarball_url"))),
            ("CONTAINERD_TARBALL_SHA256", given(labels.text("containerd_tarball_sha256").to_lowercase())),
            ("CNI_PLUGINS_URL", given(labels.text("cni_plugins_url"))),
            ("CNI_PLUGINS_SHA256", given(labels.text("cni_plugins_sha256").to_lowercase())),
            ("IMAGE_PREFIX", given(labels.text("container_infra_prefix").trim_end_matches('/'))),
            ("ETCD_TAG", given(labels.text("etcd_tag"))),
            ("COREDNS_TAG", given(labels.text("coredns_tag"))),
            ("SELINUX_MODE", given(labels.text("selinux_mode"))),
        ]
    }

    fn packages_url(&self) -> &str {
        match labels(&self.node.spec.desired.labels).text("kube_packages_url") {
            "" => "https://pkgs.k8s.io/core:/stable:",
            url => url.trim_end_matches('/'),
        }
    }

    /// The label, else the image's property, else nothing where the image decides, else our default.
    fn kube_version(&self) -> String {
        kube_version(&self.node.spec.desired.labels, &self.node.group.image).unwrap_or_default()
    }
}

/// The version that labels and image come to.
pub(super) fn kube_version(given: &BTreeMap<String, String>, image: &Image) -> Option<String> {
    let labels = labels(given);
    let of_image = || Some(format!("v{}", image.kube_version.as_deref()?.trim_start_matches('v')));
    let packages = || (labels.text("kube_install") == "packages").then(|| DEFAULT_KUBE_TAG.to_owned());
    labels.some("kube_tag").or_else(of_image).or_else(packages)
}

/// The address this far into a network.
fn after(network: Ipv4Addr, offset: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(network).saturating_add(offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_addresses_follow_the_network() {
        let network: ipnet::Ipv4Net = "10.96.128.0/20".parse().unwrap();
        assert_eq!(after(network.network(), 1).to_string(), "10.96.128.1");
        assert_eq!(after(network.network(), 10).to_string(), "10.96.128.10");
    }
}

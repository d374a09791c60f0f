//! The settings that node scripts read: `/etc/jeroboam/node.env`, one `KEY='value'` a line, no secrets.
//!
//! What only Heat knows stands as a marker, `@@NAME@@`, which Heat replaces. No other value may hold two at signs.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::labels::DEFAULT_KUBE_TAG;
use super::settings::{Labels, NetworkDriver, Settings};
use crate::{ClusterSpec, Image, NodegroupSpec, RenderError, Role};

/// Where the endpoint's authority is put on nodes.
pub(super) const API_CA_FILE: &str = "/etc/jeroboam/api-ca.pem";

/// The file itself.
pub(super) const FILE: &str = "/etc/jeroboam/node.env";

/// Tag of the image that holds flannel's CNI plugin; it goes with the default of label `flannel_tag`.
const FLANNEL_CNI_TAG: &str = "v1.9.1-flannel1";

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Setting {
    /// Ours or the user's.
    Given(String),
    /// With markers in it, for Heat to replace.
    ForHeat(String),
}

/// What decides the settings of a node.
pub(super) struct Node<'a> {
    pub(super) spec: &'a ClusterSpec,
    pub(super) settings: &'a Settings,
    pub(super) group: &'a NodegroupSpec,
    /// Whether the API has a floating IP of its own.
    pub(super) api_floating: bool,
    /// Whether masters have an etcd volume.
    pub(super) etcd_volume: bool,
    /// Whether nodes of the group have a container volume.
    pub(super) runtime_volume: bool,
    /// Whether its etcd takes the place of a member that others know.
    pub(super) rejoins: bool,
}

impl Node<'_> {
    /// All settings, in the order in which they are written.
    pub(super) fn settings(&self) -> Vec<(&'static str, Setting)> {
        let mut all = self.identity();
        all.extend(self.addresses());
        all.extend(self.cluster());
        all.extend(self.software());
        all
    }

    /// The file's text.
    ///
    /// # Errors
    /// A value that could end its line or be taken for a marker; [`super::check`] refuses those of users before.
    pub(super) fn text(&self) -> Result<String, RenderError> {
        self.settings().into_iter().map(|(key, setting)| line(key, &setting)).collect()
    }

    fn identity(&self) -> Vec<(&'static str, Setting)> {
        let (spec, role) = (self.spec, self.group.role);
        let ca = spec.api_ca.as_ref().map_or("", |_| API_CA_FILE);
        let labels: Vec<String> = self.group.node_labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        vec![
            ("CLUSTER_UUID", given(&spec.uuid)),
            ("CLUSTER_NAME", given(&spec.desired.name)),
            ("NODE_ROLE", given(role)),
            ("NODE_INDEX", heat("@@NODE_INDEX@@")),
            ("NODE_NAME", heat("@@NODE_NAME@@")),
            ("NODE_ADDRESS", heat("@@NODE_ADDRESS@@")),
            ("NODEGROUP_NAME", given(&self.group.name)),
            ("NODEGROUP_UUID", given(&self.group.uuid)),
            ("NODEGROUP_ROLE", given(&self.group.role_name)),
            ("NODE_LABELS", given(labels.join(","))),
            ("NODE_TAINTS", given(self.group.node_taints.join(","))),
            ("NODE_REPORTS", given(spec.node_reports)),
            ("API_URL", given(&spec.api_url)),
            ("API_CA_FILE", given(ca)),
            ("OS_DISTRO", given(&spec.desired.os_distro)),
        ]
    }

    fn addresses(&self) -> Vec<(&'static str, Setting)> {
        let spec = self.spec;
        let names: Vec<String> = (0..spec.masters.count).map(|index| spec.node_name(&spec.masters, index)).collect();
        let volume = |there: bool, marker: &str| if there { heat(marker) } else { given("") };
        let master = self.group.role == Role::Master;
        vec![
            ("MASTER_NAMES", given(names.join(","))),
            ("MASTER_ADDRESSES", heat("@@MASTER_ADDRESSES@@")),
            ("KUBE_API_ADDRESS", heat("@@KUBE_API_ADDRESS@@")),
            ("KUBE_API_PORT", given(self.settings.api_port)),
            ("KUBE_API_SANS", if master { heat(&self.alternative_names()) } else { given("") }),
            ("ETCD_VOLUME", volume(master && self.etcd_volume, "@@ETCD_VOLUME@@")),
            ("RUNTIME_VOLUME", volume(self.runtime_volume, "@@RUNTIME_VOLUME@@")),
        ]
    }

    /// What the API is reached by besides the addresses and names that every API server has.
    fn alternative_names(&self) -> String {
        let mut names = vec!["IP:@@KUBE_API_ADDRESS@@".to_owned()];
        if self.api_floating {
            names.push("IP:@@KUBE_API_FLOATING_ADDRESS@@".to_owned());
        }
        if self.spec.desired.floating_ip_enabled {
            names.push("IP:@@NODE_FLOATING_ADDRESS@@".to_owned());
        }
        for name in Labels(&self.spec.desired.labels).list("api_server_cert_sans") {
            let kind = if name.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
            names.push(format!("{kind}:{name}"));
        }
        names.join(",")
    }

    fn cluster(&self) -> Vec<(&'static str, Setting)> {
        let (settings, desired) = (self.settings, &self.spec.desired);
        let labels = Labels(&desired.labels);
        let service = settings.service_cidr.network();
        vec![
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
            ("ETCD_STATE", given(if self.rejoins { "existing" } else { "new" })),
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
        let labels = Labels(&self.spec.desired.labels);
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
        let desired = &self.spec.desired;
        let labels = Labels(&desired.labels);
        let text = |value: &Option<String>| given(value.as_deref().unwrap_or_default());
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
            ("INSECURE_REGISTRY", text(&desired.insecure_registry)),
            ("HTTP_PROXY", text(&desired.http_proxy)),
            ("HTTPS_PROXY", text(&desired.https_proxy)),
            ("NO_PROXY", self.no_proxy()),
        ]
    }

    fn packages_url(&self) -> &str {
        match Labels(&self.spec.desired.labels).text("kube_packages_url") {
            "" => "https://pkgs.k8s.io/core:/stable:",
            url => url.trim_end_matches('/'),
        }
    }

    /// The label, else the image's property, else nothing where the image decides, else our default.
    fn kube_version(&self) -> String {
        kube_version(&self.spec.desired.labels, &self.group.image).unwrap_or_default()
    }

    /// Where no proxy is in the way: what was given, and all of the cluster itself.
    fn no_proxy(&self) -> Setting {
        let desired = &self.spec.desired;
        if [&desired.http_proxy, &desired.https_proxy]
            .iter()
            .all(|proxy| proxy.as_deref().unwrap_or_default().is_empty())
        {
            return given("");
        }
        let domain = Labels(&desired.labels).text("dns_cluster_domain");
        let mut names: Vec<String> =
            desired.no_proxy.iter().flat_map(|given| crate::label::list(given)).map(str::to_owned).collect();
        names.extend(["localhost", "127.0.0.1", "169.254.169.254", "@@KUBE_API_ADDRESS@@", ".svc"].map(str::to_owned));
        names.push(format!(".{domain}"));
        names.push(super::subnet_cidr(self.spec, self.settings));
        names.extend([self.settings.pod_cidr.to_string(), self.settings.service_cidr.to_string()]);
        names.retain(|name| !name.is_empty());
        heat(&names.join(","))
    }
}

/// The version that labels and image come to.
pub(super) fn kube_version(labels: &BTreeMap<String, String>, image: &Image) -> Option<String> {
    let labels = Labels(labels);
    let of_image = || Some(format!("v{}", image.kube_version.as_deref()?.trim_start_matches('v')));
    let packages = || (labels.text("kube_install") == "packages").then(|| DEFAULT_KUBE_TAG.to_owned());
    labels.some("kube_tag").or_else(of_image).or_else(packages)
}

fn given(value: impl ToString) -> Setting {
    Setting::Given(value.to_string())
}

fn heat(value: &str) -> Setting {
    Setting::ForHeat(value.to_owned())
}

/// The address this far into a network.
fn after(network: Ipv4Addr, offset: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(network).saturating_add(offset))
}

/// One line of the file, in the shell's single quotes.
fn line(key: &str, setting: &Setting) -> Result<String, RenderError> {
    let (value, marked) = match setting {
        Setting::Given(value) => (value, false),
        Setting::ForHeat(value) => (value, true),
    };
    if value.chars().any(char::is_control) || (!marked && value.contains("@@")) {
        let cause = format!("{key} is {value:?}: text on one line without @@ is wanted");
        return Err(RenderError::Document { name: FILE.to_owned(), cause });
    }
    Ok(format!("{key}='{}'\n", value.replace('\'', "'\\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_quotes_or_its_line() {
        assert_eq!(line("A", &given("it's $(id) `id` \\")).unwrap(), "A='it'\\''s $(id) `id` \\'\n");
        assert!(line("A", &given("one\ntwo")).is_err());
        assert!(line("A", &given("@@BOOTSTRAP_TOKEN@@")).is_err());
        assert_eq!(line("A", &heat("@@NODE_NAME@@")).unwrap(), "A='@@NODE_NAME@@'\n");
    }

    #[test]
    fn service_addresses_follow_the_network() {
        let network: ipnet::Ipv4Net = "10.96.128.0/20".parse().unwrap();
        assert_eq!(after(network.network(), 1).to_string(), "10.96.128.1");
        assert_eq!(after(network.network(), 10).to_string(), "10.96.128.10");
    }
}

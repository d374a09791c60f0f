//! What a cluster should be: the request ([`Desired`]) and the facts looked up for it ([`ClusterSpec`]).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs the control plane.
    Master,
    /// Runs workloads.
    Worker,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Master => "master",
            Self::Worker => "worker",
        })
    }
}

/// The part of a cluster that the request and its cluster template decide, after inheritance.
///
/// Everything here is known before anything is looked up, so that [`crate::Driver::check`] can run in the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    /// The cluster's name, `^[a-zA-Z][a-zA-Z0-9_.-]*$`, at most 242 characters.
    pub name: String,
    /// `kubernetes`, `swarm`, `swarm-mode` or `mesos`.
    pub coe: String,
    /// `vm` or `bm`.
    pub server_type: String,
    /// The image's `os_distro` property.
    pub os_distro: String,
    /// Number of control plane nodes, odd.
    pub master_count: u32,
    /// Number of workers in the default nodegroup.
    pub node_count: u32,
    /// Labels after merging with the cluster template's.
    pub labels: BTreeMap<String, String>,
    /// `flannel`, `calico`, `cilium`, … ; absent means the driver's default.
    pub network_driver: Option<String>,
    /// `cinder` or absent.
    pub volume_driver: Option<String>,
    /// `overlay2` or absent.
    pub docker_storage_driver: Option<String>,
    /// Size in GiB of a volume for container images and writable layers; absent means the root disk.
    pub docker_volume_size: Option<u32>,
    /// A load balancer in front of the API.
    pub master_lb_enabled: bool,
    /// A floating IP for every node.
    pub floating_ip_enabled: bool,
    /// No TLS on the COE's API.
    pub tls_disabled: bool,
    /// A registry inside the cluster.
    pub registry_enabled: bool,
    /// Port of the COE's API, 1024 to 65535; absent means the COE's own.
    pub apiserver_port: Option<u16>,
    /// Comma separated IPv4 name servers for a subnet that we make.
    pub dns_nameserver: Option<String>,
    /// `host:port` of a registry without TLS.
    pub insecure_registry: Option<String>,
    /// Proxy for HTTP, as a URL.
    pub http_proxy: Option<String>,
    /// Proxy for HTTPS, as a URL.
    pub https_proxy: Option<String>,
    /// Comma separated names and networks reached without a proxy.
    pub no_proxy: Option<String>,
    /// Minutes until an unfinished create fails; 0 or absent means no limit.
    pub create_timeout: Option<u32>,
}

/// A flavor as Nova describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flavor {
    /// Nova's identifier.
    pub id: String,
    /// Nova's name.
    pub name: String,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory in MiB.
    pub ram_mib: u32,
    /// Root disk in GiB; 0 means that the server must boot from a volume.
    pub disk_gib: u32,
}

/// An image as Glance describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Glance's identifier.
    pub id: String,
    /// Glance's name.
    pub name: String,
    /// The property `os_distro`.
    pub os_distro: String,
    /// The property `kube_version`, when the image carries Kubernetes.
    pub kube_version: Option<String>,
    /// The property `mesos_packages_url`: where the packages of Mesos that fit the image are.
    #[serde(default)]
    pub mesos_packages_url: Option<String>,
    /// Smallest root disk in GiB.
    pub min_disk_gib: u32,
}

/// A network and subnet given by the user instead of made by us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedNetwork {
    /// Neutron's network identifier.
    pub network_id: String,
    /// Neutron's subnet identifier.
    pub subnet_id: String,
    /// The subnet's address range, as in `10.0.0.0/24`.
    pub cidr: String,
}

/// How the cluster meets the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Identifier of the external network; absent when neither router nor floating IP is needed.
    pub external_id: Option<String>,
    /// The user's own network; absent means that the stack makes network, subnet and router.
    pub fixed: Option<FixedNetwork>,
}

/// One nodegroup inside a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodegroupSpec {
    /// The nodegroup's UUID.
    pub uuid: String,
    /// The nodegroup's name, as `default-worker`.
    pub name: String,
    /// Master or worker.
    pub role: Role,
    /// Number of nodes.
    pub count: u32,
    /// Flavor of its servers.
    pub flavor: Flavor,
    /// Image of its servers.
    pub image: Image,
    /// Labels after merging with the cluster's.
    pub labels: BTreeMap<String, String>,
    /// Size in GiB of the container volume of each node.
    pub docker_volume_size: Option<u32>,
    /// The role users gave it: `master`, `worker` or a word of their own.
    pub role_name: String,
    /// Kubernetes labels of its nodes, besides those every node has.
    pub node_labels: BTreeMap<String, String>,
    /// Kubernetes taints of its nodes, as `key=value:effect` or `key:effect`.
    pub node_taints: Vec<String>,
}

/// Nodes that were made by an earlier definition and keep it while others get the present one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Their image.
    pub image: Image,
    /// Their nodegroup's labels at that time.
    pub labels: BTreeMap<String, String>,
    /// Which masters, by index; of no meaning in a nodegroup's own stack.
    pub masters: Vec<u32>,
    /// Which workers, by index in their group.
    pub workers: Vec<u32>,
}

/// A stack on its way from earlier definitions of its nodes to the present one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transition {
    /// Nodes that keep what they have.
    pub previous: Vec<Previous>,
    /// The master whose server is left out, so that the next update makes it anew with the same port and volumes.
    pub absent_master: Option<u32>,
    /// Workers that the group is to drop, by index.
    pub leaving: Vec<u32>,
}

/// Certificates that a node must trust to reach the cloud's endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaBundle {
    /// PEM text, one or more certificates.
    pub pem: String,
}

/// Bootstrap tokens, one per role; they reach Heat as hidden parameters only.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens {
    /// For control plane nodes.
    pub master: String,
    /// For workers.
    pub worker: String,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(..)")
    }
}

/// Everything a driver needs to write the stack of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSpec {
    /// The cluster's UUID.
    pub uuid: String,
    /// The project that owns the cluster.
    pub project_id: String,
    /// The Heat stack's name, made by the conductor from the cluster's name and UUID.
    pub stack_name: String,
    /// What was asked for.
    pub desired: Desired,
    /// The control plane's nodegroup.
    pub masters: NodegroupSpec,
    /// The default worker nodegroup.
    pub workers: NodegroupSpec,
    /// Where the cluster lives.
    pub network: Network,
    /// OpenSSH public key for the image's default user.
    pub ssh_public_key: Option<String>,
    /// The container-infra endpoint as nodes reach it, ending in `/v1`.
    pub api_url: String,
    /// Trust for that endpoint, when it is not signed by a public authority.
    pub api_ca: Option<CaBundle>,
    /// Whether nodes report their phases to the API (label or option `node_reports`).
    pub node_reports: bool,
    /// Bootstrap tokens of the nodegroups.
    pub tokens: Tokens,
}

impl ClusterSpec {
    /// The label's value, an empty one counting as absent.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.desired.label(key)
    }

    /// The name of a node and of its server: lower case, at most 63 characters, unique within the cloud.
    #[must_use]
    pub fn node_name(&self, nodegroup: &NodegroupSpec, index: impl fmt::Display) -> String {
        format!("{}-{index}", self.node_prefix(nodegroup))
    }

    /// What all node names of a nodegroup start with, before `-<index>`.
    #[must_use]
    pub fn node_prefix(&self, nodegroup: &NodegroupSpec) -> String {
        node_prefix(&self.stack_name, &nodegroup.name)
    }
}

impl Desired {
    /// The label's value, an empty one counting as absent.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// The longest part of a stack's or nodegroup's name that a node name keeps.
const KEPT: usize = 20;

/// What node names may start with: an X.509 common name holds 64 bytes, of which `system:node:` and `-9999` take 17.
const LONGEST: usize = 47;

/// Node names start with this and `-<index>` follows; both the drivers and the signer of certificates use it.
///
/// A stack is called `<cluster name>-<12 hexadecimal digits>`: the digits stay whole, the name is cut.
#[must_use]
pub fn node_prefix(stack_name: &str, nodegroup_name: &str) -> String {
    let (name, id) = stack_name.rsplit_once('-').unwrap_or((stack_name, ""));
    let group = match nodegroup_name {
        "default-master" => "master",
        "default-worker" => "worker",
        other => other,
    };
    let (name, id) = (host_label(name, KEPT), host_label(id, KEPT));
    let group = host_label(group, KEPT.min(LONGEST - name.len() - id.len() - 2));
    [name, id, group].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// The text as part of a host name: lower case letters, digits and single hyphens, cut to `most` characters.
fn host_label(text: &str, most: usize) -> String {
    let mut label = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        match c {
            'a'..='z' | '0'..='9' => label.push(c),
            _ if !label.is_empty() && !label.ends_with('-') => label.push('-'),
            _ => {}
        }
    }
    label.truncate(most);
    label.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::node_prefix;

    #[test]
    fn node_names_are_host_names() {
        assert_eq!(node_prefix("ci-0123456789ab", "default-master"), "ci-0123456789ab-master");
        assert_eq!(node_prefix("My_Cluster.x-0123456789ab", "GPU nodes"), "my-cluster-x-0123456789ab-gpu-nodes");
        let long = node_prefix(&format!("{}-0123456789ab", "a".repeat(242)), &"b".repeat(255));
        assert!(format!("system:node:{long}-9999").len() <= 64, "{long}");
        assert!(long.ends_with("-bbbbbbbbbbbbb"), "{long}");
        assert!(node_prefix("ci-0123456789ab", &"b".repeat(255)).ends_with(&"b".repeat(20)));
    }
}

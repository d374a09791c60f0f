//! Clusters to render: every combination of what changes the graph, and a name for each.

use std::collections::BTreeMap;

use drivers::{CaBundle, ClusterSpec, Desired, FixedNetwork, Flavor, Image, Network, NodegroupSpec, Role, Tokens};

/// What changes the graph or the user data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) os_distro: &'static str,
    pub(crate) masters: u32,
    pub(crate) workers: u32,
    pub(crate) balanced: bool,
    pub(crate) given_network: bool,
    pub(crate) floating: bool,
    pub(crate) volumes: bool,
    pub(crate) driver: &'static str,
}

fn role_name(role: Role) -> &'static str {
    if role == Role::Master { "master" } else { "worker" }
}

const DISTROS: [&str; 4] = ["ubuntu", "debian", "fedora-coreos", "flatcar"];
const DRIVERS: [&str; 3] = ["flannel", "calico", "cilium"];

impl Shape {
    /// As `ubuntu-3m-2w-lb-net-fip-vol-calico`; parts that do not hold are left out.
    pub(crate) fn name(&self) -> String {
        let mut name = format!("{}-{}m-{}w", self.os_distro, self.masters, self.workers);
        let parts = [("lb", self.balanced), ("net", self.given_network), ("fip", self.floating), ("vol", self.volumes)];
        for (part, _) in parts.iter().filter(|(_, holds)| *holds) {
            name.push('-');
            name.push_str(part);
        }
        name + "-" + self.driver
    }

    /// The shape of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        every().into_iter().find(|shape| shape.name() == name)
    }

    pub(crate) fn spec(&self) -> ClusterSpec {
        let labels = self.labels();
        let group = |uuid: &str, name: &str, role, count, flavor: &str| NodegroupSpec {
            uuid: uuid.into(),
            name: name.into(),
            role,
            count,
            flavor: Flavor { id: flavor.into(), name: flavor.into(), vcpus: 2, ram_mib: 4096, disk_gib: 20 },
            image: Image {
                id: "9f4de1a7-0d2c-4b59-9c9b-0f7b3a1c0d11".into(),
                name: self.os_distro.into(),
                os_distro: self.os_distro.into(),
                kube_version: Some("1.35.3".into()),
                mesos_packages_url: None,
                min_disk_gib: 8,
            },
            labels: labels.clone(),
            docker_volume_size: self.volumes.then_some(50),
            role_name: role_name(role).into(),
            node_labels: BTreeMap::new(),
            node_taints: Vec::new(),
        };
        ClusterSpec {
            uuid: "3f1f6a2e-4c55-4d0e-9d3b-5f0a7c1b2d4e".into(),
            project_id: "0123456789abcdef0123456789abcdef".into(),
            stack_name: "demo-3f1f6a2e4c55".into(),
            desired: self.desired(labels.clone()),
            masters: group(
                "a1a1a1a1-0000-4000-8000-000000000001",
                "default-master",
                Role::Master,
                self.masters,
                "m1.medium",
            ),
            workers: group(
                "b2b2b2b2-0000-4000-8000-000000000002",
                "default-worker",
                Role::Worker,
                self.workers,
                "m1.small",
            ),
            network: Network {
                external_id: Some("e0e0e0e0-0000-4000-8000-00000000000e".into()),
                fixed: self.given_network.then(|| FixedNetwork {
                    network_id: "c3c3c3c3-0000-4000-8000-000000000003".into(),
                    subnet_id: "d4d4d4d4-0000-4000-8000-000000000004".into(),
                    cidr: "192.168.10.0/24".into(),
                }),
            },
            ssh_public_key: self.balanced.then(|| "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEXAMPLE user@example".into()),
            api_url: "https://containers.example.org:9511/v1".into(),
            api_ca: self
                .given_network
                .then(|| CaBundle { pem: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".into() }),
            node_reports: true,
            tokens: Tokens {
                master: "master-token-0000000000000000000000000000000".into(),
                worker: "worker-token-0000000000000000000000000000000".into(),
            },
        }
    }

    fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        let mut set = |key: &str, value: &str| _ = labels.insert(key.to_owned(), value.to_owned());
        if self.volumes {
            set("etcd_volume_size", "10");
            set("etcd_volume_type", "fast");
            set("boot_volume_size", "30");
            set("docker_volume_type", "slow");
            set("availability_zone", "az1");
        }
        if self.driver != "flannel" {
            set("cni_manifest_url", "https://example.org/cni.yaml");
            set("cni_manifest_sha256", &"0a".repeat(32));
        }
        if self.balanced {
            set("master_lb_allowed_cidrs", "192.0.2.0/24");
        }
        labels
    }

    fn desired(&self, labels: BTreeMap<String, String>) -> Desired {
        let proxy = || self.floating.then(|| "http://proxy.example.org:3128".to_owned());
        Desired {
            name: "demo".into(),
            coe: "kubernetes".into(),
            server_type: "vm".into(),
            os_distro: self.os_distro.into(),
            master_count: self.masters,
            node_count: self.workers,
            labels,
            network_driver: Some(self.driver.into()),
            volume_driver: Some("cinder".into()),
            docker_storage_driver: Some("overlay2".into()),
            docker_volume_size: self.volumes.then_some(50),
            master_lb_enabled: self.balanced,
            floating_ip_enabled: self.floating,
            tls_disabled: false,
            registry_enabled: false,
            apiserver_port: None,
            dns_nameserver: Some("9.9.9.9, 8.8.8.8".into()),
            insecure_registry: self.given_network.then(|| "registry.example.org:5000".into()),
            http_proxy: proxy(),
            https_proxy: proxy(),
            no_proxy: self.floating.then(|| "example.org".into()),
            create_timeout: Some(60),
        }
    }
}

/// Every combination of all but the network driver, which takes turns.
pub(crate) fn all() -> Vec<Shape> {
    let turn = |index: usize| index % DRIVERS.len() == (index / DRIVERS.len()) % DRIVERS.len();
    every().into_iter().enumerate().filter(|(index, _)| turn(*index)).map(|(_, shape)| shape).collect()
}

/// Every combination.
fn every() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for bits in 0..16 {
        let [balanced, given_network, floating, volumes] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
        for os_distro in DISTROS {
            for masters in [1, 3, 5] {
                for workers in [0, 1, 3] {
                    for driver in DRIVERS {
                        shapes.push(Shape {
                            os_distro,
                            masters,
                            workers,
                            balanced,
                            given_network,
                            floating,
                            volumes,
                            driver,
                        });
                    }
                }
            }
        }
    }
    shapes
}

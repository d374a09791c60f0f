//! Clusters to render.

use std::collections::BTreeMap;

use drivers::{ClusterSpec, Driver, Stack};

use crate::combinations;

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
    pub(crate) plain: bool,
    pub(crate) marathon: bool,
}

pub(crate) fn driver() -> &'static dyn Driver {
    drivers::find("mesos").unwrap()
}

impl Shape {
    /// As `ubuntu-3m-2w-lb-net-fip-vol-plain-marathon`; parts that do not hold are left out.
    pub(crate) fn name(&self) -> String {
        let parts = [
            ("lb", self.balanced),
            ("net", self.given_network),
            ("fip", self.floating),
            ("vol", self.volumes),
            ("plain", self.plain),
            ("marathon", self.marathon),
        ];
        let parts = parts.iter().filter(|(_, holds)| *holds).map(|(part, _)| format!("-{part}"));
        format!("{}-{}m-{}w{}", self.os_distro, self.masters, self.workers, parts.collect::<String>())
    }

    /// The shape of this name.
    pub(crate) fn named(name: &str) -> Self {
        every().into_iter().find(|shape| shape.name() == name).unwrap()
    }

    pub(crate) fn spec(&self) -> ClusterSpec {
        let like = combinations::Shape {
            os_distro: self.os_distro,
            masters: self.masters,
            workers: self.workers,
            balanced: self.balanced,
            given_network: self.given_network,
            floating: self.floating,
            volumes: self.volumes,
            driver: "flannel",
        };
        let mut spec = like.spec();
        let labels = self.labels();
        for group in [&mut spec.masters, &mut spec.workers] {
            group.labels.clone_from(&labels);
            group.image.kube_version = None;
        }
        let desired = &mut spec.desired;
        desired.labels = labels;
        desired.coe = "mesos".into();
        desired.network_driver = Some("docker".into());
        desired.volume_driver = None;
        desired.tls_disabled = self.plain;
        spec
    }

    fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        let mut set = |key: &str, value: &str| _ = labels.insert(key.to_owned(), value.to_owned());
        if self.volumes {
            set("boot_volume_size", "30");
            set("docker_volume_type", "slow");
            set("availability_zone", "az1");
            set("mesos_slave_isolation", "filesystem/linux,docker/runtime,cgroups/cpu,cgroups/mem");
            set("mesos_slave_image_providers", "docker,appc");
            set("mesos_slave_work_dir", "/srv/mesos");
            set("mesos_slave_executor_env_variables", r#"{"LANG": "C", "NOTE": "it's \"here\""}"#);
        }
        if self.balanced {
            set("master_lb_allowed_cidrs", "192.0.2.0/24");
            set("marathon_allowed_cidrs", "198.51.100.0/24");
        }
        if self.given_network {
            set("mesos_packages_url", "https://packages.example.org/mesos/");
        }
        if !self.marathon {
            set("marathon_enabled", "false");
        }
        labels
    }

    pub(crate) fn stack(&self) -> Stack {
        driver().stack(&self.spec()).unwrap_or_else(|error| panic!("{}: {error}", self.name()))
    }
}

/// Every combination.
pub(crate) fn every() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for bits in 0..64 {
        let [balanced, given_network, floating, volumes, plain, marathon] =
            [1, 2, 4, 8, 16, 32].map(|bit| bits & bit != 0);
        for os_distro in ["ubuntu", "debian"] {
            for masters in [1, 3, 5] {
                for workers in [0, 3] {
                    shapes.push(Shape {
                        os_distro,
                        masters,
                        workers,
                        balanced,
                        given_network,
                        floating,
                        volumes,
                        plain,
                        marathon,
                    });
                }
            }
        }
    }
    shapes
}

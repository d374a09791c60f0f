//! What a cluster template should be, before it is one: the attributes that a request may set.

use std::collections::BTreeMap;

use drivers::Driver;
use serde::{Deserialize, Serialize};

use super::ClusterTemplate;
use crate::cluster::name;
use crate::config;
use crate::{Error, Result};

/// The attributes of a cluster template that a request may set, in the words of the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Draft {
    /// Absent means a generated one on create, and none afterwards.
    pub name: Option<String>,
    /// `kubernetes`, `swarm`, `swarm-mode` or `mesos`.
    pub coe: Option<String>,
    /// Image of the nodes, by identifier or name.
    pub image_id: String,
    /// Flavor of workers, by identifier or name.
    pub flavor_id: Option<String>,
    /// Flavor of masters, by identifier or name.
    pub master_flavor_id: Option<String>,
    /// Comma separated IPv4 addresses.
    pub dns_nameserver: Option<String>,
    /// Nova keypair that clusters take unless they name their own.
    pub keypair_id: Option<String>,
    /// External network, by identifier or name.
    pub external_network_id: Option<String>,
    /// The user's own network, by identifier or name.
    pub fixed_network: Option<String>,
    /// The user's own subnet, by identifier or name.
    pub fixed_subnet: Option<String>,
    /// The COE's network plugin; absent means the COE's usual one.
    pub network_driver: Option<String>,
    /// Port of the COE's API.
    pub apiserver_port: Option<u16>,
    /// GiB of the container volume.
    pub docker_volume_size: Option<u32>,
    /// The container runtime's storage driver.
    pub docker_storage_driver: Option<String>,
    /// The image's `os_distro`, which always wins when an image is looked up.
    pub cluster_distro: Option<String>,
    /// Proxy for HTTP.
    pub http_proxy: Option<String>,
    /// Proxy for HTTPS.
    pub https_proxy: Option<String>,
    /// What is reached without a proxy, comma separated.
    pub no_proxy: Option<String>,
    /// `cinder` or nothing.
    pub volume_driver: Option<String>,
    /// A registry inside the cluster; absent means no.
    pub registry_enabled: Option<bool>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// No TLS on the COE's API; absent means no.
    pub tls_disabled: Option<bool>,
    /// Visible to every project; absent means no.
    pub public: Option<bool>,
    /// `vm` or `bm`; absent means `vm`.
    pub server_type: Option<String>,
    /// `host:port` of a registry without TLS.
    pub insecure_registry: Option<String>,
    /// A load balancer in front of the masters; absent means no.
    pub master_lb_enabled: Option<bool>,
    /// Floating IPs for nodes; absent means yes.
    pub floating_ip_enabled: Option<bool>,
    /// Closed to new clusters; absent means no.
    pub hidden: Option<bool>,
    /// Comma separated by convention.
    pub tags: Option<String>,
    /// Name of the driver; absent means one that fits.
    pub driver: Option<String>,
}

/// The smallest container volume in GiB that the storage driver devicemapper works with.
const DEVICEMAPPER_GIB: u32 = 3;

impl Draft {
    /// The draft of an existing template.
    #[must_use]
    pub fn of(template: &ClusterTemplate) -> Self {
        let template = template.clone();
        Self {
            name: template.name,
            coe: Some(template.coe),
            image_id: template.image_id,
            flavor_id: template.flavor_id,
            master_flavor_id: template.master_flavor_id,
            dns_nameserver: template.dns_nameserver,
            keypair_id: template.keypair_id,
            external_network_id: template.external_network_id,
            fixed_network: template.fixed_network,
            fixed_subnet: template.fixed_subnet,
            network_driver: template.network_driver,
            apiserver_port: template.apiserver_port.and_then(|port| port.try_into().ok()),
            docker_volume_size: template.docker_volume_size.and_then(|size| size.try_into().ok()),
            docker_storage_driver: template.docker_storage_driver,
            cluster_distro: Some(template.cluster_distro),
            http_proxy: template.http_proxy,
            https_proxy: template.https_proxy,
            no_proxy: template.no_proxy,
            volume_driver: template.volume_driver,
            registry_enabled: Some(template.registry_enabled),
            labels: template.labels.0,
            tls_disabled: Some(template.tls_disabled),
            public: Some(template.public),
            server_type: Some(template.server_type),
            insecure_registry: template.insecure_registry,
            master_lb_enabled: Some(template.master_lb_enabled),
            floating_ip_enabled: Some(template.floating_ip_enabled),
            hidden: Some(template.hidden),
            tags: template.tags,
            driver: template.driver,
        }
    }

    /// The template with this draft's attributes instead of its own.
    pub(super) fn onto(self, template: ClusterTemplate) -> ClusterTemplate {
        ClusterTemplate {
            name: self.name,
            coe: self.coe.unwrap_or(template.coe),
            image_id: self.image_id,
            flavor_id: self.flavor_id,
            master_flavor_id: self.master_flavor_id,
            dns_nameserver: self.dns_nameserver,
            keypair_id: self.keypair_id,
            external_network_id: self.external_network_id,
            fixed_network: self.fixed_network,
            fixed_subnet: self.fixed_subnet,
            network_driver: self.network_driver,
            apiserver_port: self.apiserver_port.map(Into::into),
            docker_volume_size: self.docker_volume_size.and_then(|size| size.try_into().ok()),
            docker_storage_driver: self.docker_storage_driver,
            cluster_distro: self.cluster_distro.unwrap_or(template.cluster_distro),
            http_proxy: self.http_proxy,
            https_proxy: self.https_proxy,
            no_proxy: self.no_proxy,
            volume_driver: self.volume_driver,
            registry_enabled: self.registry_enabled.unwrap_or(false),
            labels: self.labels.into(),
            tls_disabled: self.tls_disabled.unwrap_or(false),
            public: self.public.unwrap_or(false),
            server_type: self.server_type.unwrap_or_else(|| "vm".into()),
            insecure_registry: self.insecure_registry,
            master_lb_enabled: self.master_lb_enabled.unwrap_or(false),
            floating_ip_enabled: self.floating_ip_enabled.unwrap_or(true),
            hidden: self.hidden.unwrap_or(false),
            tags: self.tags,
            driver: self.driver,
            ..template
        }
    }

    /// Checks what needs no look-up, in the contract's order (3.4, steps 2 to 5), and fills in the usual network
    /// plugin.
    ///
    /// # Errors
    /// `Invalid`, in the contract's words.
    pub(super) fn check(&mut self, config: &config::ClusterTemplate) -> Result<()> {
        name::check_of_template(self.name.as_deref())?;
        let server_type = self.server_type.get_or_insert_with(|| "vm".into());
        if !matches!(server_type.as_str(), "vm" | "bm") {
            return Err(Error::invalid(format!(
                "Server type {server_type} is not supported, expecting a vm/bm/unspecified server type."
            )));
        }
        let maker = self.maker()?;
        self.check_network_driver(maker, config)?;
        if let Some(driver) = self.volume_driver.as_deref()
            && !maker.volume_drivers().contains(&driver)
        {
            let expected = [maker.volume_drivers(), &["unspecified"]].concat().join("/");
            return Err(Error::invalid(format!(
                "Volume driver type {driver} is not supported, expecting a {expected} volume driver."
            )));
        }
        let size = self.docker_volume_size;
        if self.docker_storage_driver.as_deref() == Some("devicemapper")
            && let Some(size) = size.filter(|size| *size < DEVICEMAPPER_GIB)
        {
            return Err(Error::invalid(format!(
                "docker_volume_size is {size}; the storage driver devicemapper needs at least {DEVICEMAPPER_GIB} GiB."
            )));
        }
        Ok(())
    }

    /// A driver that makes clusters of this COE, whatever else is asked for.
    fn maker(&self) -> Result<&'static dyn Driver> {
        let coe = self.coe.as_deref().unwrap_or("Unset");
        let makes = |driver: &&'static dyn Driver| driver.provides().iter().any(|made| made.coe == coe);
        let unsupported = || Error::invalid(format!("Requested COE type {coe} is not supported."));
        drivers::installed().into_iter().find(makes).ok_or_else(unsupported)
    }

    fn check_network_driver(&mut self, maker: &dyn Driver, config: &config::ClusterTemplate) -> Result<()> {
        let supported = maker.network_drivers();
        let is_kubernetes = self.coe.as_deref() == Some("kubernetes");
        let usual = || {
            let usual = &config.kubernetes_default_network_driver;
            if is_kubernetes { usual.clone() } else { supported[0].to_owned() }
        };
        let driver = self.network_driver.get_or_insert_with(usual).as_str();
        if !supported.contains(&driver) {
            return Err(unfit(driver, "supported", &supported.join("/")));
        }
        let allowed = &config.kubernetes_allowed_network_drivers;
        let is_allowed = |name: &str| allowed.iter().any(|allowed| allowed == "all" || allowed == name);
        if is_kubernetes && !is_allowed(driver) {
            return Err(unfit(driver, "allowed", &allowed.join("/")));
        }
        Ok(())
    }
}

fn unfit(driver: &str, word: &str, expected: &str) -> Error {
    Error::invalid(format!(
        "Network driver type {driver} is not {word}, expecting a {expected}/unspecified network driver."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut Draft)) -> Result<Draft, String> {
        let mut draft = Draft { coe: Some("kubernetes".into()), image_id: "i".into(), ..Draft::default() };
        change(&mut draft);
        draft.check(&config::ClusterTemplate::default()).map_err(|error| error.public.into_owned())?;
        Ok(draft)
    }

    #[test]
    fn what_is_left_out_is_the_usual() {
        let draft = check(|_| {}).unwrap();
        assert_eq!((draft.server_type.as_deref(), draft.network_driver.as_deref()), (Some("vm"), Some("flannel")));
        let draft = check(|draft| draft.coe = Some("swarm-mode".into())).unwrap();
        assert_eq!(draft.network_driver.as_deref(), Some("docker"));
    }

    #[test]
    fn a_server_type_is_vm_or_bm() {
        assert!(check(|draft| draft.server_type = Some("bm".into())).is_ok());
        assert_eq!(
            check(|draft| draft.server_type = Some("pod".into())).unwrap_err(),
            "Server type pod is not supported, expecting a vm/bm/unspecified server type."
        );
    }

    #[test]
    fn other_coes_have_their_own_drivers() {
        let swarm = |change: fn(&mut Draft)| {
            check(|draft| {
                draft.coe = Some("swarm".into());
                change(draft);
            })
        };
        assert!(swarm(|draft| draft.network_driver = Some("docker".into())).is_ok());
        assert_eq!(
            swarm(|draft| draft.network_driver = Some("flannel".into())).unwrap_err(),
            "Network driver type flannel is not supported, expecting a docker/unspecified network driver."
        );
        for driver in ["rexray", "cinder"] {
            let refused = check(|draft| {
                (draft.coe, draft.volume_driver) = (Some("swarm-mode".into()), Some(driver.into()));
            });
            let says = format!("Volume driver type {driver} is not supported, expecting a unspecified volume driver.");
            assert_eq!(refused.unwrap_err(), says);
        }
    }

    #[test]
    fn a_coe_is_named() {
        assert_eq!(check(|draft| draft.coe = None).unwrap_err(), "Requested COE type Unset is not supported.");
    }

    #[test]
    fn a_network_driver_is_supported_and_allowed() {
        assert!(check(|draft| draft.network_driver = Some("calico".into())).is_ok());
        assert_eq!(
            check(|draft| draft.network_driver = Some("weave".into())).unwrap_err(),
            "Network driver type weave is not supported, expecting a flannel/calico/cilium/unspecified network driver."
        );
        assert_eq!(
            check(|draft| draft.network_driver = Some("cilium".into())).unwrap_err(),
            "Network driver type cilium is not allowed, expecting a flannel/calico/unspecified network driver."
        );
        let config = config::ClusterTemplate {
            kubernetes_allowed_network_drivers: vec!["all".into()],
            ..config::ClusterTemplate::default()
        };
        let mut draft =
            Draft { coe: Some("kubernetes".into()), network_driver: Some("cilium".into()), ..Draft::default() };
        assert!(draft.check(&config).is_ok());
    }

    #[test]
    fn a_volume_driver_is_cinder() {
        assert!(check(|draft| draft.volume_driver = Some("cinder".into())).is_ok());
        assert!(check(|draft| draft.volume_driver = Some("rexray".into())).unwrap_err().contains("expecting a cinder"));
    }

    #[test]
    fn devicemapper_needs_three_gibibytes() {
        let with = |size| {
            check(|draft| {
                (draft.docker_storage_driver, draft.docker_volume_size) = (Some("devicemapper".into()), Some(size));
            })
        };
        assert!(with(3).is_ok());
        assert!(with(2).unwrap_err().contains("at least 3 GiB"));
    }

    #[test]
    fn the_checks_come_in_the_contracts_order() {
        let error = check(|draft| {
            draft.server_type = Some("pod".into());
            draft.network_driver = Some("weave".into());
            draft.volume_driver = Some("rexray".into());
        });
        assert!(error.unwrap_err().starts_with("Server type"));
    }
}

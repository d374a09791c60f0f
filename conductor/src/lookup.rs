//! Looking up what a request names in the cloud, with the requester's own token: that is the authorisation to use it.
//!
//! What is not there is the request's mistake, in the words of the contract (its section 3.4).

use std::collections::BTreeMap;

use crate::openstack::{Kind, Lookup, Session, glance, neutron, nova};
use crate::{Error, Result};

/// What is known of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundImage {
    /// What drivers need.
    pub image: drivers::Image,
    /// The driver that the property `magnum_driver` names.
    pub driver: Option<String>,
}

/// The image of that identifier or name, as drivers need it.
///
/// # Errors
/// See [`found_image`].
pub async fn image(session: &Session, id_or_name: &str) -> Result<drivers::Image> {
    found_image(session, id_or_name).await.map(|found| found.image)
}

/// The image of that identifier or name.
///
/// # Errors
/// `Invalid` where there is none, it is not active or lacks `os_distro`; `Forbidden` where it may not be seen;
/// `Conflict` where several have the name.
pub async fn found_image(session: &Session, id_or_name: &str) -> Result<FoundImage> {
    let image = match glance::image(session, id_or_name).await {
        Ok(Lookup::One(image)) => image,
        Ok(Lookup::None) => return Err(Error::invalid(format!("Image {id_or_name} could not be found."))),
        Ok(Lookup::Many(_)) => return Err(ambiguous("images", id_or_name, "image")),
        Err(error) if error.kind == Kind::Forbidden => {
            return Err(Error::forbidden(format!("Not authorized for image {id_or_name}.")).because(error));
        }
        Err(error) => return Err(error.into()),
    };
    if !matches!(image.status.as_str(), "" | "active") {
        return Err(Error::invalid(format!("Image {id_or_name} is {}; it must be active.", image.status)));
    }
    let property = |name| image.property(name).filter(|value| !value.is_empty()).map(str::to_owned);
    let Some(os_distro) = property("os_distro") else {
        return Err(Error::invalid(format!("Image {id_or_name} doesn't contain os_distro field.")));
    };
    let driver = property("magnum_driver");
    let (kube_version, mesos_packages_url) = (property("kube_version"), property("mesos_packages_url"));
    let image = drivers::Image {
        name: image.name.clone().unwrap_or_else(|| image.id.clone()),
        id: image.id,
        os_distro,
        kube_version,
        mesos_packages_url,
        min_disk_gib: narrow(image.min_disk),
    };
    Ok(FoundImage { image, driver })
}

/// The flavor of that identifier or name.
///
/// # Errors
/// `Invalid` where there is none.
pub async fn flavor(session: &Session, id_or_name: &str) -> Result<drivers::Flavor> {
    let flavor = nova::flavor(session, id_or_name).await?;
    let flavor = flavor.ok_or_else(|| Error::invalid(format!("Unable to find flavor {id_or_name}.")))?;
    Ok(drivers::Flavor {
        id: flavor.id,
        name: flavor.name,
        vcpus: narrow(flavor.vcpus),
        ram_mib: narrow(flavor.ram),
        disk_gib: narrow(flavor.disk),
    })
}

/// The flavor, where one is named.
///
/// # Errors
/// As [`flavor`].
pub async fn flavor_if_named(session: &Session, id_or_name: Option<&str>) -> Result<Option<drivers::Flavor>> {
    match id_or_name {
        Some(id_or_name) => flavor(session, id_or_name).await.map(Some),
        None => Ok(None),
    }
}

/// The identifier of the external network, where one is named.
///
/// # Errors
/// `Invalid` where there is none, `Conflict` where several have the name.
pub async fn external_network(session: &Session, id_or_name: Option<&str>) -> Result<Option<String>> {
    let Some(id_or_name) = id_or_name else { return Ok(None) };
    match neutron::network(session, id_or_name, Some(true)).await? {
        Lookup::One(network) => Ok(Some(network.id)),
        Lookup::None => Err(Error::invalid(format!("Unable to find external network {id_or_name}."))),
        Lookup::Many(_) => Err(ambiguous("external networks", id_or_name, "network")),
    }
}

/// Whether the network and the subnet exist, where they are named, and belong together.
///
/// # Errors
/// `Invalid` where one is not there, `Conflict` where several have the name.
pub async fn fixed_exists(session: &Session, network: Option<&str>, subnet: Option<&str>) -> Result<()> {
    let network = match network {
        Some(network) => Some(fixed(session, network).await?),
        None => None,
    };
    if let Some(subnet) = subnet {
        self::subnet(session, subnet, network.as_ref()).await?;
    }
    Ok(())
}

/// The network and subnet to put a cluster into, where one of them is named.
///
/// # Errors
/// As [`fixed_exists`], and `Invalid` where the network is named alone and has not exactly one IPv4 subnet.
pub async fn fixed_network(
    session: &Session,
    network: Option<&str>,
    subnet: Option<&str>,
) -> Result<Option<drivers::FixedNetwork>> {
    let network = match network {
        Some(network) => Some(fixed(session, network).await?),
        None => None,
    };
    let subnet = match (subnet, &network) {
        (Some(subnet), _) => self::subnet(session, subnet, network.as_ref()).await?,
        (None, Some(network)) => only_subnet(session, network).await?,
        (None, None) => return Ok(None),
    };
    if subnet.ip_version != 4 {
        return Err(Error::invalid(format!("The fixed subnet {} is not an IPv4 subnet.", subnet.name)));
    }
    Ok(Some(drivers::FixedNetwork { network_id: subnet.network_id, subnet_id: subnet.id, cidr: subnet.cidr }))
}

/// The public key of the requester's keypair, as in `authorized_keys`.
///
/// # Errors
/// `NotFound` where there is none.
pub async fn keypair(session: &Session, name: &str) -> Result<String> {
    let keypair = nova::keypair(session, name).await?;
    let keypair = keypair.ok_or_else(|| Error::not_found(format!("Unable to find keypair {name}.")))?;
    Ok(keypair.public_key)
}

/// Checks that a server of this flavor has a root disk: the flavor's own, or a volume of `boot_volume_size` GiB.
///
/// # Errors
/// `Invalid` where it has neither, or the label is not a whole number.
pub fn root_volume(flavor: &drivers::Flavor, labels: &BTreeMap<String, String>, default_gib: u32) -> Result<()> {
    let size = match labels.get("boot_volume_size").map(|text| text.trim()) {
        None | Some("") => default_gib,
        Some(text) => text.parse().map_err(|_| {
            Error::invalid(format!("The label boot_volume_size is '{text}'; it must be a whole number of GiB."))
        })?,
    };
    if flavor.disk_gib == 0 && size == 0 {
        return Err(Error::invalid(
            "Flavor with zero root volume size is not supported when boot_volume_size is zero.",
        ));
    }
    Ok(())
}

async fn fixed(session: &Session, id_or_name: &str) -> Result<neutron::Network> {
    match neutron::network(session, id_or_name, Some(false)).await? {
        Lookup::One(network) => Ok(network),
        Lookup::None => Err(Error::invalid(format!("Unable to find fixed network {id_or_name}."))),
        Lookup::Many(_) => Err(ambiguous("fixed networks", id_or_name, "network")),
    }
}

async fn subnet(session: &Session, id_or_name: &str, network: Option<&neutron::Network>) -> Result<neutron::Subnet> {
    let within = network.map(|network| network.id.as_str());
    match neutron::subnet(session, id_or_name, within).await? {
        Lookup::One(subnet) => Ok(subnet),
        Lookup::None => Err(Error::invalid(match network {
            Some(network) => format!("Unable to find fixed subnet {id_or_name} in the network {}.", network.name),
            None => format!("Unable to find fixed subnet {id_or_name}."),
        })),
        Lookup::Many(_) => Err(ambiguous("fixed subnets", id_or_name, "subnet")),
    }
}

async fn only_subnet(session: &Session, network: &neutron::Network) -> Result<neutron::Subnet> {
    let mut subnets = neutron::subnets_of(session, &network.id).await?;
    subnets.retain(|subnet| subnet.ip_version == 4);
    match (subnets.pop(), subnets.len()) {
        (Some(subnet), 0) => Ok(subnet),
        (None, _) => Err(Error::invalid(format!("The fixed network {} has no IPv4 subnet.", network.name))),
        (Some(_), others) => Err(Error::invalid(format!(
            "The fixed network {} has {} IPv4 subnets; name one of them as fixed_subnet.",
            network.name,
            others + 1
        ))),
    }
}

fn ambiguous(kind: &str, name: &str, one: &str) -> Error {
    Error::conflict(format!("Multiple {kind} exist with the name {name}. Please use the {one} id instead."))
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(disk_gib: u32, label: Option<&str>, default_gib: u32) -> Result<(), String> {
        let flavor = drivers::Flavor { id: "1".into(), name: "f".into(), vcpus: 1, ram_mib: 1, disk_gib };
        let labels = label.map(|size| ("boot_volume_size".to_owned(), size.to_owned())).into_iter().collect();
        root_volume(&flavor, &labels, default_gib).map_err(|error| error.public.into_owned())
    }

    #[test]
    fn a_server_needs_a_root_disk() {
        for (disk, label, default) in [(20, None, 0), (0, Some("10"), 0), (0, None, 10), (0, Some(""), 10)] {
            assert_eq!(root(disk, label, default), Ok(()));
        }
        for (disk, label, default) in [(0, None, 0), (0, Some("0"), 10)] {
            let refused = root(disk, label, default).unwrap_err();
            assert_eq!(refused, "Flavor with zero root volume size is not supported when boot_volume_size is zero.");
        }
        for label in ["ten", "-1", "1.5"] {
            assert!(root(20, Some(label), 0).unwrap_err().contains("whole number"), "{label}");
        }
    }
}

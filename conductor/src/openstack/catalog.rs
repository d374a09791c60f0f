//! Where the services are: the catalog of a token, reduced to what we use.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use url::Url;

use super::Service;
use super::error::{Error, Kind, Result};
use crate::config::Interface;

/// The endpoints of the services we know, in one region; cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog(Arc<BTreeMap<Service, Endpoint>>);

#[derive(Debug, PartialEq, Eq)]
struct Endpoint {
    /// On the configured interface, as the catalog gives it.
    url: String,
    /// On the public interface, where there is one.
    public: Option<String>,
    region: String,
}

/// An entry of Keystone's catalog.
#[derive(Deserialize)]
pub(super) struct Entry {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    endpoints: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    interface: String,
    #[serde(default)]
    region_id: Option<String>,
    #[serde(default)]
    region: Option<String>,
    url: String,
}

impl Place {
    fn region(&self) -> &str {
        self.region_id.as_deref().or(self.region.as_deref()).unwrap_or_default()
    }
}

impl Catalog {
    /// Chooses each service's endpoint on `interface` in `region` (absent: the first found).
    pub(super) fn choose(entries: &[Entry], interface: Interface, region: Option<&str>) -> Self {
        let mut chosen = BTreeMap::new();
        for service in Service::ALL {
            let places: Vec<&Place> = service
                .types()
                .iter()
                .flat_map(|name| entries.iter().filter(move |entry| entry.kind == *name))
                .flat_map(|entry| &entry.endpoints)
                .filter(|place| region.is_none_or(|region| place.region() == region))
                .collect();
            if let Some(place) = places.iter().find(|place| place.interface == interface.as_str()) {
                let public =
                    places.iter().find(|other| other.interface == "public" && other.region() == place.region());
                let endpoint = Endpoint {
                    url: place.url.clone(),
                    public: public.map(|place| place.url.clone()),
                    region: place.region().to_owned(),
                };
                chosen.insert(service, endpoint);
            }
        }
        Self(Arc::new(chosen))
    }

    /// Whether the cloud has the service.
    #[must_use]
    pub fn has(&self, service: Service) -> bool {
        self.0.contains_key(&service)
    }

    /// The service's public URL as the catalog gives it.
    #[must_use]
    pub fn public_url(&self, service: Service) -> Option<&str> {
        self.0.get(&service)?.public.as_deref()
    }

    /// The region whose Heat (else Keystone) is used.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        let endpoint = self.0.get(&Service::Heat).or_else(|| self.0.get(&Service::Keystone))?;
        Some(&endpoint.region).filter(|region| !region.is_empty()).map(String::as_str)
    }

    /// The URL below which the service's resources are, version and project included where it wants them.
    pub(super) fn endpoint(&self, service: Service, project: Option<&str>) -> Result<Url> {
        let missing = || {
            let types = service.types().join(" or ");
            Error::new(service, Kind::NotFound, format!("the catalog has no endpoint of type {types} for this scope"))
        };
        let endpoint = self.0.get(&service).ok_or_else(missing)?;
        rooted(service, &endpoint.url, project)
    }
}

/// `url` with the service's version, and its project where it belongs into the path, added where absent.
pub(super) fn rooted(service: Service, url: &str, project: Option<&str>) -> Result<Url> {
    let bad = || Error::protocol(service, format!("its endpoint {url:?} is not an http or https URL"));
    let mut url = Url::parse(url).map_err(|_| bad())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad());
    }
    let mut segments: Vec<String> =
        url.path_segments().map(|s| s.filter(|s| !s.is_empty()).map(str::to_owned).collect()).unwrap_or_default();
    let version = segments.iter().rposition(|segment| is_version(segment));
    if version.is_none() {
        segments.push(service.version().to_owned());
    }
    let ends_with_version = version.is_none_or(|at| at + 1 == segments.len());
    if service.wants_project() && ends_with_version {
        segments.extend(project.map(str::to_owned));
    }
    if service == Service::Octavia && segments.last().is_none_or(|last| last != "lbaas") {
        segments.push("lbaas".into());
    }
    url.set_path(&segments.join("/"));
    Ok(url)
}

/// Whether a path segment is a version, as `v3` or `v2.1`.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_digit()) && rest.chars().all(|c| c.is_ascii_digit() || c == '.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(region: Option<&str>, interface: Interface) -> Catalog {
        let place = |interface: &str, region: &str, url: &str| serde_json::json!({"interface": interface, "region_id": region, "region": region, "url": url});
        let entries: Vec<Entry> = serde_json::from_value(serde_json::json!([
            {"type": "block-storage", "endpoints": [place("public", "One", "http://one/block")]},
            {"type": "volumev3", "endpoints": [place("public", "One", "http://one/volume/v3/p")]},
            {"type": "orchestration", "endpoints": [
                place("public", "One", "http://one/heat/v1/p"), place("internal", "One", "http://inside/heat/v1/p"),
                place("public", "Two", "http://two/heat/v1/p")]},
            {"type": "unknown", "endpoints": []}
        ]))
        .unwrap();
        Catalog::choose(&entries, interface, region)
    }

    #[test]
    fn region_and_interface_choose_the_endpoint() {
        let url = |region, interface| catalog(region, interface).endpoint(Service::Heat, Some("p")).map(String::from);
        assert_eq!(url(None, Interface::Public).unwrap(), "http://one/heat/v1/p");
        assert_eq!(url(Some("Two"), Interface::Public).unwrap(), "http://two/heat/v1/p");
        assert_eq!(url(Some("One"), Interface::Internal).unwrap(), "http://inside/heat/v1/p");
        let error = url(Some("Two"), Interface::Internal).unwrap_err();
        assert_eq!(error.kind, Kind::NotFound);
        assert!(error.message.contains("orchestration"), "{error}");
        let internal = catalog(None, Interface::Internal);
        assert_eq!(internal.public_url(Service::Heat), Some("http://one/heat/v1/p"));
        assert_eq!(internal.region(), Some("One"));
        assert!(!internal.has(Service::Nova));
    }

    #[test]
    fn the_first_type_alias_wins() {
        let catalog = catalog(None, Interface::Public);
        assert_eq!(catalog.endpoint(Service::Cinder, Some("p")).unwrap().as_str(), "http://one/volume/v3/p");
    }

    #[test]
    fn version_and_project_are_added_where_absent() {
        for (service, given, wanted) in [
            (Service::Nova, "http://h/nova/v2.1", "http://h/nova/v2.1"),
            (Service::Nova, "http://h:8774/", "http://h:8774/v2.1"),
            (Service::Nova, "http://h:8774/v2.1/p", "http://h:8774/v2.1/p"),
            (Service::Glance, "http://h/image", "http://h/image/v2"),
            (Service::Glance, "http://h/v2/", "http://h/v2"),
            (Service::Neutron, "http://h:9696/", "http://h:9696/v2.0"),
            (Service::Neutron, "http://h/networking/v2.0", "http://h/networking/v2.0"),
            (Service::Keystone, "http://h/identity", "http://h/identity/v3"),
            (Service::Keystone, "http://h:5000/v3/", "http://h:5000/v3"),
            (Service::Heat, "http://h/heat-api/v1/p", "http://h/heat-api/v1/p"),
            (Service::Heat, "http://h/heat-api/v1", "http://h/heat-api/v1/p"),
            (Service::Heat, "http://h/heat-api", "http://h/heat-api/v1/p"),
            (Service::Cinder, "http://h/volume/v3", "http://h/volume/v3/p"),
            (Service::Octavia, "http://h/load-balancer", "http://h/load-balancer/v2.0/lbaas"),
            (Service::Octavia, "http://h:9876/v2.0", "http://h:9876/v2.0/lbaas"),
            (Service::Barbican, "http://h:9311", "http://h:9311/v1"),
        ] {
            assert_eq!(rooted(service, given, Some("p")).unwrap().as_str(), wanted, "{given}");
        }
        assert_eq!(rooted(Service::Nova, "ftp://h", None).unwrap_err().kind, Kind::Protocol);
    }
}

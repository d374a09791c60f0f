//! Which driver makes the clusters of a template: resolved once, by the same rule for templates and clusters.

use drivers::Driver;

use super::ClusterTemplate;
use crate::{Conductor, Error, Result};

/// The driver that makes clusters of this template.
///
/// # Errors
/// `Invalid` where none is enabled any more that does; the text lists what the enabled ones make.
pub fn driver(conductor: &Conductor, template: &ClusterTemplate) -> Result<&'static dyn Driver> {
    let wanted = Wanted { server_type: &template.server_type, os_distro: &template.cluster_distro, coe: &template.coe };
    wanted.choose(conductor.drivers(), template.driver.as_deref())
}

/// What a driver has to make.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) server_type: &'a str,
    pub(super) os_distro: &'a str,
    pub(super) coe: &'a str,
}

impl Wanted<'_> {
    /// The driver of that name if it makes what is wanted, else the first by name that does.
    pub(super) fn choose(self, enabled: &[&'static dyn Driver], name: Option<&str>) -> Result<&'static dyn Driver> {
        let mut makers: Vec<_> = match name {
            Some(name) => vec![named(enabled, name)?],
            None => enabled.to_vec(),
        };
        makers.retain(|driver| self.is_made_by(*driver));
        makers.into_iter().min_by_key(|driver| driver.name()).ok_or_else(|| {
            let Self { server_type, os_distro, coe } = self;
            let made = made(enabled);
            Error::invalid(format!(
                "Cluster type ({server_type}, {os_distro}, {coe}) not supported. Supported: {made}."
            ))
        })
    }

    fn is_made_by(self, driver: &dyn Driver) -> bool {
        driver.provides().iter().any(|made| {
            made.server_type == self.server_type && made.os_distro == self.os_distro && made.coe == self.coe
        })
    }
}

/// The enabled driver of that name.
pub(super) fn named(enabled: &[&'static dyn Driver], name: &str) -> Result<&'static dyn Driver> {
    enabled.iter().copied().find(|driver| driver.name() == name).ok_or_else(|| {
        let names: Vec<_> = enabled.iter().map(|driver| driver.name()).collect();
        Error::invalid(format!("Cluster driver ({name}) not supported. Supported: {}.", names.join(", ")))
    })
}

fn made(enabled: &[&'static dyn Driver]) -> String {
    let all = enabled.iter().flat_map(|driver| driver.provides());
    let texts: Vec<_> = all.map(|made| format!("({}, {}, {})", made.server_type, made.os_distro, made.coe)).collect();
    if texts.is_empty() { "nothing".into() } else { texts.join(", ") }
}

#[cfg(test)]
mod tests {
    use drivers::{
        Addresses, ClusterSpec, Desired, Label, Outputs, Problem, Profile, Provides, RenderError, Role, Stack,
    };

    use super::*;

    struct Made(&'static str, &'static [Provides]);

    impl Driver for Made {
        fn name(&self) -> &'static str {
            self.0
        }
        fn provides(&self) -> &'static [Provides] {
            self.1
        }
        fn labels(&self) -> &'static [Label] {
            &[]
        }
        fn check(&self, _: &Desired) -> Vec<Problem> {
            Vec::new()
        }
        fn stack(&self, _: &ClusterSpec) -> Result<Stack, RenderError> {
            Err(RenderError::Document { name: String::new(), cause: String::new() })
        }
        fn programs(&self) -> (&'static str, &'static str) {
            ("", "")
        }
        fn read(&self, _: &Outputs) -> Addresses {
            Addresses::default()
        }
        fn profiles(&self, _: Role) -> &'static [Profile] {
            &[]
        }
        fn alternative_names(&self, _: &Desired, _: Role) -> Vec<String> {
            Vec::new()
        }
        fn networks(&self, _: &Desired, _: Role, _: Option<&str>) -> Vec<String> {
            Vec::new()
        }
    }

    const UBUNTU: Provides = Provides { server_type: "vm", os_distro: "ubuntu", coe: "kubernetes" };
    const DEBIAN: Provides = Provides { server_type: "vm", os_distro: "debian", coe: "kubernetes" };
    static ENABLED: [&dyn Driver; 2] = [&Made("second", &[UBUNTU]), &Made("first", &[UBUNTU, DEBIAN])];

    fn choose(os_distro: &str, name: Option<&str>) -> Result<&'static str, String> {
        let wanted = Wanted { server_type: "vm", os_distro, coe: "kubernetes" };
        wanted.choose(&ENABLED, name).map(Driver::name).map_err(|error| error.public.into_owned())
    }

    #[test]
    fn the_first_driver_by_name_that_fits_is_taken() {
        assert_eq!(choose("ubuntu", None).as_deref(), Ok("first"));
        assert_eq!(choose("ubuntu", Some("second")).as_deref(), Ok("second"));
    }

    #[test]
    fn a_cluster_type_nobody_makes_is_refused_with_what_is_made() {
        let error = choose("plan9", None).unwrap_err();
        assert!(error.starts_with("Cluster type (vm, plan9, kubernetes) not supported."), "{error}");
        assert!(error.contains("(vm, debian, kubernetes)"), "{error}");
        assert!(choose("debian", Some("second")).unwrap_err().starts_with("Cluster type (vm, debian, kubernetes)"));
    }

    #[test]
    fn an_unknown_driver_is_refused_with_the_known_ones() {
        let error = choose("ubuntu", Some("third")).unwrap_err();
        assert_eq!(error, "Cluster driver (third) not supported. Supported: second, first.");
    }
}

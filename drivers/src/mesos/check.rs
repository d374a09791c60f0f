//! What a request may ask of a Mesos cluster.

use super::{COE, PROVIDES, has_marathon};
use crate::graph::request::{self, problem};
use crate::{ClusterSpec, Desired, LabelKind, NodegroupSpec, Problem, conflict};

/// Ports that something else on a master listens on, first and last.
const TAKEN_PORTS: &[(u16, u16)] =
    &[(2181, 2181), (2281, 2281), (2888, 2888), (3888, 3888), (8080, 8080), (8443, 8443), (9090, 9090)];

/// Everything wrong with a request, at once.
pub(super) fn desired(desired: &Desired) -> Vec<Problem> {
    let mut problems = Vec::new();
    request::masters(desired, 5, "so that ZooKeeper and the masters have a majority", &mut problems);
    request::combination(desired, PROVIDES, &mut problems);
    let network = desired.network_driver.as_deref().unwrap_or_default();
    if !network.is_empty() && network != "docker" {
        problems.push(problem("network_driver", network, "docker; tasks use the network of their agent, or Docker's"));
    }
    request::storage_driver(desired, "Linux and Docker", &mut problems);
    let volumes = desired.volume_driver.as_deref().unwrap_or_default();
    if !volumes.is_empty() {
        problems.push(problem("volume_driver", volumes, "nothing; REX-Ray is gone, and its installer with it"));
    }
    request::container_volume(desired, &mut problems);
    let allowed = "1024 to 65535 without 2181, 2281, 2888, 3888, 8080, 8443 and 9090, which are taken";
    request::api_port(desired, TAKEN_PORTS, allowed, &mut problems);
    request::ways_out(desired, &mut problems);
    problems.extend(conflict::check(COE.labels, desired));
    problems
}

/// Everything wrong with what was looked up for a request that is right in itself.
pub(super) fn facts(spec: &ClusterSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    request::given_subnet(spec, &mut problems);
    let packages_of_image = |group: &NodegroupSpec, problems: &mut Vec<Problem>| {
        if let Some(url) = group.image.mesos_packages_url.as_deref().filter(|url| !LabelKind::Url.takes(url)) {
            let field = format!("{}.image.mesos_packages_url", group.name);
            problems.push(problem(&field, url, &LabelKind::Url.to_string()));
        }
    };
    request::facts(&COE, spec, packages_of_image, &mut problems);
    problems
}

/// What the user should know.
pub(super) fn notes(desired: &Desired) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |holds: bool, text: &str| notes.extend(holds.then(|| text.to_owned()));
    note(desired.tls_disabled, "tls_disabled: whoever reaches the masters may run what he likes on the agents");
    note(desired.registry_enabled, "registry_enabled has no effect: run a registry as an application");
    let labels = COE.values(&desired.labels);
    let isolation = labels.list("mesos_slave_isolation");
    note(
        isolation.iter().any(|item| item == "filesystem/shared"),
        "labels.mesos_slave_isolation: filesystem/shared is deprecated; use filesystem/linux",
    );
    note(
        isolation.iter().any(|item| item == "posix/mem"),
        "labels.mesos_slave_isolation: posix/mem reports memory without limiting it; use cgroups/mem",
    );
    note(
        !has_marathon(desired) && !labels.list("marathon_allowed_cidrs").is_empty(),
        "labels.marathon_allowed_cidrs has no effect: marathon_enabled is false",
    );
    notes
}

//! What a request may ask of a swarm.

use super::{COE, PROVIDES};
use crate::graph::request::{self, problem};
use crate::{ClusterSpec, Desired, Problem, conflict};

/// Ports that something else on a manager listens on, first and last.
const TAKEN_PORTS: &[(u16, u16)] = &[(2377, 2377), (4789, 4789), (7946, 7946), (30_000, 32_767)];

/// Everything wrong with a request, at once.
pub(super) fn desired(desired: &Desired) -> Vec<Problem> {
    let mut problems = Vec::new();
    request::masters(desired, 7, "so that the managers have a majority", &mut problems);
    request::combination(desired, PROVIDES, &mut problems);
    let network = desired.network_driver.as_deref().unwrap_or_default();
    if !network.is_empty() && network != "docker" {
        problems.push(problem("network_driver", network, "docker, whose overlay networks a swarm has"));
    }
    request::storage_driver(desired, "Linux and Docker", &mut problems);
    let volumes = desired.volume_driver.as_deref().unwrap_or_default();
    if !volumes.is_empty() {
        problems.push(problem("volume_driver", volumes, "nothing; REX-Ray is gone, and Docker has drivers of its own"));
    }
    request::container_volume(desired, &mut problems);
    let allowed = "1024 to 65535 without 2377, 4789, 7946 and 30000-32767, which are taken";
    request::api_port(desired, TAKEN_PORTS, allowed, &mut problems);
    request::ways_out(desired, &mut problems);
    problems.extend(conflict::check(COE.labels, desired));
    problems
}

/// Everything wrong with what was looked up for a request that is right in itself.
pub(super) fn facts(spec: &ClusterSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    request::given_subnet(spec, &mut problems);
    request::facts(&COE, spec, |_, _| {}, &mut problems);
    problems
}

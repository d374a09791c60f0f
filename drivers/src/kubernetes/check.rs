//! What a request may ask of a Kubernetes cluster.

use super::labels::LABELS;
use super::settings::{NetworkDriver, Settings, labels};
use super::{COE, PROVIDES};
use crate::graph::request::{self, problem};
use crate::values::Labels;
use crate::{ClusterSpec, Desired, Problem, conflict, label};

/// Ports that something else on a master listens on, first and last.
const TAKEN_PORTS: &[(u16, u16)] = &[(2379, 2381), (10_248, 10_259), (30_000, 32_767)];

/// Everything wrong with a request, at once.
pub(super) fn desired(desired: &Desired) -> Vec<Problem> {
    let mut problems = Vec::new();
    request::masters(desired, 7, "so that etcd has a majority", &mut problems);
    request::combination(desired, PROVIDES, &mut problems);
    storage(desired, &mut problems);
    access(desired, &mut problems);
    let found = conflict::check(LABELS, desired);
    let labels_are_good = found.is_empty();
    problems.extend(found);
    match Settings::of(desired) {
        Ok(settings) if labels_are_good => {
            networks(&settings, &mut problems);
            part_of_a_node(labels(&desired.labels), settings.network_driver, &mut problems);
        }
        Ok(_) => {}
        // The same label may be wrong in both ways; once is enough.
        Err(more) => {
            let known: Vec<String> = problems.iter().map(|problem| problem.field.clone()).collect();
            problems.extend(more.into_iter().filter(|problem| !known.contains(&problem.field)));
        }
    }
    problems
}

/// Everything wrong with what was looked up for a request that is right in itself.
pub(super) fn facts(spec: &ClusterSpec, settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(subnet) = request::given_subnet(spec, &mut problems) {
        overlap(settings, "fixed_subnet", subnet, &mut problems);
    }
    let version_of_image = |group: &crate::NodegroupSpec, problems: &mut Vec<Problem>| {
        if let Some(version) = group.image.kube_version.as_deref() {
            let tag = format!("v{}", version.trim_start_matches('v'));
            if label::version(&tag).is_none() {
                problems.push(problem(&format!("{}.image.kube_version", group.name), version, "a version X.Y.Z"));
            }
        }
    };
    request::facts(&COE, spec, version_of_image, &mut problems);
    problems
}

fn storage(desired: &Desired, problems: &mut Vec<Problem>) {
    request::storage_driver(desired, "Linux and containerd", problems);
    let driver = desired.volume_driver.as_deref().unwrap_or_default();
    if !driver.is_empty() && driver != "cinder" {
        problems.push(problem("volume_driver", driver, "cinder"));
    }
    request::container_volume(desired, problems);
}

fn access(desired: &Desired, problems: &mut Vec<Problem>) {
    if desired.tls_disabled {
        problems.push(problem("tls_disabled", "true", "false; the Kubernetes API server has no port without TLS"));
    }
    let allowed = "1024 to 65535 without 2379-2381, 10248-10259 and 30000-32767, which are taken";
    request::api_port(desired, TAKEN_PORTS, allowed, problems);
    request::ways_out(desired, problems);
}

/// The three networks are apart.
fn networks(settings: &Settings, problems: &mut Vec<Problem>) {
    let service = settings.service_cidr;
    overlap(settings, "labels.fixed_subnet_cidr", settings.subnet_cidr, problems);
    let (pods, pool) = (settings.pod_cidr, settings.network_driver.pool_label());
    if pods.contains(&service) || service.contains(&pods) {
        let allowed = format!("a network apart from the service network {service}");
        problems.push(problem(&format!("labels.{pool}"), &pods.to_string(), &allowed));
    }
}

fn overlap(settings: &Settings, field: &str, subnet: ipnet::Ipv4Net, problems: &mut Vec<Problem>) {
    for (what, other) in [("pod", settings.pod_cidr), ("service", settings.service_cidr)] {
        if subnet.contains(&other) || other.contains(&subnet) {
            let allowed = format!("a network apart from the {what} network {other}");
            problems.push(problem(field, &subnet.to_string(), &allowed));
        }
    }
}

/// The part of the pod network that a node gets is smaller than the whole, and there are not too many of them.
fn part_of_a_node(labels: Labels<'_>, driver: NetworkDriver, problems: &mut Vec<Problem>) {
    let pod_prefix =
        labels.text(driver.pool_label()).rsplit('/').next().and_then(|text| text.parse().ok()).unwrap_or(0);
    let per_node = labels.number("flannel_network_subnetlen");
    if per_node <= pod_prefix || per_node > pod_prefix + 16 {
        let allowed = format!("more than the pod network's prefix length {pod_prefix}, by 16 at most");
        problems.push(problem("labels.flannel_network_subnetlen", &per_node.to_string(), &allowed));
    }
}

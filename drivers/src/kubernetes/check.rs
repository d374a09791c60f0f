//! What a request may ask of a Kubernetes cluster.

use std::net::Ipv4Addr;

use super::labels::LABELS;
use super::settings::{Labels, NetworkDriver, Settings, problem};
use crate::label::{self, list, url_characters};
use crate::{ClusterSpec, Desired, Problem, conflict};

/// Ports that something else on a master listens on, first and last.
const TAKEN_PORTS: &[(u16, u16)] = &[(2379, 2381), (10_248, 10_259), (30_000, 32_767)];

/// Everything wrong with a request, at once.
pub(super) fn desired(desired: &Desired) -> Vec<Problem> {
    let mut problems = Vec::new();
    shape(desired, &mut problems);
    storage(desired, &mut problems);
    access(desired, &mut problems);
    let found = conflict::check(LABELS, desired);
    let labels_are_good = found.is_empty();
    problems.extend(found);
    match Settings::of(desired) {
        Ok(settings) if labels_are_good => {
            networks(&settings, &mut problems);
            part_of_a_node(Labels(&desired.labels), settings.network_driver, &mut problems);
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
    if let Some(fixed) = &spec.network.fixed {
        match super::settings::ipv4(&fixed.cidr) {
            Some(subnet) => overlap(settings, "fixed_subnet", subnet, &mut problems),
            None => problems.push(problem("fixed_subnet", &fixed.cidr, "a subnet with an IPv4 range")),
        }
    }
    let floating = spec.desired.floating_ip_enabled
        || Labels(&spec.desired.labels).flag("master_lb_floating_ip_enabled") == Some(true);
    if spec.network.external_id.is_none() && (floating || spec.network.fixed.is_none()) {
        problems.push(problem("external_network_id", "", "an external network, for the router and floating IPs"));
    }
    for group in [&spec.masters, &spec.workers] {
        let mut found = label::examine(LABELS, &group.labels).problems;
        for problem in &mut found {
            problem.field = format!("{}.{}", group.name, problem.field);
        }
        problems.extend(found);
        if let Some(version) = group.image.kube_version.as_deref() {
            let tag = format!("v{}", version.trim_start_matches('v'));
            if label::version(&tag).is_none() {
                problems.push(problem(&format!("{}.image.kube_version", group.name), version, "a version X.Y.Z"));
            }
        }
    }
    let texts = [
        ("name", Some(&spec.desired.name)),
        ("keypair", spec.ssh_public_key.as_ref()),
        ("api_url", Some(&spec.api_url)),
    ];
    for (field, text) in texts {
        one_line(field, text.map_or("", |text| text.as_str()), &mut problems);
    }
    problems
}

fn shape(desired: &Desired, problems: &mut Vec<Problem>) {
    if !(1..=7).contains(&desired.master_count) || desired.master_count.is_multiple_of(2) {
        let count = desired.master_count.to_string();
        problems.push(problem("master_count", &count, "an odd number from 1 to 7, so that etcd has a majority"));
    }
    if !super::PROVIDES.iter().any(|provided| provided.os_distro == desired.os_distro) {
        problems.push(problem("image_id.os_distro", &desired.os_distro, "ubuntu, debian, fedora-coreos or flatcar"));
    }
    if desired.server_type != "vm" {
        problems.push(problem("server_type", &desired.server_type, "vm"));
    }
    if desired.coe != "kubernetes" {
        problems.push(problem("coe", &desired.coe, "kubernetes"));
    }
}

fn storage(desired: &Desired, problems: &mut Vec<Problem>) {
    let set = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
    if let Some(driver) = set(&desired.docker_storage_driver).filter(|driver| driver != "overlay2") {
        let allowed = "overlay2; Linux and containerd have left devicemapper and the others behind";
        problems.push(problem("docker_storage_driver", &driver, allowed));
    }
    if let Some(driver) = set(&desired.volume_driver).filter(|driver| driver != "cinder") {
        problems.push(problem("volume_driver", &driver, "cinder"));
    }
    if desired.docker_volume_size.is_some_and(|size| !(1..=65_536).contains(&size)) {
        let size = desired.docker_volume_size.unwrap_or_default().to_string();
        problems.push(problem("docker_volume_size", &size, "a whole number of GiB from 1 to 65536"));
    }
}

fn access(desired: &Desired, problems: &mut Vec<Problem>) {
    if desired.tls_disabled {
        problems.push(problem("tls_disabled", "true", "false; the Kubernetes API server has no port without TLS"));
    }
    let taken = |port: u16| port < 1024 || TAKEN_PORTS.iter().any(|(first, last)| (*first..=*last).contains(&port));
    if let Some(port) = desired.apiserver_port.filter(|port| taken(*port)) {
        let allowed = "1024 to 65535 without 2379-2381, 10248-10259 and 30000-32767, which are taken";
        problems.push(problem("apiserver_port", &port.to_string(), allowed));
    }
    let name_servers = desired.dns_nameserver.as_deref().unwrap_or_default();
    if !name_servers.is_empty() && !list(name_servers).all(|item| item.parse::<Ipv4Addr>().is_ok()) {
        problems.push(problem("dns_nameserver", name_servers, "comma separated IPv4 addresses"));
    }
    for (field, value) in [("http_proxy", &desired.http_proxy), ("https_proxy", &desired.https_proxy)] {
        let value = value.as_deref().unwrap_or_default();
        let url = value.strip_prefix("http://").or_else(|| value.strip_prefix("https://"));
        if !value.is_empty() && (url.is_none_or(str::is_empty) || !url_characters(value) || value.contains("@@")) {
            problems.push(problem(field, value, "an http:// or https:// URL"));
        }
    }
    let no_proxy = desired.no_proxy.as_deref().unwrap_or_default();
    if !no_proxy.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:/*,[] ".contains(&b)) {
        problems.push(problem("no_proxy", no_proxy, "comma separated names, addresses and networks"));
    }
    let registry = desired.insecure_registry.as_deref().unwrap_or_default();
    if !registry.is_empty() && !is_host_and_port(registry) {
        problems.push(problem("insecure_registry", registry, "host:port or host"));
    }
    one_line("no_proxy", no_proxy, problems);
}

fn is_host_and_port(text: &str) -> bool {
    let (host, port) = text.rsplit_once(':').map_or((text, "5000"), |(host, port)| (host, port));
    label::is_dns_name(host) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Nothing that ends a line or looks like a marker for Heat.
fn one_line(field: &str, text: &str, problems: &mut Vec<Problem>) {
    if text.chars().any(char::is_control) || text.contains("@@") {
        problems.push(problem(field, text, "text on one line without @@"));
    }
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

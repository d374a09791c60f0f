//! What a request may ask of any cluster. A COE puts its own questions between these.

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};

use super::Coe;
use crate::label::{self, list, url_characters};
use crate::{ClusterSpec, Desired, Problem, Provides};

/// A problem in few words.
pub(crate) fn problem(field: &str, value: &str, allowed: &str) -> Problem {
    Problem { field: field.to_owned(), value: value.to_owned(), allowed: allowed.to_owned() }
}

/// The number of masters, of which `most` is the greatest; `reason` is why it must be odd.
pub(crate) fn masters(desired: &Desired, most: u32, reason: &str, problems: &mut Vec<Problem>) {
    if !(1..=most).contains(&desired.master_count) || desired.master_count.is_multiple_of(2) {
        let allowed = format!("an odd number from 1 to {most}, {reason}");
        problems.push(problem("master_count", &desired.master_count.to_string(), &allowed));
    }
}

/// The combination is one that the driver provides.
pub(crate) fn combination(desired: &Desired, provides: &[Provides], problems: &mut Vec<Problem>) {
    let mut one_of = |field: &str, value: &str, words: Vec<&'static str>| {
        if !words.contains(&value) {
            problems.push(problem(field, value, &any(&words)));
        }
    };
    one_of("image_id.os_distro", &desired.os_distro, provides.iter().map(|made| made.os_distro).collect());
    one_of("server_type", &desired.server_type, provides.iter().map(|made| made.server_type).collect());
    one_of("coe", &desired.coe, provides.iter().map(|made| made.coe).collect());
}

/// Words as a part of a sentence, each once.
fn any(words: &[&str]) -> String {
    let mut each: Vec<&str> = Vec::new();
    for word in words {
        if !each.contains(word) {
            each.push(word);
        }
    }
    match each.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => each.concat(),
    }
}

/// The storage driver, which is overlay2 everywhere; `who` has left the others behind.
pub(crate) fn storage_driver(desired: &Desired, who: &str, problems: &mut Vec<Problem>) {
    let driver = desired.docker_storage_driver.as_deref().unwrap_or_default();
    if !driver.is_empty() && driver != "overlay2" {
        let allowed = format!("overlay2; {who} have left devicemapper and the others behind");
        problems.push(problem("docker_storage_driver", driver, &allowed));
    }
}

/// The size of container volumes.
pub(crate) fn container_volume(desired: &Desired, problems: &mut Vec<Problem>) {
    if desired.docker_volume_size.is_some_and(|size| !(1..=65_536).contains(&size)) {
        let size = desired.docker_volume_size.unwrap_or_default().to_string();
        problems.push(problem("docker_volume_size", &size, "a whole number of GiB from 1 to 65536"));
    }
}

/// The API's port, which none of the `taken` ones may be (each first and last); `allowed` says so.
pub(crate) fn api_port(desired: &Desired, taken: &[(u16, u16)], allowed: &str, problems: &mut Vec<Problem>) {
    let taken = |port: u16| port < 1024 || taken.iter().any(|(first, last)| (*first..=*last).contains(&port));
    if let Some(port) = desired.apiserver_port.filter(|port| taken(*port)) {
        problems.push(problem("apiserver_port", &port.to_string(), allowed));
    }
}

/// Name servers, proxies and registries.
pub(crate) fn ways_out(desired: &Desired, problems: &mut Vec<Problem>) {
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

/// The name servers of a subnet that we make.
pub(crate) fn name_servers(desired: &Desired) -> Vec<String> {
    let given = desired.dns_nameserver.as_deref().unwrap_or_default();
    list(given).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// An IPv4 network without host bits.
pub(crate) fn ipv4(text: &str) -> Option<Ipv4Net> {
    match label::network(text) {
        Some(IpNet::V4(net)) => Some(net),
        _ => None,
    }
}

/// The subnet of a given network; nothing, and a problem, where it is no IPv4 network.
pub(crate) fn given_subnet(spec: &ClusterSpec, problems: &mut Vec<Problem>) -> Option<Ipv4Net> {
    let fixed = spec.network.fixed.as_ref()?;
    let subnet = ipv4(&fixed.cidr);
    if subnet.is_none() {
        problems.push(problem("fixed_subnet", &fixed.cidr, "a subnet with an IPv4 range"));
    }
    subnet
}

/// What was looked up: networks, the labels of nodegroups, texts that come from elsewhere. `group` asks about a
/// nodegroup what is the COE's own.
pub(crate) fn facts(
    coe: &Coe,
    spec: &ClusterSpec,
    group_facts: impl Fn(&crate::NodegroupSpec, &mut Vec<Problem>),
    problems: &mut Vec<Problem>,
) {
    let floating = spec.desired.floating_ip_enabled
        || coe.values(&spec.desired.labels).flag("master_lb_floating_ip_enabled") == Some(true);
    if spec.network.external_id.is_none() && (floating || spec.network.fixed.is_none()) {
        problems.push(problem("external_network_id", "", "an external network, for the router and floating IPs"));
    }
    for group in [&spec.masters, &spec.workers] {
        let mut found = label::examine(coe.labels, &group.labels).problems;
        for problem in &mut found {
            problem.field = format!("{}.{}", group.name, problem.field);
        }
        problems.extend(found);
        group_facts(group, problems);
    }
    let texts = [
        ("name", Some(&spec.desired.name)),
        ("keypair", spec.ssh_public_key.as_ref()),
        ("api_url", Some(&spec.api_url)),
    ];
    for (field, text) in texts {
        one_line(field, text.map_or("", |text| text.as_str()), problems);
    }
}

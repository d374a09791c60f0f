//! Who may reach what, said in full for a few clusters.

use std::collections::BTreeMap;

use super::*;
use crate::Desired;
use crate::graph::ports::{Reach, Rule, SecurityGroup};

fn desired(driver: &str, labels: &[(&str, &str)]) -> Desired {
    Desired {
        name: "c".into(),
        coe: "kubernetes".into(),
        server_type: "vm".into(),
        os_distro: "ubuntu".into(),
        master_count: 1,
        node_count: 1,
        labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>(),
        network_driver: Some(driver.into()),
        volume_driver: None,
        docker_storage_driver: None,
        docker_volume_size: None,
        master_lb_enabled: false,
        floating_ip_enabled: false,
        tls_disabled: false,
        registry_enabled: false,
        apiserver_port: None,
        dns_nameserver: None,
        insecure_registry: None,
        http_proxy: None,
        https_proxy: None,
        no_proxy: None,
        create_timeout: None,
    }
}

fn of(settings: &Settings, direct: bool, ssh: bool) -> Vec<SecurityGroup> {
    let reach = Reach {
        needs: &needs(settings, ssh),
        api_port: settings.api_port,
        api_cidrs: &settings.api_cidrs,
        service_cidrs: &settings.node_port_cidrs,
        subnet_cidr: "10.0.0.0/24",
        api_users_direct: direct,
    };
    reach.groups()
}

/// Rules as `target protocol ports sender`.
fn lines(driver: &str, labels: &[(&str, &str)], direct: bool, ssh: bool) -> Vec<String> {
    let settings = Settings::of(&desired(driver, labels)).unwrap();
    let line = |group: &str, rule: &Rule| {
        let ports =
            rule.ports.map_or("all".to_owned(), |[a, b]| if a == b { a.to_string() } else { format!("{a}-{b}") });
        let sender = rule.remote_group.or(rule.remote_cidr.as_deref()).unwrap();
        format!("{group} {} {ports} {sender}", rule.protocol.unwrap_or("any"))
    };
    let groups = of(&settings, direct, ssh);
    groups.iter().flat_map(|group| group.rules.iter().map(|rule| line(group.name, rule))).collect()
}

#[test]
fn a_flannel_cluster_opens_this_and_nothing_else() {
    assert_eq!(
        lines("flannel", &[], true, false),
        [
            "node tcp 10250 node",
            "node udp 8472 node",
            "master tcp 6443 node",
            "master tcp 6443 0.0.0.0/0",
            "master tcp 2379-2380 master",
            "worker tcp 10256 10.0.0.0/24",
            "worker tcp 30000-32767 10.0.0.0/24",
            "worker udp 30000-32767 10.0.0.0/24",
        ]
    );
}

#[test]
fn etcd_is_for_masters_only_whatever_the_driver() {
    for driver in ["flannel", "calico", "cilium"] {
        let etcd: Vec<String> =
            lines(driver, &[], true, true).into_iter().filter(|line| line.contains("2379")).collect();
        assert_eq!(etcd, ["master tcp 2379-2380 master"], "{driver}");
    }
}

#[test]
fn behind_a_balancer_the_api_is_open_to_the_subnet_only() {
    let lines = lines("flannel", &[("master_lb_allowed_cidrs", "192.0.2.0/24")], false, false);
    let api: Vec<&String> = lines.iter().filter(|line| line.contains("6443")).collect();
    assert_eq!(api, ["master tcp 6443 node", "master tcp 6443 10.0.0.0/24"]);
}

#[test]
fn allowed_networks_replace_anywhere_and_count_once() {
    let labels =
        [("master_lb_allowed_cidrs", "192.0.2.0/24,192.0.2.0/24"), ("api_master_lb_allowed_cidrs", "2001:db8::/64")];
    let settings = Settings::of(&desired("flannel", &labels)).unwrap();
    let groups = of(&settings, true, false);
    let api = groups.iter().flat_map(|group| &group.rules).filter(|rule| rule.ports == Some([6443; 2]));
    let senders: Vec<_> =
        api.filter_map(|rule| rule.remote_cidr.as_deref().map(|network| (network, rule.ethertype))).collect();
    assert_eq!(senders, [("192.0.2.0/24", "IPv4"), ("2001:db8::/64", "IPv6")]);
}

#[test]
fn ssh_is_open_only_with_a_key() {
    assert!(!lines("flannel", &[], true, false).iter().any(|line| line.contains(" 22 ")));
    assert!(lines("flannel", &[], true, true).contains(&"node tcp 22 0.0.0.0/0".to_owned()));
}

#[test]
fn network_drivers_open_their_own_ports() {
    for (driver, labels, there, absent) in [
        ("calico", &[][..], "node 4 all node", "node any"),
        ("calico", &[("calico_ipv4pool_ipip", "Off")], "node tcp 179 node", "node 4"),
        ("calico", &[("calico_ipv4pool_ipip", "CrossSubnet")], "node any all node", "8472"),
        ("cilium", &[], "node udp 51871 node", "4789"),
        ("flannel", &[("flannel_backend", "host-gw")], "node any all node", "8472"),
    ] {
        let lines = lines(driver, labels, true, false);
        assert!(lines.iter().any(|line| line == there), "{driver} {labels:?} lacks {there}: {lines:#?}");
        assert!(!lines.iter().any(|line| line.contains(absent)), "{driver} {labels:?} has {absent}");
    }
}

/// Else Heat could make neither of two groups first.
#[test]
fn no_group_knows_one_that_comes_after_it() {
    let all = ["node", "master", "worker"];
    for driver in ["flannel", "calico", "cilium"] {
        for (place, group) in of(&Settings::of(&desired(driver, &[])).unwrap(), true, true).iter().enumerate() {
            assert_eq!(group.name, all[place]);
            let known = group.rules.iter().filter_map(|rule| rule.remote_group);
            assert!(known.clone().all(|name| all[..=place].contains(&name)), "{driver} {}", group.name);
        }
    }
}

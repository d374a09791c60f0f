//! The ports a Kubernetes cluster needs. Nothing else is open.
//!
//! The controller manager (10257), the scheduler (10259), the kubelet's health (10248) and etcd's metrics (2381) listen
//! on 127.0.0.1 and need no rule. Pods are masked by the node's address or wrapped, except where a network driver
//! routes them bare: security groups cannot tell those from the node's own traffic.

use super::settings::{NetworkDriver, Settings};
use crate::graph::ports::{
    self, All, Api, ApiUsers, BOTH, CLUSTER, MASTERS, Master, Need, Range, ServiceUsers, Subnet, TCP, UDP, Worker, need,
};

/// In which clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    SshKey,
    FlannelVxlan,
    Calico,
    CalicoIpip,
    Cilium,
    RoutedPods,
}

const NEEDS: &[(When, Need)] = &[
    (When::Always, need("api", &[Master], CLUSTER, TCP, Api, "Kubernetes API, from nodes")),
    (When::Always, need("api", &[Master], &[ApiUsers], TCP, Api, "Kubernetes API, from its users")),
    (When::Always, need("etcd", &[Master], MASTERS, TCP, Range(2379, 2380), "etcd, clients and peers")),
    (When::Always, need("kubelet", BOTH, CLUSTER, TCP, Range(10250, 10250), "kubelet, from API servers and metrics")),
    (When::Always, need("proxy", &[Worker], &[Subnet], TCP, Range(10256, 10256), "kube-proxy health, from balancers")),
    (When::Always, need("nodeport_tcp", &[Worker], &[ServiceUsers], TCP, Range(30000, 32767), "node ports")),
    (When::Always, need("nodeport_udp", &[Worker], &[ServiceUsers], UDP, Range(30000, 32767), "node ports")),
    (When::SshKey, ports::SSH),
    (When::FlannelVxlan, need("vxlan", BOTH, CLUSTER, UDP, Range(8472, 8472), "flannel VXLAN")),
    (When::Cilium, need("vxlan", BOTH, CLUSTER, UDP, Range(8472, 8472), "Cilium VXLAN")),
    (When::Cilium, need("health", BOTH, CLUSTER, TCP, Range(4240, 4240), "Cilium health")),
    (When::Cilium, need("echo", BOTH, CLUSTER, Some("icmp"), All, "Cilium health, echo")),
    (When::Cilium, need("wireguard", BOTH, CLUSTER, UDP, Range(51871, 51871), "Cilium WireGuard")),
    (When::Calico, need("bgp", BOTH, CLUSTER, TCP, Range(179, 179), "Calico BGP")),
    (When::Calico, need("vxlan", BOTH, CLUSTER, UDP, Range(4789, 4789), "Calico VXLAN")),
    (When::Calico, need("typha", BOTH, CLUSTER, TCP, Range(5473, 5473), "Calico Typha")),
    (When::CalicoIpip, need("ipip", BOTH, CLUSTER, Some("4"), All, "Calico IP in IP")),
    (When::RoutedPods, need("pods", BOTH, CLUSTER, None, All, "pods, routed without encapsulation")),
];

/// The lines of the table that count; `ssh` is whether somebody has a key to log in with.
pub(super) fn needs(settings: &Settings, ssh: bool) -> Vec<&'static Need> {
    NEEDS.iter().filter(|(when, _)| applies(*when, settings, ssh)).map(|(_, need)| need).collect()
}

fn applies(when: When, settings: &Settings, ssh: bool) -> bool {
    let driver = settings.network_driver;
    match when {
        When::Always => true,
        When::SshKey => ssh,
        When::FlannelVxlan => driver == NetworkDriver::Flannel && settings.flannel_backend == "vxlan",
        When::Calico => driver == NetworkDriver::Calico,
        When::CalicoIpip => {
            driver == NetworkDriver::Calico && ["Always", "CrossSubnet"].contains(&settings.ipip.as_str())
        }
        When::Cilium => driver == NetworkDriver::Cilium,
        When::RoutedPods => match driver {
            NetworkDriver::Flannel => settings.flannel_backend == "host-gw",
            NetworkDriver::Calico => settings.ipip == "CrossSubnet",
            NetworkDriver::Cilium => false,
        },
    }
}

#[cfg(test)]
#[path = "ports_tests.rs"]
mod tests;

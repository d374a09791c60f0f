//! The ports a Kubernetes cluster needs. Nothing else is open.
//!
//! The controller manager (10257), the scheduler (10259), the kubelet's health (10248) and etcd's metrics (2381) listen
//! on 127.0.0.1 and need no rule. Pods are masked by the node's address or wrapped, except where a network driver
//! routes them bare: security groups cannot tell those from the node's own traffic.

use super::settings::{NetworkDriver, Settings};
use crate::graph::ports::{
    self, All, Api, ApiUsers, MASTERS, Master, NODES, Need, Node, Range, ServiceUsers, Subnet, TCP, UDP, Worker, need,
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
    // Kubernetes API, from nodes.
    (When::Always, need(Master, NODES, TCP, Api)),
    // Kubernetes API, from its users.
    (When::Always, need(Master, ApiUsers, TCP, Api)),
    // Etcd, clients and peers.
    (When::Always, need(Master, MASTERS, TCP, Range(2379, 2380))),
    // Kubelet, from API servers and metrics.
    (When::Always, need(Node, NODES, TCP, Range(10250, 10250))),
    // Kube-proxy health, from balancers.
    (When::Always, need(Worker, Subnet, TCP, Range(10256, 10256))),
    // Node ports.
    (When::Always, need(Worker, ServiceUsers, TCP, Range(30000, 32767))),
    (When::Always, need(Worker, ServiceUsers, UDP, Range(30000, 32767))),
    (When::SshKey, ports::SSH),
    // Flannel VXLAN.
    (When::FlannelVxlan, need(Node, NODES, UDP, Range(8472, 8472))),
    // Cilium VXLAN.
    (When::Cilium, need(Node, NODES, UDP, Range(8472, 8472))),
    // Cilium health.
    (When::Cilium, need(Node, NODES, TCP, Range(4240, 4240))),
    // Cilium health, echo.
    (When::Cilium, need(Node, NODES, Some("icmp"), All)),
    // Cilium WireGuard.
    (When::Cilium, need(Node, NODES, UDP, Range(51871, 51871))),
    // Calico BGP.
    (When::Calico, need(Node, NODES, TCP, Range(179, 179))),
    // Calico VXLAN.
    (When::Calico, need(Node, NODES, UDP, Range(4789, 4789))),
    // Calico Typha.
    (When::Calico, need(Node, NODES, TCP, Range(5473, 5473))),
    // Calico IP in IP.
    (When::CalicoIpip, need(Node, NODES, Some("4"), All)),
    // Pods, routed without encapsulation.
    (When::RoutedPods, need(Node, NODES, None, All)),
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

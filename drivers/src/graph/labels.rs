//! Labels that mean the same for every COE, because the graph reads them.

use crate::{Conflict, Label, LabelKind as Kind};

/// GiB of a volume.
pub(crate) const SIZE: Kind = Kind::Integer { min: 0, max: 65_536 };

const COUNT: Kind = Kind::Integer { min: 0, max: 10_000 };

/// They.
pub(crate) const LABELS: [Label; 20] = [
    Label::new("api_master_lb_allowed_cidrs", Kind::CidrList, "", "As master_lb_allowed_cidrs."),
    Label::new("availability_zone", Kind::Text, "", "Availability zone of servers and volumes."),
    Label::new(
        "boot_volume_size",
        SIZE,
        "0",
        "GiB of a volume to boot from; 0 boots from the flavor's disk, or from a volume of 20 GiB where the flavor has none.",
    ),
    Label::new("boot_volume_type", Kind::Text, "", "Volume type of boot volumes; empty means the cloud's default."),
    Label::new(
        "control_plane_availability_zones",
        Kind::Words,
        "",
        "Availability zones over which masters are spread in turn.",
    ),
    Label::new(
        "different_failure_domain",
        Kind::Boolean,
        "false",
        "Servers carry the scheduler hint different_failure_domain, for a Nova whose filters know it.",
    ),
    Label::new(
        "docker_volume_type",
        Kind::Text,
        "",
        "Volume type of container volumes; empty means the cloud's default.",
    ),
    Label::new("extra_network_name", Kind::Text, "", "One more network, by name or UUID, as extra_network_names."),
    Label::new(
        "extra_network_names",
        Kind::Words,
        "",
        "Networks, by name or UUID, that every server gets one more interface in; the cluster does not use them.",
    ),
    Label::new(
        "fixed_subnet_cidr",
        Kind::Ipv4Network { min: 8, max: 29 },
        "10.0.0.0/24",
        "Address range of the subnet, where the stack makes one.",
    ),
    Label::new(
        "master_lb_allowed_cidrs",
        Kind::CidrList,
        "",
        "Networks from which the API may be used; empty means any. The cluster's subnet is always among them.",
    ),
    Label::new(
        "master_lb_floating_ip_enabled",
        Kind::Boolean,
        "",
        "A floating IP for the API's load balancer; empty means as floating_ip_enabled.",
    ),
    Label::new("max_node_count", COUNT, "", "Most workers of the default nodegroup; empty means no limit."),
    Label::new("min_node_count", COUNT, "0", "Least workers of the default nodegroup."),
    Label::new(
        "node_reports",
        Kind::Boolean,
        "true",
        "Nodes report their progress; false takes Heat's word as enough.",
    ),
    Label::new(
        "nodeport_allowed_cidrs",
        Kind::CidrList,
        "",
        "Networks from which published ports (30000 to 32767) may be reached; empty means the cluster's subnet.",
    ),
    Label::new(
        "octavia_lb_algorithm",
        Kind::OneOf { values: &["ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP", "SOURCE_IP_PORT"] },
        "",
        "How the API's load balancer chooses a master; empty means ROUND_ROBIN, and SOURCE_IP_PORT with provider ovn.",
    )
    .conflicting(&[
        Conflict::When {
            own: &["ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP"],
            field: "labels.octavia_provider",
            values: &["ovn"],
        },
        Conflict::When {
            own: &["SOURCE_IP_PORT"],
            field: "labels.octavia_provider",
            values: &["amphora", "amphorav2", "octavia"],
        },
    ]),
    Label::new("octavia_lb_healthcheck", Kind::Boolean, "true", "Whether the load balancer watches the masters."),
    Label::new("octavia_provider", Kind::Plain, "amphora", "Octavia's provider."),
    Label::new(
        "server_group_policies",
        Kind::OneOf { values: &["soft-anti-affinity", "anti-affinity", "soft-affinity", "affinity"] },
        "soft-anti-affinity",
        "How servers of a nodegroup are spread over hosts.",
    ),
];

/// Those of them that say what one node is like; all others say what the cluster is.
pub(crate) const OF_NODES: [&str; 5] =
    ["availability_zone", "boot_volume_size", "boot_volume_type", "docker_volume_type", "server_group_policies"];

/// Those of them that shaped networks, volumes, balancers and zones when the cluster was made.
pub(crate) const LASTING: [&str; 14] = [
    "api_master_lb_allowed_cidrs",
    "availability_zone",
    "control_plane_availability_zones",
    "different_failure_domain",
    "docker_volume_type",
    "extra_network_name",
    "extra_network_names",
    "fixed_subnet_cidr",
    "master_lb_allowed_cidrs",
    "master_lb_floating_ip_enabled",
    "octavia_lb_algorithm",
    "octavia_lb_healthcheck",
    "octavia_provider",
    "server_group_policies",
];

/// Ours and a COE's own; `N` is the number of both.
pub(crate) const fn joined<const N: usize>(ours: &[&'static str], own: &[&'static str]) -> [&'static str; N] {
    assert!(N == ours.len() + own.len(), "N is not the number of both");
    let mut all = [""; N];
    let mut index = 0;
    while index < N {
        all[index] = if index < ours.len() { ours[index] } else { own[index - ours.len()] };
        index += 1;
    }
    all
}

/// As [`with`], but for the one of that key, which means nothing to the COE.
pub(crate) const fn without<const N: usize>(key: &str, own: &[Label]) -> [Label; N] {
    assert!(N + 1 == LABELS.len() + own.len(), "N is not the number of all labels but one");
    let mut all = [LABELS[0]; N];
    let (mut index, mut from) = (0, 0);
    while index < N {
        if from < LABELS.len() && same(LABELS[from].key, key) {
            from += 1;
        }
        all[index] = if from < LABELS.len() { LABELS[from] } else { own[from - LABELS.len()] };
        (index, from) = (index + 1, from + 1);
    }
    all
}

/// Whether the texts are the same.
const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut index = 0;
    while index < one.len() && index < other.len() && one[index] == other[index] {
        index += 1;
    }
    index == one.len() && index == other.len()
}

/// These with a COE's own; `N` is the number of both.
pub(crate) const fn with<const N: usize>(own: &[Label]) -> [Label; N] {
    assert!(N == LABELS.len() + own.len(), "N is not the number of all labels");
    let mut all = [LABELS[0]; N];
    let mut index = 0;
    while index < N {
        all[index] = if index < LABELS.len() { LABELS[index] } else { own[index - LABELS.len()] };
        index += 1;
    }
    all
}

//! The labels of a Kubernetes cluster.

use super::options;
use crate::{Conflict, Label, LabelKind as Kind};

/// Kubernetes where neither label nor image says which, and packages are to be installed.
pub(super) const DEFAULT_KUBE_TAG: &str = "v1.35.3";

const fn label(key: &'static str, kind: Kind, default: &'static str, meaning: &'static str) -> Label {
    Label::new(key, kind, default, meaning)
}

const fn gone(key: &'static str, instead: &'static str) -> Label {
    Label::obsolete(key, instead)
}

const SIZE: Kind = Kind::Integer { min: 0, max: 65_536 };
const COUNT: Kind = Kind::Integer { min: 0, max: 10_000 };
/// A network that nodes get parts of: room for one part at least, and for 65536 at most.
const POOL: Kind = Kind::Ipv4Network { min: 4, max: 27 };
const NEEDS_MANIFEST: Conflict = Conflict::AbsentWhen { field: "network_driver", values: &["calico", "cilium"] };
const NEEDS_ISSUER: &[Conflict] = &[Conflict::Without { label: "oidc_issuer_url" }];
/// Cipher suites that Go has for TLS 1.2 and does not call insecure; TLS 1.3 chooses by itself.
const CIPHERS: Kind = Kind::SetOf {
    values: &[
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    ],
};
/// Mozilla's intermediate configuration, as far as Go has it.
const INTERMEDIATE: &str = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,\
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,\
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";
const BY_KUBEADM: &str = "kubeadm decides the images; container_infra_prefix says where they come from";
const BY_MANIFEST: &str = "cni_manifest_url names the manifest, which holds its own images";
const BY_USER: &str = "not installed by this release; apply its manifest or chart with the cluster's kubeconfig";
const NO_AGENT: &str = "nodes run no Heat agent";

/// Every label, sorted by key within what works and what has no effect.
pub(super) const LABELS: &[Label] = &[
    label(
        "admission_control_list",
        Kind::Words,
        "",
        "Admission plugins to enable besides NodeRestriction and Kubernetes' own; plugins that Kubernetes has dropped are left out.",
    ),
    label("api_master_lb_allowed_cidrs", Kind::CidrList, "", "As master_lb_allowed_cidrs."),
    label("api_server_cert_sans", Kind::Hosts, "", "More names and addresses in the API server's certificate."),
    label(
        "api_server_tls_cipher_suites",
        CIPHERS,
        INTERMEDIATE,
        "Cipher suites of the API server below TLS 1.3.",
    ),
    label(
        "audit_log_enabled",
        Kind::Boolean,
        "false",
        "API servers log who asked for what to /var/log/kubernetes/audit/audit.log on their masters, without bodies.",
    ),
    label(
        "audit_log_maxage",
        Kind::Integer { min: 0, max: 3650 },
        "30",
        "Days that old audit logs are kept; 0 means for ever.",
    ),
    label("audit_log_maxbackup", Kind::Integer { min: 0, max: 1000 }, "10", "Old audit logs that are kept; 0 means all."),
    label("audit_log_maxsize", Kind::Integer { min: 1, max: 10_240 }, "100", "MiB at which an audit log is put aside."),
    label("availability_zone", Kind::Text, "", "Availability zone of servers and volumes."),
    label(
        "boot_volume_size",
        SIZE,
        "0",
        "GiB of a volume to boot from; 0 boots from the flavor's disk, or from a volume of 20 GiB where the flavor has none.",
    ),
    label("boot_volume_type", Kind::Text, "", "Volume type of boot volumes; empty means the cloud's default."),
    label("calico_ipv4pool", POOL, "10.100.0.0/16", "Pod network with network driver calico."),
    label(
        "calico_ipv4pool_ipip",
        Kind::OneOf { values: &["Always", "CrossSubnet", "Never", "Off"] },
        "Always",
        "Which traffic Calico's manifest wraps in IP in IP: protocol 4 is opened unless Never or Off, bare pod traffic with CrossSubnet.",
    ),
    label("cilium_ipv4pool", POOL, "10.100.0.0/16", "Pod network with network driver cilium."),
    label(
        "cloud_provider_enabled",
        Kind::Boolean,
        "false",
        "Prepare nodes for the OpenStack cloud controller: kubelets expect it, and the first master writes the Secret kube-system/cloud-config. The controller itself is yours to install.",
    ),
    label("cni_manifest_sha256", Kind::Sha256, "", "SHA-256 of the manifest at cni_manifest_url.").conflicting(&[NEEDS_MANIFEST]),
    label(
        "cni_manifest_url",
        Kind::Url,
        "",
        "The network driver's manifest. Required with calico and cilium, whose manifests are too big for user data and follow their own releases; the first master fetches it, compares its sum and applies it as it is, so it must name the pod network of this cluster. Not used with flannel, which we bring.",
    ).conflicting(&[NEEDS_MANIFEST, Conflict::Without { label: "cni_manifest_sha256" }]),
    label("cni_plugins_sha256", Kind::Sha256, "", "SHA-256 of the archive at cni_plugins_url."),
    label(
        "cni_plugins_url",
        Kind::Url,
        "",
        "Archive of the reference CNI plugins, for kube_install=packages on images without apt.",
    ).conflicting(&[Conflict::Without { label: "cni_plugins_sha256" }]),
    label(
        "container_infra_prefix",
        Kind::ImagePrefix,
        "",
        "Registry and path that all images come from, as registry.example.org/k8s; empty means their own registries.",
    ),
    label("containerd_tarball_sha256", Kind::Sha256, "", "SHA-256 of the archive at containerd_tarball_url."),
    label(
        "containerd_tarball_url",
        Kind::Url,
        "",
        "Archive of containerd, for kube_install=packages on images without apt.",
    ).conflicting(&[Conflict::Without { label: "containerd_tarball_sha256" }]),
    label(
        "control_plane_availability_zones",
        Kind::Words,
        "",
        "Availability zones over which masters are spread in turn.",
    ),
    label("coredns_tag", Kind::Tag, "", "Tag of CoreDNS' image; empty means kubeadm's."),
    label(
        "different_failure_domain",
        Kind::Boolean,
        "false",
        "Servers carry the scheduler hint different_failure_domain, for a Nova whose filters know it.",
    ),
    label("dns_cluster_domain", Kind::DnsName, "cluster.local", "The cluster's DNS domain."),
    label("docker_volume_type", Kind::Text, "", "Volume type of container volumes; empty means the cloud's default."),
    label("etcd_blockdevice_size", SIZE, "0", "As etcd_volume_size.")
        .conflicting(&[Conflict::With { label: "etcd_volume_size" }]),
    label(
        "etcd_blockdevice_type",
        Kind::OneOf { values: &["volume"] },
        "volume",
        "What etcd's disk is; disks local to the hypervisor are not supported.",
    ),
    label("etcd_blockdevice_volume_az", Kind::Text, "", "Availability zone of etcd volumes; empty means their master's."),
    label("etcd_blockdevice_volume_type", Kind::Text, "", "As etcd_volume_type.")
        .conflicting(&[Conflict::With { label: "etcd_volume_type" }]),
    label(
        "etcd_tag",
        Kind::Tag,
        "",
        "Tag of etcd's image, from which its program is taken; empty means the image's own etcd, else kubeadm's.",
    ),
    label("etcd_volume_size", SIZE, "0", "GiB of a volume for etcd on each master; 0 means the root disk."),
    label("etcd_volume_type", Kind::Text, "", "Volume type of etcd volumes; empty means the cloud's default."),
    label("extra_network_name", Kind::Text, "", "One more network, by name or UUID, as extra_network_names."),
    label(
        "extra_network_names",
        Kind::Words,
        "",
        "Networks, by name or UUID, that every server gets one more interface in; Kubernetes does not use them.",
    ),
    label("fixed_subnet_cidr", Kind::Ipv4Network { min: 8, max: 29 }, "10.0.0.0/24", "Address range of the subnet, where the stack makes one."),
    label(
        "flannel_backend",
        Kind::OneOf { values: &["vxlan", "host-gw"] },
        "vxlan",
        "How flannel carries packets between nodes.",
    ),
    label("flannel_network_cidr", POOL, "10.100.0.0/16", "Pod network with network driver flannel."),
    label(
        "flannel_network_subnetlen",
        Kind::Integer { min: 20, max: 28 },
        "24",
        "Prefix length of each node's part of the pod network.",
    ),
    label("flannel_tag", Kind::VersionFrom { least: "v0.22.0" }, "v0.28.4", "Tag of flannel's image, v0.22.0 or later."),
    label(
        "kube_install",
        Kind::OneOf { values: &["image", "packages"] },
        "image",
        "Where Kubernetes comes from: the image, or packages installed at boot.",
    ),
    label("kube_packages_url", Kind::Url, "", "Mirror of https://pkgs.k8s.io/core:/stable: for kube_install=packages."),
    label(
        "kube_tag",
        Kind::VersionFrom { least: "v1.31.0" },
        "",
        "Kubernetes' version, v1.31.0 or later; empty means the image property kube_version, else what the image carries, else v1.35.3.",
    ),
    label("kube_tarball_sha256", Kind::Sha256, "", "SHA-256 of the archive at kube_tarball_url."),
    label("kube_tarball_url", Kind::Url, "", "Kubernetes' server archive, for kube_install=packages instead of apt.").conflicting(&[
        Conflict::Without { label: "kube_tarball_sha256" },
        Conflict::With { label: "kube_packages_url" },
    ]),
    label(
        "kubeapi_options",
        Kind::Options,
        "",
        "More options of the API server; those that name files or decide who may come in are refused.",
    ),
    label("kubecontroller_options", Kind::Options, "", "More options of the controller manager, restricted likewise."),
    label("kubelet_options", Kind::Options, "", "More options of kubelets, restricted likewise."),
    label("kubelet_tls_cipher_suites", CIPHERS, INTERMEDIATE, "Cipher suites of kubelets below TLS 1.3."),
    label(
        "kubeproxy_options",
        Kind::OptionsOf { names: options::PROXY },
        "",
        "Options of kube-proxy.",
    ),
    label("kubescheduler_options", Kind::Options, "", "More options of the scheduler, restricted likewise."),
    label(
        "master_lb_allowed_cidrs",
        Kind::CidrList,
        "",
        "Networks from which the API may be used; empty means any. The cluster's subnet is always among them.",
    ),
    label(
        "master_lb_floating_ip_enabled",
        Kind::Boolean,
        "",
        "A floating IP for the API's load balancer; empty means as floating_ip_enabled.",
    ),
    label("max_node_count", COUNT, "", "Most workers of the default nodegroup; empty means no limit."),
    label("min_node_count", COUNT, "0", "Least workers of the default nodegroup."),
    label("node_reports", Kind::Boolean, "true", "Nodes report their progress; false takes Heat's word as enough."),
    label(
        "nodeport_allowed_cidrs",
        Kind::CidrList,
        "",
        "Networks from which node ports may be reached; empty means the cluster's subnet.",
    ),
    label(
        "octavia_lb_algorithm",
        Kind::OneOf { values: &["ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP", "SOURCE_IP_PORT"] },
        "",
        "How the API's load balancer chooses a master; empty means ROUND_ROBIN, and SOURCE_IP_PORT with provider ovn.",
    ).conflicting(&[
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
    label("octavia_lb_healthcheck", Kind::Boolean, "true", "Watch masters' /readyz (with provider ovn: their port)."),
    label("octavia_provider", Kind::Plain, "amphora", "Octavia's provider."),
    label("oidc_client_id", Kind::Words, "", "Client that OpenID Connect tokens must be made for.").conflicting(NEEDS_ISSUER),
    label("oidc_groups_claim", Kind::Words, "", "Claim that holds the groups.").conflicting(NEEDS_ISSUER),
    label("oidc_groups_prefix", Kind::Plain, "", "What groups' names are prefixed with.").conflicting(NEEDS_ISSUER),
    label(
        "oidc_issuer_url",
        Kind::Url,
        "",
        "OpenID Connect issuer that the API server trusts.",
    ).conflicting(&[Conflict::Without { label: "oidc_client_id" }]),
    label("oidc_username_claim", Kind::Words, "", "Claim that holds the user's name; empty means sub.").conflicting(NEEDS_ISSUER),
    label("oidc_username_prefix", Kind::Plain, "", "What users' names are prefixed with.").conflicting(NEEDS_ISSUER),
    label(
        "selinux_mode",
        Kind::OneOf { values: &["enforcing", "permissive"] },
        "",
        "SELinux on nodes whose image has it; empty leaves it to the image.",
    ),
    label(
        "server_group_policies",
        Kind::OneOf { values: &["soft-anti-affinity", "anti-affinity", "soft-affinity", "affinity"] },
        "soft-anti-affinity",
        "How servers of a nodegroup are spread over hosts.",
    ),
    label(
        "service_cluster_ip_range",
        Kind::Ipv4Network { min: 12, max: 27 },
        "10.254.0.0/16",
        "Service network; DNS is its tenth address, the API its first.",
    ),
    gone("api_server_floating_ip", "the address comes with the cluster; a name of api_server_cert_sans can point at it"),
    gone("auto_healing_controller", BY_USER),
    gone("auto_healing_enabled", BY_USER),
    gone("auto_scaling_enabled", BY_USER),
    gone("autoscaler_tag", BY_USER),
    gone("boot_volume_availability_zone", "Nova makes boot volumes, in the zone that the cloud gives them"),
    gone("calico_kube_controllers_tag", BY_MANIFEST),
    gone("calico_tag", BY_MANIFEST),
    gone("capi_helm_chart_version", "Heat makes the cluster"),
    gone("cert_manager_api", "no key of an authority comes to a node"),
    gone("cgroup_driver", "systemd is the only one"),
    gone("cilium_hubble_ui_enabled", BY_MANIFEST),
    gone("cilium_tag", BY_MANIFEST),
    gone("cinder_csi_enabled", BY_USER),
    gone("cinder_csi_plugin_tag", BY_USER),
    gone("cloud_provider_tag", BY_USER),
    gone("cluster_basic_auth_secret", BY_USER),
    gone("cluster_root_domain_name", BY_USER),
    gone("container_runtime", "containerd is the only one"),
    gone("containerd_version", "containerd_tarball_url, or the image's own containerd"),
    gone("csi_attacher_tag", BY_USER),
    gone("csi_cinder_allow_volume_expansion", BY_USER),
    gone("csi_cinder_availability_zone", BY_USER),
    gone("csi_cinder_fstype", BY_USER),
    gone("csi_cinder_reclaim_policy", BY_USER),
    gone("csi_cinder_volume_binding_mode", BY_USER),
    gone("csi_liveness_probe_tag", BY_USER),
    gone("csi_node_driver_registrar_tag", BY_USER),
    gone("csi_provisioner_tag", BY_USER),
    gone("csi_resizer_tag", BY_USER),
    gone("csi_snapshotter_tag", BY_USER),
    gone("draino_tag", BY_USER),
    gone("flannel_cni_tag", "the plugin follows flannel"),
    gone("grafana_admin_passwd", BY_USER),
    gone("grafana_tag", BY_USER),
    gone("heapster_enabled", "Heapster is gone; use metrics-server"),
    gone("heat_container_agent_tag", NO_AGENT),
    gone("helm_client_sha256", NO_AGENT),
    gone("helm_client_tag", NO_AGENT),
    gone("helm_client_url", NO_AGENT),
    gone("hyperkube_prefix", BY_KUBEADM),
    gone("influx_grafana_dashboard_enabled", BY_USER),
    gone("ingress_controller", BY_USER),
    gone("ingress_controller_role", BY_USER),
    gone("k8s_keystone_auth_tag", BY_USER),
    gone("keystone_auth_enabled", BY_USER),
    gone("kube_dashboard_enabled", BY_USER),
    gone("kube_dashboard_version", BY_USER),
    gone("kube_image_digest", BY_KUBEADM),
    gone("magnum_auto_healer_tag", BY_USER),
    gone("manila_csi_enabled", BY_USER),
    gone("manila_csi_plugin_tag", BY_USER),
    gone("manila_csi_share_network_id", BY_USER),
    gone("metrics_scraper_tag", BY_USER),
    gone("metrics_server_chart_tag", BY_USER),
    gone("metrics_server_enabled", BY_USER),
    gone("monitoring_enabled", BY_USER),
    gone("monitoring_ingress_enabled", BY_USER),
    gone("monitoring_interval_seconds", BY_USER),
    gone("monitoring_retention_days", BY_USER),
    gone("monitoring_retention_size", BY_USER),
    gone("monitoring_storage_class_name", BY_USER),
    gone("nginx_ingress_controller_chart_tag", BY_USER),
    gone("nginx_ingress_controller_tag", BY_USER),
    gone("node_problem_detector_tag", BY_USER),
    gone("npd_enabled", BY_USER),
    gone("octavia_ingress_controller_tag", BY_USER),
    gone("ostree_commit", "choose another image"),
    gone("ostree_remote", "choose another image"),
    gone("prometheus_adapter_chart_tag", BY_USER),
    gone("prometheus_adapter_configmap", BY_USER),
    gone("prometheus_adapter_enabled", BY_USER),
    gone("prometheus_monitoring", BY_USER),
    gone("prometheus_operator_chart_tag", BY_USER),
    gone("prometheus_tag", BY_USER),
    gone("swarm_strategy", "for coe swarm only"),
    gone("system_pods_initial_delay", "nothing reads it"),
    gone("system_pods_timeout", "nothing reads it"),
    gone("tiller_enabled", "Tiller is gone; Helm needs no server"),
    gone("tiller_namespace", "Tiller is gone; Helm needs no server"),
    gone("tiller_tag", "Tiller is gone; Helm needs no server"),
    gone("traefik_ingress_controller_tag", BY_USER),
    gone("use_podman", "containerd is the only runtime"),
];

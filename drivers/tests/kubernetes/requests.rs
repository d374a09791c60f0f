//! What a request may ask, one mistake at a time.

use drivers::Desired;
use serde_json::Value;

use crate::combinations::Shape;

fn desired() -> Desired {
    Shape::named("ubuntu-1m-1w-flannel").unwrap().spec().desired
}

/// The fields refused after the request was changed.
fn refused(change: impl Fn(&mut Desired)) -> Vec<String> {
    let mut desired = desired();
    change(&mut desired);
    drivers::find("kubernetes").unwrap().check(&desired).into_iter().map(|problem| problem.field).collect()
}

fn with_labels(labels: &[(&str, &str)]) -> Vec<String> {
    refused(|desired| desired.labels.extend(labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))))
}

#[test]
fn a_good_request_has_no_problem() {
    assert_eq!(refused(|_| {}), [""; 0]);
}

#[test]
fn each_field_is_checked() {
    type Change = fn(&mut Desired);
    let changes: &[(&str, Change)] = &[
        ("master_count", |d| d.master_count = 0),
        ("master_count", |d| d.master_count = 2),
        ("master_count", |d| d.master_count = 9),
        ("image_id.os_distro", |d| d.os_distro = "windows".into()),
        ("server_type", |d| d.server_type = "bm".into()),
        ("coe", |d| d.coe = "swarm".into()),
        ("docker_storage_driver", |d| d.docker_storage_driver = Some("devicemapper".into())),
        ("volume_driver", |d| d.volume_driver = Some("rexray".into())),
        ("docker_volume_size", |d| d.docker_volume_size = Some(0)),
        ("network_driver", |d| d.network_driver = Some("weave".into())),
        ("tls_disabled", |d| d.tls_disabled = true),
        ("apiserver_port", |d| d.apiserver_port = Some(443)),
        ("apiserver_port", |d| d.apiserver_port = Some(10250)),
        ("dns_nameserver", |d| d.dns_nameserver = Some("8.8.8.8,dns.example.org".into())),
        ("http_proxy", |d| d.http_proxy = Some("proxy:3128".into())),
        ("https_proxy", |d| d.https_proxy = Some("http://proxy/'$(id)".into())),
        ("no_proxy", |d| d.no_proxy = Some("a;b".into())),
        ("insecure_registry", |d| d.insecure_registry = Some("registry/../x".into())),
    ];
    for (field, change) in changes {
        assert_eq!(refused(change), [*field]);
    }
}

#[test]
fn each_rule_about_labels_holds() {
    for (field, labels) in [
        ("labels.kube_tag", &[("kube_tag", "v1.23.3-rancher1")][..]),
        ("labels.kube_tag", &[("kube_tag", "v1.30.9")]),
        ("labels.flannel_tag", &[("flannel_tag", "v0.15.1")]),
        ("labels.flannel_network_cidr", &[("flannel_network_cidr", "10.254.0.0/17")]),
        ("labels.flannel_network_cidr", &[("flannel_network_cidr", "fd00::/64")]),
        ("labels.fixed_subnet_cidr", &[("fixed_subnet_cidr", "10.100.3.0/24")]),
        ("labels.service_cluster_ip_range", &[("service_cluster_ip_range", "10.254.0.0/30")]),
        ("labels.flannel_network_subnetlen", &[("flannel_network_cidr", "10.100.0.0/25")]),
        ("labels.flannel_network_cidr", &[("flannel_network_cidr", "10.100.0.0/28")]),
        ("labels.kubeapi_options", &[("kubeapi_options", "--anonymous-auth=true")]),
        ("labels.containerd_tarball_sha256", &[("containerd_tarball_url", "https://example.org/c.tgz")]),
        ("labels.etcd_volume_size", &[("etcd_volume_size", "-1")]),
        ("labels.etcd_blockdevice_size", &[("etcd_volume_size", "5"), ("etcd_blockdevice_size", "5")]),
        ("labels.etcd_blockdevice_type", &[("etcd_blockdevice_type", "local")]),
        ("labels.oidc_issuer_url", &[("oidc_client_id", "k8s")]),
        ("labels.oidc_client_id", &[("oidc_issuer_url", "https://id.example.org")]),
        ("labels.octavia_lb_algorithm", &[("octavia_lb_algorithm", "ROUND_ROBIN"), ("octavia_provider", "ovn")]),
        ("labels.octavia_lb_algorithm", &[("octavia_lb_algorithm", "SOURCE_IP_PORT")]),
        ("labels.kubeapi_options", &[("kubeapi_options", "--tls-cipher-suites=TLS_RSA_WITH_RC4_128_SHA")]),
        ("labels.api_server_tls_cipher_suites", &[("api_server_tls_cipher_suites", "TLS_RSA_WITH_RC4_128_SHA")]),
        (
            "labels.flannel_network_subnetlen",
            &[("flannel_network_cidr", "10.96.0.0/11"), ("flannel_network_subnetlen", "28")],
        ),
        ("labels.container_infra_prefix", &[("container_infra_prefix", "registry$(id)/")]),
    ] {
        assert_eq!(with_labels(labels), [field], "{labels:?}");
    }
}

#[test]
fn calico_and_cilium_need_their_manifest_and_its_sum() {
    for driver in ["calico", "cilium"] {
        let fields = refused(|desired| desired.network_driver = Some(driver.into()));
        assert_eq!(fields, ["labels.cni_manifest_sha256", "labels.cni_manifest_url"]);
    }
}

#[test]
fn everything_is_said_at_once_and_in_words() {
    let mut desired = desired();
    desired.master_count = 4;
    desired.tls_disabled = true;
    desired.labels.insert("kube_tag".into(), "latest".into());
    desired.labels.insert("kubelet_options".into(), "--config=/x".into());
    let problems = drivers::find("kubernetes").unwrap().check(&desired);
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    insta::assert_yaml_snapshot!("everything_wrong", text);
}

#[test]
fn labels_of_old_templates_are_accepted_with_a_reason() {
    let labels = [
        ("heapster_enabled", "true"),
        ("tiller_tag", "v2.16.7"),
        ("cgroup_driver", "cgroupfs"),
        ("calico_tag", "v3.21.2"),
    ];
    assert_eq!(with_labels(&labels), [""; 0]);
    let labels = labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into_iter().collect();
    let findings = drivers::examine(drivers::find("kubernetes").unwrap().labels(), &labels);
    assert_eq!(findings.obsolete.len(), 4);
    assert!(findings.obsolete.iter().all(|label| !label.instead.is_empty()));
}

#[test]
fn what_comes_to_nothing_is_told() {
    let notes = |labels: &[(&str, &str)]| {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        drivers::find("kubernetes").unwrap().notes(&Desired { labels, ..desired() })
    };
    let plugins = [("admission_control_list", "PodPreset,AlwaysPullImages,PodSecurityPolicy")];
    let text =
        "labels.admission_control_list is taken without PodPreset, PodSecurityPolicy, which Kubernetes has no more";
    assert_eq!(notes(&plugins), [text]);
    let archive = ("kube_tarball_url", "https://example.org/k.tgz");
    assert_eq!(notes(&[archive]), ["labels.kube_tarball_url has no effect: kube_install is image"]);
    assert_eq!(notes(&[archive, ("kube_install", "packages")]), [""; 0]);
    let registry = drivers::find("kubernetes").unwrap().notes(&Desired { registry_enabled: true, ..desired() });
    assert_eq!(registry, ["registry_enabled has no effect: run a registry in a pod"]);
}

/// Kubernetes has labels and taints of nodes; Swarm and Mesos take them for nodegroups and do nothing with them.
#[test]
fn only_kubernetes_marks_its_nodes() {
    let marking: Vec<_> =
        drivers::installed().into_iter().filter(|driver| driver.marks_nodes()).map(|driver| driver.name()).collect();
    assert_eq!(marking, ["kubernetes"]);
}

#[test]
fn the_end_of_a_stack_is_read_as_urls() {
    let outputs = |json: Value| json.as_object().unwrap().clone().into_iter().collect();
    let driver = drivers::find("kubernetes").unwrap();
    let addresses = driver.read(&outputs(serde_json::json!({
        "api_address": "172.24.4.9", "api_private_address": "10.0.0.7", "api_port": 7443,
        "master_addresses": ["172.24.4.9"], "node_addresses": ["10.0.0.4", null],
    })));
    assert_eq!(addresses.api_address.as_deref(), Some("https://172.24.4.9:7443"));
    assert_eq!(addresses.api_private_address.as_deref(), Some("https://10.0.0.7:7443"));
    assert_eq!(addresses.node_addresses, ["10.0.0.4"]);
    let nothing = driver.read(&outputs(serde_json::json!({ "api_address": null })));
    assert_eq!(nothing, drivers::Addresses::default());
}

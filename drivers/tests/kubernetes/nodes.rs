//! What nodes are told.

use std::collections::BTreeMap;

use drivers::ClusterSpec;

use crate::combinations::Shape;
use crate::user_data::{File, files, settings};

fn files_of(spec: &ClusterSpec, role: &str) -> BTreeMap<String, File> {
    let stack = drivers::find("kubernetes").unwrap().stack(spec).unwrap();
    files(&stack.files[&format!("{role}-user-data")])
}

fn settings_of(spec: &ClusterSpec, role: &str) -> BTreeMap<String, String> {
    settings(&files_of(spec, role)["/etc/jeroboam/node.env"].text)
}

fn spec(labels: &[(&str, &str)]) -> ClusterSpec {
    let mut spec = Shape::named("ubuntu-3m-1w-flannel").unwrap().spec();
    spec.desired.labels.extend(labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    spec
}

#[test]
fn service_addresses_follow_the_service_network() {
    let settings = settings_of(
        &spec(&[("service_cluster_ip_range", "10.96.0.0/16"), ("dns_cluster_domain", "k8s.test")]),
        "worker",
    );
    assert_eq!(settings["DNS_SERVICE_ADDRESS"], "10.96.0.10");
    assert_eq!(settings["API_SERVICE_ADDRESS"], "10.96.0.1");
    assert_eq!(settings["DNS_DOMAIN"], "k8s.test");
}

#[test]
fn the_version_is_the_labels_then_the_images_then_ours_for_packages() {
    assert_eq!(settings_of(&spec(&[("kube_tag", "v1.34.2")]), "master")["KUBE_VERSION"], "v1.34.2");
    assert_eq!(settings_of(&spec(&[]), "master")["KUBE_VERSION"], "v1.35.3");
    let mut unknown = spec(&[]);
    unknown.masters.image.kube_version = None;
    assert_eq!(settings_of(&unknown, "master")["KUBE_VERSION"], "");
    unknown.desired.labels.insert("kube_install".into(), "packages".into());
    assert_eq!(settings_of(&unknown, "master")["KUBE_VERSION"], "v1.35.3");
}

#[test]
fn names_in_the_api_certificate_are_what_it_is_reached_by() {
    let mut spec = Shape::named("ubuntu-1m-1w-lb-fip-flannel").unwrap().spec();
    spec.desired.labels.insert("api_server_cert_sans".into(), "api.example.org,198.51.100.7".into());
    assert_eq!(
        settings_of(&spec, "master")["KUBE_API_SANS"],
        "IP:@@KUBE_API_ADDRESS@@,IP:@@KUBE_API_FLOATING_ADDRESS@@,IP:@@NODE_FLOATING_ADDRESS@@,\
         DNS:api.example.org,IP:198.51.100.7"
    );
    assert_eq!(settings_of(&spec, "worker")["KUBE_API_SANS"], "");
}

#[test]
fn no_proxy_holds_the_cluster_itself_and_only_with_a_proxy() {
    let spec = Shape::named("ubuntu-1m-1w-net-fip-flannel").unwrap().spec();
    assert_eq!(
        settings_of(&spec, "worker")["NO_PROXY"],
        "example.org,localhost,127.0.0.1,169.254.169.254,@@KUBE_API_ADDRESS@@,.svc,.cluster.local,192.168.10.0/24,\
         10.100.0.0/16,10.254.0.0/16"
    );
    assert_eq!(settings_of(&Shape::named("ubuntu-1m-1w-flannel").unwrap().spec(), "worker")["NO_PROXY"], "");
}

#[test]
fn labels_of_their_own_become_options_of_the_api_server() {
    let labels =
        [("oidc_issuer_url", "https://id.example.org"), ("oidc_client_id", "k8s"), ("kubeapi_options", "--v=2")];
    let options = settings_of(&spec(&labels), "master")["KUBEAPI_OPTIONS"].clone();
    let own =
        "--v=2 --oidc-issuer-url=https://id.example.org --oidc-client-id=k8s --tls-cipher-suites=TLS_ECDHE_ECDSA_";
    assert!(options.starts_with(own), "{options}");
    let suites = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
    let settings = settings_of(&spec(&[("api_server_tls_cipher_suites", suites)]), "master");
    assert_eq!(settings["KUBEAPI_OPTIONS"], format!("--tls-cipher-suites={}", suites.replace(' ', "")));
}

#[test]
fn labels_about_logs_ciphers_and_selinux_reach_nodes() {
    let labels = [
        ("audit_log_enabled", "yes"),
        ("audit_log_maxage", "7"),
        ("kubelet_tls_cipher_suites", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        ("selinux_mode", "permissive"),
    ];
    let given = settings_of(&spec(&labels), "master");
    assert_eq!((given["AUDIT_LOG"].as_str(), given["AUDIT_LOG_MAXAGE"].as_str()), ("true", "7"));
    assert_eq!((given["AUDIT_LOG_MAXBACKUP"].as_str(), given["AUDIT_LOG_MAXSIZE"].as_str()), ("10", "100"));
    assert_eq!(given["KUBELET_TLS_CIPHER_SUITES"], "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    assert_eq!(given["SELINUX_MODE"], "permissive");
    let plain = settings_of(&spec(&[]), "worker");
    assert_eq!((plain["AUDIT_LOG"].as_str(), plain["SELINUX_MODE"].as_str()), ("false", ""));
    assert_eq!(plain["KUBELET_TLS_CIPHER_SUITES"].split(',').count(), 6);
}

#[test]
fn servers_are_in_more_networks_and_failure_domains_where_asked() {
    let labels = [
        ("extra_network_names", "storage, backup"),
        ("extra_network_name", "old"),
        ("different_failure_domain", "true"),
    ];
    let stack = drivers::find("kubernetes").unwrap().stack(&spec(&labels)).unwrap();
    let worker: serde_json::Value = serde_json::from_str(&stack.files["worker.yaml"]).unwrap();
    for server in [&stack.template["resources"]["master_2"], &worker["resources"]["kube-minion"]] {
        let properties = &server["properties"];
        let more: Vec<_> =
            properties["networks"].as_array().unwrap()[1..].iter().map(|n| n["network"].as_str()).collect();
        assert_eq!(more, [Some("old"), Some("storage"), Some("backup")]);
        assert!(properties["networks"][0]["port"].is_object());
        assert_eq!(properties["scheduler_hints"]["different_failure_domain"], "true");
        assert!(properties["scheduler_hints"]["group"].is_object());
    }
}

#[test]
fn etcd_volumes_have_two_sets_of_labels() {
    let labels = [
        ("etcd_blockdevice_size", "7"),
        ("etcd_blockdevice_volume_type", "fast"),
        ("etcd_blockdevice_volume_az", "az9"),
        ("availability_zone", "az1"),
    ];
    let driver = drivers::find("kubernetes").unwrap();
    let spec = spec(&labels);
    let stack = driver.stack(&spec).unwrap();
    let volume = &stack.template["resources"]["etcd_volume_1"]["properties"];
    assert_eq!((&volume["size"], &volume["volume_type"]), (&7.into(), &"fast".into()));
    assert_eq!(volume["availability_zone"], "az9");
    let alone = drivers::Desired { master_count: 1, ..spec.desired };
    assert_eq!(driver.irreplaceable(&alone), None);
}

#[test]
fn flatcar_has_its_scripts_where_it_can_write() {
    for (name, library) in
        [("flatcar-1m-1w-flannel", "/opt/jeroboam/lib/"), ("fedora-coreos-1m-1w-flannel", "/usr/local/lib/jeroboam/")]
    {
        let files = files_of(&Shape::named(name).unwrap().spec(), "master");
        assert!(files[&format!("{library}bootstrap")].text.starts_with("#!"), "{name}");
        let unit = &files["/etc/systemd/system/jeroboam-bootstrap.service"].text;
        assert!(unit.contains(&format!("{library}bootstrap")), "{unit}");
    }
}

#[test]
fn only_masters_of_a_flannel_cluster_carry_its_manifest() {
    let carries = |name: &str, role| {
        files_of(&Shape::named(name).unwrap().spec(), role).contains_key("/etc/jeroboam/addons/flannel.yaml")
    };
    assert!(carries("debian-1m-1w-flannel", "master"));
    assert!(!carries("debian-1m-1w-flannel", "worker"));
    assert!(!carries("debian-1m-1w-calico", "master"));
}

/// Scripts name the settings they read in two lists: those of all nodes, and those of Kubernetes'.
#[test]
fn every_setting_that_a_script_reads_is_written() {
    let spec = spec(&[]);
    let files = files_of(&spec, "master");
    let written = settings_of(&spec, "master");
    for (script, list) in [("lib.sh", "\nSETTINGS=("), ("steps.sh", "\nOWN_SETTINGS=(")] {
        let text = &files[&format!("/usr/local/lib/jeroboam/{script}")].text;
        let list = text.split_once(list).unwrap().1.split_once("\n)").unwrap().0;
        for line in list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let key = line.split_once('=').unwrap().0;
            assert!(written.contains_key(key), "{key} is read and not written");
        }
    }
}

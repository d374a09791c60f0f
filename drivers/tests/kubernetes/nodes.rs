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
fn openid_connect_becomes_options_of_the_api_server() {
    let labels =
        [("oidc_issuer_url", "https://id.example.org"), ("oidc_client_id", "k8s"), ("kubeapi_options", "--v=2")];
    let settings = settings_of(&spec(&labels), "master");
    assert_eq!(settings["KUBEAPI_OPTIONS"], "--v=2 --oidc-issuer-url=https://id.example.org --oidc-client-id=k8s");
    assert_eq!(settings_of(&spec(&labels[1..]), "master")["KUBEAPI_OPTIONS"], "--v=2");
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

//! What a request may ask, one mistake at a time.

use drivers::{Desired, LabelKind};
use serde_json::json;

use crate::swarms::spec;

fn desired() -> Desired {
    spec("ubuntu-1m-1w").unwrap().desired
}

/// The fields refused after the request was changed.
fn refused(change: impl Fn(&mut Desired)) -> Vec<String> {
    let mut desired = desired();
    change(&mut desired);
    drivers::find("swarm").unwrap().check(&desired).into_iter().map(|problem| problem.field).collect()
}

/// Defect 19 among them: even numbers of managers were taken.
#[test]
fn each_field_is_checked() {
    type Change = fn(&mut Desired);
    assert_eq!(refused(|_| {}), [""; 0]);
    assert_eq!(refused(|d| d.coe = "swarm".into()), [""; 0]);
    assert_eq!(refused(|d| d.network_driver = None), [""; 0]);
    assert_eq!(refused(|d| d.docker_storage_driver = Some("overlay2".into())), [""; 0]);
    for count in [1, 3, 5, 7] {
        assert_eq!(refused(|d| d.master_count = count), [""; 0]);
    }
    let changes: &[(&str, Change)] = &[
        ("master_count", |d| d.master_count = 0),
        ("master_count", |d| d.master_count = 2),
        ("master_count", |d| d.master_count = 9),
        ("image_id.os_distro", |d| d.os_distro = "windows".into()),
        ("server_type", |d| d.server_type = "bm".into()),
        ("coe", |d| d.coe = "kubernetes".into()),
        ("docker_storage_driver", |d| d.docker_storage_driver = Some("devicemapper".into())),
        ("volume_driver", |d| d.volume_driver = Some("rexray".into())),
        ("volume_driver", |d| d.volume_driver = Some("cinder".into())),
        ("docker_volume_size", |d| d.docker_volume_size = Some(0)),
        ("network_driver", |d| d.network_driver = Some("flannel".into())),
        ("apiserver_port", |d| d.apiserver_port = Some(2377)),
        ("apiserver_port", |d| d.apiserver_port = Some(7946)),
        ("dns_nameserver", |d| d.dns_nameserver = Some("dns.example.org".into())),
        ("http_proxy", |d| d.http_proxy = Some("proxy:3128".into())),
        ("insecure_registry", |d| d.insecure_registry = Some("registry/../x".into())),
        ("labels.swarm_autolock", |d| _ = d.labels.insert("swarm_autolock".into(), "perhaps".into())),
        ("labels.docker_package", |d| _ = d.labels.insert("docker_package".into(), "moby".into())),
        ("labels.fixed_subnet_cidr", |d| _ = d.labels.insert("fixed_subnet_cidr".into(), "fd00::/64".into())),
    ];
    for (field, change) in changes {
        assert_eq!(refused(change), [*field]);
    }
}

#[test]
fn what_is_refused_is_said_with_the_reason() {
    let mut desired = desired();
    desired.docker_storage_driver = Some("devicemapper".into());
    let problems = drivers::find("swarm").unwrap().check(&desired);
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            "docker_storage_driver is \"devicemapper\"; allowed: overlay2; Linux and Docker have left devicemapper and the \
             others behind",
        ]
    );
}

/// Every label that the old Swarm drivers read works or says why it does not.
#[test]
fn labels_of_old_templates_are_known() {
    let schema = drivers::find("swarm").unwrap().labels();
    let kind = |key: &str| schema.iter().find(|label| label.key == key).unwrap_or_else(|| panic!("{key}")).kind;
    for key in ["availability_zone", "docker_volume_type", "fixed_subnet_cidr", "boot_volume_size", "octavia_provider"]
    {
        assert!(!matches!(kind(key), LabelKind::Obsolete { .. }), "{key}");
    }
    let flannel = ["flannel_network_cidr", "flannel_backend", "flannel_network_subnetlen"];
    for key in flannel.iter().chain(&["rexray_preempt", "swarm_strategy"]) {
        assert!(matches!(kind(key), LabelKind::Obsolete { instead } if !instead.is_empty()), "{key}");
    }
}

#[test]
fn the_word_for_classic_swarm_is_spoken_of() {
    let driver = drivers::find("swarm").unwrap();
    let mut desired = desired();
    assert!(driver.notes(&desired).is_empty());
    desired.coe = "swarm".into();
    assert!(driver.notes(&desired)[0].contains("classic Swarm is gone"));
}

#[test]
fn without_tls_is_allowed_and_said() {
    assert_eq!(refused(|d| d.tls_disabled = true), [""; 0]);
    let mut desired = desired();
    desired.tls_disabled = true;
    let notes = drivers::find("swarm").unwrap().notes(&desired);
    assert!(notes.len() == 1 && notes[0].contains("is root on all nodes"), "{notes:?}");
}

#[test]
fn the_end_of_a_stack_is_read_as_urls() {
    let outputs = json!({"api_address": "172.24.4.9", "api_private_address": "10.0.0.7", "api_port": 2376,
        "master_addresses": ["172.24.4.9"], "node_addresses": ["10.0.0.4"]});
    let outputs = outputs.as_object().unwrap().clone().into_iter().collect();
    let addresses = drivers::find("swarm").unwrap().read(&outputs);
    assert_eq!(addresses.api_address.as_deref(), Some("tcp://172.24.4.9:2376"));
    assert_eq!(addresses.master_addresses, ["172.24.4.9"]);
}

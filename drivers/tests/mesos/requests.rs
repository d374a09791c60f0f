//! What a request may ask for, and what it is told.

use drivers::{Desired, installed};

use crate::shapes::{Shape, driver};
use crate::user_data::files;

fn desired(change: impl FnOnce(&mut Desired)) -> Desired {
    let mut desired = Shape::named("ubuntu-3m-3w-marathon").spec().desired;
    change(&mut desired);
    desired
}

fn label(key: &str, value: &str) -> Desired {
    desired(|d| _ = d.labels.insert(key.to_owned(), value.to_owned()))
}

fn fields(desired: &Desired) -> Vec<String> {
    driver().check(desired).into_iter().map(|problem| problem.field).collect()
}

#[test]
fn each_rule_names_its_field() {
    for (field, request) in [
        ("master_count", desired(|d| d.master_count = 4)),
        ("image_id.os_distro", desired(|d| d.os_distro = "fedora-coreos".into())),
        ("server_type", desired(|d| d.server_type = "bm".into())),
        ("coe", desired(|d| d.coe = "swarm".into())),
        ("network_driver", desired(|d| d.network_driver = Some("flannel".into()))),
        ("volume_driver", desired(|d| d.volume_driver = Some("rexray".into()))),
        ("volume_driver", desired(|d| d.volume_driver = Some("cinder".into()))),
        ("docker_storage_driver", desired(|d| d.docker_storage_driver = Some("devicemapper".into()))),
        ("docker_volume_size", desired(|d| d.docker_volume_size = Some(0))),
        ("apiserver_port", desired(|d| d.apiserver_port = Some(8443))),
        ("http_proxy", desired(|d| d.http_proxy = Some("proxy:3128".into()))),
        ("labels.fixed_subnet_cidr", label("fixed_subnet_cidr", "fd00::/64")),
        ("labels.marathon_allowed_cidrs", label("marathon_allowed_cidrs", "10.0.0.1/8")),
        ("labels.mesos_slave_isolation", label("mesos_slave_isolation", "posix/cpu,posix/gpu")),
        ("labels.mesos_slave_isolation", label("mesos_slave_image_providers", "docker")),
        ("labels.mesos_slave_image_providers", label("mesos_slave_image_providers", "oci")),
        ("labels.mesos_slave_work_dir", label("mesos_slave_work_dir", "relative")),
        ("labels.mesos_slave_work_dir", label("mesos_slave_work_dir", "/a/../b")),
        ("labels.mesos_slave_executor_env_variables", label("mesos_slave_executor_env_variables", "A=b")),
        ("labels.mesos_slave_executor_env_variables", label("mesos_slave_executor_env_variables", r#"{"A":{}}"#)),
        ("labels.mesos_packages_url", label("mesos_packages_url", "http://example.org")),
    ] {
        assert_eq!(fields(&request), [field], "{request:?}");
    }
}

/// Where the packages come from: the label, else the property of the node's image.
#[test]
fn packages_come_from_where_the_label_or_the_image_says() {
    let url = |label: Option<&str>, property: Option<&str>| {
        let mut spec = Shape::named("ubuntu-1m-3w").spec();
        for group in [&mut spec.masters, &mut spec.workers] {
            group.image.mesos_packages_url = property.map(str::to_owned);
        }
        spec.desired.labels.extend(label.map(|url| ("mesos_packages_url".to_owned(), url.to_owned())));
        let stack = driver().stack(&spec)?;
        let of = |name: &str| {
            let file = files(&stack.files[name]).remove("/etc/jeroboam/node.env").unwrap();
            file.text.lines().find(|line| line.starts_with("MESOS_PACKAGES_URL=")).unwrap().to_owned()
        };
        assert_eq!(of("master-user-data"), of("worker-user-data"));
        Ok::<_, drivers::RenderError>(of("master-user-data"))
    };
    let (one, other) = ("https://a.example.org/mesos/", "https://b.example.org/mesos");
    assert_eq!(url(None, None).unwrap(), "MESOS_PACKAGES_URL=''");
    assert_eq!(url(None, Some(one)).unwrap(), "MESOS_PACKAGES_URL='https://a.example.org/mesos'");
    assert_eq!(url(Some(other), Some(one)).unwrap(), "MESOS_PACKAGES_URL='https://b.example.org/mesos'");
    let refused = url(None, Some("http://a.example.org")).unwrap_err().to_string();
    assert!(
        refused.contains("default-worker.image.mesos_packages_url is \"http://a.example.org\"; allowed: "),
        "{refused}"
    );
}

#[test]
fn marathon_is_asked_where_it_runs() {
    let labels = |enabled: &str| [("marathon_enabled".to_owned(), enabled.to_owned())].into();
    let ports =
        |enabled, tls| driver().probes(&labels(enabled), tls).iter().map(|probe| probe.port).collect::<Vec<_>>();
    assert_eq!((ports("true", true), ports("true", false), ports("false", true)), (vec![8443], vec![8080], vec![]));
    assert_eq!(driver().probes(&[].into(), true)[0].path, "/ping");
}

#[test]
fn what_may_be_asked_is_accepted() {
    for request in [
        desired(|_| ()),
        desired(|d| d.network_driver = None),
        desired(|d| d.tls_disabled = true),
        desired(|d| d.apiserver_port = Some(5055)),
        label("mesos_slave_image_providers", "appc"),
        label("mesos_slave_isolation", "namespaces/pid, posix/disk"),
        label("mesos_slave_executor_env_variables", r#"{"A": "b"}"#),
        label("rexray_preempt", "true"),
    ] {
        assert_eq!(fields(&request), [""; 0], "{request:?}");
    }
}

#[test]
fn what_has_no_effect_or_opens_doors_is_told() {
    let told = |request: &Desired, word: &str| {
        let notes = driver().notes(request).join("; ");
        assert!(notes.contains(word), "{word}: {notes}");
    };
    told(&desired(|d| d.tls_disabled = true), "whoever reaches the masters");
    told(&desired(|d| d.registry_enabled = true), "registry_enabled has no effect");
    told(&label("mesos_slave_isolation", "filesystem/shared"), "use filesystem/linux");
    told(&label("mesos_slave_isolation", "posix/mem"), "use cgroups/mem");
    assert!(driver().notes(&desired(|_| ())).is_empty());
}

#[test]
fn it_is_the_operators_to_ask_for() {
    let beta: Vec<_> = installed().into_iter().filter(|driver| driver.is_beta()).map(|driver| driver.name()).collect();
    assert_eq!(beta, ["mesos"]);
}

#[test]
fn a_lone_master_without_a_volume_is_irreplaceable() {
    let alone = desired(|d| d.master_count = 1);
    assert!(driver().irreplaceable(&alone).unwrap().contains("docker_volume_size"));
    assert_eq!(driver().irreplaceable(&desired(|_| ())), None);
    assert_eq!(driver().irreplaceable(&Desired { docker_volume_size: Some(10), ..alone }), None);
}

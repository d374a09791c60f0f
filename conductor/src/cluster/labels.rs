//! What of a request does nothing: told to the user or, where the operator wants it, refused if it is an unknown label.

use std::collections::BTreeMap;

use drivers::{Desired, Driver, Image, LabelKind, Problem, Unknown};

use crate::config::LabelsUnknown;
use crate::nodegroup::{self, Nodegroup};
use crate::{Error, Result};

/// Refuses labels that the driver does not know, where `[drivers] labels_unknown` says so.
///
/// # Errors
/// Invalid, naming each key and the one that is spelled most alike.
pub(crate) fn refuse_unknown(
    setting: LabelsUnknown,
    driver: &dyn Driver,
    labels: &BTreeMap<String, String>,
) -> Result<()> {
    refuse(&refused(setting, driver, labels))
}

/// The labels among these that the driver does not know, as problems, where `[drivers] labels_unknown` says so.
pub(crate) fn refused(setting: LabelsUnknown, driver: &dyn Driver, labels: &BTreeMap<String, String>) -> Vec<Problem> {
    if setting == LabelsUnknown::Accept {
        return Vec::new();
    }
    let problem = |label: Unknown| {
        let nearest = label.nearest.map(|nearest| format!("; the nearest is {nearest}")).unwrap_or_default();
        Problem {
            value: labels.get(&label.key).cloned().unwrap_or_default(),
            allowed: format!("nothing, as the label is not known to the driver{nearest}"),
            field: format!("labels.{}", label.key),
        }
    };
    drivers::examine(driver.labels(), labels).unknown.into_iter().map(problem).collect()
}

/// Refuses a request for everything that is wrong with it, at once.
///
/// # Errors
/// Invalid, where anything is.
pub(crate) fn refuse(wrong: &[impl ToString]) -> Result<()> {
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))
}

/// What the user should know of a cluster: what has no effect, or another one than it used to; nothing when all is well.
pub(super) fn of_cluster(driver: &dyn Driver, desired: &Desired, discovery_url: Option<&str>) -> Option<String> {
    let given = discovery_url.is_some_and(|url| !url.is_empty());
    let discovery = given.then(|| "discovery_url has no effect: masters find each other without it".to_owned());
    let notes = driver.notes(desired).into_iter().chain(discovery);
    listed(notes.chain(idle(driver, &desired.labels)).collect())
}

/// The same of a nodegroup beside those that its cluster came with, whose nodes have that image: what it does not share
/// with its `cluster`.
pub(crate) fn of_nodegroup(driver: &dyn Driver, cluster: &Desired, group: &Nodegroup, image: &Image) -> Option<String> {
    let desired = nodegroup::desired(driver, cluster, &group.labels, image);
    let told = driver.notes(cluster);
    let notes = driver.notes(&desired).into_iter().filter(|note| !told.contains(note));
    let own = group.labels.0.iter().filter(|(key, value)| cluster.labels.get(*key) != Some(*value));
    let own: BTreeMap<_, _> = own.map(|(key, value)| (key.clone(), value.clone())).collect();
    listed(notes.chain(idle(driver, &own)).chain(of_clusters(driver, &own)).chain(unmarked(driver, group)).collect())
}

/// What the user should know of the labels and taints that a nodegroup gives its nodes in the COE.
pub(crate) fn of_nodes(driver: &dyn Driver, group: &Nodegroup) -> Option<String> {
    listed(unmarked(driver, group))
}

/// The text for `status_reason`, with what the user should know.
pub(crate) fn noted(text: String, notes: Option<String>) -> String {
    match notes {
        Some(notes) => format!("{text}. Note: {notes}"),
        None => text,
    }
}

fn listed(notes: Vec<String>) -> Option<String> {
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// Labels that do nothing, wherever they are.
fn idle(driver: &dyn Driver, labels: &BTreeMap<String, String>) -> Vec<String> {
    let obsolete = drivers::examine(driver.labels(), labels).obsolete;
    let obsolete = obsolete.iter().map(|label| format!("labels.{} has no effect: {}", label.key, label.instead));
    obsolete.chain(unknown(driver, labels)).collect()
}

/// Labels that say what the cluster is, and nothing of a nodegroup.
fn of_clusters(driver: &dyn Driver, labels: &BTreeMap<String, String>) -> Vec<String> {
    let works = |label: &&drivers::Label| !matches!(label.kind, LabelKind::Obsolete { .. });
    let of_clusters = driver.labels().iter().filter(works).filter(|label| !driver.node_labels().contains(&label.key));
    let given = of_clusters.filter(|label| labels.contains_key(label.key));
    given.map(|label| format!("labels.{} has no effect in a nodegroup: its cluster's counts", label.key)).collect()
}

/// Labels and taints of nodes that the driver gives none.
fn unmarked(driver: &dyn Driver, group: &Nodegroup) -> Vec<String> {
    let labels = group.node_labels.as_ref().is_some_and(|labels| !labels.0.is_empty());
    let taints = group.node_taints.as_ref().is_some_and(|taints| !taints.0.is_empty());
    let given = [("node_labels", labels), ("node_taints", taints)];
    let idle = given.into_iter().filter(|(_, given)| *given && !driver.marks_nodes());
    idle.map(|(field, _)| format!("{field} has no effect: nodes made by the driver {} have none", driver.name()))
        .collect()
}

fn unknown(driver: &dyn Driver, labels: &BTreeMap<String, String>) -> Vec<String> {
    let unknown = drivers::examine(driver.labels(), labels).unknown;
    let text = |label: &Unknown| match label.nearest {
        Some(nearest) => format!("labels.{} is not known to the driver; the nearest is {nearest}", label.key),
        None => format!("labels.{} is not known to the driver", label.key),
    };
    unknown.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Status;
    use crate::column::{StringList, StringMap, now};
    use crate::nodegroup::Taints;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn desired(pairs: &[(&str, &str)]) -> Desired {
        serde_json::from_value(serde_json::json!({
            "name": "c", "coe": "kubernetes", "server_type": "vm", "os_distro": "debian", "master_count": 1,
            "node_count": 1, "labels": labels(pairs), "master_lb_enabled": false, "floating_ip_enabled": false,
            "tls_disabled": false, "registry_enabled": false,
        }))
        .unwrap()
    }

    fn driver() -> &'static dyn Driver {
        drivers::find("kubernetes").unwrap()
    }

    fn told(driver: &dyn Driver, desired: &Desired) -> Option<String> {
        of_cluster(driver, desired, None)
    }

    /// A nodegroup with these labels whose nodes are to have a label in the COE.
    fn group(pairs: &[(&str, &str)]) -> Nodegroup {
        Nodegroup {
            id: 0,
            uuid: "g".into(),
            cluster_uuid: "c".into(),
            project_id: "p".into(),
            name: "gpu".into(),
            role: "worker".into(),
            flavor_id: None,
            image_id: None,
            node_count: 1,
            min_node_count: 0,
            max_node_count: None,
            docker_volume_size: None,
            labels: StringMap(labels(pairs)),
            is_default: false,
            stack_id: None,
            token_generation: 1,
            status: Status::CreateInProgress,
            status_reason: None,
            version: None,
            node_addresses: StringList::default(),
            node_labels: Some(StringMap(labels(&[("gpu", "yes")]))),
            node_taints: Some(Taints(Vec::new())),
            spec: None,
            created_at: now(),
            updated_at: None,
        }
    }

    fn image() -> Image {
        Image {
            id: "i".into(),
            name: "i".into(),
            os_distro: "debian".into(),
            kube_version: None,
            mesos_packages_url: None,
            min_disk_gib: 0,
        }
    }

    #[test]
    fn labels_without_effect_are_told_with_what_to_use() {
        let text = told(driver(), &desired(&[("tiller_enabled", "true"), ("kube_tga", "v1.33.0")])).unwrap();
        assert!(text.contains("labels.tiller_enabled has no effect: "), "{text}");
        assert!(text.contains("labels.kube_tga is not known to the driver; the nearest is kube_tag"), "{text}");
        assert_eq!(told(driver(), &desired(&[("kube_tag", "v1.33.0")])), None);
        let text = told(driver(), &desired(&[("admission_control_list", "PodSecurityPolicy")])).unwrap();
        assert!(text.starts_with("labels.admission_control_list is taken without PodSecurityPolicy"), "{text}");
    }

    #[test]
    fn a_discovery_url_is_told_to_have_no_effect() {
        let text = of_cluster(driver(), &desired(&[]), Some("https://discovery.example.org/x")).unwrap();
        assert_eq!(text, "discovery_url has no effect: masters find each other without it");
        assert_eq!(of_cluster(driver(), &desired(&[]), Some("")), None);
    }

    #[test]
    fn a_nodegroup_tells_what_is_its_own() {
        let cluster = desired(&[("tiller_enabled", "true"), ("kube_install", "packages")]);
        let told = |pairs: &[(&str, &str)]| of_nodegroup(driver(), &cluster, &group(pairs), &image());
        assert_eq!(told(&[("tiller_enabled", "true"), ("kube_tag", "v1.33.0")]), None, "the cluster has told it");
        let text = told(&[("tiller_enabled", "false"), ("kube_tga", "v1.33.0"), ("octavia_provider", "ovn")]).unwrap();
        for part in [
            "labels.tiller_enabled has no effect: ",
            "labels.kube_tga is not known to the driver; the nearest is kube_tag",
            "labels.octavia_provider has no effect in a nodegroup: its cluster's counts",
        ] {
            assert!(text.contains(part), "{text}");
        }
        let archive = [("kube_install", "image"), ("kube_tarball_url", "https://example.org/k.tgz")];
        assert_eq!(told(&archive).unwrap(), "labels.kube_tarball_url has no effect: kube_install is image");
    }

    #[test]
    fn labels_and_taints_of_nodes_are_told_where_nodes_have_none() {
        let group = group(&[]);
        assert_eq!(of_nodes(driver(), &group), None);
        let text = "node_labels has no effect: nodes made by the driver swarm have none";
        let swarm = drivers::find("swarm").unwrap();
        assert_eq!(of_nodes(swarm, &group).unwrap(), text);
        let cluster = Desired { coe: "swarm-mode".into(), ..desired(&[]) };
        assert_eq!(of_nodegroup(swarm, &cluster, &group, &image()).unwrap(), text);
        assert_eq!(noted("Done".into(), of_nodes(swarm, &group)), format!("Done. Note: {text}"));
        assert_eq!(noted("Done".into(), None), "Done");
        let none = Nodegroup { node_labels: None, ..group };
        assert_eq!(of_nodes(swarm, &none), None);
    }

    #[test]
    fn the_word_for_classic_swarm_is_told_to_mean_swarm_mode() {
        let swarm = drivers::find("swarm").unwrap();
        let coe = |coe: &str| Desired { coe: coe.into(), ..desired(&[("swarm_strategy", "binpack")]) };
        let text = told(swarm, &coe("swarm")).unwrap();
        assert!(
            text.starts_with("coe is swarm, but classic Swarm is gone: the cluster is built in Swarm mode"),
            "{text}"
        );
        assert!(text.contains("labels.swarm_strategy has no effect"), "{text}");
        assert!(!told(swarm, &coe("swarm-mode")).unwrap().contains("classic"));
    }

    #[test]
    fn labels_that_the_conductor_itself_reads_have_an_effect_with_every_driver() {
        for driver in drivers::installed() {
            let labels = [("min_node_count", "1"), ("max_node_count", "5"), ("boot_volume_size", "20")];
            let desired = Desired { coe: driver.name().into(), ..desired(&labels) };
            let text = told(driver, &desired).unwrap_or_default();
            assert!(!text.contains("labels."), "{}: {text}", driver.name());
        }
    }

    #[test]
    fn unknown_labels_are_refused_only_where_the_operator_wants_it() {
        let typo = labels(&[("kube_tga", "v1.33.0"), ("foreign", "x")]);
        assert!(refuse_unknown(LabelsUnknown::Accept, driver(), &typo).is_ok());
        let error = refuse_unknown(LabelsUnknown::Refuse, driver(), &typo).unwrap_err();
        assert_eq!(
            error.public,
            "labels.foreign is \"x\"; allowed: nothing, as the label is not known to the driver; labels.kube_tga is \
             \"v1.33.0\"; allowed: nothing, as the label is not known to the driver; the nearest is kube_tag"
        );
        assert!(refuse_unknown(LabelsUnknown::Refuse, driver(), &labels(&[("tiller_enabled", "true")])).is_ok());
    }
}

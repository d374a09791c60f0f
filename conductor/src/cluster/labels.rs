//! Labels that do nothing: told to the user, or refused where the operator wants it.

use std::collections::BTreeMap;

use drivers::{Desired, Driver};

use crate::config::LabelsUnknown;
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
    let unknown = unknown(driver, labels);
    if setting == LabelsUnknown::Accept || unknown.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(unknown.join("; ")))
}

/// What the user should know of a request: what has no effect, or another one than it used to; nothing when all is well.
pub(super) fn warnings(driver: &dyn Driver, desired: &Desired) -> Option<String> {
    let labels = &desired.labels;
    let obsolete = drivers::examine(driver.labels(), labels).obsolete;
    let obsolete = obsolete.iter().map(|label| format!("labels.{} has no effect: {}", label.key, label.instead));
    let all: Vec<_> = driver.notes(desired).into_iter().chain(obsolete).chain(unknown(driver, labels)).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn unknown(driver: &dyn Driver, labels: &BTreeMap<String, String>) -> Vec<String> {
    let unknown = drivers::examine(driver.labels(), labels).unknown;
    let text = |label: &drivers::Unknown| match label.nearest {
        Some(nearest) => format!("labels.{} is not known to the driver; the nearest is {nearest}", label.key),
        None => format!("labels.{} is not known to the driver", label.key),
    };
    unknown.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn labels_without_effect_are_told_with_what_to_use() {
        let text = warnings(driver(), &desired(&[("tiller_enabled", "true"), ("kube_tga", "v1.33.0")])).unwrap();
        assert!(text.contains("labels.tiller_enabled has no effect: "), "{text}");
        assert!(text.contains("labels.kube_tga is not known to the driver; the nearest is kube_tag"), "{text}");
        assert_eq!(warnings(driver(), &desired(&[("kube_tag", "v1.33.0")])), None);
        let text = warnings(driver(), &desired(&[("admission_control_list", "PodSecurityPolicy")])).unwrap();
        assert!(text.starts_with("labels.admission_control_list is taken without PodSecurityPolicy"), "{text}");
    }

    #[test]
    fn the_word_for_classic_swarm_is_told_to_mean_swarm_mode() {
        let swarm = drivers::find("swarm").unwrap();
        let coe = |coe: &str| Desired { coe: coe.into(), ..desired(&[("swarm_strategy", "binpack")]) };
        let text = warnings(swarm, &coe("swarm")).unwrap();
        assert!(
            text.starts_with("coe is swarm, but classic Swarm is gone: the cluster is built in Swarm mode"),
            "{text}"
        );
        assert!(text.contains("labels.swarm_strategy has no effect"), "{text}");
        assert!(!warnings(swarm, &coe("swarm-mode")).unwrap().contains("classic"));
    }

    #[test]
    fn labels_that_the_conductor_itself_reads_have_an_effect_with_every_driver() {
        for driver in drivers::installed() {
            let labels = [("min_node_count", "1"), ("max_node_count", "5"), ("boot_volume_size", "20")];
            let desired = Desired { coe: driver.name().into(), ..desired(&labels) };
            let text = warnings(driver, &desired).unwrap_or_default();
            assert!(!text.contains("labels."), "{}: {text}", driver.name());
        }
    }

    #[test]
    fn unknown_labels_are_refused_only_where_the_operator_wants_it() {
        let typo = labels(&[("kube_tga", "v1.33.0")]);
        assert!(refuse_unknown(LabelsUnknown::Accept, driver(), &typo).is_ok());
        let error = refuse_unknown(LabelsUnknown::Refuse, driver(), &typo).unwrap_err();
        assert_eq!(error.public, "labels.kube_tga is not known to the driver; the nearest is kube_tag");
        assert!(refuse_unknown(LabelsUnknown::Refuse, driver(), &labels(&[("tiller_enabled", "true")])).is_ok());
    }
}

//! What a nodegroup may be asked to be (the contract's section 5.3).

use std::collections::BTreeMap;

use super::{MASTER, Taint};
use crate::{Error, Result};

/// Label domains that only Kubernetes itself may use.
const RESERVED: [&str; 2] = ["kubernetes.io", "k8s.io"];

/// Domains below those that a kubelet may use for its own node.
const KUBELET: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];

/// Labels in reserved domains that a kubelet may give its own node.
const WELL_KNOWN: [&str; 12] = [
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "node.kubernetes.io/instance-type",
    "node.kubernetes.io/windows-build",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// The most labels, and the most taints, of one nodegroup: they travel in its nodes' user data.
const MOST: usize = 64;

/// The number of nodes lies within its bounds, where 0 is no upper bound.
///
/// # Errors
/// Conflict.
pub(super) fn counts(name: &str, count: i32, least: i32, most: Option<i32>) -> Result<()> {
    let most = most.filter(|most| *most > 0);
    let invalid = |field: &str, why: String| Err(Error::conflict(format!("{field} for {name} is invalid ({why}).")));
    match most {
        Some(most) if most < least => invalid("max_node_count", format!("{most} is less than min_node_count {least}")),
        Some(most) if most < count => invalid("max_node_count", format!("{most} is less than node_count {count}")),
        _ if least > count => invalid("min_node_count", format!("{least} is more than node_count {count}")),
        _ => Ok(()),
    }
}

/// The labels are such as a kubelet may give its own node.
///
/// # Errors
/// Conflict, naming the label.
pub(super) fn labels(name: &str, role: &str, labels: &BTreeMap<String, String>) -> Result<()> {
    let invalid = |why: String| Err(Error::conflict(format!("node_labels for {name} is invalid ({why}).")));
    if role == MASTER && !labels.is_empty() {
        return invalid("node_labels may not be set on master nodegroups".to_owned());
    }
    if labels.len() > MOST {
        return invalid(format!("{} labels; at most {MOST} are allowed", labels.len()));
    }
    for (key, value) in labels {
        if !is_key(key) {
            return invalid(format!("'{}' is not the key of a Kubernetes label", shortened(key)));
        }
        if !is_value(value) {
            return invalid(format!("'{}' is not the value of a Kubernetes label", shortened(value)));
        }
        if is_reserved(key) {
            return invalid(format!("the label {key} is reserved for Kubernetes itself"));
        }
    }
    Ok(())
}

/// The taints are such as Kubernetes knows.
///
/// # Errors
/// Conflict, naming the taint.
pub(super) fn taints(name: &str, role: &str, taints: &[Taint]) -> Result<()> {
    let invalid = |why: String| Err(Error::conflict(format!("node_taints for {name} is invalid ({why}).")));
    if role == MASTER && !taints.is_empty() {
        return invalid("node_taints may not be set on master nodegroups".to_owned());
    }
    if taints.len() > MOST {
        return invalid(format!("{} taints; at most {MOST} are allowed", taints.len()));
    }
    for (index, taint) in taints.iter().enumerate() {
        if !EFFECTS.contains(&taint.effect.as_str()) {
            let effects = EFFECTS.join(", ");
            return invalid(format!("the effect '{}' is not one of {effects}", shortened(&taint.effect)));
        }
        if !is_key(&taint.key) {
            return invalid(format!("'{}' is not the key of a Kubernetes taint", shortened(&taint.key)));
        }
        if let Some(value) = taint.value.as_deref().filter(|value| !is_value(value)) {
            return invalid(format!("'{}' is not the value of a Kubernetes taint", shortened(value)));
        }
        if taints[..index].iter().any(|other| (&other.key, &other.effect) == (&taint.key, &taint.effect)) {
            return invalid(format!("{} with the effect {} is there twice", taint.key, taint.effect));
        }
    }
    Ok(())
}

/// `name` or `domain/name`.
fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((domain, name)) => is_domain(domain) && !name.is_empty() && is_value(name),
        None => !text.is_empty() && is_value(text),
    }
}

/// At most 63 letters, digits, dashes, underscores and dots, the first and the last of which are letters or digits.
fn is_value(text: &str) -> bool {
    let ends = [text.bytes().next(), text.bytes().last()];
    text.len() <= 63
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && ends.iter().flatten().all(u8::is_ascii_alphanumeric)
}

fn is_domain(text: &str) -> bool {
    let part = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(part)
}

fn is_reserved(key: &str) -> bool {
    let Some((domain, _)) = key.split_once('/') else { return false };
    let below = |reserved: &str| domain == reserved || domain.ends_with(&format!(".{reserved}"));
    RESERVED.iter().any(|reserved| below(reserved)) && !KUBELET.contains(&domain) && !WELL_KNOWN.contains(&key)
}

fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn refused(result: Result<()>) -> String {
        let error = result.unwrap_err();
        assert_eq!(error.kind, Kind::Conflict);
        error.public.into_owned()
    }

    fn label(key: &str, value: &str) -> Result<()> {
        labels("gpu", "worker", &BTreeMap::from([(key.to_owned(), value.to_owned())]))
    }

    #[test]
    fn counts_lie_within_their_bounds() {
        for (count, least, most) in [(1, 0, None), (0, 0, Some(0)), (5, 5, Some(5)), (9, 1, Some(0))] {
            counts("gpu", count, least, most).unwrap();
        }
        assert_eq!(
            refused(counts("gpu", 3, 2, Some(1))),
            "max_node_count for gpu is invalid (1 is less than min_node_count 2)."
        );
        assert!(refused(counts("gpu", 3, 0, Some(2))).starts_with("max_node_count for gpu is invalid ("));
        assert!(refused(counts("gpu", 1, 2, None)).starts_with("min_node_count for gpu is invalid ("));
    }

    #[test]
    fn labels_of_kubernetes_itself_are_refused_but_for_the_well_known() {
        for key in ["gpu", "example.org/gpu", "node.kubernetes.io/x", "kubelet.kubernetes.io/x", "kubernetes.io/arch"] {
            label(key, "v").unwrap();
        }
        for key in
            ["kubernetes.io/x", "node-role.kubernetes.io/worker", "a.k8s.io/b", "k8s.io/b", "x.node.kubernetes.io/y"]
        {
            assert!(refused(label(key, "v")).contains("reserved"), "{key}");
        }
        assert_eq!(
            refused(labels("m", MASTER, &BTreeMap::from([("a".to_owned(), String::new())]))),
            "node_labels for m is invalid (node_labels may not be set on master nodegroups)."
        );
    }

    #[test]
    fn labels_are_written_as_kubernetes_reads_them() {
        for value in ["", "a", "A-b_c.9"] {
            label("k", value).unwrap();
        }
        for (key, value) in [
            ("k", "a b"),
            ("k", "-a"),
            ("k", "a'b"),
            ("k", "a,b=c"),
            ("", "v"),
            ("a/b/c", "v"),
            ("A.org/k", "v"),
            ("/k", "v"),
            ("a/", "v"),
            ("k\n", "v"),
            ("@@X@@", "v"),
        ] {
            assert!(refused(label(key, value)).contains(" of a Kubernetes label"), "{key:?}={value:?}");
        }
        refused(label("k", &"x".repeat(64)));
    }

    #[test]
    fn taints_have_a_key_and_a_known_effect() {
        let taint = |key: &str, value: Option<&str>, effect: &str| Taint {
            key: key.into(),
            value: value.map(Into::into),
            effect: effect.into(),
        };
        taints("gpu", "worker", &[taint("a", None, "NoSchedule"), taint("a", Some("b"), "NoExecute")]).unwrap();
        let bad = taints("gpu", "worker", &[taint("a", None, "Never")]);
        assert!(refused(bad).contains("'Never' is not one of NoSchedule, PreferNoSchedule, NoExecute"));
        for list in [
            vec![taint("a b", None, "NoSchedule")],
            vec![taint("a", Some("x:y"), "NoSchedule")],
            vec![taint("a", None, "NoSchedule"), taint("a", Some("b"), "NoSchedule")],
        ] {
            refused(taints("gpu", "worker", &list));
        }
        refused(taints("m", MASTER, &[taint("a", None, "NoSchedule")]));
    }
}

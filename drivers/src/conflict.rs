//! What labels cannot be together with: each other, and fields of the request.

use std::fmt;

use serde::Serialize;

use crate::label::{Kind, Label, boolean, examine, list};
use crate::{Desired, Problem};

/// What a label cannot be together with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "conflict")]
pub enum Conflict {
    /// Another label, when both are given.
    With {
        /// Its key.
        label: &'static str,
    },
    /// The absence of another label.
    Without {
        /// Its key.
        label: &'static str,
    },
    /// A field or label of one of these values, where the label itself has one of its own.
    When {
        /// The label's values that conflict; none means all.
        own: &'static [&'static str],
        /// A field of [`FIELDS`], or `labels.` and a key.
        field: &'static str,
        /// The values, booleans as `true` and `false`.
        values: &'static [&'static str],
    },
    /// A word among the label's own, where another label's words lack one.
    NeedsWord {
        /// The label's word.
        own: &'static str,
        /// The other label's key.
        label: &'static str,
        /// The word it lacks.
        word: &'static str,
    },
    /// The label itself is absent, and a field or label has one of these values.
    AbsentWhen {
        /// A field of [`FIELDS`], or `labels.` and a key.
        field: &'static str,
        /// The values, booleans as `true` and `false`.
        values: &'static [&'static str],
    },
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::With { label } => write!(f, "not together with {label}"),
            Self::Without { label } => write!(f, "needs {label}"),
            Self::When { own, field, values } => {
                write!(f, "not {}{}where {field} is {}", own.join(" or "), gap(own), values.join(" or "))
            }
            Self::NeedsWord { own, label, word } => write!(f, "{own} needs {word} in {label}"),
            Self::AbsentWhen { field, values } => write!(f, "needed where {field} is {}", values.join(" or ")),
        }
    }
}

fn gap(own: &[&str]) -> &'static str {
    if own.is_empty() { "" } else { " " }
}

/// The fields of a request that a conflict may name.
pub const FIELDS: &[&str] =
    &["network_driver", "volume_driver", "master_lb_enabled", "floating_ip_enabled", "tls_disabled"];

/// Everything wrong with the labels of a request by their schema, at once and each label once: values that are no
/// values of their kind first, then labels that cannot be together.
pub(crate) fn check(schema: &'static [Label], desired: &Desired) -> Vec<Problem> {
    let mut problems = examine(schema, &desired.labels).problems;
    for label in schema {
        for conflict in label.conflicts {
            if let Some(problem) = conflict.found(schema, label, desired)
                && problems.iter().all(|known| known.field != problem.field)
            {
                problems.push(problem);
            }
        }
    }
    problems
}

impl Conflict {
    /// The problem, if the request has this conflict of this label.
    fn found(&self, schema: &[Label], label: &Label, desired: &Desired) -> Option<Problem> {
        let value = desired.label(label.key);
        let given = value.is_some();
        let has = |own: &[&str]| own.is_empty() || value.is_some_and(|value| own.contains(&value));
        let kind = |key: &str| schema.iter().find(|label| label.key == key).map_or(Kind::Text, |label| label.kind);
        let is_one = |field: &str, values: &[&str]| values.contains(&text(schema, desired, field).as_str());
        let (key, allowed) = match self {
            Self::With { label: other } if given && desired.label(other).is_some() => {
                (label.key, format!("nothing, where labels.{other} is given"))
            }
            Self::Without { label: other } if given && desired.label(other).is_none() => {
                (*other, format!("{}; labels.{} needs it", kind(other), label.key))
            }
            Self::When { own, field, values } if given && has(own) && is_one(field, values) => {
                let allowed = if own.is_empty() { "nothing".to_owned() } else { format!("not {}", own.join(" or ")) };
                (label.key, format!("{allowed}, where {field} is {}", text(schema, desired, field)))
            }
            Self::NeedsWord { own, label: other, word }
                if words(desired, label.key).any(|item| item == *own)
                    && words(desired, other).all(|item| item != *word) =>
            {
                (*other, format!("{}, {word} among them; {own} in labels.{} needs it", kind(other), label.key))
            }
            Self::AbsentWhen { field, values } if !given && is_one(field, values) => {
                (label.key, format!("{}; needed where {field} is {}", label.kind, text(schema, desired, field)))
            }
            _ => return None,
        };
        let value = desired.label(key).unwrap_or_default().to_owned();
        Some(Problem { field: format!("labels.{key}"), value, allowed })
    }
}

/// The words of a label that is a list of them.
fn words<'a>(desired: &'a Desired, key: &str) -> impl Iterator<Item = &'a str> {
    desired.label(key).into_iter().flat_map(list)
}

/// The value of a field or label as conflicts compare it; a label's default where it is absent.
fn text(schema: &[Label], desired: &Desired, field: &str) -> String {
    let word = |field: &Option<String>| field.clone().unwrap_or_default();
    match field {
        "network_driver" => word(&desired.network_driver),
        "volume_driver" => word(&desired.volume_driver),
        "master_lb_enabled" => desired.master_lb_enabled.to_string(),
        "floating_ip_enabled" => desired.floating_ip_enabled.to_string(),
        "tls_disabled" => desired.tls_disabled.to_string(),
        _ => {
            let label = field.strip_prefix("labels.").and_then(|key| schema.iter().find(|label| label.key == key));
            let value = label.map_or("", |label| desired.label(label.key).unwrap_or(label.default));
            match label.map(|label| label.kind) {
                Some(Kind::Boolean) => boolean(value).map_or_else(String::new, |flag| flag.to_string()),
                _ => value.to_owned(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &[Label] = &[
        Label::new("url", Kind::Url, "", "A URL.")
            .conflicting(&[Conflict::Without { label: "sum" }, Conflict::With { label: "mirror" }]),
        Label::new("sum", Kind::Sha256, "", "A sum.")
            .conflicting(&[Conflict::AbsentWhen { field: "network_driver", values: &["calico", "cilium"] }]),
        Label::new("mirror", Kind::Url, "", "Another URL."),
        Label::new("zone", Kind::Text, "", "A zone.").conflicting(&[
            Conflict::When { own: &[], field: "master_lb_enabled", values: &["false"] },
            Conflict::When { own: &["az1"], field: "labels.watch", values: &["true"] },
        ]),
        Label::new("watch", Kind::Boolean, "true", "Watch."),
    ];

    fn desired(labels: &[(&str, &str)]) -> Desired {
        Desired {
            name: "demo".into(),
            coe: "kubernetes".into(),
            server_type: "vm".into(),
            os_distro: "ubuntu".into(),
            master_count: 1,
            node_count: 1,
            labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            network_driver: None,
            volume_driver: None,
            docker_storage_driver: None,
            docker_volume_size: None,
            master_lb_enabled: true,
            floating_ip_enabled: false,
            tls_disabled: false,
            registry_enabled: false,
            apiserver_port: None,
            dns_nameserver: None,
            insecure_registry: None,
            http_proxy: None,
            https_proxy: None,
            no_proxy: None,
            create_timeout: None,
        }
    }

    fn found(desired: &Desired) -> Vec<String> {
        check(SCHEMA, desired).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn labels_conflict_with_labels() {
        let url = ("url", "https://example.org/a");
        assert_eq!(found(&desired(&[])), [""; 0]);
        let sum = "0a".repeat(32);
        assert_eq!(found(&desired(&[url, ("sum", &sum)])), [""; 0]);
        let problems = check(SCHEMA, &desired(&[url, ("mirror", "https://example.org/b")]));
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["labels.sum", "labels.url"]);
        assert_eq!(problems[0].allowed, "64 hexadecimal digits; labels.url needs it");
        assert_eq!(problems[1].value, "https://example.org/a");
        assert_eq!(problems[1].allowed, "nothing, where labels.mirror is given");
    }

    #[test]
    fn labels_conflict_with_fields_and_with_defaults() {
        let calico = Desired { network_driver: Some("calico".into()), ..desired(&[]) };
        assert_eq!(check(SCHEMA, &calico)[0].allowed, "64 hexadecimal digits; needed where network_driver is calico");
        let zone = desired(&[("zone", "az1")]);
        assert_eq!(check(SCHEMA, &zone)[0].allowed, "not az1, where labels.watch is true");
        assert_eq!(check(SCHEMA, &desired(&[("zone", "az1"), ("watch", "No")])), []);
        assert_eq!(check(SCHEMA, &desired(&[("zone", "az2")])), []);
        let direct = Desired { master_lb_enabled: false, ..desired(&[("zone", "az1"), ("watch", "no")]) };
        assert_eq!(check(SCHEMA, &direct)[0].allowed, "nothing, where master_lb_enabled is false");
    }

    #[test]
    fn a_label_that_is_wrong_in_itself_is_reported_once() {
        let problems = check(SCHEMA, &desired(&[("url", "ftp://"), ("mirror", "https://example.org/b")]));
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["labels.url", "labels.sum"]);
    }
}

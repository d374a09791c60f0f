//! The labels of a swarm.

use crate::graph::labels;
use crate::{Label, LabelKind as Kind};

const BY_SWARM: &str = "overlay networks are Swarm's own";

const OWN: &[Label] = &[
    Label::new(
        "api_server_cert_sans",
        Kind::Hosts,
        "",
        "More names and addresses in the certificate of managers' Docker API.",
    ),
    Label::new(
        "docker_package",
        Kind::OneOf { values: &["docker.io", "docker-ce"] },
        "docker.io",
        "What is installed where the image has no Docker: the distribution's package, or Docker's own. Needs apt.",
    ),
    Label::new(
        "docker_packages_url",
        Kind::Url,
        "",
        "Mirror of https://download.docker.com/linux for docker_package=docker-ce.",
    ),
    Label::new(
        "swarm_autolock",
        Kind::Boolean,
        "false",
        "Managers keep the swarm's state locked, and fetch the key from this service, by their certificate, whenever they start; docker swarm unlock-key tells it as well.",
    ),
    Label::obsolete("flannel_backend", BY_SWARM),
    Label::obsolete("flannel_network_cidr", BY_SWARM),
    Label::obsolete("flannel_network_subnetlen", BY_SWARM),
    Label::obsolete("rexray_preempt", "REX-Ray is gone; use the volumes of Docker's own drivers"),
    Label::obsolete("swarm_strategy", "Swarm mode spreads tasks by itself; placement preferences say more"),
];

const ALL: [Label; labels::LABELS.len() + OWN.len()] = labels::with(OWN);

/// Every label.
pub(super) const LABELS: &[Label] = &ALL;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_are_unique_and_defaults_are_values_of_their_kind() {
        let mut keys = BTreeSet::new();
        for label in LABELS {
            assert!(keys.insert(label.key), "{} is there twice", label.key);
            assert!(label.default.is_empty() || label.kind.takes(label.default), "{}", label.key);
            assert!(label.meaning.ends_with('.'), "{}", label.key);
        }
    }
}

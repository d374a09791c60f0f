//! The labels of a Mesos cluster.

use crate::graph::labels;
use crate::{Conflict, Label, LabelKind as Kind};

/// What an agent may isolate by.
pub(super) const ISOLATION: &[&str] = &[
    "filesystem/posix",
    "filesystem/linux",
    "filesystem/shared",
    "posix/cpu",
    "posix/mem",
    "posix/disk",
    "cgroups/cpu",
    "cgroups/mem",
    "docker/runtime",
    "namespaces/pid",
];

const OWN: &[Label] = &[
    Label::new(
        "marathon_allowed_cidrs",
        Kind::CidrList,
        "",
        "Networks from which Marathon may be used, besides the cluster's subnet. Marathon knows no users: whoever reaches it runs what he likes.",
    ),
    Label::new("marathon_enabled", Kind::Boolean, "true", "Whether Marathon runs on the masters."),
    Label::new(
        "mesos_packages_url",
        Kind::Url,
        "",
        "Flat apt repository that holds mesos, and marathon where it is wanted, its key at Release.key; empty means the image property mesos_packages_url, else that all is in the image.",
    ),
    Label::new(
        "mesos_slave_executor_env_variables",
        Kind::Environment,
        "",
        "Environment of executors, and so of tasks, as a JSON object of texts.",
    ),
    Label::new(
        "mesos_slave_image_providers",
        Kind::SetOf { values: &["docker", "appc"] },
        "",
        "Images that agents run without Docker.",
    )
    .conflicting(&[Conflict::NeedsWord { own: "docker", label: "mesos_slave_isolation", word: "docker/runtime" }]),
    Label::new(
        "mesos_slave_isolation",
        Kind::SetOf { values: ISOLATION },
        "",
        "How agents isolate tasks; empty means as Mesos does by itself.",
    ),
    Label::new("mesos_slave_work_dir", Kind::Path, "/var/lib/mesos/agent", "Where agents keep the sandboxes of tasks."),
    Label::obsolete("rexray_preempt", "REX-Ray is gone; tasks have the disk of their agent"),
];

const ALL: [Label; labels::LABELS.len() - 1 + OWN.len()] = labels::without("nodeport_allowed_cidrs", OWN);

/// Every label.
pub(super) const LABELS: &[Label] = &ALL;

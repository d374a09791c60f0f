//! Labels come from users and end in YAML, shell and Heat: whatever they hold, nothing breaks out.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use drivers::{ClusterSpec, RenderError, Stack};
use proptest::prelude::*;

use crate::combinations::Shape;
use crate::generator::valid;
use crate::user_data::{files, markers, settings};

fn keys() -> Vec<&'static str> {
    drivers::find("kubernetes").unwrap().labels().iter().map(|label| label.key).collect()
}

/// Any text, with a liking for what is special somewhere.
fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z0-9./,:'\"$`{}%@#&*!|>\\\\ \n=-]{0,40}",
        Just("@@BOOTSTRAP_TOKEN@@".to_owned()),
        Just("'; reboot; '".to_owned()),
        Just("yes\nroot: pwned".to_owned()),
        Just("{{ cluster_uuid }}{% raw %}".to_owned()),
        Just("%index%".to_owned()),
    ]
}

fn spec(labels: BTreeMap<String, String>) -> ClusterSpec {
    let mut spec = Shape::named("fedora-coreos-1m-1w-lb-vol-flannel").unwrap().spec();
    for group in [&mut spec.masters, &mut spec.workers] {
        group.labels.clone_from(&labels);
    }
    spec.desired.labels = labels;
    spec
}

/// The same cluster without labels.
static PLAIN: LazyLock<Stack> =
    LazyLock::new(|| drivers::find("kubernetes").unwrap().stack(&spec(BTreeMap::new())).unwrap());

/// Everything that a rendered stack must be, whatever the labels.
fn is_sound(spec: &ClusterSpec) {
    let stack = match drivers::find("kubernetes").unwrap().stack(spec) {
        Ok(stack) => stack,
        Err(RenderError::Refused(problems)) => {
            assert!(!problems.is_empty());
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let plain = &*PLAIN;
    let keys = |text: &str| settings(text).into_keys().collect::<Vec<_>>();
    for name in ["master-user-data", "worker-user-data"] {
        let (given, empty) = (files(&stack.files[name]), files(&plain.files[name]));
        assert_eq!(given.keys().collect::<Vec<_>>(), empty.keys().collect::<Vec<_>>());
        let environment =
            |files: &BTreeMap<String, crate::user_data::File>| files["/etc/jeroboam/node.env"].text.clone();
        assert_eq!(keys(&environment(&given)), keys(&environment(&empty)));
        let known = ["@@BOOTSTRAP_TOKEN@@"];
        assert!(!markers(&environment(&given)).iter().any(|marker| known.contains(&marker.as_str())));
    }
    if let Some(zone) = spec.desired.labels.get("availability_zone").filter(|zone| !zone.is_empty()) {
        let zones = spec.desired.label("control_plane_availability_zones");
        assert!(
            zones.is_some() || stack.template["resources"]["master_0"]["properties"]["availability_zone"] == **zone
        );
    }
    let group = |stack: &Stack| {
        let mut group = stack.template["resources"]["secgroup_master"].clone();
        group["properties"].as_object_mut().unwrap().remove("rules");
        group
    };
    assert_eq!(group(&stack), group(plain));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_labels_are_refused_or_harmless(values in prop::collection::vec((prop::sample::select(keys()), any_value()), 0..6)) {
        is_sound(&spec(values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()));
    }

    #[test]
    fn a_single_hostile_label_is_refused_or_harmless(key in prop::sample::select(keys()), value in any_value()) {
        is_sound(&spec(BTreeMap::from([(key.to_owned(), value)])));
    }
}

/// Values that are right reach nodes and change nothing else.
#[test]
fn valid_labels_are_harmless() {
    let driver = drivers::find("kubernetes").unwrap();
    for seed in 0..200 {
        is_sound(&spec(valid(driver, seed).desired.labels));
    }
}

/// Every byte that a shell may read otherwise arrives as it was given.
#[test]
fn a_shell_reads_what_was_given() {
    let value = "a'b\"c $(id) `id` \\ ; & | * ? ~ # !";
    let mut spec = spec(BTreeMap::new());
    spec.desired.name = value.into();
    let stack = drivers::find("kubernetes").unwrap().stack(&spec).unwrap();
    let text = &files(&stack.files["master-user-data"])["/etc/jeroboam/node.env"].text;
    let script = format!("set -u\n{text}\nprintf %s \"$CLUSTER_NAME\"");
    let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
}

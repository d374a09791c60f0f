//! What is submitted for a reviewed set of combinations. User data is shown as the files it writes; scripts and their
//! unit, which have tests of their own, are left out.

use serde_json::{Map, Value, json};

use crate::shapes::Shape;
use crate::user_data::files;

/// One or two of each choice, together all of them.
const REVIEWED: &[&str] = &[
    "ubuntu-1m-0w-plain",
    "debian-3m-3w-lb-fip-vol-marathon",
    "debian-5m-3w-lb-net-plain-marathon",
    "ubuntu-1m-3w-net",
];

#[test]
fn reviewed_combinations_render_as_reviewed() {
    for name in REVIEWED {
        let stack = Shape::named(name).stack();
        let shown: Map<String, Value> =
            stack.files.iter().map(|(name, text)| (name.clone(), show(name, text))).collect();
        let golden = json!({
            "template": stack.template,
            "files": shown,
            "parameters": stack.parameters,
            "hidden": stack.hidden.keys().collect::<Vec<_>>(),
            "timeout_mins": stack.timeout_mins,
        });
        insta::assert_yaml_snapshot!(*name, golden);
    }
}

fn show(name: &str, text: &str) -> Value {
    if !name.ends_with("user-data") {
        return serde_json::from_str(text).unwrap();
    }
    let reviewed = |path: &str| !path.contains("/lib/") && !path.starts_with("/etc/systemd/");
    files(text)
        .into_iter()
        .filter(|(path, _)| reviewed(path))
        .map(|(path, file)| (format!("{path} {}", file.mode), json!(file.text)))
        .collect::<Map<String, Value>>()
        .into()
}

//! Reads user data as a node would: the files it writes, with their modes and texts.

use std::collections::BTreeMap;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A file on the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) mode: String,
    pub(crate) text: String,
}

/// Files by path, units among them.
pub(crate) fn files(user_data: &str) -> BTreeMap<String, File> {
    match user_data.strip_prefix("#cloud-config\n") {
        Some(yaml) => cloud_config(&serde_yaml::from_str(yaml).unwrap()),
        None => ignition(&serde_json::from_str(user_data).unwrap()),
    }
}

fn cloud_config(config: &Value) -> BTreeMap<String, File> {
    let text = |file: &Value| match file["encoding"].as_str() {
        None => file["content"].as_str().unwrap().to_owned(),
        Some("gz+b64") => gunzip(file["content"].as_str().unwrap()),
        Some(other) => panic!("encoding {other}"),
    };
    let entry = |file: &Value| {
        (
            file["path"].as_str().unwrap().to_owned(),
            File { mode: file["permissions"].as_str().unwrap().to_owned(), text: text(file) },
        )
    };
    config["write_files"].as_array().unwrap().iter().map(entry).collect()
}

fn ignition(config: &Value) -> BTreeMap<String, File> {
    assert_eq!(config["ignition"]["version"], "3.4.0");
    let text = |contents: &Value| {
        let source = contents["source"].as_str().unwrap();
        match contents["compression"].as_str() {
            None => percent_decode(source.strip_prefix("data:,").unwrap()),
            Some("gzip") => gunzip(source.strip_prefix("data:;base64,").unwrap()),
            Some(other) => panic!("compression {other}"),
        }
    };
    let entry = |file: &Value| {
        let mode = format!("{:04o}", file["mode"].as_u64().unwrap());
        (file["path"].as_str().unwrap().to_owned(), File { mode, text: text(&file["contents"]) })
    };
    let unit = |unit: &Value| {
        let path = format!("/etc/systemd/system/{}", unit["name"].as_str().unwrap());
        (path, File { mode: "0644".to_owned(), text: unit["contents"].as_str().unwrap().to_owned() })
    };
    let units = config["systemd"]["units"].as_array().unwrap();
    config["storage"]["files"].as_array().unwrap().iter().map(entry).chain(units.iter().map(unit)).collect()
}

fn gunzip(base64: &str) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(&STANDARD.decode(base64).unwrap()[..]).read_to_string(&mut text).unwrap();
    text
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

/// The markers in a text, `@@NAME@@`, sorted and once each.
pub(crate) fn markers(text: &str) -> Vec<String> {
    let mut markers: Vec<String> = text.split("@@").skip(1).step_by(2).map(|name| format!("@@{name}@@")).collect();
    markers.sort();
    markers.dedup();
    markers
}

/// The settings of a node.env, which must hold nothing but `KEY='value'` lines.
pub(crate) fn settings(text: &str) -> BTreeMap<String, String> {
    text.lines().map(setting).collect()
}

fn setting(line: &str) -> (String, String) {
    let (key, quoted) = line.split_once('=').unwrap();
    assert!(key.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'), "{line}");
    let inner = quoted.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or_else(|| panic!("{line}"));
    let value = inner.replace("'\\''", "\u{1}");
    assert!(!value.contains('\''), "{line}");
    (key.to_owned(), value.replace('\u{1}', "'"))
}

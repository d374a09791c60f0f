//! What a server finds at its first boot: one list of files and units, written as cloud-config or as Ignition.
//!
//! Texts may hold markers (`@@NAME@@`) that Heat replaces by values only Heat knows; they are therefore written as
//! plain text. Everything else is compressed, the same bytes each time.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::RenderError;

/// Nova takes at most this many bytes of user data, counted after its own base64.
pub(crate) const NOVA_LIMIT: usize = 65_535;

/// Room kept for what Heat puts in place of the markers, in bytes before base64.
const MARKER_ROOM: usize = 1024;

/// How an operating system reads its user data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// cloud-init's `#cloud-config`, as JSON, which is YAML.
    CloudConfig,
    /// Ignition 3.4.
    Ignition,
}

/// A file's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// May hold markers; written as plain text.
    Marked(String),
    /// Holds none; compressed.
    Fixed(String),
}

/// A file on the node, owned by root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// Absolute path.
    pub(crate) path: String,
    /// Permission bits.
    pub(crate) mode: u32,
    /// What is in it.
    pub(crate) content: Content,
}

/// A systemd unit that is enabled and started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    /// Its file name.
    pub(crate) name: String,
    /// Its text, without markers.
    pub(crate) text: String,
}

/// All a node is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FirstBoot {
    /// The host name; may be a marker.
    pub(crate) hostname: String,
    /// OpenSSH public key of the image's default user.
    pub(crate) ssh_public_key: Option<String>,
    /// Files, in order.
    pub(crate) files: Vec<File>,
    /// Units, in order.
    pub(crate) units: Vec<Unit>,
}

impl FirstBoot {
    /// The user data as text.
    ///
    /// # Errors
    /// More than Nova takes.
    pub(crate) fn write(&self, format: Format, name: &str) -> Result<String, RenderError> {
        let text = match format {
            Format::CloudConfig => format!("#cloud-config\n{}\n", self.cloud_config()),
            Format::Ignition => self.ignition().to_string(),
        };
        let size = (text.len() + MARKER_ROOM).div_ceil(3) * 4;
        if size > NOVA_LIMIT {
            let cause = format!("{size} bytes of user data in base64, and Nova takes {NOVA_LIMIT}");
            return Err(RenderError::Document { name: name.to_owned(), cause });
        }
        Ok(text)
    }

    fn cloud_config(&self) -> Value {
        let mut config = json!({ "preserve_hostname": false, "hostname": self.hostname });
        if let Some(key) = &self.ssh_public_key {
            config["ssh_authorized_keys"] = json!([key]);
        }
        let units = self.units.iter().map(|unit| File {
            path: format!("/etc/systemd/system/{}", unit.name),
            mode: 0o644,
            content: Content::Fixed(unit.text.clone()),
        });
        config["write_files"] = self.files.iter().cloned().chain(units).map(|file| cloud_file(&file)).collect();
        let mut commands = vec![json!(["systemctl", "daemon-reload"])];
        // Without waiting: cloud-init itself is ordered before what a unit may wait for.
        commands.extend(self.units.iter().map(|unit| json!(["systemctl", "enable", "--now", "--no-block", unit.name])));
        config["runcmd"] = commands.into();
        config
    }

    fn ignition(&self) -> Value {
        let mut files = vec![ignition_file(&File {
            path: "/etc/hostname".to_owned(),
            mode: 0o644,
            content: Content::Marked(format!("{}\n", self.hostname)),
        })];
        files.extend(self.files.iter().map(ignition_file));
        let units: Vec<Value> = self
            .units
            .iter()
            .map(|unit| json!({ "name": unit.name, "enabled": true, "contents": unit.text }))
            .collect();
        let mut config = json!({
            "ignition": { "version": "3.4.0" },
            "storage": { "files": files },
            "systemd": { "units": units },
        });
        if let Some(key) = &self.ssh_public_key {
            config["passwd"] = json!({ "users": [{ "name": "core", "sshAuthorizedKeys": [key] }] });
        }
        config
    }
}

fn cloud_file(file: &File) -> Value {
    let permissions = format!("{:04o}", file.mode);
    match &file.content {
        Content::Marked(text) => json!({ "path": file.path, "permissions": permissions, "content": text }),
        Content::Fixed(text) => json!({
            "path": file.path, "permissions": permissions, "encoding": "gz+b64", "content": STANDARD.encode(gzip(text)),
        }),
    }
}

fn ignition_file(file: &File) -> Value {
    let contents = match &file.content {
        Content::Marked(text) => json!({ "source": format!("data:,{}", percent_encode(text)) }),
        Content::Fixed(text) => {
            let source = format!("data:;base64,{}", STANDARD.encode(gzip(text)));
            json!({ "source": source, "compression": "gzip" })
        }
    };
    json!({ "path": file.path, "mode": file.mode, "overwrite": true, "contents": contents })
}

/// The text for a data URL; `@`, `,`, `:` and `/` stay, so that markers and what replaces them are legible.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 5 / 4);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' | b',' | b':' | b'/' | b'=' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The text, compressed, with neither time nor host in the header.
fn gzip(text: &str) -> Vec<u8> {
    let mut encoder =
        flate2::GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), flate2::Compression::best());
    // A vector takes every write.
    let _ = encoder.write_all(text.as_bytes());
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn node(text: &str) -> FirstBoot {
        FirstBoot {
            hostname: "@@NODE_NAME@@".into(),
            ssh_public_key: Some("ssh-ed25519 AAAA me".into()),
            files: vec![
                File { path: "/etc/a".into(), mode: 0o600, content: Content::Marked("T='@@TOKEN@@' é\n".into()) },
                File { path: "/etc/b".into(), mode: 0o755, content: Content::Fixed(text.into()) },
            ],
            units: vec![Unit { name: "x.service".into(), text: "[Unit]\n".into() }],
        }
    }

    fn gunzip(base64: &str) -> String {
        let mut text = String::new();
        let bytes = STANDARD.decode(base64).unwrap();
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn cloud_config_is_yaml_with_legible_markers() {
        let text = node("#!/bin/sh\n").write(Format::CloudConfig, "m").unwrap();
        let config: Value = serde_yaml::from_str(text.strip_prefix("#cloud-config\n").unwrap()).unwrap();
        assert_eq!(config["write_files"][0]["content"], "T='@@TOKEN@@' é\n");
        assert_eq!(config["write_files"][0]["permissions"], "0600");
        assert_eq!(gunzip(config["write_files"][1]["content"].as_str().unwrap()), "#!/bin/sh\n");
        assert_eq!(config["runcmd"][1][4], "x.service");
        assert!(!text.contains("key_name"));
    }

    #[test]
    fn ignition_carries_the_same() {
        let text = node("#!/bin/sh\n").write(Format::Ignition, "m").unwrap();
        let config: Value = serde_json::from_str(&text).unwrap();
        let files = &config["storage"]["files"];
        assert_eq!(files[0]["contents"]["source"], "data:,@@NODE_NAME@@%0A");
        assert_eq!(files[1]["contents"]["source"], "data:,T=%27@@TOKEN@@%27%20%C3%A9%0A");
        assert_eq!(files[1]["mode"], 0o600);
        let script = files[2]["contents"]["source"].as_str().unwrap();
        assert_eq!(gunzip(script.strip_prefix("data:;base64,").unwrap()), "#!/bin/sh\n");
        assert_eq!(config["systemd"]["units"][0]["enabled"], true);
    }

    #[test]
    fn the_same_node_gives_the_same_bytes() {
        let long = "echo hello world\n".repeat(999);
        for format in [Format::CloudConfig, Format::Ignition] {
            assert_eq!(node(&long).write(format, "m").unwrap(), node(&long).write(format, "m").unwrap());
        }
    }

    #[test]
    fn more_than_nova_takes_is_refused_with_both_figures() {
        let mut state = 1_u32;
        let noise: String = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'!' + (state >> 24) as u8 % 90)
        })
        .take(50_000)
        .collect();
        let error = node(&noise).write(Format::CloudConfig, "master-user-data").unwrap_err().to_string();
        assert!(error.contains("65535") && error.contains("master-user-data"), "{error}");
    }
}

//! The typed schema of labels: what a key means, which values it takes, and what is wrong with those given.

use std::collections::BTreeMap;
use std::fmt;

use ipnet::IpNet;
use serde::Serialize;

use crate::{Conflict, Problem};

/// The values a label takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Kind {
    /// `true` or `false`, in the spellings the API accepts for booleans.
    Boolean,
    /// A whole number within bounds, both included.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// One of these words.
    OneOf {
        /// The words.
        values: &'static [&'static str],
    },
    /// An IPv4 or IPv6 network, as `10.0.0.0/24`.
    Cidr,
    /// An IPv4 network whose prefix length is within bounds, both included.
    Ipv4Network {
        /// Shortest prefix: the largest network.
        min: u8,
        /// Longest prefix: the smallest network.
        max: u8,
    },
    /// Comma separated networks.
    CidrList,
    /// An IPv4 address.
    Ipv4Address,
    /// A version tag, `vX.Y.Z`.
    Version,
    /// A version tag, `vX.Y.Z`, of this version or a later one.
    VersionFrom {
        /// The least, as `v1.31.0`.
        least: &'static str,
    },
    /// An `https://` URL.
    Url,
    /// A SHA-256 digest, 64 hexadecimal digits.
    Sha256,
    /// The tag of a container image.
    Tag,
    /// Where container images come from, as `registry.example.org/k8s`.
    ImagePrefix,
    /// Comma separated words of letters, digits and `._-`.
    Words,
    /// Comma separated words out of these.
    SetOf {
        /// The words.
        values: &'static [&'static str],
    },
    /// Comma separated DNS names and IP addresses.
    Hosts,
    /// A DNS name.
    DnsName,
    /// An absolute path of plain words, without `.` and `..`.
    Path,
    /// A JSON object of texts whose keys are names of environment variables.
    Environment,
    /// Printable text without blanks and without what a shell reads.
    Plain,
    /// Printable text on one line, at most 255 characters.
    Text,
    /// Command line options, `--key=value` separated by spaces or commas.
    Options,
    /// As options, of these names only.
    OptionsOf {
        /// The names, without their hyphens in front.
        names: &'static [&'static str],
    },
    /// Accepted for old cluster templates and without effect.
    Obsolete {
        /// What to use, or why it is gone.
        instead: &'static str,
    },
}

/// The release that brought a label.
pub type Since = &'static str;

/// One label a driver understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Its key.
    pub key: &'static str,
    /// Its values.
    pub kind: Kind,
    /// What holds when it is absent, as text; empty means nothing.
    pub default: &'static str,
    /// What it does, in one sentence.
    pub meaning: &'static str,
    /// The release of Jeroboam that brought it.
    pub since: Since,
    /// What it cannot be together with.
    pub conflicts: &'static [Conflict],
}

impl Label {
    /// A label of the first release, without conflicts.
    #[must_use]
    pub const fn new(key: &'static str, kind: Kind, default: &'static str, meaning: &'static str) -> Self {
        Self { key, kind, default, meaning, since: "0.1.0", conflicts: &[] }
    }

    /// A label that is accepted and has no effect, with what to use instead or why it is gone.
    #[must_use]
    pub const fn obsolete(key: &'static str, instead: &'static str) -> Self {
        Self::new(key, Kind::Obsolete { instead }, "", "No effect.")
    }

    /// The same, since a later release.
    #[must_use]
    pub const fn since(self, since: Since) -> Self {
        Self { since, ..self }
    }

    /// The same with what it cannot be together with.
    #[must_use]
    pub const fn conflicting(self, conflicts: &'static [Conflict]) -> Self {
        Self { conflicts, ..self }
    }
}

/// What an examination of labels found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Values out of range; the request cannot be built.
    pub problems: Vec<Problem>,
    /// Labels without effect, each with what to use instead; worth a warning.
    pub obsolete: Vec<Obsolete>,
    /// Keys the driver does not know; worth a warning, or a refusal where the operator wants it.
    pub unknown: Vec<Unknown>,
}

/// A label that is accepted and has no effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Obsolete {
    /// Its key.
    pub key: &'static str,
    /// What to use, or why it is gone.
    pub instead: &'static str,
}

/// A label nobody reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unknown {
    /// The key as given.
    pub key: String,
    /// The known key that is spelled most alike, if one is close.
    pub nearest: Option<&'static str>,
}

/// Holds labels against a schema and reports everything at once, in the order of the keys.
#[must_use]
pub fn examine(schema: &'static [Label], labels: &BTreeMap<String, String>) -> Findings {
    let mut findings = Findings::default();
    for (key, value) in labels {
        let Some(label) = schema.iter().find(|label| label.key == key) else {
            findings.unknown.push(Unknown { key: key.clone(), nearest: nearest(schema, key) });
            continue;
        };
        if let Kind::Obsolete { instead } = label.kind {
            findings.obsolete.push(Obsolete { key: label.key, instead });
        } else if !value.is_empty() && !label.kind.takes(value) {
            findings.problems.push(Problem {
                field: format!("labels.{key}"),
                value: value.clone(),
                allowed: label.kind.to_string(),
            });
        }
    }
    findings
}

/// The known key within an edit distance of a third of its length.
fn nearest(schema: &'static [Label], key: &str) -> Option<&'static str> {
    let key: String = key.chars().take(64).collect();
    schema
        .iter()
        .map(|label| (distance(&key, label.key), label.key))
        .filter(|(distance, known)| *distance <= known.len() / 3)
        .min()
        .map(|(_, known)| known)
}

/// The Levenshtein distance of two texts.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

impl Kind {
    /// Whether the kind takes this value; an empty value counts as absent and is not asked about.
    #[must_use]
    pub fn takes(&self, value: &str) -> bool {
        if !one_line(value) {
            return false;
        }
        match self {
            Self::Boolean => boolean(value).is_some(),
            Self::Integer { min, max } => value.parse::<i64>().is_ok_and(|n| (*min..=*max).contains(&n)),
            Self::OneOf { values } => values.contains(&value),
            Self::Cidr => network(value).is_some(),
            Self::Ipv4Network { min, max } => {
                matches!(network(value), Some(IpNet::V4(net)) if (*min..=*max).contains(&net.prefix_len()))
            }
            Self::CidrList => list(value).all(|item| network(item).is_some()),
            Self::Ipv4Address => value.parse::<std::net::Ipv4Addr>().is_ok(),
            Self::Version => version(value).is_some(),
            Self::VersionFrom { least } => version(value).is_some() && version(value) >= version(least),
            Self::Url => is_https_url(value),
            Self::Sha256 => value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit()),
            Self::DnsName => is_dns_name(value),
            Self::Tag => is_tag(value),
            Self::ImagePrefix => is_image_prefix(value),
            Self::Words => list(value).all(is_word),
            Self::SetOf { values } => list(value).all(|item| values.contains(&item)),
            Self::Hosts => list(value).all(|item| is_dns_name(item) || item.parse::<std::net::IpAddr>().is_ok()),
            Self::Path => value.len() <= 255 && is_path(value),
            Self::Environment => is_environment(value),
            Self::Plain => value.len() <= 255 && is_plain(value),
            Self::Text => value.len() <= 255,
            Self::Options => options(value).is_some(),
            Self::OptionsOf { names } => {
                options(value).is_some_and(|all| all.iter().all(|(name, _)| names.contains(&name.as_str())))
            }
            Self::Obsolete { .. } => true,
        }
    }
}

impl fmt::Display for Kind {
    /// What is allowed, as a part of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("true or false"),
            Self::Integer { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::OneOf { values } => write!(f, "one of {}", values.join(", ")),
            Self::Cidr => f.write_str("a network without host bits, as 10.0.0.0/24"),
            Self::Ipv4Network { min, max } => {
                write!(f, "an IPv4 network without host bits, with a prefix length from {min} to {max}")
            }
            Self::CidrList => f.write_str("comma separated networks without host bits, as 10.0.0.0/24"),
            Self::Ipv4Address => f.write_str("an IPv4 address"),
            Self::Version => f.write_str("a version vX.Y.Z"),
            Self::VersionFrom { least } => write!(f, "a version vX.Y.Z, {least} or later"),
            Self::Url => f.write_str("an https:// URL"),
            Self::Sha256 => f.write_str("64 hexadecimal digits"),
            Self::DnsName => f.write_str("a DNS name in lower case"),
            Self::Tag => f.write_str("an image tag: letters, digits and ._- , at most 128 characters"),
            Self::ImagePrefix => f.write_str("a registry with an optional path, as registry.example.org/k8s"),
            Self::Words => f.write_str("comma separated words of letters, digits and ._-"),
            Self::SetOf { values } => write!(f, "comma separated words out of {}", values.join(", ")),
            Self::Hosts => f.write_str("comma separated DNS names and IP addresses"),
            Self::Path => f.write_str("an absolute path of letters, digits and ._-/ without . and .. in it"),
            Self::Environment => f.write_str("a JSON object of texts, as {\"NAME\": \"value\"}"),
            Self::Plain => f.write_str("printable ASCII text without blanks, quotes and the characters $`\\;&|<>(){}"),
            Self::Text => f.write_str("printable ASCII text on one line without @@, at most 255 characters"),
            Self::Options => f.write_str("--key=value options separated by spaces or commas, without quotes"),
            Self::OptionsOf { names } => {
                write!(f, "the options --{}, each with =value, separated by spaces", names.join(", --"))
            }
            Self::Obsolete { .. } => f.write_str("anything; it has no effect"),
        }
    }
}

/// Whether every value may be passed on at all: printable ASCII on one line, and nothing that
/// looks like a marker for Heat to replace.
fn one_line(value: &str) -> bool {
    value.len() <= 1024 && value.bytes().all(|b| (b' '..=b'~').contains(&b)) && !value.contains("@@")
}

/// A boolean in the spellings of the API.
#[must_use]
pub fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// A network without host bits.
pub(crate) fn network(value: &str) -> Option<IpNet> {
    value.parse::<IpNet>().ok().filter(|net| net.trunc() == *net && value.contains('/'))
}

/// The items of a comma separated list, without blanks around them; an empty item stays, to be refused.
pub(crate) fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim)
}

/// The three numbers of `vX.Y.Z`.
pub(crate) fn version(value: &str) -> Option<(u32, u32, u32)> {
    let mut numbers = value.strip_prefix('v')?.split('.').map(|part| {
        (!part.is_empty() && part.len() <= 6 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse().ok())?
    });
    let version = (numbers.next()??, numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some(version)
}

/// Options in the order given: `--key=value`, or `--key` for `true`.
///
/// A comma starts the next option only where `--` follows, so that values may hold commas.
pub(crate) fn options(value: &str) -> Option<Vec<(String, String)>> {
    value.replace(",--", " --").split_whitespace().map(option).collect()
}

/// One option.
fn option(text: &str) -> Option<(String, String)> {
    let text = text.strip_prefix("--")?;
    let (key, value) = text.split_once('=').unwrap_or((text, "true"));
    let key_ok = key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (key_ok && is_plain(value)).then(|| (key.to_owned(), value.to_owned()))
}

fn is_path(value: &str) -> bool {
    value.strip_prefix('/').is_some_and(|rest| rest.split('/').all(|part| is_word(part) && part != "." && part != ".."))
}

/// The variables of an environment, if the text says no more.
fn is_environment(value: &str) -> bool {
    let name = |name: &String| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    serde_json::from_str::<BTreeMap<String, String>>(value).is_ok_and(|all| {
        all.iter().all(|(key, text)| name(key) && !text.chars().any(char::is_control) && !text.contains("@@"))
    })
}

/// Whether a text is one word of a command line, whatever reads it.
fn is_plain(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_graphic() && !b"'\"`$\\;&|<>(){}".contains(&b))
}

fn is_https_url(value: &str) -> bool {
    value.strip_prefix("https://").is_some_and(|rest| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        !host.is_empty() && !host.contains('@') && value.len() <= 512 && url_characters(value)
    })
}

/// Whether a text holds only what a URL may, and nothing a shell would read.
pub(crate) fn url_characters(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!&*+,;=%".contains(&b))
}

/// Whether a text is a DNS name in lower case.
pub(crate) fn is_dns_name(value: &str) -> bool {
    value.len() <= 253
        && value.split('.').all(|part| {
            !part.is_empty()
                && part.len() <= 63
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !part.starts_with('-')
                && !part.ends_with('-')
        })
}

fn is_tag(value: &str) -> bool {
    value.len() <= 128 && !value.starts_with(['.', '-']) && is_word(value)
}

fn is_word(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn is_image_prefix(value: &str) -> bool {
    value.len() <= 255
        && value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-:/".contains(&b))
        && !value.contains("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &[Label] = &[
        Label::new("kube_tag", Kind::Version, "", ""),
        Label::new("etcd_volume_size", Kind::Integer { min: 0, max: 100 }, "", ""),
        Label::obsolete("tiller_tag", "nothing"),
    ];

    fn given(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
        labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let findings = examine(
            SCHEMA,
            &given(&[("kube_tag", "1.35"), ("etcd_volume_size", "101"), ("tiller_tag", "x"), ("kubetag", "v1.35.3")]),
        );
        let fields: Vec<&str> = findings.problems.iter().map(|p| p.field.as_str()).collect();
        assert_eq!(fields, ["labels.etcd_volume_size", "labels.kube_tag"]);
        assert_eq!(findings.problems[0].allowed, "a whole number from 0 to 100");
        assert_eq!(findings.obsolete[0].key, "tiller_tag");
        assert_eq!(findings.unknown, [Unknown { key: "kubetag".into(), nearest: Some("kube_tag") }]);
    }

    #[test]
    fn an_empty_value_is_an_absent_one() {
        assert_eq!(examine(SCHEMA, &given(&[("kube_tag", "")])), Findings::default());
    }

    #[test]
    fn kinds_take_what_they_say() {
        let options = Kind::Options;
        for (kind, good, bad) in [
            (Kind::Boolean, "True", "maybe"),
            (Kind::Cidr, "10.0.0.0/24", "10.0.0.1/24"),
            (Kind::Cidr, "fd00::/64", "10.0.0.0"),
            (Kind::CidrList, "10.0.0.0/8, 192.168.0.0/16", "10.0.0.0/8,"),
            (Kind::Ipv4Network { min: 12, max: 27 }, "10.254.0.0/16", "10.0.0.0/11"),
            (Kind::Ipv4Network { min: 0, max: 32 }, "10.0.0.1/32", "fd00::/16"),
            (Kind::Ipv4Address, "192.0.2.7", "192.0.2.0/24"),
            (Kind::VersionFrom { least: "v1.31.0" }, "v1.31.0", "v1.30.99"),
            (Kind::VersionFrom { least: "v1.9.0" }, "v1.10.0", "1.10.0"),
            (Kind::SetOf { values: &["a", "b"] }, "b, a", "a,c"),
            (Kind::OptionsOf { names: &["v"] }, "--v=2", "--v=2 --w=3"),
            (Kind::Version, "v1.35.3", "v1.35.3-rc.1"),
            (Kind::Version, "v0.28.4", "v1.-5.3"),
            (Kind::Url, "https://example.org/a.yaml", "http://example.org/a.yaml"),
            (Kind::Url, "https://example.org", "https://example.org/$(id)"),
            (Kind::DnsName, "cluster.local", "Cluster.local"),
            (Kind::Tag, "3.5.21-0", "-x"),
            (Kind::ImagePrefix, "registry:5000/k8s/", "registry//k8s"),
            (Kind::Words, "A,b-c", "a b"),
            (Kind::Hosts, "api.example.org,192.0.2.1", "api.example.org,*"),
            (Kind::Plain, "oidc:", "oidc: "),
            (Kind::Path, "/var/lib/mesos/agent", "/var/../etc"),
            (Kind::Path, "/a", "a"),
            (Kind::Path, "/a.b", "/a/"),
            (Kind::Environment, r#"{"A_1": "x y"}"#, r#"{"A_1": 1}"#),
            (Kind::Environment, "{}", "[]"),
            (Kind::Environment, r#"{"A": "it's"}"#, r#"{"A B": "x"}"#),
            (Kind::Environment, r#"{"_": ""}"#, r#"{"A": "\u0040@X@@"}"#),
            (Kind::Text, "anything", "two\nlines"),
            (Kind::Text, "it's $fine here", "@@BOOTSTRAP_TOKEN@@"),
            (options, "--v=2 --feature-gates=A=true,B=false", "v=2"),
            (options, "--v=2,--max-pods=50", "--v='2'"),
        ] {
            assert!(kind.takes(good), "{kind:?} should take {good}");
            assert!(!kind.takes(bad), "{kind:?} should refuse {bad}");
        }
        assert!(Kind::Sha256.takes(&"0f".repeat(32)) && !Kind::Sha256.takes("0f"));
    }

    #[test]
    fn a_comma_within_an_option_belongs_to_its_value() {
        let parsed = options("--feature-gates=A=true,B=false,--v=2 --quiet").unwrap_or_default();
        let parsed: Vec<(&str, &str)> = parsed.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(parsed, [("feature-gates", "A=true,B=false"), ("v", "2"), ("quiet", "true")]);
    }
}

//! The typed schema of labels: what a key means, which values it takes.

use serde::Serialize;

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
    /// Comma separated networks.
    CidrList,
    /// A version tag, `vX.Y.Z`.
    Version,
    /// An `https://` URL.
    Url,
    /// A SHA-256 digest, 64 hexadecimal digits.
    Sha256,
    /// A DNS name.
    DnsName,
    /// Printable text on one line, at most 255 characters.
    Text,
    /// Command line options, `--key=value` separated by spaces or commas.
    Options,
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
}

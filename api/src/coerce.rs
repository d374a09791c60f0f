//! What a field may hold, and how the spellings that clients use become the one we keep.
//!
//! Horizon sends every scalar as a string, Terraform sends booleans as strings, the CLI sends numbers as numbers: all of
//! them are understood wherever they can mean only one thing.

use std::net::Ipv4Addr;

use serde_json::{Map, Number, Value};
use uuid::Uuid;

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Text of so many characters.
    Text {
        /// Fewest characters.
        min: usize,
        /// Most characters.
        max: usize,
    },
    /// A cluster's name: a letter, then letters, digits, `_`, `.` and `-`; at most 242 characters.
    ClusterName,
    /// A UUID; kept in lower case with dashes.
    Uuid,
    /// A whole number.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// True or false.
    Boolean,
    /// A map from text to text; numbers and booleans become text.
    Labels,
    /// A map from text to text, and nothing else.
    NodeLabels,
    /// A list of Kubernetes taints: objects with members that are text.
    Taints,
    /// A list of short texts; numbers count as texts.
    Texts,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A container orchestration engine: one of the contract's, or one that a driver makes.
    Coe,
    /// Comma separated IPv4 addresses.
    NameServers,
    /// Anything: the server sets it, whatever the client says.
    Any,
}

/// Most items of a list.
const ITEMS: usize = 1000;

/// Text of 1 to 255 characters, the usual field.
pub const TEXT: Kind = Kind::Text { min: 1, max: 255 };

/// The words for container orchestration engines: the contract's, and those of drivers.
pub(crate) fn coes() -> Vec<&'static str> {
    let mut words = vec!["kubernetes", "swarm", "swarm-mode", "mesos"];
    for made in drivers::installed().into_iter().flat_map(drivers::Driver::provides) {
        if !words.contains(&made.coe) {
            words.push(made.coe);
        }
    }
    words
}

impl Kind {
    /// The value in the form we keep.
    ///
    /// # Errors
    /// What is allowed, as a sentence.
    pub fn coerce(self, value: &Value) -> Result<Value, String> {
        let kept = match self {
            Self::Any => Some(value.clone()),
            Self::Text { min, max } => {
                text(value).filter(|text| (min..=max).contains(&text.chars().count())).map(Value::from)
            }
            Self::ClusterName => text(value).filter(|text| is_cluster_name(text)).map(Value::from),
            Self::Uuid => text(value).and_then(|text| Uuid::try_parse(text).ok()).map(|uuid| uuid.to_string().into()),
            Self::Integer { min, max } => integer(value).filter(|n| (min..=max).contains(n)).map(Value::from),
            Self::Boolean => boolean(value).map(Value::from),
            Self::Labels => return labels(value),
            Self::NodeLabels => entries(value).map(Value::from),
            Self::Taints => value
                .as_array()
                .and_then(|taints| taints.iter().map(entries).map(|taint| taint.map(Value::from)).collect()),
            Self::Texts => texts(value),
            Self::OneOf(words) => text(value).filter(|text| words.contains(text)).map(Value::from),
            Self::Coe => text(value).filter(|text| coes().contains(text)).map(Value::from),
            Self::NameServers => text(value).and_then(name_servers).map(Value::from),
        };
        kept.ok_or_else(|| format!("Allowed: {}.", self.allowed()))
    }

    /// Whether it is a map, so that a patch may name its keys.
    #[must_use]
    pub fn is_map(self) -> bool {
        matches!(self, Self::Labels | Self::NodeLabels)
    }

    /// The form in which nothing is there, of what may also come as text that spells it.
    #[must_use]
    pub fn nothing(self) -> Option<Value> {
        match self {
            Self::Labels | Self::NodeLabels => Some(Map::new().into()),
            Self::Taints => Some(Vec::<Value>::new().into()),
            _ => None,
        }
    }

    /// What is allowed, as a part of a sentence.
    fn allowed(self) -> String {
        match self {
            Self::Any => "anything".into(),
            Self::Text { min, max } => format!("a string of {min} to {max} characters"),
            Self::ClusterName => {
                "a string of 1 to 242 letters, digits, '_', '.' and '-', of which the first is a letter".into()
            }
            Self::Uuid => "a UUID".into(),
            Self::Integer { min, max: i64::MAX } => format!("an integer of at least {min}"),
            Self::Integer { min, max } => format!("an integer from {min} to {max}"),
            Self::Boolean => "true or false".into(),
            Self::Labels => "an object whose values are strings, numbers or booleans".into(),
            Self::NodeLabels => "an object whose values are strings".into(),
            Self::Taints => "a list of objects with the strings key, value and effect".into(),
            Self::Texts => format!("a list of at most {ITEMS} strings of 1 to 255 characters"),
            Self::OneOf(words) => words.join(", "),
            Self::Coe => coes().join(", "),
            Self::NameServers => "IPv4 addresses separated by commas".into(),
        }
    }
}

/// The value as an error repeats it: text as it stands, everything else as JSON.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn text(value: &Value) -> Option<&str> {
    // No database keeps a NUL in a text column.
    value.as_str().filter(|text| !text.contains('\0'))
}

/// Integers, integers written as text, and the whole part of fractions.
fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the bounds are checked and the fraction is to be cut")]
fn whole(number: f64) -> Option<i64> {
    const LIMIT: f64 = 9e15;
    (number.abs() < LIMIT).then_some(number as i64)
}

/// Booleans in every spelling that clients use.
pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::Number(number) => match number.as_i64()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A map whose values become text; numbers and booleans in the spelling clients have always read back.
fn labels(value: &Value) -> Result<Value, String> {
    let allowed = || format!("Allowed: {}.", Kind::Labels.allowed());
    let given = value.as_object().ok_or_else(allowed)?;
    let mut kept = Map::new();
    for (key, value) in given {
        let text = label(value).ok_or_else(|| format!("The label '{}' has none of these. {}", key, allowed()))?;
        kept.insert(key.clone(), text.into());
    }
    Ok(kept.into())
}

/// An object whose values are text; `null` members count as absent.
fn entries(value: &Value) -> Option<Map<String, Value>> {
    let given = value.as_object()?.iter().filter(|(_, value)| !value.is_null());
    given.map(|(key, value)| Some((key.clone(), Value::from(text(value)?)))).collect()
}

/// One label's value as text.
pub(crate) fn label(value: &Value) -> Option<String> {
    match value {
        Value::String(_) => text(value).map(str::to_owned),
        Value::Bool(true) => Some("True".into()),
        Value::Bool(false) => Some("False".into()),
        Value::Number(number) => Some(spelled(number)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A number as text: integers as they are, fractions in their shortest form with a point or an exponent.
fn spelled(number: &Number) -> String {
    if number.is_i64() || number.is_u64() {
        return number.to_string();
    }
    let Some(value) = number.as_f64() else { return number.to_string() };
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or_default() {
        exponent @ -4..16 => {
            let plain = format!("{value}");
            if exponent >= 0 && !plain.contains('.') { format!("{plain}.0") } else { plain }
        }
        exponent => format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()),
    }
}

fn texts(value: &Value) -> Option<Value> {
    let item = |item: &Value| match item {
        Value::Number(number) if number.is_u64() => Some(number.to_string()),
        other => text(other).filter(|text| (1..=255).contains(&text.chars().count())).map(str::to_owned),
    };
    let items = value.as_array().filter(|items| items.len() <= ITEMS)?;
    items.iter().map(item).collect::<Option<Vec<_>>>().map(Value::from)
}

fn is_cluster_name(text: &str) -> bool {
    text.len() <= 242
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

fn name_servers(text: &str) -> Option<&str> {
    let good = text.split(',').all(|item| item.trim().parse::<Ipv4Addr>().is_ok());
    (good && text.len() <= 255).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn accepts(kind: Kind, table: &[(Value, Value)]) {
        for (given, kept) in table {
            assert_eq!(kind.coerce(given), Ok(kept.clone()), "{given} as {kind:?}");
        }
    }

    fn refuses(kind: Kind, values: &[Value]) {
        for given in values {
            assert!(kind.coerce(given).is_err(), "{given} as {kind:?}");
        }
    }

    #[test]
    fn lists_hold_short_texts() {
        accepts(Kind::Texts, &[(json!([]), json!([])), (json!(["a", 3]), json!(["a", "3"]))]);
        refuses(Kind::Texts, &[json!("a"), json!([""]), json!([null]), json!([-1]), json!([1.5]), json!([["a"]])]);
        refuses(Kind::Texts, &[json!(vec!["a"; 1001]), json!(["a".repeat(256)]), json!(["a\u{0}"])]);
    }

    #[test]
    fn integers_come_as_numbers_strings_and_fractions() {
        let kind = Kind::Integer { min: 0, max: 100 };
        accepts(
            kind,
            &[(json!(2), json!(2)), (json!("2"), json!(2)), (json!(2.5), json!(2)), (json!(" 7 "), json!(7))],
        );
        refuses(
            kind,
            &[json!("two"), json!("2.5"), json!(-1), json!(101), json!(true), json!([]), json!(1e300), json!("")],
        );
        let allowed = kind.coerce(&json!(101)).unwrap_err();
        assert_eq!(allowed, "Allowed: an integer from 0 to 100.");
    }

    #[test]
    fn booleans_come_in_every_usual_spelling() {
        for text in ["true", "True", "YES", "on", "1", "t", "y"] {
            accepts(Kind::Boolean, &[(json!(text), json!(true))]);
        }
        for text in ["false", "FALSE", "no", "Off", "0", "f", "n"] {
            accepts(Kind::Boolean, &[(json!(text), json!(false))]);
        }
        accepts(Kind::Boolean, &[(json!(1), json!(true)), (json!(0), json!(false)), (json!(true), json!(true))]);
        refuses(Kind::Boolean, &[json!("maybe"), json!(""), json!(2), json!(0.5), json!({})]);
    }

    #[test]
    fn text_must_be_a_string_of_the_right_length() {
        accepts(TEXT, &[(json!("a/b ü"), json!("a/b ü")), (json!("ü".repeat(255)), json!("ü".repeat(255)))]);
        refuses(TEXT, &[json!(5), json!(""), json!("x".repeat(256)), json!("a\0b"), json!(true)]);
        accepts(Kind::Text { min: 0, max: 255 }, &[(json!(""), json!(""))]);
    }

    #[test]
    fn labels_become_text_in_the_spelling_clients_know() {
        accepts(
            Kind::Labels,
            &[(
                json!({"s": "v", "i": 7, "t": true, "f": false, "x": 1.5, "y": 1000.0, "big": 1e22, "small": 0.00001}),
                json!({"s": "v", "i": "7", "t": "True", "f": "False", "x": "1.5", "y": "1000.0", "big": "1e+22",
                    "small": "1e-05"}),
            )],
        );
        refuses(Kind::Labels, &[json!({"a": null}), json!({"a": []}), json!({"a": {}}), json!("a=b"), json!([])]);
        assert!(Kind::Labels.coerce(&json!({"a": null})).unwrap_err().contains("'a'"));
    }

    #[test]
    fn labels_and_taints_of_nodes_are_text() {
        accepts(Kind::NodeLabels, &[(json!({"a/b": "c"}), json!({"a/b": "c"})), (json!({}), json!({}))]);
        refuses(Kind::NodeLabels, &[json!({"a": 1}), json!({"a": true}), json!([]), json!("a=b")]);
        let taints = json!([{"key": "gpu", "effect": "NoSchedule"}, {"key": "a", "value": "b", "effect": "x"}]);
        accepts(Kind::Taints, &[(taints.clone(), taints), (json!([]), json!([]))]);
        let (given, kept) = (json!([{"key": "a", "value": null}]), json!([{"key": "a"}]));
        accepts(Kind::Taints, &[(given, kept)]);
        refuses(Kind::Taints, &[json!(["gpu"]), json!({"key": "a"}), json!([{"key": 1}]), json!("x")]);
    }

    #[test]
    fn words_are_case_sensitive() {
        let kind = Kind::OneOf(&["vm", "bm"]);
        accepts(kind, &[(json!("vm"), json!("vm"))]);
        refuses(kind, &[json!("VM"), json!(1)]);
        assert_eq!(kind.coerce(&json!("VM")).unwrap_err(), "Allowed: vm, bm.");
    }

    #[test]
    fn cluster_names_start_with_a_letter() {
        accepts(Kind::ClusterName, &[(json!("a_B.c-9"), json!("a_B.c-9"))]);
        refuses(Kind::ClusterName, &[json!("9a"), json!(""), json!("a b"), json!("ä"), json!("a".repeat(243))]);
    }

    #[test]
    fn name_servers_are_ipv4_and_spaces_do_not_hurt() {
        accepts(Kind::NameServers, &[(json!("8.8.8.8, 1.1.1.1"), json!("8.8.8.8, 1.1.1.1"))]);
        refuses(Kind::NameServers, &[json!(""), json!("::1"), json!("8.8.8.8,"), json!("dns")]);
    }

    #[test]
    fn uuids_are_kept_in_their_usual_form() {
        accepts(
            Kind::Uuid,
            &[(json!("5E5B4A2C7F0B4B1B9F0E0D3B8E0C1A11"), json!("5e5b4a2c-7f0b-4b1b-9f0e-0d3b8e0c1a11"))],
        );
        refuses(Kind::Uuid, &[json!("x"), json!(1)]);
    }

    proptest! {
        #[test]
        fn fractions_read_back_as_the_same_number(value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
            let text = spelled(&Number::from_f64(value).unwrap());
            prop_assert_eq!(text.parse::<f64>().unwrap(), value);
            prop_assert!(text.contains(['.', 'e']), "{}", text);
        }
    }
}

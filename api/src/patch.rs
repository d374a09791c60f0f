//! The JSON patch dialect of the API: replace, add and remove on attributes, and on the keys of maps.
//!
//! Reading comes first and needs no object, so that a malformed patch is refused before anything is looked up;
//! applying gives the whole patched document, whose values are in the form we keep.

use serde_json::{Map, Value};

use crate::body::{Field, Null, Payload};
use crate::coerce::shown;
use crate::error::{Error, Result, excerpt};
use crate::literal;

/// What may be patched on one kind of object.
#[derive(Debug)]
pub struct Rules {
    /// The attributes of the object that a client may name.
    pub fields: &'static [Field],
    /// Attributes that only the server sets.
    pub internal: &'static [&'static str],
    /// Attributes that cannot be removed.
    pub mandatory: &'static [&'static str],
}

/// One change of a patch.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    attribute: String,
    key: Option<String>,
    verb: Verb,
}

#[derive(Debug, Clone, PartialEq)]
enum Verb {
    Add(Value),
    Replace(Value),
    Remove,
}

/// Reads a patch and checks all that can be checked without the object.
///
/// # Errors
/// 400 naming the member or the path.
pub fn read(payload: &Payload, rules: &Rules) -> Result<Vec<Change>> {
    match payload.json("patch")? {
        Value::Array(items) => {
            let changes = items.iter().filter(|item| !is_sdk_rename(item)).map(|item| read_change(item, rules));
            changes.collect()
        }
        other => {
            let text = other.to_string();
            Err(Error::field("patch", &text, &format!("Value not a valid list: {}", excerpt(&text))))
        }
    }
}

/// The SDK says so when an object was made from a bare id; it means nothing.
fn is_sdk_rename(item: &Value) -> bool {
    item["op"] == "move" && item["from"] == "/uuid" && item["path"] == "/id"
}

fn read_change(item: &Value, rules: &Rules) -> Result<Change> {
    let Value::Object(members) = item else {
        return Err(Error::field("patch", &item.to_string(), "Allowed: objects with op, path and value."));
    };
    if let Some(name) = members.keys().find(|name| !matches!(name.as_str(), "op" | "path" | "value")) {
        return Err(Error::invalid(format!("Unknown attribute for argument patch: {}", excerpt(name))));
    }
    let path = member(members, "path")?;
    let op = member(members, "op")?;
    let (attribute, key) = split(path)?;
    if rules.internal.contains(&attribute.as_str()) {
        return Err(Error::invalid(format!("'{path}' is an internal attribute and can not be updated")));
    }
    let verb = match (op, members.get("value")) {
        ("remove", _) if key.is_none() && rules.mandatory.contains(&attribute.as_str()) => {
            return Err(Error::invalid(format!("'{path}' is a mandatory attribute and can not be removed")));
        }
        ("remove", _) => Verb::Remove,
        ("add" | "replace", None | Some(Value::Null)) => {
            return Err(Error::invalid("'add' and 'replace' operations needs value"));
        }
        ("add", Some(value)) => Verb::Add(value.clone()),
        ("replace", Some(value)) => Verb::Replace(value.clone()),
        (other, _) => return Err(Error::field("op", other, "Allowed: add, replace, remove.")),
    };
    Ok(Change { attribute, key, verb })
}

fn member<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a str> {
    match members.get(name) {
        Some(Value::String(text)) => Ok(text),
        None | Some(Value::Null) => Err(Error::field(name, "None", "Mandatory field missing.")),
        Some(other) => Err(Error::field(name, &other.to_string(), "Allowed: a string.")),
    }
}

/// Splits a JSON pointer into an attribute and, below a map, a key.
fn split(path: &str) -> Result<(String, Option<String>)> {
    let refuse = || Error::field("path", path, "Allowed: /attribute or /attribute/key.");
    let mut parts = path.strip_prefix('/').ok_or_else(refuse)?.splitn(2, '/').map(unescaped);
    let attribute = parts.next().flatten().filter(|part| !part.is_empty()).ok_or_else(refuse)?;
    let key = match parts.next() {
        Some(key) => Some(key.filter(|key| !key.is_empty()).ok_or_else(refuse)?),
        None => None,
    };
    Ok((attribute, key))
}

/// The part of a pointer that `~0` and `~1` spell; a key may hold slashes as they are, as old clients write them.
fn unescaped(part: &str) -> Option<String> {
    let mut rest = part;
    let mut text = String::new();
    while let Some((before, after)) = rest.split_once('~') {
        text.push_str(before);
        text.push(match after.chars().next()? {
            '0' => '~',
            '1' => '/',
            _ => return None,
        });
        rest = &after[1..];
    }
    text.push_str(rest);
    Some(text)
}

/// Applies a patch to an object; `document` holds every attribute that a client may name, `null` when unset.
///
/// A removed attribute is `null` in the result, a removed map is empty.
///
/// # Errors
/// 400 naming the attribute and what is wrong.
pub fn apply(changes: &[Change], document: &Map<String, Value>, rules: &Rules) -> Result<Map<String, Value>> {
    let mut patched = document.clone();
    for change in changes {
        change.apply(&mut patched, rules)?;
    }
    Ok(patched)
}

impl Change {
    /// Whether it is about that attribute.
    pub fn names(&self, attribute: &str) -> bool {
        self.attribute == attribute
    }

    fn apply(&self, document: &mut Map<String, Value>, rules: &Rules) -> Result<()> {
        let name = self.attribute.as_str();
        let known = rules.fields.iter().find(|field| field.name == name);
        let (Some(field), Some(current)) = (known, document.get_mut(name)) else {
            return Err(match self.verb {
                Verb::Add(_) => Error::invalid(format!(
                    "Adding a new attribute /{} to the root of the resource is not allowed.",
                    excerpt(name)
                )),
                _ => self.failure(&format!("can't change a non-existent object '{}'", excerpt(name))),
            });
        };
        match &self.key {
            Some(key) => self.apply_below(current, key, field),
            None => self.apply_at_root(current, field),
        }
    }

    fn apply_at_root(&self, current: &mut Value, field: &Field) -> Result<()> {
        *current = match &self.verb {
            Verb::Add(_) if !current.is_null() => {
                return Err(Error::invalid(format!(
                    "The attribute /{} has existed, please use 'replace' operation instead.",
                    field.name
                )));
            }
            Verb::Add(value) | Verb::Replace(value) => kept(field, value)?,
            Verb::Remove => field.kind.nothing().unwrap_or_default(),
        };
        Ok(())
    }

    fn apply_below(&self, current: &mut Value, key: &str, field: &Field) -> Result<()> {
        if !field.kind.is_map() {
            return Err(self.failure(&format!("'{}' has no members", field.name)));
        }
        if current.is_null() {
            *current = Map::new().into();
        }
        let map = current.as_object_mut().ok_or_else(|| self.failure("it is not a map"))?;
        let absent = || self.failure(&format!("there is no key '{}'", excerpt(key)));
        match &self.verb {
            Verb::Replace(_) if !map.contains_key(key) => return Err(absent()),
            Verb::Add(value) | Verb::Replace(value) => {
                let entry = serde_json::json!({ key: value });
                let kept = field.kind.coerce(&entry);
                let kept = kept.map_err(|allowed| Error::field(&self.path(), &shown(value), &allowed))?;
                map.insert(key.to_owned(), kept[key].clone());
            }
            Verb::Remove => {
                map.shift_remove(key).ok_or_else(absent)?;
            }
        }
        Ok(())
    }

    fn path(&self) -> String {
        match &self.key {
            Some(key) => format!("/{}/{key}", self.attribute),
            None => format!("/{}", self.attribute),
        }
    }

    fn failure(&self, reason: &str) -> Error {
        let op = match self.verb {
            Verb::Add(_) => "add",
            Verb::Replace(_) => "replace",
            Verb::Remove => "remove",
        };
        let path = self.path();
        Error::invalid(format!(
            "Couldn't apply patch '[{{'op': '{op}', 'path': '{}'}}]'. Reason: {reason}",
            excerpt(&path)
        ))
    }
}

/// The value in the form we keep; a map may come as an object or as text.
fn kept(field: &Field, value: &Value) -> Result<Value> {
    let refuse = |allowed: &str| Error::field(field.name, &shown(value), allowed);
    let value = match (field.kind, value) {
        (kind, Value::String(text)) if kind.nothing().is_some() => {
            let what = if kind.is_map() { "a map" } else { "a list" };
            let allowed = format!("Allowed: {what}, as JSON or as Python prints it.");
            literal::parse(text).ok_or_else(|| refuse(&allowed))?
        }
        _ => value.clone(),
    };
    if value.is_null() && field.null == Null::Refused {
        return Err(refuse("Allowed: a value."));
    }
    field.kind.coerce(&value).map_err(|allowed| refuse(&allowed))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::coerce::{Kind, TEXT};

    const RULES: Rules = Rules {
        fields: &[
            Field::optional("name", TEXT),
            Field::optional("coe", Kind::OneOf(&["kubernetes", "mesos"])),
            Field::optional("size", Kind::Integer { min: 1, max: i64::MAX }),
            Field::optional("public", Kind::Boolean),
            Field::optional("labels", Kind::Labels).null(Null::Refused),
        ],
        internal: &["uuid", "links"],
        mandatory: &["coe", "labels_template"],
    };

    fn patch(body: &Value) -> Result<Value, String> {
        let document = json!({"name": "n", "coe": "kubernetes", "size": null, "public": false,
            "labels": {"a": "1", "kube.tag": "v1", "k8s.io/x": "y"}});
        let text = |error: Error| {
            assert_eq!(error.status(), 400);
            error.detail().to_owned()
        };
        let changes = read(&Payload::new(body.to_string()), &RULES).map_err(text)?;
        apply(&changes, document.as_object().unwrap(), &RULES).map(Value::Object).map_err(text)
    }

    fn one(op: &str, path: &str, value: Value) -> Result<Value, String> {
        patch(&json!([{"op": op, "path": path, "value": value}]))
    }

    #[test]
    fn a_patch_is_a_list() {
        let error = patch(&json!({"op": "replace"})).unwrap_err();
        assert!(error.contains("Value not a valid list: {\"op\":\"replace\"}"), "{error}");
        assert_eq!(read(&Payload::new(""), &RULES).unwrap_err().detail(), "Missing argument: \"patch\"");
        assert!(patch(&json!([1])).is_err());
    }

    #[test]
    fn an_empty_patch_changes_nothing() {
        assert_eq!(patch(&json!([])).unwrap()["name"], "n");
    }

    #[test]
    fn only_add_replace_and_remove_are_known() {
        for op in ["test", "move", "copy", "ADD", ""] {
            assert!(one(op, "/name", json!("x")).unwrap_err().contains("Allowed: add, replace, remove."), "{op}");
        }
    }

    #[test]
    fn the_sdks_rename_of_the_id_means_nothing() {
        let patched = patch(&json!([{"op": "move", "from": "/uuid", "path": "/id"},
            {"op": "replace", "path": "/name", "value": "x"}]));
        assert_eq!(patched.unwrap()["name"], "x");
    }

    #[test]
    fn op_and_path_are_mandatory_and_nothing_else_is_known() {
        for item in [json!({"path": "/name", "value": 1}), json!({"op": "replace", "value": 1})] {
            assert!(patch(&json!([item])).unwrap_err().ends_with("Mandatory field missing."));
        }
        let error = patch(&json!([{"op": "remove", "path": "/name", "x": 1}])).unwrap_err();
        assert_eq!(error, "Unknown attribute for argument patch: x");
    }

    #[test]
    fn a_path_names_an_attribute_or_a_key_below_it() {
        for path in ["", "name", "/", "/labels/", "/labels/~2", "/labels/~"] {
            assert!(one("replace", path, json!("x")).is_err(), "{path}");
        }
    }

    #[test]
    fn keys_may_hold_dots_and_slashes() {
        assert_eq!(one("replace", "/labels/kube.tag", json!("v2")).unwrap()["labels"]["kube.tag"], "v2");
        assert_eq!(one("replace", "/labels/k8s.io~1x", json!("z")).unwrap()["labels"]["k8s.io/x"], "z");
        assert_eq!(one("replace", "/labels/k8s.io/x", json!("z")).unwrap()["labels"]["k8s.io/x"], "z");
        assert_eq!(one("add", "/labels/a~0b", json!(true)).unwrap()["labels"]["a~b"], "True");
    }

    #[test]
    fn add_and_replace_need_a_value() {
        for op in ["add", "replace"] {
            assert_eq!(one(op, "/size", Value::Null).unwrap_err(), "'add' and 'replace' operations needs value");
        }
    }

    #[test]
    fn internal_and_mandatory_attributes_are_guarded() {
        assert_eq!(
            one("replace", "/uuid", json!("x")).unwrap_err(),
            "'/uuid' is an internal attribute and can not be updated"
        );
        assert_eq!(
            one("remove", "/coe", Value::Null).unwrap_err(),
            "'/coe' is a mandatory attribute and can not be removed"
        );
    }

    #[test]
    fn add_is_for_attributes_without_a_value() {
        assert_eq!(
            one("add", "/color", json!("x")).unwrap_err(),
            "Adding a new attribute /color to the root of the resource is not allowed."
        );
        assert_eq!(
            one("add", "/name", json!("x")).unwrap_err(),
            "The attribute /name has existed, please use 'replace' operation instead."
        );
        assert_eq!(one("add", "/size", json!(3)).unwrap()["size"], 3);
    }

    #[test]
    fn values_are_understood_as_in_bodies() {
        assert_eq!(one("replace", "/size", json!("3")).unwrap()["size"], 3);
        assert_eq!(one("replace", "/public", json!("True")).unwrap()["public"], true);
        assert!(one("replace", "/size", json!("x")).unwrap_err().contains("Allowed: an integer of at least 1."));
        assert!(one("replace", "/coe", json!("nomad")).unwrap_err().contains("Allowed: kubernetes, mesos."));
        assert!(one("replace", "/name", json!("")).is_err());
    }

    #[test]
    fn labels_come_as_json_as_python_prints_them_or_as_an_object() {
        for value in [json!("{\"x\": true}"), json!("{'x': True}"), json!({"x": true})] {
            assert_eq!(one("replace", "/labels", value).unwrap()["labels"], json!({"x": "True"}));
        }
        for value in [json!("x=1"), json!("null"), json!("[]"), json!(5), json!({"x": null})] {
            assert!(one("replace", "/labels", value.clone()).is_err(), "{value}");
        }
    }

    #[test]
    fn what_is_removed_is_unset() {
        assert_eq!(one("remove", "/name", Value::Null).unwrap()["name"], Value::Null);
        assert_eq!(one("remove", "/size", Value::Null).unwrap()["size"], Value::Null);
        assert_eq!(one("remove", "/labels", Value::Null).unwrap()["labels"], json!({}));
        assert_eq!(one("remove", "/labels/a", Value::Null).unwrap()["labels"].get("a"), None);
    }

    #[test]
    fn what_is_not_there_cannot_be_replaced_or_removed() {
        for (op, path) in [
            ("replace", "/color"),
            ("remove", "/color"),
            ("replace", "/labels/z"),
            ("remove", "/labels/z"),
            ("replace", "/name/x"),
        ] {
            let error = one(op, path, json!("x")).unwrap_err();
            assert!(error.starts_with("Couldn't apply patch '[{'op': '") && error.contains("Reason: "), "{error}");
        }
    }
}

//! Members of a group that keep what an earlier definition gave them, in one template with those of the present one.
//!
//! A group has one template for all its members. Where the definitions differ, the member asks whether its index is
//! among those of the earlier one; so Heat sees no difference for it and leaves it alone.

use serde_json::{Map, Value, json};

use super::view::Earlier;
use crate::RenderError;

/// The member's template for all definitions; `before` are the earlier ones, each with its parameter.
///
/// # Errors
/// Definitions with different resources: a member cannot be both.
pub(super) fn joined(present: &Value, before: &[(&Earlier, Value)]) -> Result<Value, RenderError> {
    let mut joined = present.clone();
    if before.is_empty() {
        return Ok(joined);
    }
    let condition = |(earlier, _): &(&Earlier, Value)| {
        let parameter = &earlier.parameter;
        (parameter.clone(), json!({"contains": [{"get_param": "index"}, {"get_param": parameter}]}))
    };
    joined["conditions"] = before.iter().map(condition).collect::<Map<_, _>>().into();
    let names = |document: &Value| document["resources"].as_object().map(|all| all.keys().cloned().collect::<Vec<_>>());
    for (earlier, document) in before {
        if names(document) != names(present) {
            let cause = format!("the definition of {} has other resources", earlier.parameter);
            return Err(RenderError::Document { name: super::WORKER_TEMPLATE.to_owned(), cause });
        }
    }
    for name in names(present).unwrap_or_default() {
        let of = |document: &Value| document["resources"][name.as_str()]["properties"].clone();
        let all: Vec<_> = before.iter().map(|(earlier, document)| (earlier.parameter.as_str(), of(document))).collect();
        joined["resources"][name.as_str()]["properties"] = properties(&of(present), &all);
    }
    Ok(joined)
}

/// Each property as it is where all agree, else as the member's index says.
fn properties(present: &Value, before: &[(&str, Value)]) -> Value {
    let mut names: Vec<&String> = Vec::new();
    for properties in std::iter::once(present).chain(before.iter().map(|(_, properties)| properties)) {
        for name in properties.as_object().into_iter().flatten().map(|(name, _)| name) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let chosen = |name: &String| {
        let last = present.get(name).cloned().unwrap_or_default();
        before.iter().rev().fold(last, |otherwise, (condition, properties)| {
            let own = properties.get(name).cloned().unwrap_or_default();
            if own == otherwise { otherwise } else { json!({"if": [condition, own, otherwise]}) }
        })
    };
    names.into_iter().map(|name| (name.clone(), chosen(name))).collect::<Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(image: &str, zone: Option<&str>) -> Value {
        let mut properties = json!({"name": {"get_param": "name"}, "image": image});
        if let Some(zone) = zone {
            properties["availability_zone"] = zone.into();
        }
        json!({"resources": {"kube-minion": {"type": "OS::Nova::Server", "properties": properties}}})
    }

    fn earlier(parameter: &str) -> Earlier {
        Earlier { parameter: parameter.to_owned(), members: "0".to_owned() }
    }

    #[test]
    fn only_what_differs_asks_for_the_index() {
        let (first, second) = (earlier("earlier_0"), earlier("earlier_1"));
        let before = [(&first, member("old", Some("a"))), (&second, member("older", None))];
        let joined = joined(&member("new", None), &before).unwrap();
        let properties = &joined["resources"]["kube-minion"]["properties"];
        assert_eq!(properties["name"], json!({"get_param": "name"}));
        assert_eq!(properties["image"], json!({"if": ["earlier_0", "old", {"if": ["earlier_1", "older", "new"]}]}));
        assert_eq!(properties["availability_zone"], json!({"if": ["earlier_0", "a", null]}));
        assert_eq!(
            joined["conditions"]["earlier_1"],
            json!({"contains": [{"get_param": "index"}, {"get_param": "earlier_1"}]})
        );
    }

    #[test]
    fn a_member_cannot_have_more_resources_than_another() {
        let other = earlier("earlier_0");
        let mut before = member("old", None);
        before["resources"]["volume"] = json!({"type": "OS::Cinder::Volume"});
        assert!(joined(&member("new", None), &[(&other, before)]).is_err());
        assert_eq!(joined(&member("new", None), &[]).unwrap(), member("new", None));
    }
}

//! One mistake each, made in a submission that is otherwise right.

use serde_json::json;

use super::*;

fn template() -> Value {
    json!({
        "heat_template_version": "2021-04-16",
        "parameters": { "count": { "type": "number" }, "token": { "type": "string", "hidden": true } },
        "resources": {
            "net": { "type": "OS::Neutron::Net", "properties": {} },
            "port": { "type": "OS::Neutron::Port", "depends_on": ["net"],
                      "properties": { "network": { "get_resource": "net" } } },
            "server": { "type": "OS::Nova::Server", "properties": { "flavor": "f", "user_data": {
                "str_replace_strict": { "template": { "get_file": "data" }, "params": { "@@T@@": { "get_param": "token" } } } } } },
            "group": { "type": "OS::Heat::ResourceGroup", "properties": { "count": { "get_param": "count" },
                "resource_def": { "type": "member.yaml", "properties": { "name": "n-%index%" } } } },
        },
        "outputs": {
            "refs": { "value": { "get_attr": ["group", "refs_map"] } },
            "addresses": { "value": { "get_attr": ["group", "address"] } },
        },
    })
}

fn member() -> Value {
    json!({
        "heat_template_version": "2021-04-16",
        "parameters": { "name": { "type": "string" }, "worker": { "type": "string", "hidden": true } },
        "resources": { "kube-minion": { "type": "OS::Nova::Server", "properties": {
            "flavor": "f", "name": { "get_param": "name" }, "user_data": { "get_param": "worker" } } } },
        "outputs": { "address": { "value": { "get_resource": "kube-minion" } } },
    })
}

fn found(template: &Value, member: Value, parameters: Value, hidden: &[&str]) -> Vec<String> {
    let nested = BTreeMap::from([("member.yaml".to_owned(), member)]);
    check(&Submission {
        template,
        nested: &nested,
        files: BTreeSet::from(["data", "member.yaml"]),
        parameters: parameters.as_object().unwrap(),
        hidden: hidden.iter().copied().collect(),
    })
}

#[test]
fn a_right_submission_has_nothing_wrong() {
    assert_eq!(found(&template(), member(), json!({"count": 1}), &["token", "worker"]), [""; 0]);
}

#[test]
fn each_mistake_in_the_template_is_named() {
    let mistakes = [
        ("/heat_template_version", json!("2013-05-23"), "heat_template_version"),
        ("/condition", json!({}), "condition is not a section"),
        ("/conditions", json!({"old": {"equals": [1, 2]}}), "condition old is not contains"),
        ("/conditions", json!({"old": {"contains": [{"get_param": "who"}, []]}}), "unknown parameter \"who\""),
        ("/resources/net/properties/name", json!({"if": ["old", "a", "b"]}), "unknown condition \"old\""),
        ("/parameters/token/type", json!("text"), "token has no type"),
        ("/parameters/extra", json!({"type": "string", "default": ""}), "extra is not used"),
        ("/resources/net/type", json!("OS::Neutron::Network"), "unknown type"),
        ("/resources/net/metadata", json!({}), "unknown key metadata"),
        ("/resources/port/depends_on", json!(["router"]), "unknown resource \"router\""),
        ("/resources/net/properties/name", json!({"get_resource": "port"}), "wait for each other"),
        ("/resources/net/properties/name", json!({"get_params": "count"}), "unknown function get_params"),
        ("/resources/net/properties/name", json!({"get_param": "nobody"}), "unknown parameter \"nobody\""),
        ("/resources/net/properties/name", json!({"get_file": "nofile"}), "unknown file \"nofile\""),
        ("/resources/net/properties/name", json!({"get_attr": ["server", "x"]}), "unknown attribute \"x\""),
        ("/resources/port/properties/network", Value::Null, "lacks the property network"),
        ("/resources/group/properties/resource_def/type", json!("x.yaml"), "not a nested template"),
        ("/resources/group/properties/resource_def/properties/name", Value::Null, "does not give"),
        ("/resources/group/properties/resource_def/properties/other", json!(1), "unknown parameter other"),
        ("/resources/group/properties/resource_def/properties/worker", json!("s"), "hidden parameter worker into"),
        ("/outputs/leak", json!({"value": {"get_param": "token"}}), "shows the hidden parameter token"),
        ("/outputs/refs/value", Value::Null, "no value"),
    ];
    for (pointer, value, expected) in mistakes {
        let mut template = template();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = template.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        if value.is_null() {
            parent.remove(key);
        } else {
            parent.insert(key.to_owned(), value);
        }
        let found = found(&template, member(), json!({"count": 1}), &["token", "worker"]).join("\n");
        assert!(found.contains(expected), "{pointer}: {found:?} should say {expected:?}");
    }
}

#[test]
fn parameters_are_given_as_declared() {
    let cases = [
        (json!({}), &["token", "worker"][..], "parameter count is not given"),
        (json!({"count": 1, "token": "x"}), &["token", "worker"], "token is given in clear"),
        (json!({"count": 1, "other": 1}), &["token", "worker"], "other is given and not declared"),
        (json!({"count": 1}), &["worker"], "hidden parameter token is not given"),
        (json!({"count": 1}), &["token"], "hidden parameter worker is not given"),
        (json!({"count": 1}), &["token", "worker", "more"], "more is declared nowhere"),
    ];
    for (parameters, hidden, expected) in cases {
        let found = found(&template(), member(), parameters, hidden).join("\n");
        assert!(found.contains(expected), "{found:?} should say {expected:?}");
    }
}

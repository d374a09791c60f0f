//! A small model of Heat's template language, to refuse a template of ours before Heat does.
//!
//! It knows the sections, the functions and the resource types that our templates use. Property schemas are Heat's
//! own business; the tests meet them on a real one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// The template version that our templates are written in.
const VERSION: &str = "2021-04-16";

/// Functions in use; the value of each is checked further only where it names something.
const FUNCTIONS: &[&str] =
    &["get_attr", "get_file", "get_param", "get_resource", "if", "list_join", "str_replace", "str_replace_strict"];

/// Resource types in use, each with the properties Heat requires of it and the attributes that we read.
const TYPES: &[(&str, &[&str], &[&str])] = &[
    ("OS::Cinder::Volume", &["size"], &[]),
    ("OS::Heat::ResourceGroup", &["resource_def"], &["refs_map"]),
    ("OS::Neutron::FloatingIP", &["floating_network"], &["floating_ip_address"]),
    ("OS::Neutron::Net", &[], &[]),
    ("OS::Neutron::Port", &["network"], &["fixed_ips"]),
    ("OS::Neutron::Router", &[], &[]),
    ("OS::Neutron::RouterInterface", &["router", "subnet"], &[]),
    ("OS::Neutron::SecurityGroup", &[], &[]),
    ("OS::Neutron::Subnet", &["network"], &[]),
    ("OS::Nova::Server", &["flavor", "user_data"], &[]),
    ("OS::Nova::ServerGroup", &[], &[]),
    ("OS::Octavia::HealthMonitor", &["pool", "type", "delay", "timeout", "max_retries"], &[]),
    ("OS::Octavia::Listener", &["loadbalancer", "protocol", "protocol_port"], &[]),
    ("OS::Octavia::LoadBalancer", &["vip_subnet"], &["vip_address", "vip_port_id"]),
    ("OS::Octavia::Pool", &["protocol", "lb_algorithm"], &[]),
    ("OS::Octavia::PoolMember", &["pool", "address", "protocol_port"], &[]),
];

/// A template with all that is submitted beside it.
pub(crate) struct Submission<'a> {
    /// The top template.
    pub(crate) template: &'a Value,
    /// Nested templates by file name.
    pub(crate) nested: &'a BTreeMap<String, Value>,
    /// Names of all files, nested templates among them.
    pub(crate) files: BTreeSet<&'a str>,
    /// Parameters in clear.
    pub(crate) parameters: &'a Map<String, Value>,
    /// Names of the hidden parameters.
    pub(crate) hidden: BTreeSet<&'a str>,
}

/// Everything wrong with a submission; empty when Heat will understand it.
pub(crate) fn check(submission: &Submission<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut used_files = BTreeSet::new();
    let mut used_hidden = BTreeSet::new();
    let documents = submission.nested.iter().map(|(name, document)| (name.as_str(), document));
    for (name, document) in std::iter::once(("template", submission.template)).chain(documents) {
        let mut checker = Checker { name, document, submission, found: Vec::new(), files: BTreeSet::new() };
        checker.sections();
        checker.parameters(name == "template");
        checker.resources();
        checker.outputs();
        used_hidden.extend(hidden_of(document));
        used_files.extend(std::mem::take(&mut checker.files));
        found.append(&mut checker.found);
    }
    for file in submission.files.iter().filter(|file| !used_files.contains(**file)) {
        found.push(format!("file {file} is used by nothing"));
    }
    for name in submission.hidden.iter().filter(|name| !used_hidden.contains(**name)) {
        found.push(format!("hidden parameter {name} is declared nowhere"));
    }
    found
}

/// The parameters that a document declares hidden.
fn hidden_of(document: &Value) -> impl Iterator<Item = &str> {
    entries(document, "parameters").filter(|(_, schema)| schema["hidden"] == true).map(|(name, _)| name.as_str())
}

/// The entries of a section, none when it is absent.
fn entries<'a>(document: &'a Value, section: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    document.get(section).and_then(Value::as_object).into_iter().flatten()
}

struct Checker<'a> {
    name: &'a str,
    document: &'a Value,
    submission: &'a Submission<'a>,
    found: Vec<String>,
    files: BTreeSet<String>,
}

impl Checker<'_> {
    fn say(&mut self, text: &str) {
        self.found.push(format!("{}: {text}", self.name));
    }

    fn sections(&mut self) {
        if self.document["heat_template_version"] != VERSION {
            self.say(&format!("heat_template_version is not {VERSION}"));
        }
        let known = ["heat_template_version", "description", "parameters", "conditions", "resources", "outputs"];
        let sections: Vec<String> = self.document.as_object().into_iter().flatten().map(|(k, _)| k.clone()).collect();
        for section in sections.iter().filter(|section| !known.contains(&section.as_str())) {
            self.say(&format!("{section} is not a section"));
        }
        if entries(self.document, "resources").next().is_none() {
            self.say("there are no resources");
        }
    }

    /// Every parameter declared well, used, and given by exactly one of those who may give it.
    fn parameters(&mut self, top: bool) {
        let mut used = BTreeSet::new();
        collect(&self.document["resources"], "get_param", &mut used);
        collect(&self.document["outputs"], "get_param", &mut used);
        let document = self.document;
        for (name, condition) in entries(document, "conditions") {
            collect(condition, "get_param", &mut used);
            self.condition(name, condition);
        }
        for (name, schema) in entries(document, "parameters") {
            let hidden = schema["hidden"] == true;
            if !["string", "number", "json", "comma_delimited_list", "boolean"].iter().any(|t| schema["type"] == *t) {
                self.say(&format!("parameter {name} has no type"));
            }
            if !used.contains(name.as_str()) {
                self.say(&format!("parameter {name} is not used"));
            }
            if hidden && !self.submission.hidden.contains(name.as_str()) {
                self.say(&format!("hidden parameter {name} is not given"));
            }
            let given = self.submission.parameters.contains_key(name);
            if top && hidden && given {
                self.say(&format!("hidden parameter {name} is given in clear"));
            }
            if top && !hidden && !given && schema.get("default").is_none() {
                self.say(&format!("parameter {name} is not given"));
            }
        }
        if top {
            let parameters = self.submission.parameters;
            for name in parameters.keys().filter(|name| document["parameters"].get(*name).is_none()) {
                self.say(&format!("parameter {name} is given and not declared"));
            }
        }
    }

    fn resources(&mut self) {
        let document = self.document;
        for (name, resource) in entries(document, "resources") {
            let known = ["type", "properties", "depends_on", "update_policy"];
            for (key, _) in resource.as_object().into_iter().flatten().filter(|(key, _)| !known.contains(&key.as_str()))
            {
                self.say(&format!("resource {name} has the unknown key {key}"));
            }
            self.properties(name, resource);
            for dependency in resource.get("depends_on").and_then(Value::as_array).into_iter().flatten() {
                self.resource_exists(name, dependency);
            }
            self.walk(name, &resource["properties"]);
        }
        self.cycles();
    }

    /// The type is known and has what it requires; a nested template is given exactly its parameters.
    fn properties(&mut self, name: &str, resource: &Value) {
        let kind = resource["type"].as_str().unwrap_or_default();
        let properties = &resource["properties"];
        if let Some((_, required, _)) = TYPES.iter().find(|(known, _, _)| *known == kind) {
            for property in required.iter().filter(|property| properties.get(**property).is_none()) {
                self.say(&format!("resource {name} lacks the property {property}"));
            }
        } else {
            self.say(&format!("resource {name} has the unknown type {kind:?}"));
        }
        if let Some(member) = properties.get("resource_def") {
            self.member(name, member);
        }
    }

    fn member(&mut self, name: &str, member: &Value) {
        let file = member["type"].as_str().unwrap_or_default();
        let Some(nested) = self.submission.nested.get(file) else {
            self.say(&format!("resource {name} uses {file:?}, which is not a nested template"));
            return;
        };
        self.files.insert(file.to_owned());
        for (parameter, schema) in entries(nested, "parameters") {
            let given = member["properties"].get(parameter).is_some();
            if schema["hidden"] == true && given {
                self.say(&format!("resource {name} writes the hidden parameter {parameter} into a generated template"));
            }
            if schema["hidden"] != true && schema.get("default").is_none() && !given {
                self.say(&format!("resource {name} does not give {file} the parameter {parameter}"));
            }
        }
        for (property, _) in entries(member, "properties") {
            if nested["parameters"].get(property).is_none() {
                self.say(&format!("resource {name} gives {file} the unknown parameter {property}"));
            }
        }
    }

    fn outputs(&mut self) {
        let document = self.document;
        for (name, output) in entries(document, "outputs") {
            if output.get("value").is_none() {
                self.say(&format!("output {name} has no value"));
            }
            self.walk(&format!("output {name}"), &output["value"]);
            let mut used = BTreeSet::new();
            collect(output, "get_param", &mut used);
            for hidden in hidden_of(document).filter(|hidden| used.contains(hidden)) {
                self.say(&format!("output {name} shows the hidden parameter {hidden}"));
            }
        }
    }

    /// Every function in a value names something that exists.
    fn walk(&mut self, place: &str, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.walk(place, item)),
            Value::Object(map) => {
                if let Some((function, argument)) = single(map).filter(|(key, _)| is_function(key)) {
                    self.function(place, function, argument);
                }
                map.values().for_each(|item| self.walk(place, item));
            }
            _ => {}
        }
    }

    fn function(&mut self, place: &str, function: &str, argument: &Value) {
        let first = argument.get(0).unwrap_or(argument);
        match function {
            "get_resource" => self.resource_exists(place, argument),
            "get_attr" => {
                self.resource_exists(place, first);
                self.attribute_exists(place, first, argument.get(1));
            }
            "get_param" => {
                let name = first.as_str().unwrap_or_default();
                if self.document["parameters"].get(name).is_none() {
                    self.say(&format!("{place} names the unknown parameter {name:?}"));
                }
            }
            "get_file" => {
                let name = argument.as_str().unwrap_or_default();
                self.files.insert(name.to_owned());
                if !self.submission.files.contains(name) {
                    self.say(&format!("{place} names the unknown file {name:?}"));
                }
            }
            "if" => {
                let name = first.as_str().unwrap_or_default();
                if self.document["conditions"].get(name).is_none() {
                    self.say(&format!("{place} names the unknown condition {name:?}"));
                }
                if argument.as_array().is_none_or(|arguments| arguments.len() != 3) {
                    self.say(&format!("{place} has an if without its two values"));
                }
            }
            known if FUNCTIONS.contains(&known) => {}
            unknown => self.say(&format!("{place} calls the unknown function {unknown}")),
        }
    }

    /// A condition of the only kind in use: whether a list has an entry, both of parameters.
    fn condition(&mut self, name: &str, condition: &Value) {
        let operands = condition["contains"].as_array().map(Vec::as_slice).unwrap_or_default();
        if operands.len() != 2 {
            self.say(&format!("condition {name} is not contains with an entry and a list"));
        }
        operands.iter().for_each(|operand| self.walk(&format!("condition {name}"), operand));
    }

    fn resource_exists(&mut self, place: &str, name: &Value) {
        let name = name.as_str().unwrap_or_default();
        if self.document["resources"].get(name).is_none() {
            self.say(&format!("{place} names the unknown resource {name:?}"));
        }
    }

    fn attribute_exists(&mut self, place: &str, resource: &Value, attribute: Option<&Value>) {
        let resource = &self.document["resources"][resource.as_str().unwrap_or_default()];
        let attribute = attribute.and_then(Value::as_str).unwrap_or_default();
        let kind = resource["type"].as_str().unwrap_or_default();
        let known = TYPES.iter().any(|(name, _, attributes)| *name == kind && attributes.contains(&attribute));
        let member = resource["properties"]["resource_def"]["type"].as_str().unwrap_or_default();
        let exported =
            self.submission.nested.get(member).is_some_and(|nested| nested["outputs"].get(attribute).is_some());
        if !known && !exported {
            self.say(&format!("{place} reads the unknown attribute {attribute:?} of {kind}"));
        }
    }

    /// No resource waits for itself.
    fn cycles(&mut self) {
        let mut waits: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, resource) in entries(self.document, "resources") {
            let mut on = BTreeSet::new();
            collect(&resource["properties"], "get_resource", &mut on);
            collect(&resource["properties"], "get_attr", &mut on);
            on.extend(resource["depends_on"].as_array().into_iter().flatten().filter_map(Value::as_str));
            waits.insert(name, on);
        }
        while let Some(free) = waits.iter().find(|(_, on)| on.iter().all(|name| !waits.contains_key(name))) {
            let free = *free.0;
            waits.remove(free);
        }
        if !waits.is_empty() {
            let names: Vec<&str> = waits.into_keys().collect();
            self.say(&format!("these resources wait for each other: {}", names.join(", ")));
        }
    }
}

/// The only entry of a map that has one.
fn single(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    (map.len() == 1).then(|| map.iter().next())?.map(|(key, value)| (key.as_str(), value))
}

/// Whether a map's only key is, or looks like, a function.
fn is_function(key: &str) -> bool {
    FUNCTIONS.contains(&key) || key.starts_with("get_") || key.starts_with("str_") || key.starts_with("Fn::")
}

/// The first argument of every call of a function.
fn collect<'a>(value: &'a Value, function: &str, names: &mut BTreeSet<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, function, names)),
        Value::Object(map) => {
            for (key, item) in map {
                if key == function {
                    names.extend(item.get(0).unwrap_or(item).as_str());
                }
                collect(item, function, names);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[path = "hot_tests.rs"]
mod tests;

//! What the tests of all drivers read from a stack.

use drivers::Stack;
use serde_json::Value;

/// The rules of its security groups, each as `group protocol first-last sender`.
pub(crate) fn rules(stack: &Stack) -> Vec<String> {
    let resources = stack.template["resources"].as_object().unwrap();
    let groups = resources.iter().filter(|(_, resource)| resource["type"] == "OS::Neutron::SecurityGroup");
    groups
        .flat_map(|(name, group)| {
            let rules = group["properties"]["rules"].as_array().into_iter().flatten();
            rules.map(|rule| line(name.trim_start_matches("secgroup_"), rule))
        })
        .collect()
}

fn line(group: &str, rule: &Value) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let member = || text(&rule["remote_group_id"]["get_resource"]);
    let sender = match rule["remote_mode"].as_str() {
        Some(_) => member().map_or(group.to_owned(), |name| name.trim_start_matches("secgroup_").to_owned()),
        None => text(&rule["remote_ip_prefix"]).unwrap(),
    };
    let protocol = text(&rule["protocol"]).unwrap_or_else(|| "any".to_owned());
    format!("{group} {protocol} {}-{} {sender}", rule["port_range_min"], rule["port_range_max"])
}

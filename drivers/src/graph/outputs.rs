//! What the outputs of a stack say.

use serde_json::Value;

use crate::{Addresses, Outputs, RenderError};

/// What users and nodes reach; `scheme` and `port` are those of the API's URL, where no output says the port.
pub(crate) fn addresses(outputs: &Outputs, scheme: &str, port: u64) -> Addresses {
    let port = outputs.get("api_port").and_then(number).unwrap_or(port);
    let url = |name: &str| {
        let address = outputs.get(name).and_then(Value::as_str).filter(|address| !address.is_empty())?;
        let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        Some(format!("{scheme}://{host}:{port}"))
    };
    let list = |name: &str| {
        let items = outputs.get(name).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    Addresses {
        api_address: url("api_address"),
        api_private_address: url("api_private_address"),
        master_addresses: list("master_addresses"),
        node_addresses: list("node_addresses"),
    }
}

/// A number that may have become text on its way through Heat.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// What a nodegroup's stack takes from the outputs of its cluster's.
pub(super) struct Given {
    pub(super) network: String,
    pub(super) subnet: String,
    /// Separated by commas.
    pub(super) security_groups: String,
    pub(super) api_private_address: String,
    pub(super) master_addresses: String,
}

/// Reads it.
///
/// # Errors
/// An output that is not there; `template` is the one that needs it.
pub(super) fn given(template: &str, outputs: &Outputs) -> Result<Given, RenderError> {
    let missing = |name: &str| RenderError::Document {
        name: template.to_owned(),
        cause: format!("the cluster's stack has no output {name}"),
    };
    let text = |name: &str| {
        let text = outputs.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| missing(name))
    };
    let masters = outputs.get("master_addresses_private").and_then(Value::as_array);
    let masters: Vec<_> = masters.into_iter().flatten().filter_map(Value::as_str).collect();
    if masters.is_empty() {
        return Err(missing("master_addresses_private"));
    }
    Ok(Given {
        network: text("network_id")?,
        subnet: text("subnet_id")?,
        security_groups: format!("{},{}", text("secgroup_node_id")?, text("secgroup_worker_id")?),
        api_private_address: text("api_private_address")?,
        master_addresses: masters.join(","),
    })
}

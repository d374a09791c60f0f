//! The settings that node scripts read: `/etc/jeroboam/node.env`, one `KEY='value'` a line, no secrets.
//!
//! What only Heat knows stands as a marker, `@@NAME@@`, which Heat replaces. No other value may hold two at signs.

use super::{Node, Own};
use crate::{RenderError, Role, label};

/// Where the endpoint's authority is put on nodes.
pub(super) const API_CA_FILE: &str = "/etc/jeroboam/api-ca.pem";

/// The file itself.
pub(super) const FILE: &str = "/etc/jeroboam/node.env";

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Setting {
    /// Ours or the user's.
    Given(String),
    /// With markers in it, for Heat to replace.
    ForHeat(String),
}

impl Node<'_> {
    /// The file's text: what all nodes are told, and what the COE tells its own.
    ///
    /// # Errors
    /// A value that could end its line or be taken for a marker; [`crate::Driver::check`] refuses those of users before.
    pub(super) fn text(&self, own: &Own) -> Result<String, RenderError> {
        let settings = self.identity().into_iter().chain(self.addresses(own));
        let own_settings = own.settings.iter().map(|(key, setting)| ((*key).to_owned(), setting.clone()));
        let all = settings.chain(own_settings).chain(self.ways_out(own));
        all.map(|(key, setting)| line(&key, &setting)).collect()
    }

    /// The identifier of the volume for a master's state, which stands for the marker.
    pub(crate) fn state_volume(&self, marker: &str) -> Setting {
        volume(self.group.role == Role::Master && self.state_volume, marker)
    }

    /// The identifier of the container volume.
    pub(crate) fn runtime_volume(&self) -> Setting {
        volume(self.runtime_volume, "@@RUNTIME_VOLUME@@")
    }

    fn identity(&self) -> Vec<(String, Setting)> {
        let (spec, role) = (self.spec, self.group.role);
        let ca = spec.api_ca.as_ref().map_or("", |_| API_CA_FILE);
        let labels: Vec<String> = self.group.node_labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let all = [
            ("CLUSTER_UUID", given(&spec.uuid)),
            ("CLUSTER_NAME", given(&spec.desired.name)),
            ("NODE_ROLE", given(role)),
            ("NODE_INDEX", heat("@@NODE_INDEX@@")),
            ("NODE_NAME", heat("@@NODE_NAME@@")),
            ("NODE_ADDRESS", heat("@@NODE_ADDRESS@@")),
            ("NODEGROUP_NAME", given(&self.group.name)),
            ("NODEGROUP_UUID", given(&self.group.uuid)),
            ("NODEGROUP_ROLE", given(&self.group.role_name)),
            ("NODE_LABELS", given(labels.join(","))),
            ("NODE_TAINTS", given(self.group.node_taints.join(","))),
            ("NODE_REPORTS", given(spec.node_reports)),
            ("API_URL", given(&spec.api_url)),
            ("API_CA_FILE", given(ca)),
            ("OS_DISTRO", given(&spec.desired.os_distro)),
        ];
        all.into_iter().map(|(key, setting)| (key.to_owned(), setting)).collect()
    }

    fn addresses(&self, own: &Own) -> Vec<(String, Setting)> {
        let spec = self.spec;
        let names: Vec<String> = (0..spec.masters.count).map(|index| spec.node_name(&spec.masters, index)).collect();
        let master = self.group.role == Role::Master;
        let api = |key: &str| format!("{}_API_{key}", self.prefix);
        vec![
            ("MASTER_NAMES".to_owned(), given(names.join(","))),
            ("MASTER_ADDRESSES".to_owned(), heat("@@MASTER_ADDRESSES@@")),
            (api("ADDRESS"), heat(&format!("@@{}@@", api("ADDRESS")))),
            (api("PORT"), given(self.api_port)),
            (api("SANS"), if master { heat(&self.alternative_names(own)) } else { given("") }),
        ]
    }

    /// What the API is reached by besides the addresses and names that every API server has.
    fn alternative_names(&self, own: &Own) -> String {
        let mut names = vec![format!("IP:@@{}_API_ADDRESS@@", self.prefix)];
        if self.api_floating {
            names.push(format!("IP:@@{}_API_FLOATING_ADDRESS@@", self.prefix));
        }
        if self.spec.desired.floating_ip_enabled {
            names.push("IP:@@NODE_FLOATING_ADDRESS@@".to_owned());
        }
        names.extend(own.alternative_names.iter().cloned());
        names.join(",")
    }

    /// Registries and proxies.
    fn ways_out(&self, own: &Own) -> Vec<(String, Setting)> {
        let desired = &self.spec.desired;
        let text = |value: &Option<String>| given(value.as_deref().unwrap_or_default());
        vec![
            ("INSECURE_REGISTRY".to_owned(), text(&desired.insecure_registry)),
            ("HTTP_PROXY".to_owned(), text(&desired.http_proxy)),
            ("HTTPS_PROXY".to_owned(), text(&desired.https_proxy)),
            ("NO_PROXY".to_owned(), self.no_proxy(own)),
        ]
    }

    /// Where no proxy is in the way: what was given, and all of the cluster itself.
    fn no_proxy(&self, own: &Own) -> Setting {
        let desired = &self.spec.desired;
        if [&desired.http_proxy, &desired.https_proxy]
            .iter()
            .all(|proxy| proxy.as_deref().unwrap_or_default().is_empty())
        {
            return given("");
        }
        let mut names: Vec<String> =
            desired.no_proxy.iter().flat_map(|given| label::list(given)).map(str::to_owned).collect();
        names.extend(["localhost", "127.0.0.1", "169.254.169.254"].map(str::to_owned));
        names.push(format!("@@{}_API_ADDRESS@@", self.prefix));
        names.extend(own.domains.iter().cloned());
        names.push(self.subnet_cidr.clone());
        names.extend(own.networks.iter().cloned());
        names.retain(|name| !name.is_empty());
        heat(&names.join(","))
    }
}

fn volume(there: bool, marker: &str) -> Setting {
    if there { heat(marker) } else { given("") }
}

/// A value of ours or the user's.
pub(crate) fn given(value: impl ToString) -> Setting {
    Setting::Given(value.to_string())
}

/// A value with markers in it.
fn heat(value: &str) -> Setting {
    Setting::ForHeat(value.to_owned())
}

/// One line of the file, in the shell's single quotes.
fn line(key: &str, setting: &Setting) -> Result<String, RenderError> {
    let (value, marked) = match setting {
        Setting::Given(value) => (value, false),
        Setting::ForHeat(value) => (value, true),
    };
    if value.chars().any(char::is_control) || (!marked && value.contains("@@")) {
        let cause = format!("{key} is {value:?}: text on one line without @@ is wanted");
        return Err(RenderError::Document { name: FILE.to_owned(), cause });
    }
    Ok(format!("{key}='{}'\n", value.replace('\'', "'\\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_quotes_or_its_line() {
        assert_eq!(line("A", &given("it's $(id) `id` \\")).unwrap(), "A='it'\\''s $(id) `id` \\'\n");
        assert!(line("A", &given("one\ntwo")).is_err());
        assert!(line("A", &given("@@BOOTSTRAP_TOKEN@@")).is_err());
        assert_eq!(line("A", &heat("@@NODE_NAME@@")).unwrap(), "A='@@NODE_NAME@@'\n");
    }
}

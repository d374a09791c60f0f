//! What a driver gives back: the stack to submit, what its outputs mean, what nodes may have signed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A Heat stack, ready to be submitted as JSON.
#[derive(Clone, PartialEq)]
pub struct Stack {
    /// The HOT document.
    pub template: Value,
    /// Nested templates (as JSON text) and user data, by the name that `type:` or `get_file` uses.
    pub files: BTreeMap<String, String>,
    /// Parameters that anyone who may read the stack may see.
    pub parameters: Map<String, Value>,
    /// Parameters declared `hidden: true`; never logged, printed or kept in clear.
    ///
    /// Those that the top template does not declare are read by nested templates only: see [`Stack::environment`].
    pub hidden: BTreeMap<String, String>,
    /// Minutes Heat may take; absent means Heat's default.
    pub timeout_mins: Option<u32>,
}

impl Stack {
    /// The environment to submit to Heat, secrets in it: never log, print or keep it in clear.
    ///
    /// A hidden parameter of the top template goes into `parameters`: Heat masks it everywhere. One that only a nested
    /// template declares goes into `parameter_defaults`, from where Heat hands it down, and a new value does not touch
    /// the members that are there. Heat 27 still writes such a default into the stored template of each member, where
    /// readers of the project may find it (as they would in the group's template, were it passed as a property):
    /// these secrets must be short-lived.
    #[must_use]
    pub fn environment(&self) -> Value {
        let top = |name: &str| self.template["parameters"].get(name).is_some();
        let (own, handed_down): (Vec<_>, Vec<_>) = self.hidden.iter().partition(|(name, _)| top(name));
        let text = |(name, value): (&String, &String)| (name.clone(), Value::from(value.as_str()));
        let mut parameters = self.parameters.clone();
        parameters.extend(own.into_iter().map(text));
        let defaults: Map<String, Value> = handed_down.into_iter().map(text).collect();
        serde_json::json!({ "parameters": parameters, "parameter_defaults": defaults })
    }
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stack").field("parameters", &self.parameters).finish_non_exhaustive()
    }
}

/// One thing wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The field, as the API names it: `master_count`, `labels.kube_tag`.
    pub field: String,
    /// The value that was given.
    pub value: String,
    /// What is allowed, as a sentence part: `an odd number from 1 to 7`.
    pub allowed: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is {:?}; allowed: {}", self.field, self.value, self.allowed)
    }
}

/// A stack's outputs, `output_key` to `output_value`.
pub type Outputs = BTreeMap<String, Value>;

/// What users and nodes reach once the stack is complete.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// The COE's API as a URL, as `https://10.0.0.1:6443`.
    pub api_address: Option<String>,
    /// The API as nodes of the cluster reach it, as a URL.
    pub api_private_address: Option<String>,
    /// Addresses of the control plane nodes.
    pub master_addresses: Vec<String>,
    /// Addresses of the workers.
    pub node_addresses: Vec<String>,
}

/// What changes the number of workers in a stack that exists.
#[derive(Clone, PartialEq)]
pub struct Scale {
    /// Parameters of the top template.
    pub parameters: Map<String, Value>,
    /// Secrets for new members, handed down as `parameter_defaults`; never logged, printed or kept in clear.
    pub hidden: BTreeMap<String, String>,
}

impl std::fmt::Debug for Scale {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scale").field("parameters", &self.parameters).finish_non_exhaustive()
    }
}

/// Which of a cluster's three authorities signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ca {
    /// The COE's own authority, `kubernetes` on the wire.
    Kubernetes,
    /// The authority of etcd.
    Etcd,
    /// The authority of the API aggregation layer.
    FrontProxy,
}

impl Ca {
    /// The value of `ca_cert_type` on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Etcd => "etcd",
            Self::FrontProxy => "front-proxy",
        }
    }
}

/// What a certificate is for; decides key usage and extended key usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Usage {
    /// TLS server.
    Server,
    /// TLS client.
    Client,
    /// Both ends.
    Both,
}

/// A certificate that a node may have signed with its bootstrap token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// The certificate's name, unique within a role, as `apiserver`.
    pub name: &'static str,
    /// Who signs it.
    pub ca: Ca,
    /// Common name; `{node}` stands for the node's own name.
    pub common_name: &'static str,
    /// Organisation, when the certificate must carry one.
    pub organization: Option<&'static str>,
    /// What it may be used for.
    pub usage: Usage,
    /// Whether it may carry subject alternative names (of the node and, on masters, of the API).
    pub alternative_names: bool,
}

/// A template of ours that does not render.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// Tera refused the template.
    #[error("template {name} does not render: {cause}")]
    Template {
        /// Its path below `templates/`.
        name: String,
        /// Tera's report.
        cause: String,
    },
    /// The request was not checked before: it cannot be built.
    #[error("the cluster cannot be built: {}", problems(.0))]
    Refused(Vec<Problem>),
    /// The rendered text is not the document it should be.
    #[error("template {name} rendered to an invalid document: {cause}")]
    Document {
        /// Its path below `templates/`.
        name: String,
        /// What is wrong.
        cause: String,
    },
}

/// Problems in one line.
fn problems(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
}

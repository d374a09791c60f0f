//! Why an operation failed, in terms its reader can act on (architecture: every failure is explained).

use serde::{Deserialize, Serialize};

/// A kind of failure; each has a text of help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// A resource of the stack failed in Heat.
    StackFailed,
    /// A node reported that one of its steps failed.
    NodeFailed,
    /// A node did not do in time what it was told.
    NodeSilent,
    /// The operation's time ran out.
    TimedOut,
    /// Heat, Keystone or another service refused for lack of rights.
    NotAuthorized,
    /// The requester's token expired before it was used.
    TokenExpired,
    /// The cloud's quota does not hold the cluster.
    CloudQuota,
    /// A stack of the cluster's name exists and is not the cluster's.
    NameTaken,
    /// A service refused the request as wrong.
    Refused,
    /// What the operation worked on is gone.
    Vanished,
    /// A defect or a broken installation.
    Internal,
}

/// Whose problem a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    /// The user can change the request.
    User,
    /// The operator of this service must act.
    Operator,
    /// The cloud is short of something or broken.
    Cloud,
}

/// The resource in which a stack failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Its path in the stack, as `kube_minions/0/kube-minion`.
    pub path: String,
    /// Its type, as `OS::Nova::Server`.
    pub kind: String,
    /// Its identifier at its service, when it got one.
    pub physical_id: Option<String>,
}

/// Why an operation failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What kind of failure.
    pub code: Code,
    /// Whose problem it is.
    pub whose: Whose,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// The first cause, as users read it; holds no secret.
    pub message: String,
    /// Where in the stack.
    pub resource: Option<Resource>,
    /// The end of the log of what failed, oldest line first; holds no secret.
    #[serde(default)]
    pub log: Vec<String>,
}

impl Code {
    /// The code as written in records and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StackFailed => "stack-failed",
            Self::NodeFailed => "node-failed",
            Self::NodeSilent => "node-silent",
            Self::TimedOut => "timed-out",
            Self::NotAuthorized => "not-authorized",
            Self::TokenExpired => "token-expired",
            Self::CloudQuota => "cloud-quota",
            Self::NameTaken => "name-taken",
            Self::Refused => "refused",
            Self::Vanished => "vanished",
            Self::Internal => "internal",
        }
    }

    /// What helps, in one sentence.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::StackFailed => {
                "Read the named resource's error; `openstack stack failures list` shows it in Heat's words."
            }
            Self::NodeFailed => "The named step failed on the node; its last log lines are in `faults`.",
            Self::NodeSilent => {
                "Look at `journalctl -u jeroboam-orders` on the named nodes, or replace them, and ask again."
            }
            Self::TimedOut => "Raise create_timeout, or look at the console log of the nodes that never reported.",
            Self::NotAuthorized => "The operator must give the service's user the role `member` on this project.",
            Self::TokenExpired => "Send the request again with a fresh token.",
            Self::CloudQuota => "Free resources, ask for a larger quota, or ask for a smaller cluster.",
            Self::NameTaken => "Rename or delete the stack of that name.",
            Self::Refused => "The service's own words say what is wrong with the request.",
            Self::Vanished => {
                "What it belonged to cannot be changed any more: delete that, the nodegroup or the cluster."
            }
            Self::Internal => "The service's log names the cause under the operation's request id.",
        }
    }

    fn whose(self) -> Whose {
        match self {
            Self::StackFailed | Self::CloudQuota => Whose::Cloud,
            Self::NotAuthorized | Self::Internal => Whose::Operator,
            _ => Whose::User,
        }
    }

    fn retryable(self) -> bool {
        matches!(self, Self::StackFailed | Self::NodeSilent | Self::TimedOut | Self::TokenExpired | Self::CloudQuota)
    }
}

impl Fault {
    /// A failure of that kind with the words of its first cause.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            whose: code.whose(),
            retryable: code.retryable(),
            message: message.into(),
            resource: None,
            log: Vec::new(),
        }
    }

    /// The failure on an operation's record.
    #[must_use]
    pub fn of(operation: &super::Operation) -> Self {
        let recorded = operation.fault.clone().and_then(|fault| serde_json::from_value(fault).ok());
        recorded.unwrap_or_else(|| Self::new(Code::Internal, "The cause was not recorded"))
    }

    /// Adds a sentence to the words of the cause.
    pub(crate) fn add(&mut self, sentence: &str) {
        self.message = format!("{}. {sentence}", self.message.trim_end_matches('.'));
    }

    /// Adds where in the stack it happened.
    #[must_use]
    pub fn at(mut self, resource: Resource) -> Self {
        self.resource = Some(resource);
        self
    }

    /// Adds the end of the log of what failed.
    #[must_use]
    pub fn with_log(mut self, log: Vec<String>) -> Self {
        self.log = log;
        self
    }

    /// The text for `faults`: the reason, and below it the log.
    #[must_use]
    pub fn details(&self) -> String {
        std::iter::once(&self.reason()).chain(&self.log).map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// The text for `status_reason`: the cause, where, and what helps.
    #[must_use]
    pub fn reason(&self) -> String {
        let place = match &self.resource {
            Some(Resource { path, kind, physical_id: Some(id) }) => format!("{kind} {path} ({id}): "),
            Some(Resource { path, kind, physical_id: None }) => format!("{kind} {path}: "),
            None => String::new(),
        };
        let message = self.message.trim_end_matches('.');
        format!("{place}{message}. {} [{}]", self.code.hint(), self.code.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_names_place_cause_help_and_code() {
        let fault = Fault::new(Code::StackFailed, "No valid host was found.").at(Resource {
            path: "kube_minions/0/kube-minion".into(),
            kind: "OS::Nova::Server".into(),
            physical_id: None,
        });
        assert_eq!(
            fault.reason(),
            "OS::Nova::Server kube_minions/0/kube-minion: No valid host was found. Read the named resource's error; \
             `openstack stack failures list` shows it in Heat's words. [stack-failed]"
        );
        assert_eq!(fault.details(), fault.reason());
        let reason = fault.reason();
        assert_eq!(fault.with_log(vec!["one".into(), "two".into()]).details(), format!("{reason}\none\ntwo"));
    }
}

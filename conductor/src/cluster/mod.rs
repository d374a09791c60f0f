//! Clusters: the rows and where their lives stand.

pub(crate) mod authority;
mod balancers;
mod carried;
pub(crate) mod change;
mod choice;
mod coe;
pub mod create;
pub(crate) mod credential;
mod delegate;
pub mod delete;
pub(crate) mod facts;
mod finish;
pub mod gate;
pub(crate) mod labels;
pub(crate) mod leaving;
pub(crate) mod members;
pub mod name;
pub(crate) mod progress;
pub mod resize;
pub mod rotate_authorities;
pub mod rotate_credential;
pub(crate) mod row;
pub mod spare;
pub(crate) mod spec;
mod status;
pub mod store;
pub(crate) mod submit;
pub mod update;
pub mod upgrade;

pub use create::{Request, create};
pub use delegate::recognise;
pub use delete::delete;
pub(crate) use finish::settle_failed;
pub use finish::{Ending, close};
pub use resize::resize;
pub use rotate_authorities::rotate_authorities;
pub use rotate_credential::rotate_credential;
pub use row::Model as Cluster;
pub use spec::render;
pub use status::{Action, HealthStatus, Owner, Status};
pub(crate) use submit::{handed_over, nodes_report};
pub use update::update;

use crate::column::StringMap;
use crate::nodegroup::Nodegroup;
use crate::operation::store::NewOperation;

/// A cluster with what it is shown with.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The cluster.
    pub cluster: Cluster,
    /// All its nodegroups, in the order in which they were made.
    pub nodegroups: Vec<Nodegroup>,
    /// Its template's labels as they are now.
    pub template_labels: StringMap,
}

/// A cluster to make.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCluster {
    /// The cluster.
    pub cluster: Cluster,
    /// The nodegroups that come with it.
    pub nodegroups: Vec<Nodegroup>,
    /// The operation that makes it.
    pub operation: NewOperation,
    /// How many clusters its project may have, unless the project has a quota of its own.
    pub quota: i32,
}

/// What of a cluster changes; nothing leaves a column as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// UUID of its template, after an upgrade.
    pub cluster_template_id: Option<String>,
    /// UUID of the template that it is being upgraded to.
    pub next_template_id: Option<Option<String>>,
    /// The keypair's public key.
    pub ssh_public_key: Option<Option<String>>,
    /// Labels.
    pub labels: Option<StringMap>,
    /// Where its life stands.
    pub status: Option<Status>,
    /// Why, for people.
    pub status_reason: Option<Option<String>>,
    /// Whether the COE works.
    pub health_status: Option<Option<HealthStatus>>,
    /// What was found.
    pub health_status_reason: Option<StringMap>,
    /// The COE's API as a URL.
    pub api_address: Option<Option<String>>,
    /// Version of the COE.
    pub coe_version: Option<Option<String>>,
    /// Version of the container runtime.
    pub container_version: Option<Option<String>>,
    /// Heat's identifier of the stack.
    pub stack_id: Option<Option<String>>,
    /// The stack's name.
    pub stack_name: Option<Option<String>>,
    /// Who owns the stack.
    pub act_as: Option<Option<Owner>>,
    /// Keystone's identifier of our trust.
    pub trust_id: Option<Option<String>>,
    /// Keystone's identifier of the trustee.
    pub trustee_user_id: Option<Option<String>>,
    /// The trustee's name.
    pub trustee_username: Option<Option<String>>,
    /// The trustee's password, sealed.
    pub trustee_password: Option<Option<Vec<u8>>>,
    /// Keystone's identifier of the application credential inside the cluster.
    pub credential_id: Option<Option<String>>,
    /// That credential's secret, sealed.
    pub credential_secret: Option<Option<Vec<u8>>>,
    /// The facts looked up for the driver.
    pub spec: Option<Option<serde_json::Value>>,
}

//! What a node finds at its first boot: settings, certificates to ask for, scripts and the unit that runs them.

mod environment;
mod first_boot;
mod user_data;

use crate::{ClusterSpec, NodegroupSpec};

pub(crate) use self::environment::{Setting, given};
#[cfg(test)]
pub(crate) use self::first_boot::certificate_list;

/// What decides the settings of a node.
pub(crate) struct Node<'a> {
    pub(crate) spec: &'a ClusterSpec,
    pub(crate) group: &'a NodegroupSpec,
    /// What settings about the API start with.
    pub(crate) prefix: &'static str,
    pub(crate) api_port: u16,
    /// The range of the subnet that nodes are in.
    pub(crate) subnet_cidr: String,
    /// Whether the API has a floating IP of its own.
    pub(crate) api_floating: bool,
    /// Whether masters have a volume for their state.
    pub(crate) state_volume: bool,
    /// Whether nodes of the group have a container volume.
    pub(crate) runtime_volume: bool,
    /// Whether it takes the place of a master that others know.
    pub(crate) rejoins: bool,
}

/// What a COE tells a node besides what all nodes are told.
#[derive(Debug, Default)]
pub(crate) struct Own {
    /// Settings, in the order in which they are written.
    pub(crate) settings: Vec<(&'static str, Setting)>,
    /// By what else the API is reached, as `DNS:api.example.org`.
    pub(crate) alternative_names: Vec<String>,
    /// Domains that are reached without a proxy.
    pub(crate) domains: Vec<String>,
    /// Networks that are reached without a proxy.
    pub(crate) networks: Vec<String>,
    /// More files, by path; they hold no markers and anyone may read them.
    pub(crate) files: Vec<(String, &'static str)>,
}

//! How a cluster's health is found out, as data: the conductor does the asking.

/// Whom the conductor asks about a cluster, and tells which nodes leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Nobody: somebody inside the cluster may tell.
    Unasked,
    /// Kubernetes' API server, and only for the nodes of the control plane: whether the cluster works, somebody inside may
    /// tell.
    Kubernetes,
    /// Docker's API at the cluster's `api_address` and its managers' own; with the conductor's client certificate, unless
    /// the cluster has no TLS.
    Docker,
    /// The masters of Mesos, at the cluster's `api_address` and their own; with the conductor's client certificate, unless
    /// the cluster has no TLS.
    Mesos,
}

impl Health {
    /// Whether the conductor asks again and again whether the cluster works.
    #[must_use]
    pub fn is_watched(self) -> bool {
        matches!(self, Self::Docker | Self::Mesos)
    }

    /// Whether it says how many tasks run on which node, by which those that leave are chosen.
    #[must_use]
    pub fn counts_tasks(self) -> bool {
        self == Self::Mesos
    }
}

/// A service beside the API that answers a `GET` with 200 where all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// What answers there, as users read it: `marathon`.
    pub name: &'static str,
    /// Port, at the addresses of the API and of the masters.
    pub port: u16,
    /// Path, from its slash.
    pub path: &'static str,
}

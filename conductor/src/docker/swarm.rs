//! A Swarm through whichever of its managers answers.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{
    Node, NodeSpec, NodeSpecAvailabilityEnum as Availability, NodeSpecRoleEnum as Role, NodeState, Reachability,
    TaskState,
};
use bollard::query_parameters::{DeleteNodeOptions, ListTasksOptions, UpdateNodeOptions};

use super::Docker;
use crate::link::{self, Endpoint, Fault, Identity, shown};

/// Addresses asked until one answers: the API's, and those of as many managers as a Swarm may have.
const MANAGERS: usize = 8;
/// How much earlier each is asked than the next.
const HEAD_START: Duration = Duration::from_secs(1);
/// Tries of a change that another one got ahead of.
const TRIES: u32 = 5;
/// How long a demoted manager has to leave the managers' quorum.
const DEMOTION: Duration = Duration::from_secs(10);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// What the API says when another change of the same node came first.
const OUT_OF_SEQUENCE: &str = "update out of sequence";

/// A Swarm, seen from a manager that answers.
pub(crate) struct Swarm {
    docker: Docker,
    members: Vec<Member>,
}

/// A node as the Swarm knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    id: String,
    /// The machine's name.
    pub(crate) name: String,
    /// Whether it takes part in running things.
    pub(crate) ready: bool,
    /// Whether it is a manager, and then whether the others reach it.
    pub(crate) manager: Option<bool>,
    /// Whether it runs things.
    availability: Availability,
}

impl Member {
    /// As unit tests need one.
    #[cfg(test)]
    pub(crate) fn sample(name: &str, ready: bool, manager: Option<bool>) -> Self {
        Self { id: name.to_owned(), name: name.to_owned(), ready, manager, availability: Availability::ACTIVE }
    }

    fn of(node: Node) -> Option<Self> {
        let spec = node.spec.unwrap_or_default();
        let reachable = |status: bollard::models::ManagerStatus| status.reachability == Some(Reachability::REACHABLE);
        Some(Self {
            id: node.id?,
            name: shown(&node.description.and_then(|about| about.hostname).unwrap_or_default()),
            ready: node.status.and_then(|status| status.state) == Some(NodeState::READY),
            manager: match node.manager_status {
                Some(status) => Some(reachable(status)),
                None if spec.role == Some(Role::MANAGER) => Some(false),
                None => None,
            },
            availability: spec.availability.unwrap_or(Availability::ACTIVE),
        })
    }

    /// What its owner lets it run: `active`, `pause` or `drain`.
    pub(crate) fn availability(&self) -> String {
        self.availability.to_string()
    }

    fn is_drained(&self) -> bool {
        self.availability == Availability::DRAIN
    }
}

impl Swarm {
    /// The Swarm at whichever of these managers answers first; each is asked a little later than the one before it.
    /// Without an identity, which is for clusters without TLS, whoever answers is believed.
    ///
    /// # Errors
    /// None does: what one refused with, else why the first cannot be reached.
    pub(crate) async fn reach(
        managers: &[Endpoint],
        identity: Option<&Identity>,
        deadline: Duration,
    ) -> Result<Self, Fault> {
        let managers = managers.iter().take(MANAGERS).cloned();
        link::first(managers, HEAD_START, |endpoint| Self::at(endpoint, identity.cloned(), deadline)).await
    }

    async fn at(endpoint: Endpoint, identity: Option<Identity>, deadline: Duration) -> Result<Self, Fault> {
        let docker = Docker::at(endpoint, identity, deadline)?;
        let nodes = docker.call(docker.api.list_nodes(None)).await?;
        Ok(Self { docker, members: nodes.into_iter().filter_map(Member::of).collect() })
    }

    /// Its nodes as they were when it was reached.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(crate) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Member> {
        self.members.iter().filter(move |member| member.name == name)
    }

    /// Has the node of that name give up what it runs. True when nothing runs on it any more, or there is none.
    ///
    /// # Errors
    /// The API refuses, or is away.
    pub(crate) async fn drain(&self, name: &str) -> Result<bool, Fault> {
        for member in self.named(name) {
            if !member.is_drained() {
                self.change(&member.id, |spec| spec.availability = Some(Availability::DRAIN)).await?;
            }
            // What runs on a machine that is away can not be waited for.
            if member.ready && self.is_busy(&member.id).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Gives the node of that name the availability that it had before it was drained; none, or one that its owner has
    /// changed since, is fine.
    ///
    /// # Errors
    /// The API refuses, or is away.
    pub(crate) async fn restore(&self, name: &str, availability: &str) -> Result<(), Fault> {
        let before = availability.parse().unwrap_or(Availability::ACTIVE);
        for member in self.named(name).filter(|member| member.is_drained() && before != Availability::DRAIN) {
            self.change(&member.id, |spec| spec.availability = Some(before)).await?;
        }
        Ok(())
    }

    /// Makes a manager of that name a worker, as only workers can be removed.
    async fn demote(&self, name: &str) -> Result<(), Fault> {
        for member in self.named(name).filter(|member| member.manager.is_some()) {
            self.change(&member.id, |spec| spec.role = Some(Role::WORKER)).await?;
            self.await_demotion(&member.id).await?;
        }
        Ok(())
    }

    /// Forgets the node of that name, whatever its state; none is fine.
    ///
    /// # Errors
    /// The API refuses, or is away.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), Fault> {
        self.demote(name).await?;
        for member in self.named(name) {
            let options = DeleteNodeOptions { force: true };
            match self.docker.call(self.docker.api.delete_node(&member.id, Some(options))).await {
                Err(Fault::Refused(text)) if text.contains("not found") => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Changes a node's specification, again where somebody else got ahead.
    async fn change(&self, id: &str, change: impl Fn(&mut NodeSpec)) -> Result<(), Fault> {
        let mut tries = 0;
        loop {
            let node = self.docker.call(self.docker.api.inspect_node(id)).await?;
            let version = node.version.and_then(|version| version.index).unwrap_or_default();
            let mut spec = node.spec.unwrap_or_default();
            change(&mut spec);
            let options = UpdateNodeOptions { version: i64::try_from(version).unwrap_or_default() };
            tries += 1;
            match self.docker.call(self.docker.api.update_node(id, spec, options)).await {
                Err(Fault::Refused(text)) if text.contains(OUT_OF_SEQUENCE) && tries < TRIES => {}
                other => return other,
            }
        }
    }

    async fn await_demotion(&self, id: &str) -> Result<(), Fault> {
        let until = tokio::time::Instant::now() + DEMOTION;
        loop {
            let node = self.docker.call(self.docker.api.inspect_node(id)).await?;
            if node.manager_status.is_none() {
                return Ok(());
            }
            if tokio::time::Instant::now() > until {
                return Err(Fault::Refused(format!("still a manager {} s after its demotion", DEMOTION.as_secs())));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn is_busy(&self, id: &str) -> Result<bool, Fault> {
        let filters = Some(HashMap::from([("node".to_owned(), vec![id.to_owned()])]));
        let tasks = self.docker.call(self.docker.api.list_tasks(Some(ListTasksOptions { filters }))).await?;
        Ok(tasks.into_iter().any(|task| task.status.and_then(|status| status.state).is_some_and(runs)))
    }
}

/// Whether a task in that state has not ended yet.
fn runs(state: TaskState) -> bool {
    use TaskState::{COMPLETE, FAILED, ORPHANED, REJECTED, REMOVE, SHUTDOWN};
    !matches!(state, COMPLETE | SHUTDOWN | FAILED | REJECTED | REMOVE | ORPHANED)
}

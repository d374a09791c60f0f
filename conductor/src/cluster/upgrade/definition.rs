//! What nodes are made from, and which of them are still of an earlier definition: on record before Heat hears of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::database::Connection;
use drivers::{ClusterSpec, Image, Previous, Stack, Transition};
use serde::{Deserialize, Serialize};

use super::request::Input;
use crate::cluster::change::{self, Target};
use crate::cluster::facts::Facts;
use crate::cluster::members::{node_name, prefix, reported};
use crate::cluster::{self, Changes, authority, spec};
use crate::node::Phase as NodePhase;
use crate::nodegroup::{self, MASTER, Nodegroup};
use crate::openstack::{Session, heat};
use crate::operation::{self, Code, Failure, Fault, Next, StepResult, Work};
use crate::{Conductor, Error, Result, database};

/// How often a stack is looked at that is busy with something else.
const BUSY: Duration = Duration::from_secs(5);

/// What the nodes of the cluster's stack, or of a nodegroup's own, are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Definition {
    pub(super) image: Image,
    pub(super) labels: BTreeMap<String, String>,
    /// Nodes that are as an earlier definition made them.
    pub(super) previous: Vec<Previous>,
}

/// What an operation has found out at its beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Found {
    /// Masters that an earlier upgrade has made anew, and that are not ready.
    pub(super) masters: BTreeSet<u32>,
    /// Workers that an earlier upgrade has made, and that are not ready.
    pub(super) workers: BTreeSet<u32>,
}

impl Found {
    pub(super) fn of(work: &Work) -> Option<Self> {
        serde_json::from_value(work.operation.progress.as_ref()?.get("found")?.clone()).ok()
    }
}

impl Definition {
    /// As it is on record for the stack that the operation changes.
    pub(super) fn of(work: &Work) -> Result<Self, Failure> {
        if work.operation.nodegroup_uuid.is_some() {
            let group = work.nodegroup()?;
            let facts = nodegroup::Facts::of(group)?;
            let labels = facts.labels.unwrap_or_else(|| group.labels.0.clone());
            return Ok(Self { image: facts.image, labels, previous: facts.previous });
        }
        let facts = Facts::of(&work.cluster)?;
        Ok(Self { image: facts.image, labels: facts.desired.labels, previous: facts.previous })
    }

    /// Puts it on record.
    pub(super) async fn keep(&self, c: &impl Connection, work: &Work) -> Result<(), Failure> {
        if work.operation.nodegroup_uuid.is_some() {
            let group = work.nodegroup()?;
            let mut facts = nodegroup::Facts::of(group)?;
            facts.image = self.image.clone();
            facts.labels = Some(self.labels.clone());
            facts.previous.clone_from(&self.previous);
            let changes = nodegroup::store::Changes { spec: Some(facts.to_json()?), ..Default::default() };
            nodegroup::store::change(c, &group.uuid, changes).await?;
            return Ok(());
        }
        let mut facts = Facts::of(&work.cluster)?;
        facts.image = self.image.clone();
        facts.desired.labels.clone_from(&self.labels);
        facts.desired.os_distro.clone_from(&self.image.os_distro);
        facts.previous.clone_from(&self.previous);
        let changes = Changes { spec: Some(Some(facts.to_json()?)), ..Default::default() };
        cluster::store::change(c, &work.cluster.uuid, changes).await?;
        Ok(())
    }

    /// The next definition, which all nodes but those of the same one are still to get.
    fn followed_by(
        mut self,
        image: Image,
        labels: BTreeMap<String, String>,
        masters: u32,
        workers: &BTreeSet<u32>,
    ) -> Self {
        if self.image == image && self.labels == labels {
            return self;
        }
        let known = |nodes: fn(&Previous) -> &[u32], previous: &[Previous]| -> BTreeSet<u32> {
            previous.iter().flat_map(nodes).copied().collect()
        };
        let (old_masters, old_workers) =
            (known(|previous| &previous.masters, &self.previous), known(|previous| &previous.workers, &self.previous));
        let present = Previous {
            masters: (0..masters).filter(|index| !old_masters.contains(index)).collect(),
            workers: workers.iter().copied().filter(|index| !old_workers.contains(index)).collect(),
            image: self.image,
            labels: self.labels,
        };
        self.previous.push(present);
        // Nodes of that very definition, from an upgrade that was given up, are as they are to be.
        self.previous.retain(|previous| previous.image != image || previous.labels != labels);
        self.previous.retain(|previous| !previous.masters.is_empty() || !previous.workers.is_empty());
        Self { image, labels, previous: self.previous }
    }

    /// The workers that are of an earlier definition, whether they are still there or not.
    pub(super) fn old_workers(&self) -> BTreeSet<u32> {
        self.previous.iter().flat_map(|previous| previous.workers.iter().copied()).collect()
    }

    /// The masters that are of an earlier definition.
    pub(super) fn old_masters(&self) -> BTreeSet<u32> {
        self.previous.iter().flat_map(|previous| previous.masters.iter().copied()).collect()
    }

    /// From now on the master is of the present definition.
    pub(super) fn renew_master(&mut self, index: u32) {
        for previous in &mut self.previous {
            previous.masters.retain(|old| *old != index);
        }
    }

    /// The stack by this definition, with so many workers; without a transition it is the plain one.
    pub(super) async fn stack(
        &self,
        conductor: &Conductor,
        work: &Work,
        session: &Session,
        count: u32,
        transition: Option<&Transition>,
    ) -> Result<Stack, Failure> {
        let driver = conductor.driver(&work.cluster.driver)?;
        let with = |mut spec: ClusterSpec| {
            spec.workers.labels.clone_from(&self.labels);
            spec.workers.count = count;
            spec
        };
        let stack = if work.operation.nodegroup_uuid.is_some() {
            let spec = spec::of_nodegroup(conductor, &work.cluster, &work.nodegroups, work.nodegroup()?).await?;
            let cluster = Target::cluster(&work.cluster).ok_or_else(no_stack)?;
            let outputs = change::present(session, &cluster).await?.outputs();
            driver.nodegroup(&with(spec), &outputs, transition)
        } else {
            let mut spec = with(spec::of(conductor, &work.cluster, &work.nodegroups).await?);
            spec.masters.labels.clone_from(&self.labels);
            match transition {
                Some(transition) => driver.transition(&spec, transition),
                None => driver.stack(&spec),
            }
        };
        Ok(stack.map_err(Error::internal)?)
    }
}

/// The stack that the operation changes.
pub(super) fn target(work: &Work) -> Result<Target, Failure> {
    match work.operation.nodegroup_uuid {
        Some(_) => Target::nodegroup(work),
        None => Target::cluster(&work.cluster).ok_or_else(no_stack),
    }
}

fn no_stack() -> Failure {
    Failure::Final(Fault::new(Code::Vanished, "The cluster has no stack"))
}

/// The nodegroup whose workers are replaced.
pub(super) fn workers_of(work: &Work) -> Result<&Nodegroup, Failure> {
    if work.operation.nodegroup_uuid.is_some() {
        return work.nodegroup();
    }
    default(work, false)
}

/// The nodegroup of the masters.
pub(super) fn masters_of(work: &Work) -> Result<&Nodegroup, Failure> {
    default(work, true)
}

fn default(work: &Work, masters: bool) -> Result<&Nodegroup, Failure> {
    let found = work.nodegroups.iter().find(|group| group.is_default && (group.role == MASTER) == masters);
    found.ok_or_else(|| Error::internal("the cluster lacks a default nodegroup").into())
}

/// Puts on record what the nodes are to be and which of them are not so yet, and what an earlier try left broken.
pub(super) async fn prepare(conductor: &Conductor, work: &Work) -> StepResult {
    if Found::of(work).is_some() {
        return Ok(Next::Done);
    }
    let input = Input::of(work)?;
    let session = authority::acting(conductor, &work.cluster, Some(&work.operation)).await?;
    let stack = change::present(&session, &target(work)?).await?;
    if stack.stack_status.ends_with("_IN_PROGRESS") {
        work.say(conductor, &format!("Waiting for the stack, which is {}", stack.stack_status)).await?;
        return Ok(Next::Wait(BUSY));
    }
    let members = members(conductor, work, &stack)?;
    let before = Definition::of(work)?;
    let found = match before.previous.is_empty() {
        true => Found::default(),
        false => broken(conductor, work, &before, &members).await?,
    };
    let masters = match work.operation.nodegroup_uuid {
        Some(_) => 0,
        None => u32::try_from(masters_of(work)?.node_count).unwrap_or_default(),
    };
    let workers = members.keys().copied().collect();
    let after = before.followed_by(input.image, input.labels, masters, &workers);
    let transaction = database::begin(&conductor.db).await?;
    after.keep(&transaction, work).await?;
    let found = serde_json::to_value(found).map_err(Error::internal)?;
    operation::store::note(&transaction, &work.operation.uuid, |progress| progress["found"] = found).await?;
    transaction.commit().await.map_err(Error::from)?;
    Ok(Next::Done)
}

/// The workers of the stack by index, each with its server.
pub(super) fn members(conductor: &Conductor, work: &Work, stack: &heat::Stack) -> Result<BTreeMap<u32, String>> {
    Ok(conductor.driver(&work.cluster.driver)?.members(&stack.outputs()))
}

/// Nodes of the present definition that never became ready.
async fn broken(
    conductor: &Conductor,
    work: &Work,
    definition: &Definition,
    members: &BTreeMap<u32, String>,
) -> Result<Found, Failure> {
    if !cluster::nodes_report(conductor, &work.cluster) {
        return Ok(Found::default());
    }
    let mut found = Found::default();
    let old = definition.old_workers();
    let new = members.keys().copied().filter(|index| !old.contains(index));
    found.workers = unready(conductor, work, workers_of(work)?, new).await?;
    if work.operation.nodegroup_uuid.is_none() {
        let group = masters_of(work)?;
        let old = definition.old_masters();
        let new = (0..u32::try_from(group.node_count).unwrap_or_default()).filter(|index| !old.contains(index));
        found.masters = unready(conductor, work, group, new).await?;
    }
    Ok(found)
}

/// Which of those nodes have not said that they are ready.
async fn unready(
    conductor: &Conductor,
    work: &Work,
    group: &Nodegroup,
    indices: impl Iterator<Item = u32>,
) -> Result<BTreeSet<u32>> {
    let nodes = reported(conductor, group).await?;
    let prefix = prefix(&work.cluster, group);
    let ready = |index: &u32| {
        let name = node_name(&prefix, *index);
        nodes.iter().any(|node| node.name == name && node.phase == NodePhase::Ready)
    };
    Ok(indices.filter(|index| !ready(index)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(id: &str) -> Image {
        Image {
            id: id.into(),
            name: id.into(),
            os_distro: "ubuntu".into(),
            kube_version: None,
            mesos_packages_url: None,
            min_disk_gib: 0,
        }
    }

    fn labels(tag: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("kube_tag".to_owned(), tag.to_owned())])
    }

    fn first() -> Definition {
        Definition { image: image("a"), labels: labels("v1"), previous: Vec::new() }
    }

    #[test]
    fn a_first_upgrade_leaves_all_nodes_to_the_definition_they_have() {
        let next = first().followed_by(image("b"), labels("v2"), 3, &[0, 4].into());
        assert_eq!((next.image.id.as_str(), next.labels["kube_tag"].as_str()), ("b", "v2"));
        assert_eq!((next.old_masters(), next.old_workers()), ([0, 1, 2].into(), [0, 4].into()));
        assert_eq!(next.previous[0].image.id, "a");
    }

    #[test]
    fn a_repeated_request_goes_on_and_the_same_definition_changes_nothing() {
        let mut next = first().followed_by(image("b"), labels("v2"), 1, &[0, 1].into());
        next.renew_master(0);
        let again = next.clone().followed_by(image("b"), labels("v2"), 1, &[1, 2].into());
        assert_eq!(again, next);
        assert_eq!(first().followed_by(image("a"), labels("v1"), 1, &[0].into()), first());
    }

    #[test]
    fn another_target_halfway_keeps_both_definitions_apart() {
        let mut half = first().followed_by(image("b"), labels("v2"), 1, &[0, 1].into());
        half.renew_master(0);
        // Worker 2 is new, 0 has left.
        let other = half.clone().followed_by(image("c"), labels("v3"), 1, &[1, 2].into());
        assert_eq!(other.previous.len(), 2);
        assert_eq!((&other.previous[1].masters[..], &other.previous[1].workers[..]), (&[0][..], &[2][..]));
        // And back to the first: what is still of it need not be replaced.
        let back = half.followed_by(image("a"), labels("v1"), 1, &[1, 2].into());
        assert_eq!((back.old_masters(), back.old_workers()), ([0].into(), [2].into()));
    }
}

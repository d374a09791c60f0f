//! Which nodes an order waits for, and how they stand.

use std::collections::HashMap;

use chrono::Utc;

use super::{Answer, Order, State, store};
use crate::cluster::{Cluster, submit};
use crate::node::{self, Node};
use crate::nodegroup::{MASTER, Nodegroup};
use crate::operation::Work;
use crate::{Conductor, Error, Result};

/// What nodes name among their versions when they take orders.
const TAKES_ORDERS: &str = "orders";

/// A node that a cluster should have.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    /// Its name.
    pub(crate) name: String,
    /// Whether it belongs to the control plane.
    pub(crate) is_master: bool,
    /// What it last reported.
    pub(crate) reported: Option<Node>,
}

/// The nodes of all nodegroups: those that reported, and where a nodegroup should have more, those it lacks by their
/// first free names. Servers may have been removed from the middle, so names alone do not tell.
pub(crate) async fn expected(
    conductor: &Conductor,
    cluster: &Cluster,
    nodegroups: &[Nodegroup],
) -> Result<Vec<Expected>> {
    let stack = cluster.stack_name.as_deref().unwrap_or_default();
    let mut reported: HashMap<String, Vec<Node>> = HashMap::new();
    for node in node::store::of_clusters(&conductor.db, std::slice::from_ref(&cluster.uuid)).await? {
        reported.entry(node.nodegroup_uuid.clone()).or_default().push(node);
    }
    let mut expected = Vec::new();
    for group in nodegroups {
        let prefix = drivers::node_prefix(stack, &group.name);
        let count = usize::try_from(group.node_count).unwrap_or_default();
        let mut present = reported.remove(&group.uuid).unwrap_or_default();
        // More than there should be: the longest silent ones are rows of servers that are gone.
        present.sort_by_key(|node| std::cmp::Reverse(node.updated_at));
        present.truncate(count);
        let lacking = count - present.len();
        let free = (0..).map(|index| format!("{prefix}-{index}"));
        let free: Vec<_> = free.filter(|name| present.iter().all(|node| node.name != *name)).take(lacking).collect();
        let is_master = group.role == MASTER;
        let known = present.into_iter().map(|node| (node.name.clone(), Some(node)));
        let all = known.chain(free.into_iter().map(|name| (name, None)));
        expected.extend(all.map(|(name, reported)| Expected { name, is_master, reported }));
    }
    expected.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(expected)
}

/// Refuses a change that nodes must carry out where they cannot be told to.
///
/// # Errors
/// Invalid, saying why.
pub(crate) async fn refuse_deaf(conductor: &Conductor, cluster: &Cluster, nodegroups: &[Nodegroup]) -> Result<()> {
    let uuid = &cluster.uuid;
    if !submit::nodes_report(conductor, cluster) {
        return Err(Error::invalid(format!(
            "The nodes of cluster {uuid} do not report (node_reports is false), so they cannot be told to replace \
             certificates or credentials."
        )));
    }
    let takes = |node: &Node| node.versions.contains_key(TAKES_ORDERS);
    let all = expected(conductor, cluster, nodegroups).await?;
    let deaf: Vec<_> =
        all.iter().filter(|one| !one.reported.as_ref().is_some_and(takes)).map(|one| &*one.name).collect();
    if deaf.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "Cluster {uuid} has nodes that take no orders to replace certificates or credentials: {}. They were made by an \
         earlier version of this service, or never reported. Replace them first.",
        deaf.join(", ")
    )))
}

/// How the nodes stand with an order.
pub(crate) struct Standing {
    /// Those that have carried it out.
    pub(crate) done: usize,
    /// All that it is for.
    pub(crate) total: usize,
    /// The first that could not.
    pub(crate) failed: Option<Answer>,
    /// Those that have not answered, each with when it was last heard.
    pub(crate) waiting: Vec<String>,
}

impl Standing {
    /// Looks at the answers of all nodes that the order is for.
    pub(crate) async fn of(conductor: &Conductor, work: &Work, order: &Order) -> Result<Self> {
        let answers = store::answers(&conductor.db, order).await?;
        let answer_of = |name: &str| answers.iter().find(|answer| answer.name == name);
        let mut all = expected(conductor, &work.cluster, &work.nodegroups).await?;
        all.retain(|node| node.is_master || !order.kind.masters_only());
        let waiting = all.iter().filter(|node| answer_of(&node.name).is_none()).map(last_heard).collect();
        let answered = || all.iter().filter_map(|node| answer_of(&node.name));
        Ok(Self {
            done: answered().filter(|answer| answer.state == State::Done).count(),
            total: all.len(),
            failed: answered().find(|answer| answer.state == State::Failed).cloned(),
            waiting,
        })
    }
}

fn last_heard(node: &Expected) -> String {
    match &node.reported {
        Some(reported) => {
            let ago = (Utc::now() - reported.updated_at).num_seconds().max(0);
            format!("{} (last heard {ago} s ago)", node.name)
        }
        None => format!("{} (never heard)", node.name),
    }
}

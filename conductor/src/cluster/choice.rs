//! Which nodes leave where the caller named none: those that run the fewest tasks, where the COE says how many run where.
//!
//! The choice goes on record before anything is done to a node, so that a repeated step makes no other. Where the COE
//! cannot be asked, the nodes with the highest indices leave, as Heat would have it, and `status_reason` says so.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::coe::Coe;
use super::leaving::{AWAY, is_told};
use super::members::node_name;
use crate::column::now;
use crate::operation::{self, Work};
use crate::{Conductor, Error, Result};

/// The choice, as noted under `choice` in the operation's progress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Choice {
    /// When it was first tried, in seconds since 1970.
    began: i64,
    /// Indices of those that go; nothing as long as it is not made.
    nodes: Option<BTreeSet<u32>>,
    /// Why the COE could not be asked.
    why: Option<String>,
}

impl Choice {
    fn of(work: &Work) -> Option<Self> {
        serde_json::from_value(work.operation.progress.as_ref()?.get("choice")?.clone()).ok()
    }
}

/// The nodes that an earlier step has chosen.
pub(super) fn noted(work: &Work) -> BTreeSet<u32> {
    Choice::of(work).and_then(|choice| choice.nodes).unwrap_or_default()
}

/// When the COE was first asked, in seconds since 1970, if it could not be.
pub(super) fn in_vain_since(work: &Work) -> Option<i64> {
    Choice::of(work).filter(|choice| choice.why.is_some()).map(|choice| choice.began)
}

/// Why the nodes that left were not chosen by what they ran.
pub(super) fn complaint(work: &Work) -> Option<String> {
    Choice::of(work)?.why
}

/// Chooses who goes of `free` so that `count` stay, and notes it; nothing when that is to be tried again.
///
/// # Errors
/// The database does not answer.
pub(super) async fn make(
    conductor: &Conductor,
    work: &Work,
    prefix: &str,
    free: &BTreeSet<u32>,
    count: u32,
) -> Result<Option<BTreeSet<u32>>> {
    let surplus = free.len().saturating_sub(count as usize);
    let asks = conductor.driver(&work.cluster.driver)?.health().counts_tasks() && is_told(conductor, work)?;
    if !asks || surplus == 0 || surplus == free.len() {
        return Ok(Some(BTreeSet::new()));
    }
    let mut choice = Choice::of(work).unwrap_or_else(|| Choice { began: now().timestamp(), ..Choice::default() });
    if let Some(nodes) = choice.nodes {
        return Ok(Some(nodes));
    }
    match Coe::reach(conductor, work).await {
        Ok(coe) => choice.nodes = Some(fewest(free, surplus, &coe.tasks().into_iter().flatten().collect(), prefix)),
        Err(fault) if now().timestamp().saturating_sub(choice.began) >= AWAY => {
            tracing::warn!(%fault, "who leaves is chosen without the cluster's word");
            (choice.nodes, choice.why) = (Some(BTreeSet::new()), Some(fault.to_string()));
        }
        Err(fault) => tracing::info!(%fault, "the cluster's API is away; trying again"),
    }
    let json = serde_json::to_value(&choice).map_err(Error::internal)?;
    operation::store::note(&conductor.db, &work.operation.uuid, |progress| progress["choice"] = json).await?;
    Ok(choice.nodes)
}

/// That many of the nodes with the fewest tasks, of equals the highest indices. One that the COE does not know runs none.
fn fewest(free: &BTreeSet<u32>, surplus: usize, tasks: &BTreeMap<&str, u64>, prefix: &str) -> BTreeSet<u32> {
    let of = |index: u32| tasks.get(node_name(prefix, index).as_str()).copied().unwrap_or(0);
    let mut all: Vec<u32> = free.iter().copied().collect();
    all.sort_by_key(|index| (of(*index), Reverse(*index)));
    all.into_iter().take(surplus).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_with_the_fewest_tasks_go_and_of_equals_the_highest() {
        let free = BTreeSet::from([0, 1, 3, 7, 9]);
        let tasks = BTreeMap::from([("c-w-0", 1), ("c-w-1", 4), ("c-w-3", 1), ("c-w-9", 2), ("other-7", 9)]);
        for (surplus, go) in [
            (0, vec![]),
            (1, vec![7]),
            (2, vec![3, 7]),
            (3, vec![0, 3, 7]),
            (4, vec![0, 3, 7, 9]),
            (9, vec![0, 1, 3, 7, 9]),
        ] {
            assert_eq!(fewest(&free, surplus, &tasks, "c-w"), go.into_iter().collect(), "{surplus}");
        }
        assert_eq!(fewest(&free, 2, &BTreeMap::new(), "c-w"), BTreeSet::from([7, 9]));
    }
}

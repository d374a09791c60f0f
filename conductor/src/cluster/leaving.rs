//! Nodes that leave a COE which is told so: they give up what they run before Heat takes their machines, and are forgotten
//! by the COE afterwards.
//!
//! This is a courtesy to what runs in the cluster, and never fails an operation: where the cluster's API cannot be reached
//! from here, or does not do it in time, the operation goes on, and its `status_reason` says which nodes were not drained
//! and why.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::choice;
use super::coe::Coe;
use super::members::node_name;
use crate::column::now;
use crate::link::Fault;
use crate::operation::{self, Next, StepResult, Work};
use crate::{Conductor, Result};

/// How long an API that is away is tried before the operation goes on without.
pub(super) const AWAY: i64 = 15;
/// Pause between two looks at the nodes.
pub(super) const PAUSE: Duration = Duration::from_secs(2);
/// The most that one run of a step spends on nodes.
const RUN: Duration = Duration::from_secs(60);
/// Nodes that are asked at a time.
const AT_ONCE: usize = 16;
/// Nodes that a text names.
const NAMED: usize = 10;
/// Tries of what comes after Heat is done, and how long each may take.
const TRIES: u32 = 2;
const ATTEMPT: Duration = Duration::from_secs(25);

/// The nodes that leave, as noted under `leaving` in the operation's progress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Leaving {
    nodes: BTreeSet<String>,
    /// When they were first asked to, in seconds since 1970.
    began: i64,
    /// Those that run nothing any more.
    done: BTreeSet<String>,
}

impl Leaving {
    fn of(work: &Work) -> Option<Self> {
        serde_json::from_value(work.operation.progress.as_ref()?.get("leaving")?.clone()).ok()
    }
}

/// Has these nodes give up what they run, and waits until that is so, for as long as `[drivers] drain_timeout_s` allows.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn drain(conductor: &Conductor, work: &Work, names: Vec<String>) -> StepResult {
    let limit = i64::try_from(conductor.config.drivers.drain_timeout_s).unwrap_or(i64::MAX);
    if !is_told(conductor, work)? || names.is_empty() {
        return Ok(Next::Done);
    }
    let mut leaving = match Leaving::of(work) {
        Some(leaving) => leaving,
        None => {
            // An API that was away when it was asked who is to leave is not waited for again.
            let began = choice::in_vain_since(work).unwrap_or_else(|| now().timestamp());
            Leaving { nodes: names.into_iter().collect(), began, done: BTreeSet::new() }
        }
    };
    note(conductor, work, &leaving).await?;
    let spent = now().timestamp().saturating_sub(leaving.began);
    let faults = match Coe::reach(conductor, work).await {
        Ok(coe) => {
            note_before(conductor, work, &coe, &leaving).await?;
            let left = u64::try_from(limit.saturating_sub(spent)).unwrap_or_default();
            drain_each(&coe, &mut leaving, Duration::from_secs(left)).await
        }
        Err(fault) if spent < limit.min(AWAY) => {
            tracing::info!(%fault, "the cluster's API is away; trying again");
            return Ok(Next::Wait(PAUSE));
        }
        Err(fault) => leaving.nodes.iter().map(|name| (name.clone(), fault.to_string())).collect(),
    };
    note(conductor, work, &leaving).await?;
    let left: Vec<&String> = leaving.nodes.difference(&leaving.done).collect();
    if left.is_empty() {
        return Ok(Next::Done);
    }
    let away = left.iter().all(|name| faults.contains_key(*name)) && spent >= AWAY.min(limit);
    if spent < limit && !away {
        let (done, all) = (leaving.done.len(), leaving.nodes.len());
        work.say(conductor, &format!("Nodes give up what they run: {done} of {all} have")).await?;
        return Ok(Next::Wait(PAUSE));
    }
    let late = || format!("it still ran something after {limit} s");
    let why = left.into_iter().map(|name| (name.clone(), faults.get(name).cloned().unwrap_or_else(late)));
    complain(conductor, work, "undrained", why.collect()).await?;
    Ok(Next::Done)
}

/// Has the COE forget the nodes that left, those that an earlier change left behind in it too. `present` are the
/// nodegroup's nodes now, whose names begin with `prefix`.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn settle(conductor: &Conductor, work: &Work, prefix: &str, present: &[String]) -> Result<()> {
    if !conductor.driver(&work.cluster.driver)?.drains() {
        return Ok(());
    }
    let gone: BTreeSet<String> =
        Leaving::of(work).unwrap_or_default().nodes.into_iter().filter(|name| !present.contains(name)).collect();
    let faults = attempts(conductor, work, &gone, &Act::Forget { prefix, present }).await;
    // Whoever has no time for draining may have no way to clusters' APIs.
    if !is_told(conductor, work)? {
        return Ok(());
    }
    complain(conductor, work, "unforgotten", faults).await
}

/// Lets the nodes that this operation has drained, and that are in the COE still, run things again as they did before.
/// Gives a sentence about those for which that cannot be done.
pub(crate) async fn give_back(conductor: &Conductor, work: &Work) -> Option<String> {
    let drained = work.operation.progress.as_ref().and_then(|progress| progress.get("drained"));
    let drained: BTreeMap<String, String> =
        drained.and_then(|noted| serde_json::from_value(noted.clone()).ok()).unwrap_or_default();
    if drained.is_empty() {
        return None;
    }
    let names = drained.keys().cloned().collect();
    let faults = attempts(conductor, work, &names, &Act::Restore { before: &drained }).await;
    let list = listed(&faults)?;
    tracing::warn!(nodes = %list, "nodes that stay may still be drained");
    Some(format!("Still drained: {list}"))
}

/// What is done with nodes after Heat is done with them.
enum Act<'a> {
    /// They are forgotten, and so are those of the nodegroup with that prefix that are neither alive nor `present`.
    Forget { prefix: &'a str, present: &'a [String] },
    /// They run things again, as far as they did before: their availability by their names.
    Restore { before: &'a BTreeMap<String, String> },
}

impl Act<'_> {
    async fn on(&self, coe: &Coe, nodes: &BTreeSet<String>) -> BTreeMap<String, String> {
        let mut nodes = nodes.clone();
        if let Self::Forget { prefix, present } = self {
            let idle = coe.idle().into_iter().map(str::to_owned);
            nodes.extend(idle.filter(|name| is_of(name, prefix) && !present.contains(name)));
        }
        let mut faults = BTreeMap::new();
        for name in nodes {
            let done = match self {
                Self::Forget { .. } => coe.remove(&name).await,
                Self::Restore { before } => coe.restore(&name, before.get(&name).map_or("", String::as_str)).await,
            };
            if let Err(fault) = done {
                faults.insert(name, fault.to_string());
            }
        }
        faults
    }
}

/// What could not be done for which of these nodes, at the last of some tries. Takes less than half of a step's time,
/// whatever the API does.
async fn attempts(
    conductor: &Conductor,
    work: &Work,
    nodes: &BTreeSet<String>,
    act: &Act<'_>,
) -> BTreeMap<String, String> {
    // An API that was away before Heat began is not waited for again.
    let mut tries = if was_away(work) || conductor.config.drivers.drain_timeout_s == 0 { TRIES } else { 1 };
    loop {
        let attempt = async { Ok(act.on(&Coe::reach(conductor, work).await?, nodes).await) };
        let late = |_| Err(Fault::Unreachable(format!("not done within {} s", ATTEMPT.as_secs())));
        let faults = match tokio::time::timeout(ATTEMPT, attempt).await.unwrap_or_else(late) {
            Ok(faults) => faults,
            Err(fault) => nodes.iter().map(|name| (name.clone(), fault.to_string())).collect(),
        };
        if faults.is_empty() || tries == TRIES {
            return faults;
        }
        tries += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether an earlier step could not drain nodes, which mostly means that there is no way to the API.
pub(super) fn was_away(work: &Work) -> bool {
    work.operation.progress.as_ref().is_some_and(|progress| progress["undrained"].is_object())
}

/// The text with what could not be done for nodes that left.
pub(crate) fn told(work: &Work, text: &str) -> String {
    let list = |key: &str| -> Option<String> {
        let noted: BTreeMap<String, String> =
            serde_json::from_value(work.operation.progress.as_ref()?.get(key)?.clone()).ok()?;
        listed(&noted)
    };
    let mut text = text.to_owned();
    if let Some(list) = list("undrained") {
        text.push_str(&format!(". Not drained before they left: {list}"));
    }
    if let Some(list) = list("unforgotten") {
        text.push_str(&format!(". Still in the masters' list of nodes: {list}"));
    }
    let unasked = work.operation.progress.as_ref().and_then(|progress| progress["unasked"].as_str());
    if let Some(why) = unasked {
        text.push_str(&format!(". Masters were replaced without asking whether the others stay a majority: {why}"));
    }
    if let Some(why) = choice::complaint(work) {
        text.push_str(&format!(". The last nodes left, as it could not be known which ran the fewest tasks: {why}"));
    }
    text
}

/// Nodes with what is wrong with each, as many as a text holds; nothing where there are none.
fn listed(faults: &BTreeMap<String, String>) -> Option<String> {
    let mut list: Vec<_> = faults.iter().take(NAMED).map(|(name, why)| format!("{name} ({why})")).collect();
    if faults.len() > NAMED {
        list.push(format!("and {} more", faults.len() - NAMED));
    }
    (!list.is_empty()).then(|| list.join(", "))
}

/// The next round's nodes are other ones.
pub(crate) fn begin_anew(progress: &mut Value) {
    progress["leaving"] = Value::Null;
}

/// Whether the cluster's COE is told of nodes before they leave.
pub(crate) fn is_told(conductor: &Conductor, work: &Work) -> Result<bool> {
    let drains = conductor.driver(&work.cluster.driver)?.drains();
    Ok(drains && conductor.config.drivers.drain_timeout_s > 0)
}

async fn drain_each(coe: &Coe, leaving: &mut Leaving, grace: Duration) -> BTreeMap<String, String> {
    let mut faults = BTreeMap::new();
    let left: Vec<String> = leaving.nodes.difference(&leaving.done).cloned().collect();
    let drained = stream::iter(left).map(|name| async move { (coe.drain(&name, grace).await, name) });
    let mut drained = pin!(drained.buffer_unordered(AT_ONCE).take_until(tokio::time::sleep(RUN)));
    while let Some((done, name)) = drained.next().await {
        match done {
            Ok(true) => drop(leaving.done.insert(name)),
            Ok(false) => {}
            Err(fault) => drop(faults.insert(name, fault.to_string())),
        }
    }
    faults
}

/// Whether a node of that name is one of those whose names begin so.
fn is_of(name: &str, prefix: &str) -> bool {
    let index = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-'));
    index.and_then(|index| index.parse().ok()).is_some_and(|index| node_name(prefix, index) == name)
}

/// Notes who leaves.
async fn note(conductor: &Conductor, work: &Work, leaving: &Leaving) -> Result<()> {
    let json = serde_json::to_value(leaving).map_err(crate::Error::internal)?;
    operation::store::note(&conductor.db, &work.operation.uuid, |progress| progress["leaving"] = json).await.map(drop)
}

/// Notes what those who leave ran before anything is asked of them, so that it can be taken back.
async fn note_before(conductor: &Conductor, work: &Work, coe: &Coe, leaving: &Leaving) -> Result<()> {
    let members = leaving.nodes.iter().filter_map(|name| Some((name, coe.availability(name)?)));
    let found: Vec<_> = members.collect();
    let note = |progress: &mut Value| {
        for (name, availability) in found {
            // Only the first look is one before the draining.
            if progress["drained"][name].is_null() {
                progress["drained"][name] = availability.into();
            }
        }
    };
    operation::store::note(&conductor.db, &work.operation.uuid, note).await.map(drop)
}

/// Notes what could not be done for which nodes, beside what was noted before.
async fn complain(conductor: &Conductor, work: &Work, key: &str, why: BTreeMap<String, String>) -> Result<()> {
    if why.is_empty() {
        return Ok(());
    }
    tracing::warn!(nodes = ?why, what = key, "nodes leave without the masters' knowledge");
    let add = |progress: &mut Value| {
        for (name, why) in why {
            progress[key][name] = why.into();
        }
    };
    operation::store::note(&conductor.db, &work.operation.uuid, add).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_some_nodes_and_counts_the_rest() {
        let faults = |count| (0..count).map(|index| (format!("w-{index:02}"), "away".to_owned())).collect();
        assert_eq!(listed(&faults(0)), None);
        assert_eq!(listed(&faults(2)).unwrap(), "w-00 (away), w-01 (away)");
        let many = listed(&faults(400)).unwrap();
        assert!(many.ends_with("w-09 (away), and 390 more"), "{many}");
    }

    #[test]
    fn nodes_are_known_by_their_nodegroups_prefix() {
        assert!(is_of("c-worker-0", "c-worker") && is_of("c-worker-12", "c-worker"));
        for other in
            ["c-worker", "c-worker-", "c-worker-x", "c-worker-2-0", "c-worker-02", "c-master-0", "x-c-worker-0"]
        {
            assert!(!is_of(other, "c-worker"), "{other}");
        }
    }
}

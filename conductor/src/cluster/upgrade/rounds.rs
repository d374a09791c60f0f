//! The rounds of an upgrade: one update of the stack each, and the new nodes' readiness awaited.
//!
//! A round is on record before Heat hears of it, with a deadline of its own, and the step that drives it may run any
//! number of times: it looks what has happened and does what comes next.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use drivers::Transition;
use futures::FutureExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::definition::{Definition, Found, masters_of, members, target, workers_of};
use super::majority::{self, Turn};
use super::request::Input;
use crate::cluster::change::{self, Change, Phase};
use crate::cluster::members::{node_name, prefix, reported};
use crate::cluster::progress::{LONGEST_WAIT, Nodes, node_fault};
use crate::cluster::{authority, gate, leaving, spec};
use crate::openstack::{Session, heat};
use crate::operation::{self, Failure, Next, StepResult, Work};
use crate::{Conductor, Error, Result, database, node};

/// One update of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Round {
    /// Counts the rounds of the operation from 1.
    number: u32,
    what: What,
    /// Whether those that leave have given up what they ran.
    #[serde(default)]
    drained: bool,
    /// Whether Heat has accepted it.
    #[serde(default)]
    sent: bool,
}

/// What an update does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// Removes a master's server.
    Out(u32),
    /// Makes it anew.
    In(u32),
    /// Brings the workers to that number; some leave.
    Workers { count: u32, leaving: Vec<u32> },
    /// Leaves the stack as if it had been made so.
    Plain,
}

/// Again at once, with what is on record now.
const AGAIN: Next = Next::Wait(Duration::ZERO);

impl Round {
    fn of(work: &Work) -> Option<Self> {
        serde_json::from_value(work.operation.progress.as_ref()?.get("round")?.clone()).ok()
    }

    /// The number of the next one.
    fn next(work: &Work) -> u32 {
        let last = work.operation.progress.as_ref().and_then(|progress| progress["rounds"].as_u64()).unwrap_or(0);
        u32::try_from(last).unwrap_or(u32::MAX).saturating_add(1)
    }

    fn phase(&self) -> Phase {
        Phase {
            name: Cow::Owned(format!("round-{}", self.number)),
            change: |conductor, work, session, stack| changed(conductor, work, session, stack).boxed(),
        }
    }

    fn text(&self) -> String {
        match &self.what {
            What::Out(index) => format!("Master {index} is taken out, to be made anew"),
            What::In(index) => format!("Master {index} is made anew"),
            What::Workers { leaving, .. } if leaving.is_empty() => "New workers are made".to_owned(),
            What::Workers { leaving, .. } => format!("Workers are replaced; {} leave", leaving.len()),
            What::Plain => "All nodes are new; the stack is brought to rest".to_owned(),
        }
    }
}

/// Replaces the masters one at a time, those first that an earlier try has left broken.
pub(super) async fn masters(conductor: &Conductor, work: &Work) -> StepResult {
    if let Some(round) = Round::of(work) {
        return drive(conductor, work, round).await;
    }
    let broken = Found::of(work).unwrap_or_default().masters;
    let old = Definition::of(work)?.old_masters();
    // Those first that are out of the COE already, or were never in it.
    let turn = match broken.first() {
        Some(index) => Turn::Of(*index),
        None => majority::next_master(conductor, work, &old.into_iter().collect::<Vec<_>>()).await?,
    };
    match turn {
        Turn::Of(index) => begin(conductor, work, What::Out(index)).await,
        Turn::Later => Ok(Next::Wait(majority::PAUSE)),
        Turn::Nobody => Ok(Next::Done),
    }
}

/// Replaces the workers in batches, with as many more as the batch is large meanwhile.
pub(super) async fn workers(conductor: &Conductor, work: &Work) -> StepResult {
    if let Some(round) = Round::of(work) {
        return drive(conductor, work, round).await;
    }
    let session = authority::acting(conductor, &work.cluster, Some(&work.operation)).await?;
    let stack = change::present(&session, &target(work)?).await?;
    let there: BTreeSet<u32> = members(conductor, work, &stack)?.into_keys().collect();
    let broken = Found::of(work).unwrap_or_default().workers;
    let old = Definition::of(work)?.old_workers();
    let wanted = u32::try_from(workers_of(work)?.node_count).unwrap_or_default();
    match next_batch(&there, &old, &broken, wanted, Input::of(work)?.batch) {
        Some(what) => begin(conductor, work, what).await,
        None => Ok(Next::Done),
    }
}

/// Submits the plain stack, which replaces nothing.
pub(super) async fn plain(conductor: &Conductor, work: &Work) -> StepResult {
    match Round::of(work) {
        Some(round) => drive(conductor, work, round).await,
        None => begin(conductor, work, What::Plain).await,
    }
}

/// Who leaves and how many there are to be; nothing when all are new. There are never fewer than wanted.
fn next_batch(
    there: &BTreeSet<u32>,
    old: &BTreeSet<u32>,
    broken: &BTreeSet<u32>,
    wanted: u32,
    batch: u32,
) -> Option<What> {
    let number = |set: usize| u32::try_from(set).unwrap_or(u32::MAX);
    let broken: Vec<u32> = there.intersection(broken).copied().collect();
    // A node of the upgrade before this one may be both.
    let old: Vec<u32> = there.intersection(old).filter(|index| !broken.contains(index)).copied().collect();
    let well = number(there.len() - broken.len());
    let new = well - number(old.len());
    let surplus = well.saturating_sub(wanted).min(number(old.len()));
    let create = wanted.saturating_sub(new).min(batch);
    if broken.is_empty() && surplus == 0 && create == 0 {
        return None;
    }
    let leaving: Vec<u32> = broken.into_iter().chain(old.into_iter().take(surplus as usize)).collect();
    Some(What::Workers { count: well - surplus + create, leaving })
}

/// Puts the round on record.
async fn begin(conductor: &Conductor, work: &Work, what: What) -> StepResult {
    let round = Round { number: Round::next(work), what, drained: false, sent: false };
    let transaction = database::begin(&conductor.db).await?;
    note_round(&transaction, work, &round).await?;
    transaction.commit().await.map_err(Error::from)?;
    Ok(AGAIN)
}

async fn note_round(c: &impl crate::database::Connection, work: &Work, round: &Round) -> Result<()> {
    let json = serde_json::to_value(round).map_err(Error::internal)?;
    operation::store::set_deadline(c, &work.operation.uuid, gate::deadline(&work.cluster)).await?;
    operation::store::note(c, &work.operation.uuid, |progress| {
        progress["rounds"] = round.number.into();
        progress["round"] = json;
        progress["nodes"] = Value::Null;
        leaving::begin_anew(progress);
    })
    .await?;
    Ok(())
}

/// Does what comes next in a round.
async fn drive(conductor: &Conductor, work: &Work, round: Round) -> StepResult {
    if !round.sent && !round.drained {
        return drain(conductor, work, &round).await;
    }
    if !round.sent {
        return send(conductor, work, round).await;
    }
    if Nodes::noted(work).is_some() {
        return await_nodes(conductor, work, &round).await;
    }
    if let Some(failed) = failed_meanwhile(conductor, work).await? {
        return Err(Failure::Final(node_fault(&failed)));
    }
    let Some(stack) = change::completed(conductor, work, &target(work)?, &round.phase()).await? else {
        work.say(conductor, &round.text()).await?;
        return Ok(Next::Wait(LONGEST_WAIT));
    };
    match round.what {
        What::Out(index) => taken_out(conductor, work, round.number, index).await,
        What::In(index) => {
            let prefix = prefix(&work.cluster, masters_of(work)?);
            expect(conductor, work, vec![node_name(&prefix, index)]).await
        }
        What::Workers { .. } => replaced(conductor, work, &stack).await,
        What::Plain => Ok(Next::Done),
    }
}

/// Has those that leave give up what they run.
async fn drain(conductor: &Conductor, work: &Work, round: &Round) -> StepResult {
    let (group, indices) = match &round.what {
        What::Out(index) => (masters_of(work)?, vec![*index]),
        What::Workers { leaving, .. } => (workers_of(work)?, leaving.clone()),
        What::In(_) | What::Plain => (workers_of(work)?, Vec::new()),
    };
    let prefix = prefix(&work.cluster, group);
    let names = indices.into_iter().map(|index| node_name(&prefix, index)).collect();
    let next = leaving::drain(conductor, work, names).await?;
    if next != Next::Done {
        return Ok(next);
    }
    operation::store::note(&conductor.db, &work.operation.uuid, |progress| progress["round"]["drained"] = true.into())
        .await?;
    Ok(AGAIN)
}

async fn send(conductor: &Conductor, work: &Work, round: Round) -> StepResult {
    let changed = |group: &&crate::nodegroup::Nodegroup| match &work.operation.nodegroup_uuid {
        Some(uuid) => group.uuid == *uuid,
        None => group.is_default,
    };
    let groups: Vec<_> = work.nodegroups.iter().filter(changed).cloned().collect();
    spec::admit_nodes(conductor, &work.cluster, &groups).await?;
    let next = change::submit(conductor, work, &target(work)?, &round.phase()).await?;
    if next != Next::Done {
        return Ok(next);
    }
    operation::store::note(&conductor.db, &work.operation.uuid, |progress| progress["round"]["sent"] = true.into())
        .await?;
    work.say(conductor, &round.text()).await?;
    Ok(Next::Wait(LONGEST_WAIT))
}

/// What the round makes of the stack.
async fn changed(
    conductor: &Conductor,
    work: &Work,
    session: &Session,
    stack: &heat::Stack,
) -> Result<Change, Failure> {
    let round = Round::of(work).ok_or_else(|| Error::internal("the round is not on record"))?;
    let definition = Definition::of(work)?;
    let mut transition = Transition { previous: definition.previous.clone(), ..Transition::default() };
    let wanted = u32::try_from(workers_of(work)?.node_count).unwrap_or_default();
    let count = match &round.what {
        What::Workers { count, leaving } => {
            transition.leaving.clone_from(leaving);
            *count
        }
        What::Out(index) => {
            transition.absent_master = Some(*index);
            present_count(stack).unwrap_or(wanted)
        }
        What::In(_) => present_count(stack).unwrap_or(wanted),
        What::Plain => wanted,
    };
    let transition = Some(&transition).filter(|_| round.what != What::Plain);
    Ok(Change::Stack(Box::new(definition.stack(conductor, work, session, count, transition).await?)))
}

/// How many workers the stack has now; Heat shows parameters as text.
fn present_count(stack: &heat::Stack) -> Option<u32> {
    let count = stack.parameters.get("node_count")?;
    count.as_str().map_or_else(|| u32::try_from(count.as_u64()?).ok(), |text| text.parse().ok())
}

/// A node that has given up since the round began, before Heat was done.
async fn failed_meanwhile(conductor: &Conductor, work: &Work) -> Result<Option<node::Node>, Failure> {
    let began = work.operation.created_at;
    let nodes = reported(conductor, workers_of(work)?).await?;
    Ok(nodes.into_iter().find(|node| node.phase == node::Phase::Failed && node.updated_at >= began))
}

/// The master's server is gone: it is forgotten, and made anew by the present definition.
async fn taken_out(conductor: &Conductor, work: &Work, number: u32, index: u32) -> StepResult {
    let name = node_name(&prefix(&work.cluster, masters_of(work)?), index);
    let mut definition = Definition::of(work)?;
    definition.renew_master(index);
    let transaction = database::begin(&conductor.db).await?;
    node::store::forget(&transaction, &work.cluster.uuid, &[name]).await?;
    definition.keep(&transaction, work).await?;
    note_round(&transaction, work, &Round { number: number + 1, what: What::In(index), drained: false, sent: false })
        .await?;
    transaction.commit().await.map_err(Error::from)?;
    Ok(AGAIN)
}

/// Some workers are gone and forgotten, new ones are there and awaited.
async fn replaced(conductor: &Conductor, work: &Work, stack: &heat::Stack) -> StepResult {
    let group = workers_of(work)?;
    let prefix = prefix(&work.cluster, group);
    let old = Definition::of(work)?.old_workers();
    let there = members(conductor, work, stack)?;
    let name = |index: &u32| node_name(&prefix, *index);
    let all: Vec<String> = there.keys().map(name).collect();
    leaving::settle(conductor, work, &prefix, &all).await?;
    let nodes = reported(conductor, group).await?;
    let gone: Vec<String> = nodes.into_iter().map(|node| node.name).filter(|name| !all.contains(name)).collect();
    node::store::forget(&conductor.db, &work.cluster.uuid, &gone).await?;
    expect(conductor, work, there.keys().filter(|index| !old.contains(index)).map(name).collect()).await
}

/// From now on these nodes are waited for, and Heat no more.
async fn expect(conductor: &Conductor, work: &Work, names: Vec<String>) -> StepResult {
    Nodes::note(conductor, work, names).await?;
    operation::store::unfollow(&conductor.db, &work.operation.uuid).await?;
    Ok(AGAIN)
}

/// Waits until the round's nodes are ready; then the round is over.
async fn await_nodes(conductor: &Conductor, work: &Work, round: &Round) -> StepResult {
    let nodes = Nodes::of(conductor, work).await?;
    if let Some(failed) = nodes.failed() {
        return Err(Failure::Final(node_fault(failed)));
    }
    if !nodes.all_ready() {
        work.say(conductor, &format!("{}: waiting for {}", round.text(), nodes.unready().join(", "))).await?;
        return Ok(Next::Wait(LONGEST_WAIT));
    }
    // A master that kept its volume is the node it was; workers that were drained are gone.
    let _logged = leaving::give_back(conductor, work).await;
    let mut found = Found::of(work).unwrap_or_default();
    match &round.what {
        What::In(index) => drop(found.masters.remove(index)),
        What::Workers { leaving, .. } => found.workers.retain(|index| !leaving.contains(index)),
        What::Out(_) | What::Plain => {}
    }
    let found = serde_json::to_value(found).map_err(Error::internal)?;
    operation::store::note(&conductor.db, &work.operation.uuid, |progress| {
        progress["found"] = found;
        progress["round"] = Value::Null;
        progress["nodes"] = Value::Null;
    })
    .await?;
    Ok(AGAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays the rounds; gives their number, and the least of well nodes that there ever were.
    fn play(wanted: u32, batch: u32) -> (u32, u32) {
        let old: BTreeSet<u32> = (0..wanted).collect();
        let (mut there, mut fresh, mut rounds, mut least) = (old.clone(), wanted, 0, wanted);
        while let Some(What::Workers { count, leaving }) = next_batch(&there, &old, &BTreeSet::new(), wanted, batch) {
            there.retain(|index| !leaving.contains(index));
            least = least.min(there.len() as u32);
            while (there.len() as u32) < count {
                there.insert(fresh);
                fresh += 1;
            }
            rounds += 1;
            assert!(there.len() as u32 <= wanted + batch && rounds < 100, "{there:?}");
        }
        assert_eq!((there.len() as u32, there.intersection(&old).count()), (wanted, 0));
        assert_eq!(fresh, 2 * wanted, "each is replaced once");
        (rounds, least)
    }

    #[test]
    fn batches_replace_each_worker_once_and_are_never_short() {
        for (wanted, batch) in [(0, 1), (1, 1), (2, 1), (3, 2), (5, 2), (7, 3), (4, 9)] {
            let (rounds, least) = play(wanted, batch);
            assert_eq!(least, wanted, "{wanted} by {batch}");
            assert_eq!(rounds, if wanted == 0 { 0 } else { wanted.div_ceil(batch) + 1 }, "{wanted} by {batch}");
        }
    }

    #[test]
    fn broken_workers_leave_first_and_are_made_again() {
        let what = next_batch(&[0, 1, 2].into(), &[0, 1].into(), &[2].into(), 2, 1);
        assert_eq!(what, Some(What::Workers { count: 3, leaving: vec![2] }));
        let what = next_batch(&[1, 2, 3].into(), &[0, 1].into(), &BTreeSet::new(), 2, 1);
        assert_eq!(what, Some(What::Workers { count: 2, leaving: vec![1] }));
        assert_eq!(next_batch(&[2, 3].into(), &[0, 1].into(), &BTreeSet::new(), 2, 1), None);
        // Of an upgrade to another version, given up with a node that never became ready.
        let what = next_batch(&[1, 2, 3].into(), &[1, 2, 3].into(), &[3].into(), 2, 1);
        assert_eq!(what, Some(What::Workers { count: 3, leaving: vec![3] }));
    }
}

//! Which master is taken out next: one whose going leaves the others a majority, if there was one before.

use std::collections::BTreeSet;
use std::time::Duration;

use drivers::Health;
use serde_json::Value;

use super::definition::masters_of;
use crate::cluster::coe;
use crate::cluster::leaving;
use crate::cluster::members::{node_name, prefix};
use crate::column::now;
use crate::operation::{self, Code, Failure, Fault, Work};
use crate::{Conductor, Result, link};

/// How long masters may need to agree on a leader, or to see that another is back, in seconds.
const PATIENCE: i64 = 60;
/// Pause between two looks.
pub(super) const PAUSE: Duration = Duration::from_secs(5);

/// What comes of a look at the masters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// None is left to be replaced.
    Nobody,
    /// This one is taken out.
    Of(u32),
    /// It is to be looked again after a [`PAUSE`].
    Later,
}

/// Of these masters, the one that the others miss least: one that does not answer, else the first. Where the COE cannot be
/// asked, or does not say how its masters are, it is the first.
///
/// # Errors
/// The masters that would be left are no majority, and the cluster's state would be lost or stand still.
pub(super) async fn next_master(conductor: &Conductor, work: &Work, old: &[u32]) -> Result<Turn, Failure> {
    let Some(first) = old.first() else { return Ok(Turn::Nobody) };
    let group = masters_of(work)?;
    if group.node_count < 2 || !is_asked(conductor, work)? {
        return Ok(Turn::Of(*first));
    }
    let prefix = prefix(&work.cluster, group);
    let named: Vec<_> = old.iter().map(|index| (*index, node_name(&prefix, *index))).collect();
    let is_kubernetes = conductor.driver(&work.cluster.driver)?.health() == Health::Kubernetes;
    // Its nodes are not the members of its etcd, whose number they do not tell.
    let members = if is_kubernetes { usize::try_from(group.node_count).unwrap_or_default() } else { 0 };
    let found = coe::masters(conductor, work).await?;
    if !matches!(found, Err(link::Fault::Unreachable(_))) && !has_answered(work) {
        note(conductor, work, "answered", true.into()).await?;
    }
    match found {
        Ok(masters) => match choose(&masters, &named, members) {
            Ok(index) => settled(conductor, work, index).await,
            Err(why) => unwell(conductor, work, why).await,
        },
        Err(link::Fault::Refused(why)) => unwell(conductor, work, format!("The masters are not well: {why}")).await,
        // Whoever has answered can be reached: silence now says that something is wrong there.
        Err(fault) if has_answered(work) => {
            unwell(conductor, work, format!("The masters do not answer any more: {fault}")).await
        }
        Err(fault) if waited(work) < leaving::AWAY => later(conductor, work, &fault.to_string()).await,
        Err(fault) => {
            tracing::info!(%fault, "masters are replaced without asking how the others are");
            note(conductor, work, "unasked", fault.to_string().into()).await?;
            settled(conductor, work, *first).await
        }
    }
}

/// Whether the cluster's masters are asked at all: not where the operator has no way to clusters, and not again where
/// there was none to this one.
fn is_asked(conductor: &Conductor, work: &Work) -> Result<bool> {
    let known = conductor.driver(&work.cluster.driver)?.health() != Health::Unasked;
    let unasked = work.operation.progress.as_ref().is_some_and(|progress| !progress["unasked"].is_null());
    Ok(known && conductor.config.drivers.drain_timeout_s > 0 && !unasked && !leaving::was_away(work))
}

/// Whether a look of this operation has found the masters, well or not.
fn has_answered(work: &Work) -> bool {
    work.operation.progress.as_ref().is_some_and(|progress| progress["answered"] == true)
}

/// How long the masters have been looked at in vain, in seconds.
fn waited(work: &Work) -> i64 {
    let since = work.operation.progress.as_ref().and_then(|progress| progress["in_vain_since"].as_i64());
    since.map_or(0, |since| now().timestamp().saturating_sub(since))
}

async fn settled(conductor: &Conductor, work: &Work, index: u32) -> Result<Turn, Failure> {
    if work.operation.progress.as_ref().is_some_and(|progress| !progress["in_vain_since"].is_null()) {
        note(conductor, work, "in_vain_since", Value::Null).await?;
    }
    Ok(Turn::Of(index))
}

async fn unwell(conductor: &Conductor, work: &Work, why: String) -> Result<Turn, Failure> {
    if waited(work) < PATIENCE {
        return later(conductor, work, &why).await;
    }
    let text = format!("{why}. No other master is taken out: bring back those that are away, then upgrade again");
    Err(Failure::Final(Fault::new(Code::Refused, text)))
}

async fn later(conductor: &Conductor, work: &Work, why: &str) -> Result<Turn, Failure> {
    if work.operation.progress.as_ref().is_none_or(|progress| progress["in_vain_since"].is_null()) {
        note(conductor, work, "in_vain_since", now().timestamp().into()).await?;
    }
    work.say(conductor, &format!("No master is taken out yet: {why}")).await?;
    Ok(Turn::Later)
}

async fn note(conductor: &Conductor, work: &Work, key: &str, value: Value) -> Result<()> {
    let key = key.to_owned();
    operation::store::note(&conductor.db, &work.operation.uuid, |progress| progress[key] = value).await.map(drop)
}

/// The index to take out, of masters by name and whether each answers; or why none may be. `members` is how many there are
/// at least, whatever the list holds: one that is to be there and is not in the list is away.
fn choose(masters: &[(String, bool)], old: &[(u32, String)], members: usize) -> Result<u32, String> {
    let Some(first) = old.first() else { return Err("There is no master to replace".to_owned()) };
    if masters.is_empty() {
        return Ok(first.0);
    }
    let well: BTreeSet<&str> = masters.iter().filter(|(_, well)| *well).map(|(name, _)| name.as_str()).collect();
    let (index, leaves) = old.iter().find(|(_, name)| !well.contains(name.as_str())).unwrap_or(first);
    let left = well.len() - usize::from(well.contains(leaves.as_str()));
    let all = masters.len().max(members);
    if left * 2 > all || all < 2 {
        return Ok(*index);
    }
    let names = masters.iter().map(|(name, _)| name).chain(old.iter().map(|(_, name)| name));
    let away: BTreeSet<&str> =
        names.map(String::as_str).filter(|name| !well.contains(name) && name != leaves).collect();
    let away = away.into_iter().collect::<Vec<_>>().join(", ");
    let away = if away.is_empty() { away } else { format!("; not reachable: {away}") };
    Err(format!("Without {leaves} {left} of {all} masters would be left, no majority{away}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(masters: &[(&str, bool)], old: &[u32], members: usize) -> Result<u32, String> {
        let masters: Vec<_> = masters.iter().map(|(name, well)| ((*name).to_owned(), *well)).collect();
        let old: Vec<_> = old.iter().map(|index| (*index, format!("m-{index}"))).collect();
        choose(&masters, &old, members)
    }

    #[test]
    fn the_first_goes_where_all_are_well_and_the_silent_one_where_one_is() {
        assert_eq!(of(&[("m-0", true), ("m-1", true), ("m-2", true)], &[0, 1, 2], 0), Ok(0));
        assert_eq!(of(&[("m-0", true), ("m-1", false), ("m-2", true)], &[0, 1, 2], 0), Ok(1));
        assert_eq!(of(&[("m-1", true), ("m-2", true), ("m-0", true)], &[1, 2], 3), Ok(1), "the first is new already");
        assert_eq!(of(&[("m-0", true)], &[0], 1), Ok(0), "a single one has no majority to keep");
        assert_eq!(of(&[], &[2, 1], 3), Ok(2), "nothing is known");
    }

    #[test]
    fn one_that_is_forgotten_already_goes_first() {
        assert_eq!(of(&[("m-0", true), ("m-2", true)], &[0, 1, 2], 3), Ok(1));
        assert_eq!(of(&[("m-0", true), ("m-2", true)], &[0, 1, 2], 0), Ok(1), "of a store that has forgotten it, too");
    }

    #[test]
    fn nobody_goes_whose_going_leaves_no_majority() {
        let why = of(&[("m-0", true), ("m-1", true), ("m-2", false)], &[0, 1], 0).unwrap_err();
        assert_eq!(why, "Without m-0 1 of 3 masters would be left, no majority; not reachable: m-2");
        assert!(of(&[("m-0", true), ("m-1", false), ("m-2", false)], &[0, 1, 2], 0).is_err());
        let why = of(&[("m-0", true), ("m-1", true)], &[0, 1], 0).unwrap_err();
        assert_eq!(why, "Without m-0 1 of 2 masters would be left, no majority");
        let five = [("m-0", true), ("m-1", true), ("m-2", true), ("m-3", true), ("m-4", false)];
        assert_eq!(of(&five, &[0, 1], 0), Ok(0), "three of five are left");
    }

    /// Kubernetes forgets a node when its record is deleted; etcd does not forget its member.
    #[test]
    fn members_count_that_the_list_does_not_hold() {
        let three = [("m-0", true), ("m-1", true), ("m-2", true)];
        assert_eq!(of(&three, &[0, 1, 2, 3, 4], 5), Ok(3), "it is away as it is");
        let why = of(&three, &[0, 1, 2], 5).unwrap_err();
        assert_eq!(why, "Without m-0 2 of 5 masters would be left, no majority");
    }
}

//! Which master is taken out next: one whose going leaves the others a majority, if there was one before.

use std::collections::BTreeSet;

use super::definition::masters_of;
use crate::Conductor;
use crate::cluster::coe::Coe;
use crate::cluster::leaving;
use crate::cluster::members::{node_name, prefix};
use crate::link;
use crate::operation::{Code, Failure, Fault, Work};

/// Of these masters, the one that the others miss least: one that does not answer, else the first. Where the COE cannot be
/// asked, or does not say how its masters are, it is the first.
///
/// # Errors
/// The masters that would be left are no majority, and the cluster's state would be lost or stand still.
pub(super) async fn next_master(conductor: &Conductor, work: &Work, old: &[u32]) -> Result<Option<u32>, Failure> {
    let Some(first) = old.first() else { return Ok(None) };
    let group = masters_of(work)?;
    if group.node_count < 2 || !leaving::is_told(conductor, work)? || leaving::was_away(work) {
        return Ok(Some(*first));
    }
    let masters = match Coe::reach(conductor, work).await {
        Ok(coe) => coe.masters().await,
        Err(link::Fault::Refused(why)) => return Err(refused(format!("The masters are not well: {why}"))),
        Err(fault) => {
            tracing::info!(%fault, "a master is replaced without asking how the others are");
            return Ok(Some(*first));
        }
    };
    let prefix = prefix(&work.cluster, group);
    let named: Vec<_> = old.iter().map(|index| (*index, node_name(&prefix, *index))).collect();
    choose(&masters, &named).map(Some).map_err(refused)
}

fn refused(why: String) -> Failure {
    let text =
        format!("{why}. No other master is taken out: bring them back, or have the COE forget those that are gone");
    Failure::Final(Fault::new(Code::Refused, text))
}

/// The index to take out, of masters by name and whether each answers; or why none may be.
fn choose(masters: &[(String, bool)], old: &[(u32, String)]) -> Result<u32, String> {
    let away: BTreeSet<&str> = masters.iter().filter(|(_, well)| !well).map(|(name, _)| name.as_str()).collect();
    let silent = old.iter().find(|(_, name)| away.contains(name.as_str()));
    let Some((index, leaves)) = silent.or(old.first()) else { return Err("There is no master to replace".to_owned()) };
    let left = masters.iter().filter(|(name, well)| *well && name != leaves).count();
    if left * 2 > masters.len() || masters.len() < 2 {
        return Ok(*index);
    }
    let away: Vec<_> = away.into_iter().filter(|name| name != leaves).collect();
    let all = masters.len();
    Err(format!(
        "Without {leaves} {left} of {all} masters would be left, no majority; not reachable: {}",
        away.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(masters: &[(&str, bool)], old: &[u32]) -> Result<u32, String> {
        let masters: Vec<_> = masters.iter().map(|(name, well)| ((*name).to_owned(), *well)).collect();
        let old: Vec<_> = old.iter().map(|index| (*index, format!("m-{index}"))).collect();
        choose(&masters, &old)
    }

    #[test]
    fn the_first_goes_where_all_are_well_and_the_silent_one_where_one_is() {
        assert_eq!(of(&[("m-0", true), ("m-1", true), ("m-2", true)], &[0, 1, 2]), Ok(0));
        assert_eq!(of(&[("m-0", true), ("m-1", false), ("m-2", true)], &[0, 1, 2]), Ok(1));
        assert_eq!(of(&[("m-1", true), ("m-2", true)], &[0, 1, 2]), Ok(0), "the first is out already");
        assert_eq!(of(&[("m-0", true)], &[0]), Ok(0), "a single one has no majority to keep");
        assert_eq!(of(&[], &[2, 1]), Ok(2), "nothing is known");
    }

    #[test]
    fn nobody_goes_whose_going_leaves_no_majority() {
        let why = of(&[("m-0", true), ("m-1", true), ("m-2", false)], &[0, 1]).unwrap_err();
        assert_eq!(why, "Without m-0 1 of 3 masters would be left, no majority; not reachable: m-2");
        assert!(of(&[("m-0", true), ("m-1", false), ("m-2", false)], &[0, 1, 2]).is_err());
        assert!(of(&[("m-0", true), ("m-1", true)], &[0, 1]).is_err());
        let five = [("m-0", true), ("m-1", true), ("m-2", true), ("m-3", true), ("m-4", false)];
        assert_eq!(of(&five, &[0, 1]), Ok(0), "three of five are left");
    }
}

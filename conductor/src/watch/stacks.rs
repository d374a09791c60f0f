//! Follows stacks: a constant number of listings per tick, whatever the number of clusters in flight.
//!
//! One conductor among all holds the lease and lists: once for the whole cloud where Heat grants its global index, else
//! once per project with work in flight. What it sees goes on record, and operations whose stack has settled are woken.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::cluster::{self, Owner, name};
use crate::column::now;
use crate::config::GlobalIndex;
use crate::openstack::heat::{self, Listed, Which};
use crate::openstack::{self, Session};
use crate::operation::store::{self, Awaiting, Observation};
use crate::scope::Scope;
use crate::{Conductor, Result, lease};

/// How long the lease outlives its holder's last tick.
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// As many identifiers as surely fit into a URL, which many a server bounds at 8 KiB.
const NAMED: usize = 100;
/// As many identities as are tried for one listing: one that no longer serves costs a login each time.
const IDENTITIES: usize = 5;

pub(crate) async fn run(conductor: Arc<Conductor>, shutdown: CancellationToken) {
    let holder = super::holder();
    let interval = Duration::from_secs(conductor.config.heat.poll_interval_s.max(1));
    let mut index = Index::of(conductor.config.heat.global_index);
    let mut tick = tokio::time::interval(interval);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            _ = tick.tick() => {}
        }
        if let Err(error) = look(&conductor, &holder, &mut index).await {
            tracing::warn!(error = %error.chain(), "stacks cannot be followed; trying again at the next tick");
        }
    }
    if let Err(error) = lease::store::release(&conductor.db, "stacks", &holder).await {
        tracing::debug!(error = %error.chain(), "the lease is not released and will run out");
    }
}

/// Whether one listing covers the whole cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Index {
    /// To be tried.
    Unknown,
    Global,
    /// Per project; the number of ticks until the global index is tried again.
    PerProject(Option<u32>),
}

impl Index {
    /// Ticks between two tries of the global index.
    const AGAIN: u32 = 720;

    fn of(setting: GlobalIndex) -> Self {
        match setting {
            GlobalIndex::Auto => Self::Unknown,
            GlobalIndex::On => Self::Global,
            GlobalIndex::Off => Self::PerProject(None),
        }
    }

    fn refused(&mut self) {
        *self = Self::PerProject(Some(Self::AGAIN));
    }

    fn tick(&mut self) {
        *self = match *self {
            Self::PerProject(Some(0)) => Self::Unknown,
            Self::PerProject(Some(left)) => Self::PerProject(Some(left - 1)),
            other => other,
        };
    }
}

async fn look(conductor: &Conductor, holder: &str, index: &mut Index) -> Result<()> {
    let awaiting = store::awaiting_stacks(&conductor.db).await?;
    if awaiting.is_empty() {
        return Ok(());
    }
    if !lease::store::try_acquire(&conductor.db, "stacks", holder, now(), now() + LEASE).await? {
        return Ok(());
    }
    index.tick();
    let seen = match *index {
        Index::PerProject(_) => per_project(conductor, &awaiting).await,
        Index::Unknown | Index::Global => match everywhere(conductor, &awaiting).await {
            Ok(stacks) => {
                *index = Index::Global;
                judge(&awaiting, &stacks)
            }
            Err(error) if heat::is_not_global(&error) && *index == Index::Unknown => {
                tracing::info!("Heat's global index is not granted; listing per project");
                index.refused();
                per_project(conductor, &awaiting).await
            }
            Err(error) => return Err(error.into()),
        },
    };
    record(conductor, &awaiting, seen).await
}

async fn everywhere(conductor: &Conductor, awaiting: &[Awaiting]) -> Result<HashMap<String, Listed>, openstack::Error> {
    listed(&conductor.cloud.service().await?, awaiting, true).await
}

/// The awaited stacks, or all of ours where those are too many to name. One listing either way.
async fn listed(
    session: &Session,
    awaiting: &[Awaiting],
    global: bool,
) -> Result<HashMap<String, Listed>, openstack::Error> {
    let ids: Vec<_> = awaiting.iter().map(|one| one.stack_id.as_str()).collect();
    Ok(by_id(heat::list(session, which(&ids), global).await?))
}

fn which<'a>(ids: &'a [&'a str]) -> Which<'a> {
    if ids.len() > NAMED { Which::Tagged(&[name::TAG]) } else { Which::These(ids) }
}

fn by_id(stacks: Vec<Listed>) -> HashMap<String, Listed> {
    stacks.into_iter().map(|stack| (stack.id.clone(), stack)).collect()
}

/// One listing per project; a project that cannot be listed keeps its operations waiting and is named in the log.
async fn per_project(conductor: &Conductor, awaiting: &[Awaiting]) -> Vec<Observation> {
    let mut projects: BTreeMap<&str, Vec<Awaiting>> = BTreeMap::new();
    for one in awaiting {
        projects.entry(&one.project_id).or_default().push(one.clone());
    }
    let mut seen = Vec::new();
    for (project, awaiting) in projects {
        match in_project(conductor, &awaiting).await {
            Ok(stacks) => seen.extend(judge(&awaiting, &stacks)),
            Err(error) => tracing::warn!(project, error = %error.chain(), "the project's stacks cannot be listed"),
        }
    }
    seen
}

/// Lists by the first identity that serves. When Keystone or Heat is away, no other identity would help.
async fn in_project(conductor: &Conductor, awaiting: &[Awaiting]) -> Result<HashMap<String, Listed>> {
    let mut left = identities(awaiting).into_iter().peekable();
    while let Some(one) = left.next() {
        let cluster = cluster::store::find(&conductor.db, &Scope::All, &one.cluster_uuid).await?;
        let operation = store::find(&conductor.db, &one.uuid).await?;
        let listing = async {
            let session = cluster::authority::acting(conductor, &cluster, operation.as_ref()).await?;
            listed(&session, awaiting, false).await
        };
        match listing.await {
            Ok(stacks) => return Ok(stacks),
            Err(error) if error.is_transient() || left.peek().is_none() => return Err(error.into()),
            Err(error) => tracing::warn!(
                cluster = %cluster.uuid, error = %error,
                "the project's stacks cannot be listed for this cluster; trying another one's identity"
            ),
        }
    }
    Ok(HashMap::new())
}

/// An operation for each identity that may list the stacks, at most [`IDENTITIES`]: the service's user is one, and
/// every cluster whose stacks its requester owns has one of its own.
fn identities(awaiting: &[Awaiting]) -> Vec<&Awaiting> {
    let mut known = HashSet::new();
    let of = awaiting.iter().filter(|one| {
        let own = one.act_as == Some(Owner::Requester);
        known.insert(own.then_some(one.cluster_uuid.as_str()))
    });
    of.take(IDENTITIES).collect()
}

/// What changed since the last look; a stack that the listing lacks is gone.
fn judge(awaiting: &[Awaiting], stacks: &HashMap<String, Listed>) -> Vec<Observation> {
    awaiting
        .iter()
        .filter_map(|one| {
            let (status, reason) = match stacks.get(&one.stack_id) {
                Some(stack) => (stack.stack_status.clone(), stack.stack_status_reason.clone()),
                None => ("GONE".to_owned(), None),
            };
            (one.observed_status.as_deref() != Some(status.as_str())).then(|| Observation {
                operation: one.uuid.clone(),
                status,
                reason,
            })
        })
        .collect()
}

async fn record(conductor: &Conductor, awaiting: &[Awaiting], seen: Vec<Observation>) -> Result<()> {
    store::observe(&conductor.db, &seen, now()).await?;
    let Some(engine) = conductor.engine.get() else { return Ok(()) };
    for one in seen.iter().filter(|one| !one.status.ends_with("_IN_PROGRESS")) {
        if let Some(waiting) = awaiting.iter().find(|waiting| waiting.uuid == one.operation) {
            engine.wake(&waiting.instance).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn awaiting(stack: &str, observed: Option<&str>) -> Awaiting {
        Awaiting {
            uuid: format!("op-{stack}"),
            cluster_uuid: "c".into(),
            project_id: "p".into(),
            act_as: None,
            stack_id: stack.into(),
            instance: "i".into(),
            observed_status: observed.map(str::to_owned),
        }
    }

    fn stack(id: &str, status: &str) -> (String, Listed) {
        (
            id.to_owned(),
            Listed {
                id: id.into(),
                stack_name: id.into(),
                stack_status: status.into(),
                stack_status_reason: None,
                creation_time: None,
                updated_time: None,
                tags: Vec::new(),
                project: None,
            },
        )
    }

    #[test]
    fn awaited_stacks_are_named_while_they_fit_into_a_url() {
        let ids = vec!["2f1c0b9a-0000-4000-8000-000000000000"; NAMED + 1];
        assert!(matches!(which(&ids[..NAMED]), Which::These(these) if these.len() == NAMED));
        assert!(matches!(which(&ids), Which::Tagged([name::TAG])));
    }

    #[test]
    fn each_identity_is_tried_once_and_a_few_of_them_at_most() {
        let of = |cluster: &str, owner| Awaiting { cluster_uuid: cluster.into(), act_as: owner, ..awaiting("s", None) };
        let (service, requester) = (Some(Owner::Service), Some(Owner::Requester));
        let all = [("a", service), ("b", requester), ("b", requester), ("c", None), ("d", requester)];
        let all = all.map(|(cluster, owner)| of(cluster, owner));
        let tried: Vec<_> = identities(&all).into_iter().map(|one| one.cluster_uuid.as_str()).collect();
        assert_eq!(tried, ["a", "b", "d"]);
        let many: Vec<_> = (0..3 * IDENTITIES).map(|number| of(&number.to_string(), requester)).collect();
        assert_eq!(identities(&many).len(), IDENTITIES);
        assert!(identities(&[]).is_empty());
    }

    #[test]
    fn only_changes_are_recorded_and_an_absent_stack_is_gone() {
        let stacks = HashMap::from([stack("a", "CREATE_COMPLETE"), stack("b", "CREATE_IN_PROGRESS")]);
        let seen = judge(
            &[
                awaiting("a", Some("CREATE_IN_PROGRESS")),
                awaiting("b", Some("CREATE_IN_PROGRESS")),
                awaiting("c", None),
            ],
            &stacks,
        );
        let seen: Vec<_> = seen.iter().map(|seen| (seen.operation.as_str(), seen.status.as_str())).collect();
        assert_eq!(seen, [("op-a", "CREATE_COMPLETE"), ("op-c", "GONE")]);
    }

    #[test]
    fn a_refused_global_index_is_tried_again_later() {
        let mut index = Index::of(GlobalIndex::Auto);
        index.refused();
        for _ in 0..Index::AGAIN {
            index.tick();
        }
        assert_eq!(index, Index::PerProject(Some(0)));
        index.tick();
        assert_eq!(index, Index::Unknown);
        let mut off = Index::of(GlobalIndex::Off);
        off.tick();
        assert_eq!(off, Index::PerProject(None));
    }
}

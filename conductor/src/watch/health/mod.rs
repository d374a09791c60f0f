//! Looks at the health of clusters through their own APIs, where their driver says how.
//!
//! One conductor among all holds the lease and looks. A cluster that cannot be asked is `UNKNOWN` with the reason: that
//! there is no way to it from here says nothing about the cluster. Only what a cluster itself answers makes it
//! `UNHEALTHY`. What was found goes on record when it differs from what was found before, and only while the cluster is
//! at rest.

mod finding;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use drivers::{Health, Probe};
use futures::StreamExt as _;
use futures::future::join_all;
use moka::future::Cache;
use tokio_util::sync::CancellationToken;

use crate::certificate::{Pairs, identities};
use crate::cluster::store::{Asked, asked};
use crate::cluster::update::HEALTH_IS_TOLD;
use crate::cluster::{self, Changes, HealthStatus};
use crate::column::now;
use crate::docker::Swarm;
use crate::link::{Identity, endpoints};
use crate::mesos::{Leader, Way};
use crate::nodegroup::{self, MASTER};
use crate::{Conductor, Result, lease};
use finding::Finding;

const LEASE_NAME: &str = "health";

/// Clusters read at once: so many queries, whatever their number.
const BATCH: u64 = 200;

/// Opened identities kept at most.
const IDENTITIES: u64 = 2000;

/// Looks at all clusters once, unless another conductor is about to.
///
/// # Errors
/// The database does not answer.
pub async fn look(conductor: &Conductor) -> Result<()> {
    let look = Look::of(conductor);
    look.at_all().await?;
    lease::store::release(&conductor.db, LEASE_NAME, &look.holder).await
}

pub(crate) async fn run(conductor: Arc<Conductor>, shutdown: CancellationToken) {
    let settings = &conductor.config.health;
    if settings.poll_interval_s == 0 {
        return;
    }
    let look = Look::of(&conductor);
    let mut tick = tokio::time::interval(Duration::from_secs(settings.poll_interval_s));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            _ = tick.tick() => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            looked = look.at_all() => if let Err(error) = looked {
                tracing::warn!(error = %error.chain(), "clusters' health cannot be looked at; trying again at the next tick");
            }
        }
    }
    if let Err(error) = lease::store::release(&conductor.db, LEASE_NAME, &look.holder).await {
        tracing::debug!(error = %error.chain(), "the lease is not released and will run out");
    }
}

struct Look<'a> {
    conductor: &'a Conductor,
    holder: String,
    /// By [`Pairs::key`].
    identities: Cache<(String, String), Identity>,
    /// Until one cluster's answer is given up.
    deadline: Duration,
}

/// A cluster, and all that is needed to ask it.
struct Patient {
    cluster: Asked,
    groups: Groups,
    identity: Option<Identity>,
}

/// What a cluster should consist of.
#[derive(Default)]
struct Groups {
    /// The masters' addresses.
    masters: Vec<String>,
    /// How many workers each nodegroup should have, by its name.
    workers: Vec<(String, u32)>,
}

impl<'a> Look<'a> {
    fn of(conductor: &'a Conductor) -> Self {
        Self {
            conductor,
            holder: super::holder(),
            identities: Cache::builder().max_capacity(IDENTITIES).time_to_idle(Duration::from_secs(3600)).build(),
            deadline: Duration::from_secs(conductor.config.health.timeout_s.max(1)),
        }
    }

    async fn at_all(&self) -> Result<()> {
        let installed = drivers::installed();
        let drivers: Vec<&str> =
            installed.iter().filter(|driver| driver.health().is_watched()).map(|driver| driver.name()).collect();
        if drivers.is_empty() {
            return Ok(());
        }
        let mut after = 0;
        while self.is_ours().await? {
            let clusters = asked(&self.conductor.db, &drivers, HEALTH_IS_TOLD, after, BATCH).await?;
            let Some(last) = clusters.last() else { return Ok(()) };
            after = last.id;
            let patients = self.prepared(clusters).await?;
            let at_once = self.conductor.config.health.at_once.max(1);
            let findings: Vec<_> = futures::stream::iter(patients)
                .map(|patient| async {
                    let finding = self.at(&patient).await;
                    (patient.cluster, finding)
                })
                .buffer_unordered(at_once)
                .collect()
                .await;
            for (cluster, finding) in findings {
                self.record(&cluster, finding).await?;
            }
        }
        Ok(())
    }

    /// Takes or keeps the lease, for longer than a batch can take.
    async fn is_ours(&self) -> Result<bool> {
        let settings = &self.conductor.config.health;
        let rounds = BATCH.div_ceil(u64::try_from(settings.at_once.max(1)).unwrap_or(1));
        let longest = rounds.saturating_mul(self.deadline.as_secs()).max(settings.poll_interval_s);
        let longest = TimeDelta::seconds(i64::try_from(longest).unwrap_or(3600).min(3600) + 30);
        lease::store::try_acquire(&self.conductor.db, LEASE_NAME, &self.holder, now(), now() + longest).await
    }

    async fn prepared(&self, clusters: Vec<Asked>) -> Result<Vec<Patient>> {
        let uuids: Vec<String> = clusters.iter().map(|cluster| cluster.uuid.clone()).collect();
        let mut pairs = identities(self.conductor, &uuids).await?;
        let mut groups: HashMap<String, Groups> = HashMap::new();
        for group in nodegroup::store::of_clusters(&self.conductor.db, &uuids).await? {
            let groups = groups.entry(group.cluster_uuid).or_default();
            if group.role == MASTER {
                groups.masters.extend(group.node_addresses.0);
            } else {
                groups.workers.push((group.name, u32::try_from(group.node_count).unwrap_or_default()));
            }
        }
        let mut patients = Vec::with_capacity(clusters.len());
        for cluster in clusters {
            let identity = self.identity(&cluster.uuid, pairs.remove(&cluster.uuid)).await;
            let groups = groups.remove(&cluster.uuid).unwrap_or_default();
            patients.push(Patient { cluster, groups, identity });
        }
        Ok(patients)
    }

    /// The cluster's identity, opened once for as long as it is used; nothing where it cannot be.
    async fn identity(&self, cluster: &str, pairs: Option<Pairs>) -> Option<Identity> {
        let pairs = pairs?;
        let opened = self.identities.try_get_with(pairs.key(), pairs.identity(self.conductor)).await;
        let warn = |error: &Arc<crate::Error>| {
            tracing::warn!(cluster, error = %error.chain(), "the cluster's certificates cannot be used");
        };
        opened.inspect_err(warn).ok()
    }

    async fn at(&self, patient: &Patient) -> Finding {
        let Ok(driver) = self.conductor.driver(&patient.cluster.driver) else {
            return finding::unknown("The cluster's driver is not installed");
        };
        let (api, tls) = (&patient.cluster.api_address, patient.cluster.has_tls());
        match (driver.health(), patient.identity.as_ref().filter(|_| tls)) {
            (Health::Docker | Health::Mesos, None) if tls => {
                finding::unknown("The cluster's certificates cannot be used")
            }
            (Health::Docker, identity) => {
                match Swarm::reach(&endpoints(api, &patient.groups.masters), identity, self.deadline).await {
                    Ok(swarm) => finding::of_members(swarm.members()),
                    Err(fault) => finding::of_fault(&fault),
                }
            }
            (Health::Mesos, identity) => {
                // Half of the time, so that one that hangs leaves time for what the others say.
                let way = Way::to(api, &patient.groups.masters, identity.cloned(), self.deadline / 2);
                self.at_masters(&way, patient, &driver.probes(&patient.cluster.labels.0, tls)).await
            }
            (Health::Unasked | Health::Kubernetes, _) => finding::unknown("Clusters of this driver are not asked"),
        }
    }

    /// All is asked at once.
    async fn at_masters(&self, way: &Way, patient: &Patient, probes: &[Probe]) -> Finding {
        let services = join_all(probes.iter().map(|of| async { (of.name, way.probe(of.port, of.path).await) }));
        let all = async { tokio::join!(Leader::reach(way), way.health(), services) };
        match tokio::time::timeout(self.deadline, all).await {
            Ok((leader, masters, services)) => {
                let agents = leader.as_ref().map(Leader::agents);
                finding::of_masters(agents, &patient.groups.workers, &masters, &services)
            }
            Err(_) => finding::unknown(&format!("The masters did not answer within {} s", self.deadline.as_secs())),
        }
    }

    async fn record(&self, cluster: &Asked, (status, reason): Finding) -> Result<()> {
        if cluster.health_status == Some(status) && cluster.health_status_reason == reason {
            return Ok(());
        }
        let changes =
            Changes { health_status: Some(Some(status)), health_status_reason: Some(reason), ..Default::default() };
        if cluster::store::change_from(&self.conductor.db, &cluster.uuid, HEALTH_IS_TOLD, changes).await? {
            let before = cluster.health_status.map_or("nothing", HealthStatus::as_str);
            tracing::info!(cluster = %cluster.uuid, before, now = status.as_str(), "health changed");
        }
        Ok(())
    }
}

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
use drivers::Health;
use futures::StreamExt as _;
use moka::future::Cache;
use tokio_util::sync::CancellationToken;

use crate::certificate::{Pairs, identities};
use crate::cluster::store::{Asked, asked};
use crate::cluster::update::HEALTH_IS_TOLD;
use crate::cluster::{self, Changes, HealthStatus};
use crate::column::now;
use crate::docker::link::{Endpoint, Identity};
use crate::docker::{Swarm, managers};
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
    identities: Cache<String, Identity>,
    /// Until one cluster's answer is given up.
    deadline: Duration,
}

/// A cluster, and all that is needed to ask it.
struct Patient {
    cluster: Asked,
    /// Where its API may be reached, the first first.
    endpoints: Vec<Endpoint>,
    identity: Option<Identity>,
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
            installed.iter().filter(|driver| driver.health() != Health::Unasked).map(|driver| driver.name()).collect();
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
        let mut addresses: HashMap<String, Vec<String>> = HashMap::new();
        for group in nodegroup::store::of_clusters(&self.conductor.db, &uuids).await? {
            if group.role == MASTER {
                addresses.entry(group.cluster_uuid).or_default().extend(group.node_addresses.0);
            }
        }
        let mut patients = Vec::with_capacity(clusters.len());
        for cluster in clusters {
            let identity = self.identity(&cluster.uuid, pairs.remove(&cluster.uuid)).await;
            let others = addresses.remove(&cluster.uuid).unwrap_or_default();
            let endpoints = managers(&cluster.api_address, &others);
            patients.push(Patient { cluster, endpoints, identity });
        }
        Ok(patients)
    }

    /// The cluster's identity, opened once for as long as it is used; nothing where it cannot be.
    async fn identity(&self, cluster: &str, pairs: Option<Pairs>) -> Option<Identity> {
        let pairs = pairs?;
        let key = pairs.key().to_owned();
        let opened = self.identities.try_get_with(key, pairs.identity(self.conductor)).await;
        let warn = |error: &Arc<crate::Error>| {
            tracing::warn!(cluster, error = %error.chain(), "the cluster's certificates cannot be used");
        };
        opened.inspect_err(warn).ok()
    }

    async fn at(&self, patient: &Patient) -> Finding {
        let health = self.conductor.driver(&patient.cluster.driver).map_or(Health::Unasked, |driver| driver.health());
        match (health, &patient.identity) {
            (Health::Docker, None) if patient.cluster.has_tls() => {
                finding::unknown("The cluster's certificates cannot be used")
            }
            (Health::Docker, identity) => {
                let identity = identity.as_ref().filter(|_| patient.cluster.has_tls());
                match Swarm::reach(&patient.endpoints, identity, self.deadline).await {
                    Ok(swarm) => finding::of_members(swarm.members()),
                    Err(fault) => finding::of_fault(&fault),
                }
            }
            (Health::Http(probes), _) => match patient.endpoints.first() {
                Some(endpoint) => finding::of_probes(probes, &endpoint.host, self.deadline).await,
                None => finding::unknown("The cluster's API has no usable address"),
            },
            (Health::Unasked, _) => finding::unknown("Clusters of this driver are not asked"),
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

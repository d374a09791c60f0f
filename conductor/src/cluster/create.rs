//! `cluster.create`: the operation as the API calls it, and the steps that carry it out.
//!
//! Order of the checks: the contract's section 4.3, after authorisation (its B-24).

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use drivers::Desired;
use uuid::Uuid;

use super::facts::Facts;
use super::{Status, View, name, store};
use crate::identity::Mode;
use crate::openstack::token::Identity;
use crate::operation::{self, Kind, Step};
use crate::{Conductor, Error, Result, certificate, cluster_template, identity, nodegroup};

/// A request for a cluster, parsed.
#[derive(Debug, Clone, Default)]
pub struct NewCluster {
    /// Absent means a generated one.
    pub name: Option<String>,
    /// A Nova keypair of the requester; absent means the template's, if the requester has it.
    pub keypair: Option<String>,
    /// Workers in the default nodegroup; absent means 1.
    pub node_count: Option<u32>,
    /// Control plane nodes; absent means 1.
    pub master_count: Option<u32>,
    /// GiB of container storage per node; absent means the template's.
    pub docker_volume_size: Option<u32>,
    /// Labels; absent or empty means the template's.
    pub labels: Option<BTreeMap<String, String>>,
    /// Whether `labels` add to the template's instead of replacing them.
    pub merge_labels: bool,
    /// Flavor of the control plane; absent means the template's.
    pub master_flavor_id: Option<String>,
    /// Flavor of the workers; absent means the template's.
    pub flavor_id: Option<String>,
    /// Minutes; 0 or absent means no limit.
    pub create_timeout: Option<u32>,
    /// Kept and shown; has no effect.
    pub discovery_url: Option<String>,
    /// Network to use; absent means the template's.
    pub fixed_network: Option<String>,
    /// Subnet to use; absent means the template's.
    pub fixed_subnet: Option<String>,
    /// Absent means the template's.
    pub floating_ip_enabled: Option<bool>,
    /// Absent means the template's.
    pub master_lb_enabled: Option<bool>,
}

/// Records the cluster and the operation that makes it; returns before anything is made.
///
/// # Errors
/// Everything the contract's section 4.3 refuses; [`crate::Kind::Unavailable`] when a service needed for a look-up is
/// away. Nothing is written in either case.
pub async fn create(
    conductor: &Conductor,
    caller: &Identity,
    template: cluster_template::Row,
    new: NewCluster,
) -> Result<View> {
    let project_id = caller.project_id.clone().ok_or_else(|| Error::forbidden("A project-scoped token is needed."))?;
    if template.hidden && !conductor.is_admin(caller) {
        return Err(Error::forbidden("Not authorized."));
    }
    let driver = cluster_template::driver(conductor, &template)?;
    let desired = desired(&template, &new, name::given_or_generated(new.name.as_deref(), "cluster"));
    let problems = driver.check(&desired);
    if !problems.is_empty() {
        return Err(Error::invalid(refusal(&desired, &problems)));
    }
    let facts = Facts::look_up(conductor, caller, &template, &new, desired).await?;
    if facts.desired.master_count > 1 && !facts.desired.master_lb_enabled {
        return Err(Error::invalid("master_count must be 1 when master_lb_enabled is False"));
    }
    let owner = identity::choose(&conductor.cloud, &conductor.config, caller).await?;

    let uuid = Uuid::new_v4().to_string();
    let operation = Operation::by(caller, KIND.name, &uuid, &project_id).with_token(conductor, owner, caller)?;
    let operation = Operation { deadline: deadline(facts.desired.create_timeout), ..operation };
    let row = row(uuid, caller, &project_id, &template, new, &facts, owner, driver.name())?;
    let view = store::insert(&conductor.db, row, operation, conductor.config.quota.clusters_per_project).await?;
    let cluster = &view.cluster;
    tracing::info!(cluster = %cluster.uuid, name = %cluster.name, project = %project_id, ?owner, "cluster accepted");
    conductor.wake.notify_one();
    Ok(view)
}

/// The request after inheritance from its template (the contract's sections 4.2 and 4.4).
fn desired(template: &cluster_template::Row, new: &NewCluster, name: String) -> Desired {
    let labels = match &new.labels {
        Some(given) if !given.is_empty() && new.merge_labels => {
            let mut merged = template.labels();
            merged.extend(given.clone());
            merged
        }
        Some(given) if !given.is_empty() => given.clone(),
        _ => template.labels(),
    };
    Desired {
        name,
        coe: template.coe.clone(),
        server_type: template.server_type.clone(),
        os_distro: template.cluster_distro.clone().unwrap_or_default(),
        master_count: new.master_count.unwrap_or(1),
        node_count: new.node_count.unwrap_or(1),
        labels,
        network_driver: template.network_driver.clone(),
        volume_driver: template.volume_driver.clone(),
        docker_storage_driver: template.docker_storage_driver.clone(),
        docker_volume_size: new.docker_volume_size.or(template.docker_volume_size()),
        master_lb_enabled: new.master_lb_enabled.unwrap_or(template.master_lb_enabled),
        floating_ip_enabled: new.floating_ip_enabled.unwrap_or(template.floating_ip_enabled),
        tls_disabled: template.tls_disabled,
        registry_enabled: template.registry_enabled,
        apiserver_port: template.apiserver_port(),
        dns_nameserver: template.dns_nameserver.clone(),
        insecure_registry: template.insecure_registry.clone(),
        http_proxy: template.http_proxy.clone(),
        https_proxy: template.https_proxy.clone(),
        no_proxy: template.no_proxy.clone(),
        create_timeout: new.create_timeout.filter(|minutes| *minutes > 0),
    }
}

/// One text for everything that is wrong; the contract's own words where it has any.
fn refusal(desired: &Desired, problems: &[drivers::Problem]) -> String {
    let even = desired.master_count.is_multiple_of(2);
    if let ([problem], true) = (problems, even) {
        if problem.field == "master_count" {
            return format!(
                "master nodegroup size of {} is invalid, size cannot be an even number.",
                desired.master_count
            );
        }
    }
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn deadline(minutes: Option<u32>) -> Option<chrono::DateTime<Utc>> {
    minutes.map(|minutes| Utc::now() + TimeDelta::minutes(minutes.into()))
}

/// The operation's steps.
pub static KIND: Kind = Kind {
    name: "cluster.create",
    steps: &[
        Step { name: "cluster.create/identity", limit: CALLS, run: |c, w| Box::pin(super::authority::identity(c, w)) },
        Step { name: "cluster.create/authority", limit: CALLS, run: |c, w| Box::pin(super::authority::certificates(c, w)) },
        Step { name: "cluster.create/facts", limit: CALLS, run: |c, w| Box::pin(super::facts::quota(c, w)) },
        Step { name: "cluster.create/submit", limit: CALLS, run: |c, w| Box::pin(super::submit::submit(c, w)) },
        Step { name: "cluster.create/await", limit: CALLS, run: |c, w| Box::pin(super::progress::await_complete(c, w)) },
        Step { name: "cluster.create/finish", limit: CALLS, run: |c, w| Box::pin(super::finish::complete(c, w)) },
    ],
    on_failure: Step { name: "cluster.create/fail", limit: CALLS, run: |c, w| Box::pin(super::finish::failed(c, w)) },
};

/// A step is a handful of calls, each with its own deadline.
const CALLS: Duration = Duration::from_secs(120);

//! `cluster.create`: the operation as the API calls it, and the steps that carry it out.
//!
//! Order of the checks: the contract's section 4.3, after authorisation (its B-24).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use drivers::Desired;
use uuid::Uuid;

use super::facts::Facts;
use super::{Owner, View, name, store};
use crate::cluster_template::{self, ClusterTemplate};
use crate::openstack::Identity;
use crate::operation::{Kind, New as Operation, Step};
use crate::{Conductor, Error, Result, identity};

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
    /// Whether the caller is an administrator, who may use hidden templates.
    pub admin: bool,
}

/// Records the cluster and the operation that makes it; returns before anything is made.
///
/// # Errors
/// Everything the contract's section 4.3 refuses; [`crate::Kind::Unavailable`] when a service needed for a look-up is
/// away. Nothing is written in either case.
pub async fn create(
    conductor: &Conductor,
    caller: &Arc<Identity>,
    template: ClusterTemplate,
    new: NewCluster,
) -> Result<View> {
    let project_id = caller.project_id.clone().ok_or_else(|| Error::forbidden("A project-scoped token is needed."))?;
    if template.hidden && !new.admin {
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
    let row = row(uuid, caller, &template, new, &facts, owner, driver.name())?;
    let view = store::insert(&conductor.db, row, operation, conductor.config.quota.clusters_per_project).await?;
    let cluster = &view.cluster;
    tracing::info!(cluster = %cluster.uuid, name = %cluster.name, project = %project_id, ?owner, "cluster accepted");
    conductor.wake.notify_one();
    Ok(view)
}

/// The request after inheritance from its template (the contract's sections 4.2 and 4.4).
fn desired(template: &ClusterTemplate, new: &NewCluster, name: String) -> Desired {
    let size = template.docker_volume_size.and_then(|size| u32::try_from(size).ok());
    let port = template.apiserver_port.and_then(|port| u16::try_from(port).ok());
    Desired {
        name,
        coe: template.coe.clone(),
        server_type: template.server_type.clone(),
        os_distro: template.cluster_distro.clone(),
        master_count: new.master_count.unwrap_or(1),
        node_count: new.node_count.unwrap_or(1),
        labels: labels(template, new),
        network_driver: template.network_driver.clone(),
        volume_driver: template.volume_driver.clone(),
        docker_storage_driver: template.docker_storage_driver.clone(),
        docker_volume_size: new.docker_volume_size.or(size),
        master_lb_enabled: new.master_lb_enabled.unwrap_or(template.master_lb_enabled),
        floating_ip_enabled: new.floating_ip_enabled.unwrap_or(template.floating_ip_enabled),
        tls_disabled: template.tls_disabled,
        registry_enabled: template.registry_enabled,
        apiserver_port: port,
        dns_nameserver: template.dns_nameserver.clone(),
        insecure_registry: template.insecure_registry.clone(),
        http_proxy: template.http_proxy.clone(),
        https_proxy: template.https_proxy.clone(),
        no_proxy: template.no_proxy.clone(),
        create_timeout: new.create_timeout.filter(|minutes| *minutes > 0),
    }
}

/// None given: the template's. Given: those, or the template's with those laid over.
fn labels(template: &ClusterTemplate, new: &NewCluster) -> BTreeMap<String, String> {
    match &new.labels {
        Some(given) if !given.is_empty() && new.merge_labels => {
            let mut merged = template.labels.0.clone();
            merged.extend(given.clone());
            merged
        }
        Some(given) if !given.is_empty() => given.clone(),
        _ => template.labels.0.clone(),
    }
}

/// The rows of the accepted cluster.
fn row(uuid: String, caller: &Identity, template: &ClusterTemplate, new: NewCluster, facts: &Facts, owner: Owner, driver: &str) -> Result<store::NewCluster> {
    let desired = &facts.desired;
    let keypair = new.keypair.or_else(|| template.keypair_id.clone());
    Ok(store::NewCluster {
        stack_name: name::of_stack(&desired.name, &uuid),
        uuid,
        name: desired.name.clone(),
        project_id: caller.project_id.clone().unwrap_or_default(),
        user_id: caller.user_id.clone(),
        cluster_template_id: template.uuid.clone(),
        keypair: keypair.filter(|_| facts.ssh_public_key.is_some()),
        ssh_public_key: facts.ssh_public_key.clone(),
        docker_volume_size: desired.docker_volume_size,
        labels: desired.labels.clone(),
        master_flavor_id: new.master_flavor_id.or_else(|| template.master_flavor_id.clone()),
        flavor_id: new.flavor_id.or_else(|| template.flavor_id.clone()),
        create_timeout: new.create_timeout,
        discovery_url: new.discovery_url,
        fixed_network: new.fixed_network.or_else(|| template.fixed_network.clone()),
        fixed_subnet: new.fixed_subnet.or_else(|| template.fixed_subnet.clone()),
        floating_ip_enabled: desired.floating_ip_enabled,
        master_lb_enabled: desired.master_lb_enabled,
        act_as: owner,
        driver: driver.to_owned(),
        spec: facts.to_json()?,
        image_id: template.image_id.clone(),
        master_count: desired.master_count,
        node_count: desired.node_count,
    })
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

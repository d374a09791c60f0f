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
use super::{Action, Cluster, Owner, Status, View, name, store};
use crate::cluster_template::{self, ClusterTemplate};
use crate::column::{StringList, StringMap, now};
use crate::nodegroup::Nodegroup;
use crate::openstack::Identity;
use crate::operation::{self, Kind, Step};
use crate::{Conductor, Error, Kind as ErrorKind, Result, identity};

/// A request for a cluster, parsed.
#[derive(Debug, Clone, Default)]
pub struct Request {
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
    new: Request,
) -> Result<View> {
    let project_id = caller.project_id.clone().ok_or_else(|| Error::forbidden("A project-scoped token is needed."))?;
    if template.hidden && !new.admin {
        return Err(Error::forbidden("Not authorized."));
    }
    name::check(new.name.as_deref())?;
    let driver = cluster_template::driver(conductor, &template)?;
    let desired = desired(&template, &new, name::given_or_generated(new.name.as_deref(), "cluster"));
    let mut problems = driver.check(&desired);
    problems.extend(super::labels::refused(conductor.config.drivers.labels_unknown, driver, &desired.labels));
    if !problems.is_empty() {
        return Err(Error::invalid(refusal(&desired, &problems)));
    }
    let facts = Facts::look_up(conductor, caller, &template, &new, desired).await?;
    if facts.desired.master_count > 1 && !facts.desired.master_lb_enabled {
        return Err(Error::invalid("master_count must be 1 when master_lb_enabled is False"));
    }
    let owner = identity::choose(&conductor.cloud, &conductor.config, caller).await?;

    let uuid = Uuid::new_v4().to_string();
    let until = deadline(facts.desired.create_timeout);
    let operation = operation::by(conductor, caller, KIND.name, (&uuid, &project_id), owner, until)?;
    let nodegroups = nodegroups(&uuid, &project_id, &template, &facts);
    let mut cluster = row(uuid, caller, &template, new, &facts, owner, driver.name())?;
    // Told at once: a typing error is easily mended as long as little has been made.
    let notes = super::labels::of_cluster(driver, &facts.desired, cluster.discovery_url.as_deref());
    cluster.status_reason = notes.map(|text| format!("Note: {text}"));
    let quota = i32::try_from(conductor.config.quota.clusters_per_project).unwrap_or(i32::MAX);
    let view = store::insert(&conductor.db, super::NewCluster { cluster, nodegroups, operation, quota }).await?;
    let cluster = &view.cluster;
    tracing::info!(cluster = %cluster.uuid, name = %cluster.name, project = %project_id, ?owner, "cluster accepted");
    conductor.wake.notify_one();
    Ok(view)
}

/// The request after inheritance from its template (the contract's sections 4.2 and 4.4).
fn desired(template: &ClusterTemplate, new: &Request, name: String) -> Desired {
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
fn labels(template: &ClusterTemplate, new: &Request) -> BTreeMap<String, String> {
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

/// The row of the accepted cluster.
fn row(
    uuid: String,
    caller: &Identity,
    template: &ClusterTemplate,
    new: Request,
    facts: &Facts,
    owner: Owner,
    driver: &str,
) -> Result<Cluster> {
    let desired = &facts.desired;
    let keypair = new.keypair.or_else(|| template.keypair_id.clone());
    Ok(Cluster {
        id: 0,
        stack_name: Some(name::of_stack(&desired.name, &uuid)),
        uuid,
        name: desired.name.clone(),
        project_id: caller.project_id.clone().unwrap_or_default(),
        user_id: caller.user_id.clone(),
        cluster_template_id: template.uuid.clone(),
        keypair: keypair.filter(|_| facts.ssh_public_key.is_some()),
        ssh_public_key: facts.ssh_public_key.clone(),
        docker_volume_size: desired.docker_volume_size.and_then(|size| i32::try_from(size).ok()),
        labels: desired.labels.clone().into(),
        master_flavor_id: new.master_flavor_id.or_else(|| template.master_flavor_id.clone()),
        flavor_id: new.flavor_id.or_else(|| template.flavor_id.clone()),
        create_timeout: new.create_timeout.and_then(|minutes| i32::try_from(minutes).ok()),
        discovery_url: new.discovery_url,
        fixed_network: new.fixed_network.or_else(|| template.fixed_network.clone()),
        fixed_subnet: new.fixed_subnet.or_else(|| template.fixed_subnet.clone()),
        floating_ip_enabled: desired.floating_ip_enabled,
        master_lb_enabled: desired.master_lb_enabled,
        status: Status::CreateInProgress,
        status_reason: None,
        health_status: None,
        health_status_reason: StringMap::default(),
        api_address: None,
        coe_version: None,
        container_version: None,
        stack_id: None,
        act_as: Some(owner),
        trust_id: None,
        trustee_user_id: None,
        trustee_username: None,
        trustee_password: None,
        credential_id: None,
        credential_secret: None,
        next_template_id: None,
        spec: Some(facts.to_json()?),
        driver: driver.to_owned(),
        created_at: now(),
        updated_at: None,
    })
}

/// The two nodegroups every cluster has (the contract's section 5.3).
fn nodegroups(cluster: &str, project: &str, template: &ClusterTemplate, facts: &Facts) -> Vec<Nodegroup> {
    let desired = &facts.desired;
    let least = desired.label("min_node_count").and_then(|text| text.parse().ok()).unwrap_or(0);
    let most = desired.label("max_node_count").and_then(|text| text.parse().ok());
    [
        ("master", desired.master_count, &facts.master_flavor, 1, None),
        ("worker", desired.node_count, &facts.flavor, least, most),
    ]
    .into_iter()
    .map(|(role, count, flavor, min_node_count, max_node_count)| Nodegroup {
        id: 0,
        uuid: Uuid::new_v4().to_string(),
        cluster_uuid: cluster.to_owned(),
        project_id: project.to_owned(),
        name: format!("default-{role}"),
        role: role.to_owned(),
        flavor_id: Some(flavor.name.clone()),
        image_id: Some(template.image_id.clone()),
        node_count: i32::try_from(count).unwrap_or(i32::MAX),
        min_node_count,
        max_node_count,
        docker_volume_size: desired.docker_volume_size.and_then(|size| i32::try_from(size).ok()),
        labels: desired.labels.clone().into(),
        is_default: true,
        stack_id: None,
        token_generation: 1,
        status: Status::CreateInProgress,
        status_reason: None,
        version: None,
        node_addresses: StringList::default(),
        node_labels: None,
        node_taints: None,
        spec: None,
        created_at: now(),
        updated_at: None,
    })
    .collect()
}

/// One text for everything that is wrong; the contract's own words where it has any.
fn refusal(desired: &Desired, problems: &[drivers::Problem]) -> String {
    let even = desired.master_count.is_multiple_of(2);
    if let ([problem], true) = (problems, even)
        && problem.field == "master_count"
    {
        let count = desired.master_count;
        return format!("master nodegroup size of {count} is invalid, size cannot be an even number.");
    }
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn deadline(minutes: Option<u32>) -> Option<chrono::DateTime<Utc>> {
    minutes.map(|minutes| Utc::now() + TimeDelta::minutes(minutes.into()))
}

/// The operation's steps.
pub static KIND: Kind = Kind {
    name: "cluster.create",
    doing: "Creating a cluster",
    exclusive: true,
    refusal: ErrorKind::Conflict,
    cluster: Action::Create,
    nodegroups: Some(Action::Create),
    steps: &[
        Step { name: "cluster.create/identity", limit: CALLS, run: |c, w| Box::pin(super::authority::identity(c, w)) },
        Step {
            name: "cluster.create/authority",
            limit: CALLS,
            run: |c, w| Box::pin(super::authority::certificates(c, w)),
        },
        Step { name: "cluster.create/facts", limit: CALLS, run: |c, w| Box::pin(super::facts::quota(c, w)) },
        Step { name: "cluster.create/submit", limit: CALLS, run: |c, w| Box::pin(super::submit::submit(c, w)) },
        Step {
            name: "cluster.create/await",
            limit: CALLS,
            run: |c, w| Box::pin(super::progress::await_complete(c, w)),
        },
        Step { name: "cluster.create/finish", limit: CALLS, run: |c, w| Box::pin(super::finish::complete(c, w)) },
    ],
    on_failure: Step { name: "cluster.create/fail", limit: CALLS, run: |c, w| Box::pin(super::finish::failed(c, w)) },
};

/// A step is a handful of calls, each with its own deadline.
const CALLS: Duration = Duration::from_secs(120);

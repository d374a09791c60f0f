//! `nodegroup.create`: workers of another kind beside those that came with the cluster, in a stack of their own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use drivers::{Desired, Driver, Image};
use uuid::Uuid;

use super::{Facts, MASTER, Nodegroup, Taint, Taints, WORKER, facts, rules, store};
use crate::cluster::change::{self, Target};
use crate::cluster::facts::{Facts as ClusterFacts, Need};
use crate::cluster::{self, Action, Changes, Cluster, Owner, Status, View, gate, labels, name, progress, spec};
use crate::cluster::{Ending, close};
use crate::column::{StringList, StringMap, now};
use crate::openstack::Identity;
use crate::operation::store::NewOperation;
use crate::operation::{self, Kind, Next, Step, StepResult, Work};
use crate::{Conductor, Error, Kind as ErrorKind, Result, database, lookup, node};

/// A request for a nodegroup, parsed.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Unique within the cluster.
    pub name: String,
    /// Any word but `master`; absent means `worker`.
    pub role: Option<String>,
    /// Absent means 1.
    pub node_count: Option<u32>,
    /// Absent means 0.
    pub min_node_count: Option<u32>,
    /// 0 or absent means no limit.
    pub max_node_count: Option<u32>,
    /// GiB of container storage per node; absent means the root disk.
    pub docker_volume_size: Option<u32>,
    /// Absent means the cluster's.
    pub flavor_id: Option<String>,
    /// Absent means the cluster's.
    pub image_id: Option<String>,
    /// Absent means the cluster's.
    pub labels: Option<BTreeMap<String, String>>,
    /// Whether `labels` add to the cluster's instead of replacing them.
    pub merge_labels: bool,
    /// Kubernetes labels of the nodes.
    pub node_labels: Option<BTreeMap<String, String>>,
    /// Kubernetes taints of the nodes.
    pub node_taints: Option<Vec<Taint>>,
}

/// Records the nodegroup and the operation that makes it; returns before anything is made.
///
/// # Errors
/// Everything the contract's section 5.3 refuses; [`ErrorKind::Unavailable`] when a service needed for a look-up is
/// away. Nothing is written in either case.
pub async fn create(conductor: &Conductor, caller: &Arc<Identity>, view: View, new: Request) -> Result<Nodegroup> {
    let cluster = &view.cluster;
    if cluster.api_address.is_none() {
        return Err(Error::conflict("Cluster API address is not available yet"));
    }
    if !conductor.driver(&cluster.driver)?.has_nodegroups() {
        let driver = &cluster.driver;
        return Err(Error::invalid(format!("The driver {driver} makes no nodegroups besides those of the cluster.")));
    }
    may_own(cluster, caller)?;
    let group = row(cluster, &view.nodegroups, &new);
    if group.role == MASTER {
        return Err(Error::invalid("Creating master nodegroups is currently not supported."));
    }
    rules::counts(&group.name, group.node_count, group.min_node_count, group.max_node_count)?;
    rules::labels(&group.name, &group.role, &new.node_labels.clone().unwrap_or_default())?;
    rules::taints(&group.name, &group.role, new.node_taints.as_deref().unwrap_or_default())?;
    let facts = Facts::look_up(conductor, caller, cluster, &new).await?;
    can_be_built(conductor, cluster, &group, &facts)?;

    let status_reason = notes(conductor, cluster, &group, &facts)?.map(|text| format!("Note: {text}"));
    let group = Nodegroup { spec: Some(facts.to_json()?), status_reason, ..group };
    let owner = cluster.act_as.unwrap_or(Owner::Service);
    let ids = (cluster.uuid.as_str(), cluster.project_id.as_str());
    let until = Some(gate::deadline(cluster));
    let operation = operation::by(conductor, caller, KIND.name, ids, owner, until)?.about(&group);
    let group = database::retry(|| accept(conductor, cluster, group.clone(), operation.clone())).await?;
    tracing::info!(cluster = %cluster.uuid, nodegroup = %group.uuid, name = %group.name, "nodegroup accepted");
    conductor.wake.notify_one();
    Ok(group)
}

/// A stack of the requester's can be made by a token of the same project that is nobody's delegate.
fn may_own(cluster: &Cluster, caller: &Identity) -> Result<()> {
    if cluster.act_as != Some(Owner::Requester) {
        return Ok(());
    }
    if caller.project_id.as_deref() != Some(cluster.project_id.as_str()) || caller.delegated.is_some() {
        return Err(Error::forbidden(format!(
            "The stacks of this cluster belong to whoever asks for them: log in to its project {} with a password.",
            cluster.project_id
        )));
    }
    Ok(())
}

/// The nodegroup, its operation and the cluster's status, in one transaction.
async fn accept(
    conductor: &Conductor,
    cluster: &Cluster,
    group: Nodegroup,
    operation: NewOperation,
) -> Result<Nodegroup> {
    let transaction = database::begin(&conductor.db).await?;
    let view = gate::claim(&transaction, &KIND, &cluster.uuid, &group.uuid).await?;
    if !ClusterFacts::of(&view.cluster)?.previous.is_empty() {
        return Err(Error::conflict(
            "An upgrade has not been finished. Ask for it again before anything else is made.",
        ));
    }
    let stack = view.cluster.stack_name.as_deref().unwrap_or_default();
    let prefix = drivers::node_prefix(stack, &group.name);
    let others = view.nodegroups.iter().filter(|other| other.name != group.name);
    if let Some(other) = others.into_iter().find(|other| drivers::node_prefix(stack, &other.name) == prefix) {
        return Err(Error::conflict(format!(
            "Nodes of a node group with name {} would be called {prefix}-0 and so on, like those of {}.",
            group.name, other.name
        )));
    }
    let group = store::insert(&transaction, group, &cluster.name).await?;
    gate::begin(&transaction, &KIND, operation).await?;
    let told = store::Changes { status_reason: Some(group.status_reason.clone()), ..Default::default() };
    store::change(&transaction, &group.uuid, told).await?;
    // Beginning has said when: the answer is what is read from now on.
    let group = store::find(&transaction, &cluster.uuid, &group.uuid).await?;
    transaction.commit().await?;
    Ok(group)
}

/// The row of the accepted nodegroup; what was looked up is still to be put into it.
fn row(cluster: &Cluster, nodegroups: &[Nodegroup], new: &Request) -> Nodegroup {
    let number = |given: Option<u32>| given.map(|number| i32::try_from(number).unwrap_or(i32::MAX));
    let default = nodegroups.iter().find(|group| group.is_default && group.role != MASTER);
    let own = |text: fn(&Nodegroup) -> Option<String>| default.and_then(text);
    let mut inherited = cluster.labels.0.clone();
    let labels = match new.labels.clone() {
        None => inherited,
        Some(given) if new.merge_labels => {
            inherited.extend(given);
            inherited
        }
        Some(given) => given,
    };
    Nodegroup {
        id: 0,
        uuid: Uuid::new_v4().to_string(),
        cluster_uuid: cluster.uuid.clone(),
        project_id: cluster.project_id.clone(),
        name: new.name.clone(),
        role: new.role.clone().unwrap_or_else(|| WORKER.to_owned()),
        flavor_id: new.flavor_id.clone().or_else(|| own(|group| group.flavor_id.clone())),
        image_id: new.image_id.clone().or_else(|| own(|group| group.image_id.clone())),
        node_count: number(new.node_count).unwrap_or(1),
        min_node_count: number(new.min_node_count).unwrap_or(0),
        max_node_count: number(new.max_node_count),
        docker_volume_size: number(new.docker_volume_size),
        labels: labels.into(),
        is_default: false,
        stack_id: None,
        token_generation: 1,
        status: Status::CreateInProgress,
        status_reason: None,
        version: None,
        node_addresses: StringList::default(),
        node_labels: new.node_labels.clone().map(StringMap),
        node_taints: new.node_taints.clone().map(Taints),
        spec: None,
        created_at: now(),
        updated_at: None,
    }
}

/// Everything the driver has against it, at once.
fn can_be_built(conductor: &Conductor, cluster: &Cluster, group: &Nodegroup, facts: &Facts) -> Result<()> {
    let driver = conductor.driver(&cluster.driver)?;
    let of_cluster = ClusterFacts::of(cluster)?;
    let mut desired = facts::desired(driver, &of_cluster.desired, &group.labels, &facts.image);
    desired.docker_volume_size = group.docker_volume_size.and_then(|size| u32::try_from(size).ok());
    let mut problems = drivers::examine(driver.labels(), &group.labels).problems;
    // A label of nodes is one of both; it is named once.
    let named: Vec<String> = problems.iter().map(|problem| problem.field.clone()).collect();
    problems.extend(driver.check(&desired).into_iter().filter(|problem| !named.contains(&problem.field)));
    problems.extend(labels::refused(conductor.config.drivers.labels_unknown, driver, &group.labels));
    let newer = newer(driver, &of_cluster, &desired, &facts.image);
    let wrong: Vec<String> = problems.iter().map(ToString::to_string).chain(newer).collect();
    labels::refuse(&wrong)?;
    let default_gib = conductor.config.cluster_template.default_boot_volume_size;
    lookup::root_volume(&facts.flavor, &desired.labels, default_gib)
}

/// Why its nodes would be of a later version than the cluster; nothing if they are not.
fn newer(driver: &dyn Driver, of_cluster: &ClusterFacts, desired: &Desired, image: &Image) -> Option<String> {
    let own = driver.version(&desired.labels, image)?;
    let control_plane = driver.version(&of_cluster.desired.labels, &of_cluster.image)?;
    (driver.is_older(&control_plane, &own) == Some(true)).then(|| {
        format!("labels.kube_tag and image come to {own}; allowed: at most {control_plane}, the version of the cluster")
    })
}

/// What the user should know of it.
fn notes(conductor: &Conductor, cluster: &Cluster, group: &Nodegroup, facts: &Facts) -> Result<Option<String>> {
    let driver = conductor.driver(&cluster.driver)?;
    Ok(labels::of_nodegroup(driver, &ClusterFacts::of(cluster)?.desired, group, &facts.image))
}

/// Compares what the nodegroup needs with what the project's quotas leave.
async fn quota(conductor: &Conductor, work: &Work) -> StepResult {
    let group = work.nodegroup()?;
    if group.stack_id.is_some() {
        return Ok(Next::Done);
    }
    let facts = Facts::of(group)?;
    let driver = conductor.driver(&work.cluster.driver)?;
    let desired = facts::desired(driver, &ClusterFacts::of(&work.cluster)?.desired, &group.labels, &facts.image);
    let boot = desired.label("boot_volume_size").and_then(|text| text.parse().ok()).unwrap_or(0);
    let volumes = [i64::from(group.docker_volume_size.unwrap_or(0)), boot];
    let need = Need::of_nodes(group.node_count.into(), &facts.flavor, &volumes, work.cluster.floating_ip_enabled);
    cluster::facts::fits(conductor, work, &need, "the nodegroup").await
}

/// Submits the stack, or adopts the one that an earlier try of this step made.
async fn submit(conductor: &Conductor, work: &Work) -> StepResult {
    let group = work.nodegroup()?;
    if group.stack_id.is_some() {
        return Ok(Next::Done);
    }
    let session = cluster::authority::submitting(conductor, work).await?;
    let name = name::of_nodegroup_stack(work.cluster.stack_name.as_deref().unwrap_or_default(), &group.uuid);
    let rendered = async {
        spec::admit_nodes(conductor, &work.cluster, std::slice::from_ref(group)).await?;
        let spec = spec::of_nodegroup(conductor, &work.cluster, &work.nodegroups, group).await?;
        let outputs = change::present(&session, &super::of_cluster(work)?).await?.outputs();
        let stack = conductor.driver(&work.cluster.driver)?.nodegroup(&spec, &outputs, None);
        stack.map_err(|why| Error::internal(why).into())
    };
    match cluster::handed_over(conductor, work, &session, &name, rendered).await? {
        Some(id) => record(conductor, work, &id).await,
        None => Ok(Next::Done),
    }
}

/// Writes the stack's identifier down, has the watcher follow it, and erases the requester's token, which has served.
async fn record(conductor: &Conductor, work: &Work, stack_id: &str) -> StepResult {
    let changes = store::Changes { stack_id: Some(Some(stack_id.to_owned())), ..Default::default() };
    let transaction = database::begin(&conductor.db).await?;
    store::change(&transaction, &work.nodegroup()?.uuid, changes).await?;
    operation::store::follow(&transaction, &work.operation.uuid, stack_id).await?;
    operation::store::erase_token(&transaction, &work.operation.uuid).await?;
    transaction.commit().await.map_err(Error::from)?;
    tracing::info!(stack = %stack_id, "Heat has accepted the nodegroup's stack");
    Ok(Next::Done)
}

/// Reads the finished stack and records what users need of it.
async fn complete(conductor: &Conductor, work: &Work) -> StepResult {
    let group = work.nodegroup()?;
    let session = cluster::authority::acting(conductor, &work.cluster, Some(&work.operation)).await?;
    let stack = change::present(&session, &Target::nodegroup(work)?).await?;
    let driver = conductor.driver(&work.cluster.driver)?;
    let addresses = driver.read(&stack.outputs());
    let nodes = node::store::of_clusters(&conductor.db, std::slice::from_ref(&work.cluster.uuid)).await?;
    let mut own = nodes.iter().filter(|node| node.nodegroup_uuid == group.uuid);
    let changes = store::Changes {
        node_addresses: Some(addresses.node_addresses.into()),
        version: own.find_map(|node| node.versions.get(driver.programs().0).cloned()).map(Some),
        ..Default::default()
    };
    let reason = format!("Nodegroup {}: stack CREATE completed successfully", group.name);
    let reason = labels::noted(reason, notes(conductor, &work.cluster, group, &Facts::of(group)?)?);
    let transaction = database::begin(&conductor.db).await?;
    cluster::store::take(&transaction, &work.cluster.uuid).await?;
    store::change(&transaction, &group.uuid, changes).await?;
    if cluster::nodes_report(conductor, &work.cluster) {
        // Every node has its certificates: the token, which readers of the project can find in Heat, opens nothing more.
        node::store::delete_tokens(&transaction, &work.cluster.uuid, Some(&group.uuid)).await?;
    }
    if !close(&transaction, &work.operation, &Ending::Complete(reason), Changes::default()).await? {
        return Ok(Next::Done);
    }
    transaction.commit().await.map_err(Error::from)?;
    tracing::info!(nodegroup = %group.uuid, "nodegroup complete");
    Ok(Next::Done)
}

/// Records why the operation failed; what was made stays until the nodegroup is deleted.
pub(super) async fn failed(conductor: &Conductor, work: &Work) -> StepResult {
    cluster::settle_failed(conductor, &work.operation).await?;
    Ok(Next::Done)
}

/// The operation's steps.
pub static KIND: Kind = Kind {
    name: "nodegroup.create",
    doing: "Creating a nodegroup",
    exclusive: false,
    refusal: ErrorKind::Conflict,
    cluster: Action::Update,
    nodegroups: Some(Action::Create),
    steps: &[
        Step { name: "nodegroup.create/facts", limit: CALLS, run: |c, w| Box::pin(quota(c, w)) },
        Step { name: "nodegroup.create/submit", limit: CALLS, run: |c, w| Box::pin(submit(c, w)) },
        Step { name: "nodegroup.create/await", limit: CALLS, run: |c, w| Box::pin(progress::await_complete(c, w)) },
        Step { name: "nodegroup.create/finish", limit: CALLS, run: |c, w| Box::pin(complete(c, w)) },
    ],
    on_failure: Step { name: "nodegroup.create/fail", limit: CALLS, run: |c, w| Box::pin(failed(c, w)) },
};

/// A step is a handful of calls, each with its own deadline.
const CALLS: Duration = Duration::from_secs(120);

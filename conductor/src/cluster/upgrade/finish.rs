//! The end of an upgrade: template, labels and versions on record, or how far it has come.

use drivers::Desired;

use super::definition::{Definition, masters_of, target, workers_of};
use super::request::Input;
use crate::cluster::facts::Facts;
use crate::cluster::members::reported;
use crate::cluster::{self, Changes, Cluster, Ending, authority, change, close, labels, leaving, progress};
use crate::column::StringMap;
use crate::nodegroup::{self, MASTER, Nodegroup};
use crate::operation::{Failure, Fault, Next, StepResult, Work};
use crate::{Conductor, Error, Result, database, node};

/// Records what the cluster, or the nodegroup, is now.
pub(super) async fn complete(conductor: &Conductor, work: &Work) -> StepResult {
    let input = Input::of(work)?;
    let session = authority::acting(conductor, &work.cluster, Some(&work.operation)).await?;
    let stack = change::present(&session, &target(work)?).await?;
    let addresses = conductor.driver(&work.cluster.driver)?.read(&stack.outputs());
    let about = work.operation.nodegroup_uuid.as_deref();
    let groups = || work.nodegroups.iter().filter(|group| about.map_or(group.is_default, |uuid| group.uuid == uuid));
    let changes = match about {
        Some(_) => arrived(),
        None => of_cluster(conductor, work, &input).await?,
    };
    let mut of_groups = Vec::new();
    for group in groups() {
        let nodes = if group.role == MASTER { &addresses.master_addresses } else { &addresses.node_addresses };
        of_groups.push((group, of_group(conductor, &work.cluster, group, &input, nodes).await?));
    }

    let transaction = database::begin(&conductor.db).await?;
    cluster::store::take(&transaction, &work.cluster.uuid).await?;
    for (group, changes) in of_groups {
        nodegroup::store::change(&transaction, &group.uuid, changes).await?;
        if cluster::nodes_report(conductor, &work.cluster) {
            node::store::delete_tokens(&transaction, &work.cluster.uuid, Some(&group.uuid)).await?;
        }
    }
    let reason = leaving::told(work, "Stack UPDATE completed successfully");
    let ending = Ending::Complete(labels::noted(reason, notes(conductor, work, &input)?));
    if !close(&transaction, &work.operation, &ending, changes).await? {
        return Ok(Next::Done);
    }
    transaction.commit().await.map_err(Error::from)?;
    tracing::info!(template = %input.template, "upgrade complete");
    Ok(Next::Done)
}

async fn of_cluster(conductor: &Conductor, work: &Work, input: &Input) -> Result<Changes, Failure> {
    let mut facts = Facts::of(&work.cluster)?;
    facts.previous.clear();
    let (coe_version, container_version) = progress::versions(conductor, work).await?;
    Ok(Changes {
        cluster_template_id: Some(input.template.clone()),
        labels: Some(StringMap(input.labels.clone())),
        coe_version: Some(coe_version),
        container_version: Some(container_version),
        spec: Some(Some(facts.to_json()?)),
        ..arrived()
    })
}

/// What the user should know of what the nodes are now.
fn notes(conductor: &Conductor, work: &Work, input: &Input) -> Result<Option<String>, Failure> {
    let driver = conductor.driver(&work.cluster.driver)?;
    let cluster = Facts::of(&work.cluster)?.desired;
    if work.operation.nodegroup_uuid.is_some() {
        let group = Nodegroup { labels: StringMap(input.labels.clone()), ..work.nodegroup()?.clone() };
        return Ok(labels::of_nodegroup(driver, &cluster, &group, &input.image));
    }
    let cluster = Desired { labels: input.labels.clone(), ..cluster };
    Ok(labels::of_cluster(driver, &cluster, work.cluster.discovery_url.as_deref()))
}

/// It goes nowhere any more.
fn arrived() -> Changes {
    Changes { next_template_id: Some(None), ..Default::default() }
}

async fn of_group(
    conductor: &Conductor,
    cluster: &Cluster,
    group: &Nodegroup,
    input: &Input,
    nodes: &[String],
) -> Result<nodegroup::store::Changes> {
    let spec = match group.is_default {
        true => None,
        false => {
            let mut facts = nodegroup::Facts::of(group)?;
            (facts.previous, facts.labels) = (Vec::new(), None);
            facts.parent.clone_from(&cluster.labels.0);
            Some(facts.to_json()?)
        }
    };
    let version = reported(conductor, group).await?.iter().find_map(|node| node.versions.get("kubelet").cloned());
    Ok(nodegroup::store::Changes {
        labels: Some(StringMap(input.labels.clone())),
        image_id: Some(Some(input.image_id.clone())),
        version: version.map(Some),
        node_addresses: Some(nodes.to_vec().into()),
        spec,
        ..Default::default()
    })
}

/// Records the failure with how far the upgrade has come; nodes stay as they are until it is asked for again.
pub(super) async fn failed(conductor: &Conductor, work: &Work) -> StepResult {
    let mut fault = Fault::of(&work.operation);
    if let Some(drained) = leaving::give_back(conductor, work).await {
        fault.add(&drained);
    }
    if let Some(reached) = reached(conductor, work).await {
        fault.add(&reached);
    }
    let transaction = database::begin(&conductor.db).await?;
    if close(&transaction, &work.operation, &Ending::Failed(fault), arrived()).await? {
        transaction.commit().await.map_err(Error::from)?;
    }
    Ok(Next::Done)
}

/// How many nodes are new; nothing where that cannot be said.
async fn reached(conductor: &Conductor, work: &Work) -> Option<String> {
    let definition = Definition::of(work).ok()?;
    let group = workers_of(work).ok()?;
    let nodes = reported(conductor, group).await.ok()?;
    let old = definition.old_workers();
    let index = |node: &node::Node| node.name.rsplit('-').next().and_then(|text| text.parse::<u32>().ok());
    let left = nodes.iter().filter_map(index).filter(|index| old.contains(index)).count();
    let count = usize::try_from(group.node_count).unwrap_or_default();
    let mut text = format!("Upgraded so far: {} of {count} workers", count.saturating_sub(left));
    if work.operation.nodegroup_uuid.is_none() {
        let masters = usize::try_from(masters_of(work).ok()?.node_count).unwrap_or_default();
        let new = masters.saturating_sub(definition.old_masters().len());
        text =
            format!("Upgraded so far: {new} of {masters} masters, {} of {count} workers", count.saturating_sub(left));
    }
    Some(format!("{text}. Ask for the upgrade again to go on from there"))
}

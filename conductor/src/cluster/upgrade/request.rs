//! Asking for an upgrade: what it changes, and what forbids it (the contract's section 4.8).

use std::collections::BTreeMap;
use std::sync::Arc;

use drivers::{Desired, Driver, Image};
use serde::{Deserialize, Serialize};

use super::{KIND, NODEGROUP};
use crate::cluster::facts::Facts;
use crate::cluster::{self, Cluster, Owner, View, gate, labels};
use crate::cluster_template::{self, ClusterTemplate};
use crate::nodegroup::{self, Nodegroup};
use crate::openstack::Identity;
use crate::operation::store::NewOperation;
use crate::operation::{self, Kind, Work};
use crate::{Conductor, Error, Result, database, lookup};

/// A request for an upgrade.
#[derive(Debug, Clone)]
pub struct Request {
    /// The cluster template to go by.
    pub template: ClusterTemplate,
    /// How many workers are replaced at a time; at least 1.
    pub max_batch_size: u32,
    /// UUID or name of a nodegroup; absent, and for those that came with the cluster, it is the masters and the default
    /// workers together, as they share a stack and a version.
    pub nodegroup: Option<String>,
}

/// What the operation was asked to do, as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Input {
    /// UUID of the cluster template.
    pub(super) template: String,
    /// The template's image as it is given.
    pub(super) image_id: String,
    /// That image as it was found.
    pub(super) image: Image,
    /// All labels from now on.
    pub(super) labels: BTreeMap<String, String>,
    /// How many workers are replaced at a time.
    pub(super) batch: u32,
}

impl Input {
    pub(super) fn of(work: &Work) -> Result<Self> {
        serde_json::from_value(work.operation.input.clone()).map_err(Error::internal)
    }
}

/// Records the operation that upgrades the cluster or one of its nodegroups; returns before anything is changed.
///
/// # Errors
/// `Invalid` for a template of another COE or driver, an older version, a cluster whose state would be lost, and in the
/// wrong status; `Conflict` for a nodegroup that is to go beyond its cluster; `NotFound` for an unknown nodegroup.
pub async fn upgrade(conductor: &Conductor, caller: &Arc<Identity>, view: View, request: Request) -> Result<()> {
    let cluster = &view.cluster;
    let named = match request.nodegroup.as_deref() {
        Some(ident) => Some(nodegroup::store::find(&conductor.db, &cluster.uuid, ident).await?),
        None => None,
    };
    let group = named.filter(|group| !group.is_default);
    if let Some(group) = group.as_ref().filter(|_| request.template.uuid != cluster.cluster_template_id) {
        return Err(Error::conflict(format!(
            "Cluster Template is not valid for upgrade: Nodegroup {} can be upgraded only to match cluster's template ({}).",
            group.name, cluster.cluster_template_id
        )));
    }
    let kind = if group.is_some() { &NODEGROUP } else { &KIND };
    let subject = group.as_ref().map_or(cluster.uuid.as_str(), |group| group.uuid.as_str());
    gate::check(&conductor.db, kind, cluster, subject).await?;
    let driver = same_driver(conductor, cluster, &request.template)?;
    let session = conductor.cloud.requester_of(caller);
    let image = lookup::image(&session, &request.template.image_id).await?;
    let input = match &group {
        None => of_cluster(conductor, driver, &view, &request, image)?,
        Some(group) => of_group(conductor, driver, cluster, group, &request, image)?,
    };
    let operation = by(conductor, caller, cluster, kind)?.with(serde_json::to_value(&input).map_err(Error::internal)?);
    let operation = match &group {
        Some(group) => operation.about(group),
        None => operation,
    };
    let template = &request.template.uuid;
    database::retry(|| accept(conductor, kind, (cluster, template), group.as_ref(), operation.clone())).await?;
    tracing::info!(cluster = %cluster.uuid, subject, template = %template, "upgrade accepted");
    conductor.wake.notify_one();
    Ok(())
}

/// The operation; it has a deadline for each round, not one for all.
fn by(conductor: &Conductor, caller: &Identity, cluster: &Cluster, kind: &Kind) -> Result<NewOperation> {
    let owner = cluster.act_as.unwrap_or(Owner::Service);
    let until = Some(gate::deadline(cluster));
    operation::by(conductor, caller, kind.name, (&cluster.uuid, &cluster.project_id), owner, until)
}

/// The operation and the new statuses, in one transaction; new nodes are let in by a token of their own.
async fn accept(
    conductor: &Conductor,
    kind: &Kind,
    (cluster, template): (&Cluster, &str),
    group: Option<&Nodegroup>,
    operation: NewOperation,
) -> Result<()> {
    let transaction = database::begin(&conductor.db).await?;
    let subject = group.map_or(cluster.uuid.as_str(), |group| group.uuid.as_str());
    let view = gate::claim(&transaction, kind, &cluster.uuid, subject).await?;
    let changed = |other: &&Nodegroup| group.map_or(other.is_default, |group| group.uuid == other.uuid);
    for group in view.nodegroups.iter().filter(changed) {
        let generation = Some(group.token_generation.saturating_add(1));
        let changes = nodegroup::store::Changes { token_generation: generation, ..Default::default() };
        nodegroup::store::change(&transaction, &group.uuid, changes).await?;
    }
    gate::begin(&transaction, kind, operation).await?;
    cluster::store::aim(&transaction, &cluster.uuid, template).await?;
    Ok(transaction.commit().await?)
}

/// The driver that made the cluster, if it also makes those of the template.
fn same_driver(conductor: &Conductor, cluster: &Cluster, template: &ClusterTemplate) -> Result<&'static dyn Driver> {
    let driver = conductor.driver(&cluster.driver)?;
    let facts = Facts::of(cluster)?;
    for (field, has, wants) in [
        ("coe", facts.desired.coe.as_str(), template.coe.as_str()),
        ("server_type", facts.desired.server_type.as_str(), template.server_type.as_str()),
        ("driver", driver.name(), cluster_template::driver(conductor, template)?.name()),
    ] {
        if has != wants {
            return Err(Error::invalid(format!(
                "The cluster template's {field} is {wants}; allowed: {has}, which is the cluster's"
            )));
        }
    }
    Ok(driver)
}

/// What the masters and default workers are to be.
fn of_cluster(
    conductor: &Conductor,
    driver: &dyn Driver,
    view: &View,
    request: &Request,
    image: Image,
) -> Result<Input> {
    let facts = Facts::of(&view.cluster)?;
    if let Some(why) = driver.irreplaceable(&facts.desired) {
        return Err(Error::invalid(why));
    }
    let template = &request.template.labels.0;
    let labels = merged(driver, &view.cluster.labels, &view.template_labels, template);
    let before = driver.version(&facts.desired.labels, &facts.image);
    let after = driver.version(&labels, &image);
    let (before, after) = (before.as_deref(), after.as_deref());
    let versions = too_far(driver, before, after).or_else(|| backwards(driver, before, after));
    labels::refuse(&wrong(conductor, driver, &facts.desired, (&labels, &image), versions))?;
    Ok(Input::new(request, image, labels))
}

/// What the nodes of a nodegroup are to be: like its cluster's, but for labels that it has of its own.
fn of_group(
    conductor: &Conductor,
    driver: &dyn Driver,
    cluster: &Cluster,
    group: &Nodegroup,
    request: &Request,
    image: Image,
) -> Result<Input> {
    let facts = nodegroup::Facts::of(group)?;
    let labels = merged(driver, &group.labels, &facts.parent, &cluster.labels);
    let desired = Facts::of(cluster)?.desired;
    let before = driver.version(facts.labels.as_ref().unwrap_or(&group.labels.0), &facts.image);
    let effective = nodegroup::desired(driver, &desired, &labels, &image).labels;
    let version = backwards(driver, before.as_deref(), driver.version(&effective, &image).as_deref());
    labels::refuse(&wrong(conductor, driver, &desired, (&effective, &image), version))?;
    Ok(Input::new(request, image, labels))
}

impl Input {
    fn new(request: &Request, image: Image, labels: BTreeMap<String, String>) -> Self {
        let Request { template, max_batch_size, .. } = request;
        Self {
            template: template.uuid.clone(),
            image_id: template.image_id.clone(),
            image,
            labels,
            batch: (*max_batch_size).max(1),
        }
    }
}

/// The new parent's labels, with those that the object added or had otherwise than its old parent, and with all that
/// hold for its whole life.
fn merged(
    driver: &dyn Driver,
    own: &BTreeMap<String, String>,
    old_parent: &BTreeMap<String, String>,
    new_parent: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let lasts = |key: &String| driver.lasting_labels().contains(&key.as_str());
    let inherited = new_parent.iter().filter(|(key, _)| !lasts(key));
    let kept = own.iter().filter(|(key, value)| lasts(key) || old_parent.get(*key) != Some(value));
    inherited.chain(kept).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Why a control plane cannot come from one version to the other at once; nothing if it can.
fn too_far(driver: &dyn Driver, before: Option<&str>, after: Option<&str>) -> Option<String> {
    let after = after?;
    let allowed = driver.too_far(before?, after)?;
    Some(format!("The cluster template comes to version {after}; allowed: {allowed}"))
}

/// Why nodes cannot come from one version to the other, which is an older one; nothing if it is not.
fn backwards(driver: &dyn Driver, before: Option<&str>, after: Option<&str>) -> Option<String> {
    let (before, after) = (before?, after?);
    (driver.is_older(after, before) == Some(true)).then(|| {
        format!("The cluster template comes to version {after}; allowed: {before} or later, as nodes cannot go back")
    })
}

/// What is wrong with the versions and everything the driver has against these labels and this image, at once.
fn wrong(
    conductor: &Conductor,
    driver: &dyn Driver,
    desired: &Desired,
    (labels, image): (&BTreeMap<String, String>, &Image),
    versions: Option<String>,
) -> Vec<String> {
    let desired = Desired { labels: labels.clone(), os_distro: image.os_distro.clone(), ..desired.clone() };
    let mut problems = driver.check(&desired);
    problems.extend(labels::refused(conductor.config.drivers.labels_unknown, driver, labels));
    versions.into_iter().chain(problems.iter().map(ToString::to_string)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_the_cluster_has_of_its_own_stays_and_so_does_what_shaped_it() {
        let driver = drivers::find("kubernetes").unwrap();
        let own = labels(&[
            ("kube_tag", "v1.33.0"),
            ("container_infra_prefix", "mine"),
            ("mine", "1"),
            ("etcd_volume_size", "5"),
            ("left", "x"),
        ]);
        let old = labels(&[
            ("kube_tag", "v1.33.0"),
            ("container_infra_prefix", "theirs"),
            ("etcd_volume_size", "5"),
            ("left", "x"),
        ]);
        let new =
            labels(&[("kube_tag", "v1.34.0"), ("container_infra_prefix", "new"), ("calico_ipv4pool", "10.0.0.0/8")]);
        let expected = labels(&[
            ("kube_tag", "v1.34.0"),
            ("container_infra_prefix", "mine"),
            ("mine", "1"),
            ("etcd_volume_size", "5"),
        ]);
        assert_eq!(merged(driver, &own, &old, &new), expected);
    }

    #[test]
    fn versions_go_forward() {
        let driver = drivers::find("kubernetes").unwrap();
        let wrong = |before: &str, after: &str| {
            let (before, after) = (Some(before), Some(after));
            too_far(driver, before, after).or_else(|| backwards(driver, before, after))
        };
        assert_eq!((wrong("v1.33.1", "v1.33.1"), wrong("v1.33.1", "v1.34.0")), (None, None));
        let text = wrong("v1.34.0", "v1.33.1").unwrap();
        assert!(text.contains("v1.33.1; allowed: v1.34.0 or later"), "{text}");
        let text = wrong("v1.33.1", "v1.35.0").unwrap();
        assert!(text.contains("v1.35.0; allowed: v1.33 or v1.34"), "{text}");
        assert_eq!(backwards(driver, None, Some("v1.0.0")), None);
    }
}

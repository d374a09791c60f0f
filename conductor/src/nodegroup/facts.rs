//! What the own stack of a nodegroup is rendered from: looked up once with the requester's token and kept with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use drivers::{Desired, Driver, Flavor, Image, Previous};
use serde::{Deserialize, Serialize};

use super::{Nodegroup, Request};
use crate::cluster::Cluster;
use crate::cluster::facts::Facts as ClusterFacts;
use crate::openstack::Identity;
use crate::{Conductor, Error, Result, lookup};

/// What was found for a nodegroup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// Image of its nodes.
    pub(crate) image: Image,
    /// Flavor of its nodes.
    pub(crate) flavor: Flavor,
    /// The cluster's labels when the nodegroup was made or last upgraded: what differs from them is its own.
    #[serde(default)]
    pub(crate) parent: BTreeMap<String, String>,
    /// The labels its nodes are made with, where an unfinished upgrade says otherwise than the nodegroup's row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) labels: Option<BTreeMap<String, String>>,
    /// Nodes that an unfinished upgrade has left as they were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) previous: Vec<Previous>,
}

impl Facts {
    /// Looks up what the request names; what it does not name is the cluster's.
    pub(super) async fn look_up(
        conductor: &Conductor,
        caller: &Arc<Identity>,
        cluster: &Cluster,
        new: &Request,
    ) -> Result<Self> {
        let of_cluster = ClusterFacts::of(cluster)?;
        let session = conductor.cloud.requester_of(caller);
        let flavor = lookup::flavor_if_named(&session, new.flavor_id.as_deref());
        let image = async {
            match new.image_id.as_deref() {
                Some(image) => lookup::image(&session, image).await.map(Some),
                None => Ok(None),
            }
        };
        let (flavor, image) = tokio::join!(flavor, image);
        Ok(Self {
            flavor: flavor?.unwrap_or(of_cluster.flavor),
            image: image?.unwrap_or(of_cluster.image),
            parent: cluster.labels.0.clone(),
            labels: None,
            previous: Vec::new(),
        })
    }

    /// As kept in the nodegroup's row.
    pub(crate) fn to_json(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).map_err(Error::internal)
    }

    /// As kept in the nodegroup's row.
    pub(crate) fn of(group: &Nodegroup) -> Result<Self> {
        let json = group.spec.clone().ok_or_else(|| Error::internal("the nodegroup's facts are not on record"))?;
        serde_json::from_value(json).map_err(Error::internal)
    }
}

/// What the nodes of a group with these labels are: the cluster's request with the group's own labels of nodes.
pub(crate) fn desired(
    driver: &dyn Driver,
    of_cluster: &Desired,
    labels: &BTreeMap<String, String>,
    image: &Image,
) -> Desired {
    let mut desired = of_cluster.clone();
    let own = labels.iter().filter(|(key, _)| driver.node_labels().contains(&key.as_str()));
    desired.labels.extend(own.map(|(key, value)| (key.clone(), value.clone())));
    desired.os_distro.clone_from(&image.os_distro);
    desired
}

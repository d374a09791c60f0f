//! Reading authorities and signing requests (the contract's section 6.1; profiles of nodes: drivers).

use std::net::IpAddr;

use drivers::{Ca, Role};

use super::keep::{latest, opened, pair};
use super::{Kind, ServiceAccount, aside};
use crate::cluster::{self, facts::Facts};
use crate::column::now;
use crate::node::{self, Holder};
use crate::pki::{KeyPair, Limits, NodeScope, Request, Signer};
use crate::scope::Scope;
use crate::{Conductor, Error, Result, order};

/// The certificate of one of the cluster's authorities, in PEM.
///
/// # Errors
/// Not found while the cluster's keys are still being made.
pub async fn authority(conductor: &Conductor, cluster: &str, ca: Ca) -> Result<String> {
    latest(conductor, cluster, ca.into()).await.map(|found| found.certificate)
}

/// Signs a user's request; any subject goes, as with the real service (the contract's B-18).
///
/// # Errors
/// Invalid, in the contract's words, for a request that cannot be signed.
pub async fn sign(conductor: &Conductor, cluster: &str, ca: Ca, csr: &str) -> Result<String> {
    let request = parse(csr, conductor.config.x509.limits()).await?;
    let authority = pair(conductor, cluster, ca.into()).await?;
    let days = conductor.config.x509.user_days();
    let pem = aside(move || Signer::new(&authority)?.sign_for_user(&request, days, now())).await?;
    tracing::info!(cluster, authority = ca.as_str(), "signed a user's certificate");
    Ok(pem)
}

/// Signs a node's request, which must fit one of the profiles of the node's role.
///
/// # Errors
/// Invalid, naming what does not fit; not found while the cluster's keys are still being made.
pub async fn sign_for_node(conductor: &Conductor, holder: &Holder, ca: Ca, csr: &str) -> Result<String> {
    let request = parse(csr, Limits::default()).await?;
    let scope = scope(conductor, holder).await?;
    let authority = signing(conductor, &holder.cluster_uuid, ca).await?;
    let days = conductor.config.x509.node_validity_days;
    let pem = aside(move || Signer::new(&authority)?.sign_for_node(ca, &request, &scope, days, now())).await?;
    tracing::info!(cluster = %holder.cluster_uuid, role = %holder.role, authority = ca.as_str(), "signed a node's certificate");
    Ok(pem)
}

/// The authority that signs for nodes: the new one as soon as all nodes trust it, else the one in force.
async fn signing(conductor: &Conductor, cluster: &str, ca: Ca) -> Result<KeyPair> {
    let order = order::store::of(&conductor.db, cluster).await?;
    if let Some(order) = order.filter(|order| order.kind == order::Kind::Leaf) {
        let next = super::store::find(&conductor.db, cluster, ca.into(), -order.generation).await?;
        // Put in force between the two looks: then it is found below.
        if let Some(next) = next {
            return opened(conductor, next).await;
        }
    }
    pair(conductor, cluster, ca.into()).await
}

/// Reads the request first, so that a wrong one costs neither a query nor a key.
async fn parse(csr: &str, limits: Limits) -> Result<Request> {
    let csr = csr.to_owned();
    aside(move || Request::parse_within(&csr, &limits)).await
}

/// The key pair that signs service account tokens; the same on all control plane nodes.
///
/// # Errors
/// Not found while the cluster's keys are still being made.
pub async fn service_account(conductor: &Conductor, cluster: &str) -> Result<ServiceAccount> {
    let pair = pair(conductor, cluster, Kind::ServiceAccount).await?;
    Ok(ServiceAccount { public_key: pair.certificate, private_key: pair.private_key })
}

/// What a nodegroup's nodes may put into their certificates.
async fn scope(conductor: &Conductor, holder: &Holder) -> Result<NodeScope> {
    let cluster = cluster::store::find(&conductor.db, &Scope::All, &holder.cluster_uuid).await?;
    let prefix = node::prefix_of(conductor, holder).await?;
    let role = if holder.role == "master" { Role::Master } else { Role::Worker };
    let driver = conductor.driver(&cluster.driver)?;
    let facts = Facts::of(&cluster)?;
    let names = driver.alternative_names(&facts.desired, role);
    let subnet = facts.network.fixed.as_ref().map(|fixed| fixed.cidr.clone());
    let networks = driver.networks(&facts.desired, role, subnet.as_deref());
    let parse = |text: &String| text.parse().map_err(|_| Error::internal(format!("{text:?} is not a network")));
    Ok(NodeScope {
        node_prefix: prefix.ok_or_else(|| Error::not_found("The node's nodegroup could not be found."))?,
        node: holder.node.clone(),
        profiles: driver.profiles(role).to_vec(),
        dns_names: names,
        addresses: vec![IpAddr::from([127, 0, 0, 1])],
        networks: networks.iter().map(parse).collect::<Result<_>>()?,
    })
}

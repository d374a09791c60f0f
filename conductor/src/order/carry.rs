//! What a node asks for and answers.

use drivers::Ca;

use super::{Answer, Kind, Order, State, store};
use crate::column::now;
use crate::node::{self, Holder};
use crate::{Conductor, Error, Result, certificate, join_token};

/// What a node is to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The order's identifier, which the answer names.
    pub uuid: String,
    /// What is to be done.
    pub kind: Kind,
    /// For each authority that concerns the node: whom to trust, and who signs. Empty where the order is about others.
    pub authorities: Vec<Authority>,
}

/// What a node is to hold of one authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Which one.
    pub ca: Ca,
    /// The certificates to trust, in PEM, one after the other.
    pub trust: String,
    /// The certificate, in PEM, of the one by which the node's certificates are to be signed.
    pub issuer: String,
}

/// How a node fared.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The order's identifier.
    pub uuid: String,
    /// What became of it.
    pub state: State,
    /// Why it failed.
    pub message: Option<String>,
    /// The last lines of its log.
    pub log: Vec<String>,
}

/// What the node is to do now; nothing when no order is in force, or none for it, or it has done it.
///
/// # Errors
/// Not found for another cluster's node.
pub async fn task(conductor: &Conductor, holder: &Holder, cluster: &str, node: &str) -> Result<Option<Task>> {
    node::known(conductor, holder, cluster, node).await?;
    let Some(order) = store::of(&conductor.db, cluster).await?.filter(|order| concerns(order, holder)) else {
        return standing(conductor, holder, cluster).await;
    };
    let answer = store::answer_of(&conductor.db, &order, node).await?;
    if answer.is_some_and(|answer| answer.state == State::Done) {
        return standing(conductor, holder, cluster).await;
    }
    let authorities =
        if order.kind.masters_only() { Vec::new() } else { authorities(conductor, &order, holder).await? };
    Ok(Some(Task { uuid: order.uuid, kind: order.kind, authorities }))
}

/// What is to be done whatever operation there is: masters rotate join tokens after it. Its answer is that the new ones are
/// handed in.
async fn standing(conductor: &Conductor, holder: &Holder, cluster: &str) -> Result<Option<Task>> {
    if holder.role != crate::nodegroup::MASTER {
        return Ok(None);
    }
    let tokens = join_token::to_rotate(conductor, cluster).await?;
    Ok(tokens.map(|uuid| Task { uuid, kind: Kind::JoinTokens, authorities: Vec::new() }))
}

/// Puts a node's answer on record; an answer to an order that is no longer in force is taken and forgotten.
///
/// # Errors
/// Not found for another cluster's node.
pub async fn answer(conductor: &Conductor, holder: &Holder, cluster: &str, node: &str, outcome: Outcome) -> Result<()> {
    node::known(conductor, holder, cluster, node).await?;
    let order = store::of(&conductor.db, cluster).await?.filter(|order| order.uuid == outcome.uuid);
    let Some(order) = order.filter(|order| concerns(order, holder)) else { return Ok(()) };
    let (message, log) = node::bounded(outcome.message.as_deref(), &outcome.log);
    match outcome.state {
        State::Done => tracing::info!(cluster, node, order = order.kind.as_str(), "a node has carried out its order"),
        State::Failed => tracing::warn!(
            cluster,
            node,
            order = order.kind.as_str(),
            message = message.as_deref().unwrap_or(""),
            "a node could not carry out its order"
        ),
    }
    let given = Answer {
        id: 0,
        cluster_uuid: cluster.to_owned(),
        name: node.to_owned(),
        order_uuid: order.uuid,
        state: outcome.state,
        message,
        log: log.into(),
        answered_at: now(),
    };
    store::answer(&conductor.db, given).await?;
    conductor.wake.notify_one();
    Ok(())
}

fn concerns(order: &Order, holder: &Holder) -> bool {
    !order.kind.masters_only() || holder.role == crate::nodegroup::MASTER
}

/// The authorities whose certificates the node holds: workers have the Kubernetes one only.
async fn authorities(conductor: &Conductor, order: &Order, holder: &Holder) -> Result<Vec<Authority>> {
    let all: &[Ca] = match holder.role.as_str() {
        crate::nodegroup::MASTER => &[Ca::Kubernetes, Ca::Etcd, Ca::FrontProxy],
        _ => &[Ca::Kubernetes],
    };
    let kept = certificate::store::of_cluster(&conductor.db, &order.cluster_uuid).await?;
    let mut authorities = Vec::with_capacity(all.len());
    for ca in all {
        let of = || kept.iter().filter(|pair| pair.kind == (*ca).into());
        let missing = || Error::internal(format!("the authority {} is not on record", ca.as_str()));
        let present = of().max_by_key(|pair| pair.generation).filter(|pair| pair.in_force()).ok_or_else(missing)?;
        let next = of().find(|pair| pair.generation == -order.generation);
        let (trust, issuer) = match next.filter(|_| order.kind.trusts_both()) {
            Some(next) => {
                let issuer = if order.kind == Kind::Leaf { next } else { present };
                (format!("{}{}", present.certificate, next.certificate), issuer)
            }
            None if order.kind.trusts_both() => return Err(missing()),
            None => (present.certificate.clone(), present),
        };
        authorities.push(Authority { ca: *ca, trust, issuer: issuer.certificate.clone() });
    }
    Ok(authorities)
}

//! Join tokens: what lets nodes into a cluster whose masters make such tokens themselves, as Swarm's managers do.
//!
//! A master hands them in; nodes that boot get the one of their role by their bootstrap token. They are rotated after
//! every operation, whether a node has used them or not: a master is told so when it has ended, and again until it has
//! done it, also while the next operation lets nodes in. Nodes of that one wait for the new tokens, but no longer than
//! masters usually take. A node that got one which was rotated under its hands asks anew.
//!
//! With them comes the key that opens masters' state where it is locked. Masters fetch it whenever they start, also long
//! after their bootstrap token is worth nothing: by their certificate.

pub(crate) mod row;
pub mod store;

use chrono::{DateTime, TimeDelta};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::row::Model as JoinTokens;
use crate::cluster::store as clusters;
use crate::column::now;
use crate::node::{Holder, known};
use crate::nodegroup::MASTER;
use crate::operation::Operation;
use crate::scope::Scope;
use crate::{Conductor, Error, Kind, Result, operation, secret};

/// Bytes that one of them may have.
const LONGEST: usize = 1024;

/// When a node should ask again.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(5);

/// How long after its beginning nodes of an operation wait for tokens that are to be rotated. Masters ask for their orders
/// every minute and a half, or a little later; a cluster whose masters do not is not to get stuck.
const PATIENCE: TimeDelta = TimeDelta::minutes(3);

/// What a master hands in.
#[derive(Debug, Clone)]
pub struct HandedIn {
    /// Lets masters in.
    pub manager: SecretString,
    /// Lets workers in.
    pub worker: SecretString,
    /// Opens the state of a master that was restarted, where it is locked.
    pub unlock_key: Option<SecretString>,
}

/// What a node gets.
#[derive(Debug, Clone)]
pub struct Given {
    /// Lets it in.
    pub token: SecretString,
    /// For masters: opens its state, where it is locked.
    pub unlock_key: Option<SecretString>,
}

/// What is sealed.
#[derive(PartialEq, Serialize, Deserialize)]
struct Content {
    manager: String,
    worker: String,
    unlock_key: Option<String>,
}

/// Keeps what a master hands in; what is on record already stays as it is.
///
/// # Errors
/// Forbidden for workers; invalid for what is no token; not found for another cluster's node, and where nodes do not join
/// by such tokens.
pub async fn hand_in(
    conductor: &Conductor,
    holder: &Holder,
    cluster: &str,
    node: &str,
    handed_in: HandedIn,
) -> Result<()> {
    permitted(conductor, holder, cluster, node).await?;
    if holder.role != MASTER {
        return Err(Error::forbidden("Only control plane nodes may hand in join tokens."));
    }
    let given = Content {
        manager: checked("manager", &handed_in.manager)?,
        worker: checked("worker", &handed_in.worker)?,
        unlock_key: handed_in.unlock_key.map(|key| checked("unlock_key", &key)).transpose()?,
    };
    // Tokens that stay are still to be rotated once they were used, whatever becomes of the key.
    let (mut uuid, mut used_at, mut handed_in_at) = (Uuid::new_v4().to_string(), None, now());
    if let Some(present) = store::of(&conductor.db, cluster).await? {
        let known = opened(conductor, &present)?;
        if known == given {
            return Ok(());
        }
        if (&known.manager, &known.worker) == (&given.manager, &given.worker) {
            (uuid, used_at, handed_in_at) = (present.uuid, present.used_at, present.handed_in_at);
        }
    }
    let text = SecretString::from(serde_json::to_string(&given).map_err(Error::internal)?);
    let sealed = Some(conductor.seal(&context(cluster), text.expose_secret())?);
    let tokens = JoinTokens { cluster_uuid: cluster.to_owned(), uuid, sealed, used_at, handed_in_at };
    store::keep(&conductor.db, tokens).await?;
    tracing::info!(cluster, node, "join tokens are handed in");
    Ok(())
}

/// The token that lets the node in. `refused` is the SHA-256 of one that masters did not take: if that is the one on
/// record, they are told to make another.
///
/// # Errors
/// Not found, with a time to ask again, while there is none, which tells a first master that there is no cluster to join;
/// conflict, likewise, while another is being made; forbidden for nodes that are in.
pub async fn give(
    conductor: &Conductor,
    holder: &Holder,
    cluster: &str,
    node: &str,
    refused: Option<&str>,
) -> Result<Given> {
    permitted(conductor, holder, cluster, node).await?;
    if holder.node.is_some() {
        return Err(Error::forbidden("Join tokens are for nodes that boot, which show their bootstrap token."));
    }
    let Some(present) = store::of(&conductor.db, cluster).await? else {
        return Err(later(Kind::NotFound, "No master has handed in join tokens yet."));
    };
    let content = opened(conductor, &present)?;
    let master = holder.role == MASTER;
    let token = if master { content.manager } else { content.worker };
    if refused.is_some_and(|refused| refused.eq_ignore_ascii_case(&secret::token_hash(&token))) {
        // As if it had been used long ago: it is rotated whatever is under way.
        store::use_at(&conductor.db, &present, DateTime::UNIX_EPOCH).await?;
        tracing::info!(cluster, node, "masters refuse the join token on record");
        return Err(later(Kind::Conflict, "The masters refuse this join token. They are told to make another."));
    }
    wait_for_others(conductor, &present, node).await?;
    store::use_at(&conductor.db, &present, now()).await?;
    let unlock_key = content.unlock_key.filter(|_| master).map(SecretString::from);
    Ok(Given { token: token.into(), unlock_key })
}

/// Has a node ask again for tokens that are to be rotated, for as long as that usually takes.
async fn wait_for_others(conductor: &Conductor, present: &JoinTokens, node: &str) -> Result<()> {
    let cluster = &present.cluster_uuid;
    let operations = operation::store::open_at(&conductor.db, cluster, present.handed_in_at).await?;
    let began = under_way(&operations).map(|operation| operation.created_at).min();
    let Some(began) = began.filter(|_| is_due(present, &operations)) else { return Ok(()) };
    if now() < began + PATIENCE {
        return Err(later(Kind::Conflict, "The masters are told to make another join token."));
    }
    tracing::warn!(cluster, node, "no master has rotated the join tokens; a node gets one all the same");
    Ok(())
}

/// What opens a master's state that is locked, at any time of its life: the key is not kept where the state is.
///
/// # Errors
/// Not found where the state is not locked; forbidden for workers.
pub async fn unlock_key(conductor: &Conductor, holder: &Holder, cluster: &str, node: &str) -> Result<SecretString> {
    permitted(conductor, holder, cluster, node).await?;
    if holder.role != MASTER {
        return Err(Error::forbidden("The unlock key is for control plane nodes."));
    }
    let present = store::of(&conductor.db, cluster).await?;
    let content = present.map(|present| opened(conductor, &present)).transpose()?;
    let Some(key) = content.and_then(|content| content.unlock_key) else {
        return Err(Error::not_found("No master has handed in an unlock key."));
    };
    tracing::info!(cluster, node, "the unlock key is given to a control plane node");
    Ok(key.into())
}

/// The identifier of the tokens that masters are to rotate; nothing where none are, or nodes are about to use them.
///
/// # Errors
/// The database is away.
pub(crate) async fn to_rotate(conductor: &Conductor, cluster: &str) -> Result<Option<String>> {
    let Some(present) = store::of(&conductor.db, cluster).await? else { return Ok(None) };
    let operations = operation::store::open_at(&conductor.db, cluster, present.handed_in_at).await?;
    Ok(is_due(&present, &operations).then_some(present.uuid))
}

/// Whether the tokens are to be rotated, by the operations that had not ended when they were handed in: when one has
/// since, and not while nodes of an operation use them.
fn is_due(tokens: &JoinTokens, operations: &[Operation]) -> bool {
    match tokens.used_at {
        Some(used_at) => under_way(operations).all(|operation| used_at < operation.created_at),
        None => operations.iter().any(|operation| operation.finished_at.is_some()),
    }
}

fn under_way(operations: &[Operation]) -> impl Iterator<Item = &Operation> {
    operations.iter().filter(|operation| operation.finished_at.is_none())
}

/// The node is one of the cluster, whose nodes join by such tokens.
async fn permitted(conductor: &Conductor, holder: &Holder, cluster: &str, node: &str) -> Result<()> {
    known(conductor, holder, cluster, node).await?;
    let view = clusters::view(&conductor.db, &Scope::All, cluster).await?;
    if conductor.driver(&view.cluster.driver)?.has_join_tokens() {
        return Ok(());
    }
    Err(Error::not_found(format!("The nodes of cluster {cluster} do not join by tokens of its masters.")))
}

/// A token, which is a word.
fn checked(field: &str, token: &SecretString) -> Result<String> {
    let text = token.expose_secret();
    if text.is_empty() || text.len() > LONGEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::invalid(format!(
            "{field} is not a join token. Allowed: 1 to {LONGEST} printable characters without blanks."
        )));
    }
    Ok(text.to_owned())
}

fn opened(conductor: &Conductor, tokens: &JoinTokens) -> Result<Content> {
    let text = conductor.unseal(&context(&tokens.cluster_uuid), tokens.sealed.as_deref().unwrap_or_default())?;
    serde_json::from_str(text.expose_secret()).map_err(|_| Error::internal(UNREADABLE))
}

/// What the tokens are sealed for.
fn context(cluster: &str) -> String {
    format!("cluster/{cluster}/join-tokens")
}

const UNREADABLE: &str = "the join tokens on record cannot be read";

fn later(kind: Kind, text: &'static str) -> Error {
    Error { retry_after: Some(AGAIN), ..Error::new(kind, text) }
}

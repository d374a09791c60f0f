//! What nodes say of themselves, and what they may fetch (architecture, section 5b).

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::{Holder, Phase, store};
use crate::column::now;
use crate::scope::Scope;
use crate::{Conductor, Error, Result, certificate, cluster, nodegroup, secret};

/// Lines of a log that are kept.
const LOG_LINES: usize = 20;

/// Bytes of any text that are kept.
const TEXT_BYTES: usize = 4096;

/// Entries of a map or list that are kept.
const ENTRIES: usize = 32;

/// Rows that a nodegroup may have beyond two for each of its nodes.
const SPARE_ROWS: u64 = 32;

/// A node's report.
#[derive(Debug, Clone)]
pub struct Report {
    /// How far it has come.
    pub phase: Phase,
    /// The step it works on, or failed in.
    pub step: Option<String>,
    /// What it says about that.
    pub message: Option<String>,
    /// The last lines of that step's log.
    pub log: Vec<String>,
    /// Names of its software to their versions.
    pub versions: BTreeMap<String, String>,
    /// Its addresses.
    pub addresses: Vec<String>,
}

/// Puts a report on record and wakes whoever waits for it.
///
/// # Errors
/// Not found when the token is another cluster's or the name no node's of its nodegroup.
pub async fn report(conductor: &Conductor, holder: &Holder, cluster: &str, node: &str, report: Report) -> Result<()> {
    known(conductor, holder, cluster, node).await?;
    room(conductor, holder, node).await?;
    let report = cut(report);
    match report.phase {
        Phase::Failed => tracing::warn!(
            cluster,
            node,
            step = report.step.as_deref().unwrap_or(""),
            message = report.message.as_deref().unwrap_or(""),
            "a node has failed"
        ),
        phase => tracing::info!(cluster, node, phase = phase.as_str(), "a node reports"),
    }
    let kept = store::Report {
        cluster_uuid: holder.cluster_uuid.clone(),
        nodegroup_uuid: holder.nodegroup_uuid.clone(),
        name: node.to_owned(),
        role: holder.role.clone(),
        phase: report.phase,
        step: report.step,
        message: report.message,
        log: report.log,
        versions: (!report.versions.is_empty()).then(|| report.versions.into()),
        addresses: (!report.addresses.is_empty()).then(|| report.addresses.into()),
    };
    store::report(&conductor.db, kept, now()).await?;
    conductor.wake.notify_one();
    Ok(())
}

/// The key pair that signs service-account tokens, for a control plane node.
///
/// # Errors
/// Forbidden for workers; not found for another cluster's node.
pub async fn service_account(
    conductor: &Conductor,
    holder: &Holder,
    cluster: &str,
    node: &str,
) -> Result<certificate::ServiceAccount> {
    known(conductor, holder, cluster, node).await?;
    masters_only(holder)?;
    certificate::service_account(conductor, cluster).await
}

/// The secret by which workers prove to masters who they are; the same for all nodes of the cluster, for its whole life.
///
/// # Errors
/// Not found for another cluster's node, and where workers have no such secret.
pub async fn agent_secret(conductor: &Conductor, holder: &Holder, cluster: &str, node: &str) -> Result<SecretString> {
    known(conductor, holder, cluster, node).await?;
    let view = cluster::store::view(&conductor.db, &Scope::All, cluster).await?;
    if !conductor.driver(&view.cluster.driver)?.has_agent_secret() {
        return Err(Error::not_found(format!("The workers of cluster {cluster} have no secret of this kind.")));
    }
    let pair = certificate::service_account(conductor, cluster).await?;
    secret::derived(&pair.private_key, &format!("agents of {cluster}")).map_err(Error::internal)
}

/// The in-cluster credential as a cloud.conf, for a control plane node.
///
/// # Errors
/// Forbidden for workers; not found for another cluster's node or where the cluster has no such credential.
pub async fn cloud_config(conductor: &Conductor, holder: &Holder, cluster: &str, node: &str) -> Result<String> {
    known(conductor, holder, cluster, node).await?;
    masters_only(holder)?;
    cluster::credential::cloud_config(conductor, cluster).await
}

fn masters_only(holder: &Holder) -> Result<()> {
    if holder.role == "master" { Ok(()) } else { Err(Error::forbidden("Only control plane nodes may read this.")) }
}

/// A nodegroup has as many rows of nodes as it may need while its nodes are replaced, and no more: who has its token
/// could report for nodes that are none.
async fn room(conductor: &Conductor, holder: &Holder, node: &str) -> Result<()> {
    let group = nodegroup::store::find(&conductor.db, &holder.cluster_uuid, &holder.nodegroup_uuid).await?;
    let most = 2 * u64::try_from(group.node_count).unwrap_or_default() + SPARE_ROWS;
    if store::others(&conductor.db, &group.uuid, node).await? < most {
        return Ok(());
    }
    Err(Error::conflict(format!("More than {most} nodes of the nodegroup {} have reported.", group.name)))
}

/// A token opens one cluster, and there only the names of its own nodegroup; a certificate only its own name.
pub(crate) async fn known(conductor: &Conductor, holder: &Holder, cluster: &str, node: &str) -> Result<()> {
    let absent = || Error::not_found(format!("Node {node} could not be found."));
    if holder.cluster_uuid != cluster {
        return Err(absent());
    }
    if let Some(own) = &holder.node {
        return if own == node { Ok(()) } else { Err(absent()) };
    }
    let prefix = prefix_of(conductor, holder).await?.ok_or_else(absent)?;
    if is_node_of(&prefix, node) { Ok(()) } else { Err(absent()) }
}

/// What the names of the holder's nodegroup start with.
pub(crate) async fn prefix_of(conductor: &Conductor, holder: &Holder) -> Result<Option<String>> {
    let view = cluster::store::view(&conductor.db, &Scope::All, &holder.cluster_uuid).await?;
    let group = view.nodegroups.iter().find(|group| group.uuid == holder.nodegroup_uuid);
    Ok(group.and_then(|group| Some(drivers::node_prefix(view.cluster.stack_name.as_deref()?, &group.name))))
}

/// Whether `node` is `<prefix>-<index>`, as Heat writes an index.
pub(super) fn is_node_of(prefix: &str, node: &str) -> bool {
    node.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|index| index.len() <= 5 && index.parse().is_ok_and(|number: u32| number.to_string() == index))
}

/// Nodes run in the tenant's hands: a message and the last lines of a log, cut to size and to printable text.
pub(crate) fn bounded(message: Option<&str>, log: &[String]) -> (Option<String>, Vec<String>) {
    let last = log[log.len().saturating_sub(LOG_LINES)..].iter();
    let lines = last.map(|line| printable(line, TEXT_BYTES / LOG_LINES)).collect();
    (message.map(|text| printable(text, 1024)), lines)
}

fn cut(report: Report) -> Report {
    let (message, log) = bounded(report.message.as_deref(), &report.log);
    Report {
        phase: report.phase,
        step: report.step.as_deref().map(|text| printable(text, 255)),
        message,
        log,
        versions: report.versions.iter().take(ENTRIES).map(|(k, v)| (printable(k, 64), printable(v, 64))).collect(),
        addresses: report.addresses.iter().take(ENTRIES).map(|address| printable(address, 64)).collect(),
    }
}

fn printable(text: &str, bytes: usize) -> String {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_its_prefix_and_an_index() {
        assert!(is_node_of("ci-0123-master", "ci-0123-master-0"));
        assert!(is_node_of("ci-0123-worker", "ci-0123-worker-12345"));
        for other in ["", "-", "-x", "-123456", "-00", "-01", "-+1", "-1-0"] {
            assert!(!is_node_of("ci-0123-master", &format!("ci-0123-master{other}")), "{other}");
        }
        assert!(!is_node_of("ci-0123-master", "other-0"));
    }

    #[test]
    fn what_a_node_sends_is_bounded_and_printable() {
        let report = cut(Report {
            phase: Phase::Failed,
            step: Some("etcd\n\u{1b}[31m".into()),
            message: Some("é".repeat(10_000)),
            log: (0..100).map(|line| format!("{line} {}", "x".repeat(1000))).collect(),
            versions: (0..100).map(|n| (n.to_string(), "1".to_owned())).collect(),
            addresses: vec!["10.0.0.1".into(); 100],
        });
        assert_eq!(report.step.as_deref(), Some("etcd  [31m"));
        assert!(report.message.is_some_and(|message| message.len() <= 1024));
        assert_eq!(report.log.len(), LOG_LINES);
        assert!(
            report.log[LOG_LINES - 1].starts_with("99 ")
                && report.log.iter().map(String::len).sum::<usize>() <= TEXT_BYTES
        );
        assert_eq!((report.versions.len(), report.addresses.len()), (ENTRIES, ENTRIES));
    }
}

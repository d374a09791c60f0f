//! The API server of a Kubernetes cluster, as far as it is asked: which of the control plane's nodes are there.

use std::time::Duration;

use serde::Deserialize;

use crate::link::{self, Endpoint, Fault, Identity, ask, shown};

/// Whether the store behind an API server answers, which it does only with a majority of its members.
const STORE: &str = "/readyz/etcd";
/// The nodes of the control plane.
const MASTERS: &str = "/api/v1/nodes?labelSelector=node-role.kubernetes.io%2Fcontrol-plane&limit=100";
/// How much earlier each is asked than the next.
const HEAD_START: Duration = Duration::from_secs(1);
/// What the node controller says of a node that has not spoken for 40 s. One that says itself that it is not ready is there.
const SILENT: &str = "Unknown";

#[derive(Deserialize)]
struct Nodes {
    items: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
struct Condition {
    r#type: String,
    status: String,
}

impl Node {
    fn speaks(&self) -> bool {
        !self.status.conditions.iter().any(|condition| condition.r#type == "Ready" && condition.status == SILENT)
    }
}

/// The control plane's nodes by name, and whether each speaks, from the first of these API servers that says so.
///
/// # Errors
/// None does: `Refused` where one is there and its store is not.
pub(crate) async fn masters(
    endpoints: Vec<Endpoint>,
    identity: Option<&Identity>,
    deadline: Duration,
) -> Result<Vec<(String, bool)>, Fault> {
    link::first(endpoints, HEAD_START, |endpoint| async move {
        let store = ask(&endpoint, identity, STORE, None, deadline).await?;
        if store.status >= 500 {
            return Err(Fault::Refused(format!("{endpoint}: etcd does not answer, or has no majority")));
        }
        let answer = ask(&endpoint, identity, MASTERS, None, deadline).await?;
        if answer.status != 200 {
            let text = String::from_utf8_lossy(&answer.body);
            return Err(Fault::Unreachable(shown(&format!("{endpoint} answers {}: {text}", answer.status))));
        }
        let unread = |error| Fault::Unreachable(shown(&format!("{endpoint}: its nodes cannot be read: {error}")));
        let nodes: Nodes = serde_json::from_slice(&answer.body).map_err(unread)?;
        Ok(nodes.items.into_iter().map(|node| (shown(&node.metadata.name), node.speaks())).collect())
    })
    .await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(5);

    /// An API server that answers so to the questions for its store and for nodes.
    async fn server(store: u16, nodes: (u16, Value)) -> Endpoint {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let read = stream.read(&mut request).await.unwrap();
                let text = String::from_utf8_lossy(&request[..read]).into_owned();
                let (status, body) = match text.split(' ').nth(1).unwrap() {
                    STORE => (store, "ok".to_owned()),
                    MASTERS => (nodes.0, nodes.1.to_string()),
                    other => panic!("{other}"),
                };
                let head =
                    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            }
        });
        Endpoint { host: "127.0.0.1".to_owned(), port }
    }

    fn node(name: &str, ready: &str) -> Value {
        let conditions = json!([{"type": "MemoryPressure", "status": "Unknown"}, {"type": "Ready", "status": ready}]);
        json!({"metadata": {"name": name, "labels": {}}, "status": {"conditions": conditions}})
    }

    #[tokio::test]
    async fn a_master_that_no_longer_speaks_is_away() {
        let new = json!({"metadata": {"name": "c-m-3"}});
        let list = json!({"kind": "NodeList", "items": [
            node("c-m-0", "True"), node("c-m-1", "Unknown"), node("c-m-2", "False"), new,
        ]});
        let endpoint = server(200, (200, list)).await;
        let found = masters(vec![endpoint], None, DEADLINE).await.unwrap();
        let found: Vec<_> = found.iter().map(|(name, speaks)| (name.as_str(), *speaks)).collect();
        assert_eq!(found, [("c-m-0", true), ("c-m-1", false), ("c-m-2", true), ("c-m-3", true)]);
    }

    #[tokio::test]
    async fn an_api_server_whose_store_has_no_majority_says_so_unless_another_knows_better() {
        let down = server(500, (200, json!({"items": []}))).await;
        let why = masters(vec![down.clone()], None, DEADLINE).await.unwrap_err();
        assert_eq!(why, Fault::Refused(format!("{down}: etcd does not answer, or has no majority")));
        let up = server(200, (200, json!({"items": [node("c-m-0", "True")]}))).await;
        assert_eq!(masters(vec![down, up], None, DEADLINE).await.unwrap(), [("c-m-0".to_owned(), true)]);
    }

    #[tokio::test]
    async fn what_does_not_let_itself_be_asked_is_not_known() {
        for answer in [(403, json!({"message": "no"})), (200, json!("nonsense"))] {
            let why = masters(vec![server(200, answer).await], None, DEADLINE).await.unwrap_err();
            assert!(matches!(why, Fault::Unreachable(_)), "{why:?}");
        }
    }
}

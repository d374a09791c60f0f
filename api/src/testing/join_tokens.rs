//! Tokens that let nodes into a swarm: given to the nodes of one operation, and rotated before those of the next.

use conductor::cluster::{self, Cluster};
use conductor::join_token::{self, HandedIn};
use conductor::node::Holder;
use conductor::operation::store::End;
use conductor::order::{self, Kind};
use conductor::scope::Scope;
use conductor::{Error, operation};
use sea_orm::ConnectionTrait as _;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::cloud::{MEMBER, Service};
use super::sample;

/// A swarm of which nothing is but its records.
struct Swarm {
    service: Service,
    cluster: Cluster,
    master: (Holder, String),
    worker: (Holder, String),
}

impl Swarm {
    /// Its creation is under way.
    async fn start() -> Self {
        let service = Service::start().await;
        let template = service.template(MEMBER, json!({"coe": "swarm-mode", "network_driver": "docker"})).await;
        let uuid = service.cluster(MEMBER, &template, json!({})).await;
        let view = cluster::store::view(&service.api.conductor.db, &Scope::All, &uuid).await.unwrap();
        let first = |role: &str| {
            let group = view.nodegroups.iter().find(|group| group.role == role).unwrap();
            let prefix = drivers::node_prefix(view.cluster.stack_name.as_deref().unwrap(), &group.name);
            let holder = Holder {
                cluster_uuid: uuid.clone(),
                nodegroup_uuid: group.uuid.clone(),
                role: role.to_owned(),
                node: None,
            };
            (holder, format!("{prefix}-0"))
        };
        let (master, worker) = (first("master"), first("worker"));
        Self { service, cluster: view.cluster, master, worker }
    }

    async fn begins(&self) {
        let resize = sample::operation(&self.cluster, "cluster.resize");
        operation::store::insert(&self.service.api.conductor.db, resize).await.unwrap();
    }

    async fn ends(&self) {
        let db = &self.service.api.conductor.db;
        for operation in operation::store::active(db, &self.cluster.uuid).await.unwrap() {
            operation::store::finish(db, &operation.uuid, End::succeeded()).await.unwrap();
        }
    }

    /// A master hands in tokens that end so.
    async fn hands_in(&self, end: &str, unlock_key: Option<&str>) {
        let tokens = HandedIn {
            manager: format!("SWMTKN-1-m-{end}").into(),
            worker: format!("SWMTKN-1-w-{end}").into(),
            unlock_key: unlock_key.map(|key| key.to_owned().into()),
        };
        let (holder, node) = &self.master;
        join_token::hand_in(&self.service.api.conductor, holder, &self.cluster.uuid, node, tokens).await.unwrap();
    }

    /// What the worker gets.
    async fn asks(&self) -> Result<String, Error> {
        let (holder, node) = &self.worker;
        let given = join_token::give(&self.service.api.conductor, holder, &self.cluster.uuid, node, None).await;
        given.map(|given| given.token.expose_secret().to_owned())
    }

    /// The worker is told to ask again, because another token is being made.
    async fn waits(&self) {
        let error = self.asks().await.unwrap_err();
        assert_eq!(error.kind, conductor::Kind::Conflict, "not found would say that there is no swarm");
        assert!(error.retry_after.is_some());
    }

    /// Whether the master is told to rotate the tokens.
    async fn is_to_rotate(&self) -> bool {
        let (holder, node) = &self.master;
        let task = order::task(&self.service.api.conductor, holder, &self.cluster.uuid, node).await.unwrap();
        task.is_some_and(|task| task.kind == Kind::JoinTokens)
    }
}

#[tokio::test]
async fn nodes_of_the_next_operation_wait_for_tokens_that_nobody_has_used() {
    let swarm = Swarm::start().await;
    swarm.hands_in("one", None).await;
    assert_eq!(swarm.asks().await.unwrap(), "SWMTKN-1-w-one");
    assert!(!swarm.is_to_rotate().await, "nodes are about to use them");
    swarm.ends().await;
    assert!(swarm.is_to_rotate().await);

    swarm.begins().await;
    assert!(swarm.is_to_rotate().await, "also now");
    swarm.waits().await;
    swarm.hands_in("two", None).await;
    assert_eq!(swarm.asks().await.unwrap(), "SWMTKN-1-w-two");
    assert!(!swarm.is_to_rotate().await);
    swarm.ends().await;
    swarm.hands_in("three", None).await;
    assert!(!swarm.is_to_rotate().await);

    // They are fresh: nobody waits.
    swarm.begins().await;
    assert_eq!(swarm.asks().await.unwrap(), "SWMTKN-1-w-three");
}

#[tokio::test]
async fn tokens_that_nobody_has_used_are_rotated_after_an_operation_too() {
    let swarm = Swarm::start().await;
    swarm.hands_in("one", None).await;
    assert!(!swarm.is_to_rotate().await);
    swarm.ends().await;
    assert!(swarm.is_to_rotate().await);
    // Another key does not make them new ones.
    swarm.hands_in("one", Some("SWMKEY-1-k")).await;
    assert!(swarm.is_to_rotate().await);
    swarm.begins().await;
    swarm.waits().await;
    swarm.hands_in("two", Some("SWMKEY-1-k")).await;
    assert!(!swarm.is_to_rotate().await);
    assert_eq!(swarm.asks().await.unwrap(), "SWMTKN-1-w-two");
}

#[tokio::test]
async fn a_cluster_whose_masters_do_not_rotate_is_not_stuck() {
    let swarm = Swarm::start().await;
    swarm.hands_in("one", None).await;
    assert_eq!(swarm.asks().await.unwrap(), "SWMTKN-1-w-one");
    swarm.ends().await;
    let db = &swarm.service.api.conductor.db;
    // All of this was some minutes ago.
    let ago = chrono::Utc::now() - chrono::TimeDelta::minutes(4);
    let used = join_token::store::of(db, &swarm.cluster.uuid).await.unwrap().unwrap();
    join_token::store::use_at(db, &used, ago).await.unwrap();
    swarm.begins().await;
    swarm.waits().await;
    let began = (ago + chrono::TimeDelta::seconds(30)).to_rfc3339();
    let sql = format!("UPDATE operation SET created_at = '{began}' WHERE finished_at IS NULL");
    db.execute_unprepared(&sql).await.unwrap();
    assert_eq!(swarm.asks().await.unwrap(), "SWMTKN-1-w-one");
    assert!(swarm.is_to_rotate().await, "whenever they can");
}

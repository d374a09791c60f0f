//! Two clusters whose nodes stay silent: their authorities are made and their tokens given out, for all tests that ask
//! something of a cluster.

use std::time::Duration;

use serde_json::{Value, json};

use super::support::cloud::{CLOUD, Faults};
use super::support::http::{Answer, request};
use super::support::service::Service;
use super::support::shared::Shared;
use super::support::{bootstrap_token, unique, wait_for};
use super::token;

pub(crate) static STANDING: Shared<Standing> = Shared::new(Standing::make);

pub(crate) struct Standing {
    pub(crate) service: Service,
    pub(crate) first: Cluster,
    pub(crate) second: Cluster,
    _silent: Faults,
}

/// A cluster of `demo`.
pub(crate) struct Cluster {
    pub(crate) uuid: String,
    /// As its nodes' names begin.
    pub(crate) stack: String,
    pub(crate) master_token: String,
    pub(crate) worker_token: String,
}

impl Standing {
    fn make() -> Self {
        let name = unique("std");
        let silent = CLOUD.nodes(vec![json!({"name": name, "silent": true})]);
        let service = Service::start(&[]);
        let token = token("demo");
        let template = service.template(&token, json!({}));
        let [first, second] =
            [1, 2].map(|number| service.cluster(&token, &template, json!({"name": format!("{name}-{number}")})));
        let [first, second] = [first, second].map(|uuid| Cluster::of(&service, uuid));
        Self { service, first, second, _silent: silent }
    }

    /// A request by a node of that token.
    pub(crate) fn node(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let headers = [("x-jeroboam-bootstrap-token", token), ("openstack-api-version", "container-infra latest")];
        request(method, &format!("{}{path}", self.service.endpoint()), &headers, body)
    }
}

impl Cluster {
    fn of(service: &Service, uuid: String) -> Self {
        let stack = service.rows(&format!("SELECT stack_name FROM cluster WHERE uuid = '{uuid}'"));
        let stack = stack[0][0].as_str().unwrap().to_owned();
        let user_data = |role: &str| {
            let node = node_of(&stack, role);
            wait_for("a server's user data", Duration::from_secs(120), || CLOUD.user_data(&node).pop())
        };
        let [master_token, worker_token] = ["master", "worker"].map(|role| bootstrap_token(&user_data(role)));
        Self { uuid, stack, master_token, worker_token }
    }

    /// The name of its first node of that role.
    pub(crate) fn node(&self, role: &str) -> String {
        node_of(&self.stack, role)
    }
}

fn node_of(stack: &str, role: &str) -> String {
    format!("{}-0", drivers::node_prefix(stack, &format!("default-{role}")))
}

impl Drop for Standing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The failure that is told first counts; the stacks are still to go.
            let token = token("demo");
            for cluster in [&self.first, &self.second] {
                self.service.call(&token, "DELETE", &format!("/clusters/{}", cluster.uuid), None);
            }
            return;
        }
        let token = token("demo");
        for cluster in [&self.first, &self.second] {
            self.service.gone(&token, &cluster.uuid);
        }
    }
}

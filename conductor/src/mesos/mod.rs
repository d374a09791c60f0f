//! The masters of a Mesos cluster, as they are asked and told: how each of them is, which agents there are and how much
//! runs on them, that an agent is to be drained, that one is gone.
//!
//! Only the master that leads knows the agents. The others point to it by the address it has inside the cluster, to which
//! there may be no way from here, and which is theirs to name; so they are not followed, but all are asked.

#[cfg(test)]
mod tests;

use std::time::Duration;

use futures::future::join_all;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::link::{self, Answer, Endpoint, Fault, Identity, ask, shown};

/// Addresses asked at most: the API's and those of five masters.
const ADDRESSES: usize = 6;
/// How much earlier each is asked than the next.
const HEAD_START: Duration = Duration::from_millis(300);
/// Tries at a load balancer, which takes masters in turn.
const TRIES: usize = 5;
/// Agents, their attributes and how many tasks each has; unlike `/state` without every task that ever ran.
const SUMMARY: &str = "/state-summary";
/// The operators' API.
const OPERATORS: &str = "/api/v1";

/// How to come to the masters of a cluster.
#[derive(Clone)]
pub(crate) struct Way {
    /// The API's address first, then each master's.
    endpoints: Vec<Endpoint>,
    /// The masters' own addresses.
    masters: Vec<String>,
    /// Nothing where the cluster has no TLS.
    identity: Option<Identity>,
    /// Until one answer is given up.
    deadline: Duration,
}

impl Way {
    /// To the masters at these addresses.
    pub(crate) fn to(api_address: &str, masters: &[String], identity: Option<Identity>, deadline: Duration) -> Self {
        let mut endpoints = link::endpoints(api_address, masters);
        endpoints.truncate(ADDRESSES);
        Self { endpoints, masters: masters.to_vec(), identity, deadline }
    }

    fn is_master(&self, endpoint: &Endpoint) -> bool {
        self.masters.contains(&endpoint.host)
    }

    /// The status with which each master answers on its health, by its address.
    pub(crate) async fn health(&self) -> Vec<(String, Result<u16, Fault>)> {
        let own = self.endpoints.iter().filter(|endpoint| self.is_master(endpoint));
        join_all(own.map(|endpoint| async { (endpoint.host.clone(), self.status(endpoint, "/health").await) })).await
    }

    /// The status with which a `GET` of the path is answered at that port, at the first address of the cluster's where
    /// something answers.
    ///
    /// # Errors
    /// Nothing answers at any: why the first does not.
    pub(crate) async fn probe(&self, port: u16, path: &str) -> Result<u16, Fault> {
        let at = self.endpoints.iter().map(|endpoint| Endpoint { host: endpoint.host.clone(), port });
        link::first(at, HEAD_START, |endpoint| async move { self.status(&endpoint, path).await }).await
    }

    async fn status(&self, endpoint: &Endpoint, path: &str) -> Result<u16, Fault> {
        let answer = ask(endpoint, self.identity.as_ref(), path, None, self.deadline).await?;
        Ok(answer.status)
    }

    /// What the leading master answers there, be it itself or one of those behind a load balancer; all tries have one
    /// deadline.
    async fn of_leader(&self, endpoint: &Endpoint, path: &str, document: Option<&Value>) -> Result<Answer, Fault> {
        let late = |_| Fault::Unreachable(format!("{endpoint}: no answer within {} s", self.deadline.as_secs()));
        timeout(self.deadline, self.in_turn(endpoint, path, document)).await.map_err(late)?
    }

    async fn in_turn(&self, endpoint: &Endpoint, path: &str, document: Option<&Value>) -> Result<Answer, Fault> {
        for _ in 0..if self.is_master(endpoint) { 1 } else { TRIES } {
            let answer = ask(endpoint, self.identity.as_ref(), path, document, self.deadline).await?;
            match answer.status {
                200 | 202 => return Ok(answer),
                307 => {}
                503 => return Err(Fault::Refused("No master leads the others".to_owned())),
                status => {
                    let text = String::from_utf8_lossy(&answer.body);
                    return Err(Fault::Refused(shown(&format!("{endpoint} answers {status}: {text}"))));
                }
            }
        }
        Err(Fault::Unreachable(format!("{endpoint}: another master leads")))
    }
}

/// What an agent is let run.
const ACTIVE: &str = "active";
const DRAIN: &str = "drain";

/// How far an agent is with giving up what it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drain {
    Unasked,
    UnderWay,
    Done,
}

/// An agent as the leading master knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agent {
    id: String,
    /// The machine's name.
    pub(crate) name: String,
    /// The name of its nodegroup, as far as an attribute can hold it.
    pub(crate) nodegroup: String,
    /// Whether it is there and takes tasks.
    pub(crate) active: bool,
    /// Tasks that have not ended.
    pub(crate) tasks: u64,
    drain: Drain,
}

/// A nodegroup's name as agents give it.
pub(crate) fn attribute(nodegroup: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    nodegroup.bytes().map(|byte| if plain(byte) { char::from(byte) } else { '_' }).collect()
}

/// An agent as it is written in the summary.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    id: String,
    active: bool,
    attributes: Map<String, Value>,
    drain_info: Option<DrainInfo>,
    #[serde(rename = "TASK_STAGING")]
    staging: u64,
    #[serde(rename = "TASK_STARTING")]
    starting: u64,
    #[serde(rename = "TASK_RUNNING")]
    running: u64,
    #[serde(rename = "TASK_KILLING")]
    killing: u64,
}

#[derive(Deserialize)]
struct DrainInfo {
    state: String,
}

#[derive(Deserialize)]
struct Summary {
    slaves: Vec<Written>,
}

impl Agent {
    fn of(written: Written) -> Self {
        let attribute = |key: &str| shown(written.attributes.get(key).and_then(Value::as_str).unwrap_or_default());
        Self {
            name: attribute("node"),
            nodegroup: attribute("nodegroup"),
            active: written.active && written.drain_info.is_none(),
            tasks: [written.staging, written.starting, written.running, written.killing]
                .into_iter()
                .fold(0, u64::saturating_add),
            drain: match written.drain_info.as_ref().map(|info| info.state.as_str()) {
                None => Drain::Unasked,
                Some("DRAINED") => Drain::Done,
                Some(_) => Drain::UnderWay,
            },
            id: written.id,
        }
    }

    /// What it is let run: all that comes (`active`), or nothing (`drain`).
    pub(crate) fn availability(&self) -> &'static str {
        if self.drain == Drain::Unasked { ACTIVE } else { DRAIN }
    }

    /// As unit tests need one.
    #[cfg(test)]
    pub(crate) fn sample(name: &str, nodegroup: &str, active: bool) -> Self {
        let (name, nodegroup) = (name.to_owned(), nodegroup.to_owned());
        Self { id: name.clone(), name, nodegroup, active, tasks: 0, drain: Drain::Unasked }
    }
}

/// The master that leads, and the agents as they were when it was reached.
pub(crate) struct Leader {
    way: Way,
    endpoint: Endpoint,
    agents: Vec<Agent>,
}

impl Leader {
    /// The master that leads.
    ///
    /// # Errors
    /// None that answers does: what one refused with, else why the first cannot be reached.
    pub(crate) async fn reach(way: &Way) -> Result<Self, Fault> {
        link::first(way.endpoints.clone(), HEAD_START, |endpoint| async move {
            let answer = way.of_leader(&endpoint, SUMMARY, None).await?;
            let unreadable = |error| Fault::Refused(format!("{endpoint}: {SUMMARY} cannot be read: {error}"));
            let summary: Summary = serde_json::from_slice(&answer.body).map_err(unreadable)?;
            let agents = summary.slaves.into_iter().map(Agent::of).collect();
            Ok(Self { way: way.clone(), endpoint, agents })
        })
        .await
    }

    /// As [`Way::health`].
    pub(crate) async fn health(&self) -> Vec<(String, Result<u16, Fault>)> {
        self.way.health().await
    }

    /// Its agents.
    pub(crate) fn agents(&self) -> &[Agent] {
        &self.agents
    }

    pub(crate) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Agent> {
        self.agents.iter().filter(move |agent| agent.name == name)
    }

    /// Has the agent of that name give up what it runs; tasks have at most `grace` to end. True when nothing runs on it any
    /// more, or there is none.
    ///
    /// # Errors
    /// The API refuses, or is away.
    pub(crate) async fn drain(&self, name: &str, grace: Duration) -> Result<bool, Fault> {
        let mut done = true;
        for agent in self.named(name) {
            if agent.drain == Drain::Unasked && agent.active {
                let what = json!({"agent_id": {"value": agent.id}, "max_grace_period": {"seconds": grace.as_secs()}});
                self.order("DRAIN_AGENT", "drain_agent", what).await?;
            }
            // What runs on a machine that is away can not be waited for.
            done &= agent.drain == Drain::Done || agent.drain == Drain::Unasked && !agent.active;
        }
        Ok(done)
    }

    /// Lets the agent of that name run things again, if that was its availability before it was drained; none, or one that
    /// may already, is fine.
    ///
    /// # Errors
    /// The API refuses, as it does before what was there has ended, or is away.
    pub(crate) async fn restore(&self, name: &str, availability: &str) -> Result<(), Fault> {
        for agent in self.named(name).filter(|agent| agent.drain != Drain::Unasked && availability != DRAIN) {
            self.order("REACTIVATE_AGENT", "reactivate_agent", json!({"agent_id": {"value": agent.id}})).await?;
        }
        Ok(())
    }

    /// Forgets the agent of that name; none is fine. What it ran is then known to have ended.
    ///
    /// # Errors
    /// The API refuses, or is away.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), Fault> {
        for agent in self.named(name) {
            self.order("MARK_AGENT_GONE", "mark_agent_gone", json!({"agent_id": {"value": agent.id}})).await?;
        }
        Ok(())
    }

    async fn order(&self, call: &str, key: &str, what: Value) -> Result<(), Fault> {
        let document = json!({"type": call, key: what});
        self.way.of_leader(&self.endpoint, OPERATORS, Some(&document)).await.map(drop)
    }
}

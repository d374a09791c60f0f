//! Docker's API of a cluster, as its Swarm is asked and told: who its nodes are, that one is to be drained, that one is gone.
//!
//! What answers is the owner's, who may be root there: every call has a deadline, every answer a bound, and nothing is
//! believed that does not come with a certificate of the cluster's own authority, unless its owner wanted no TLS.

pub(crate) mod link;
mod swarm;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error as ApiError;
use bollard::{API_DEFAULT_VERSION, BollardRequest};
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;

use link::{Endpoint, Identity, Unreachable};

pub(crate) use swarm::{Member, Swarm};

/// Most bytes of a text of the API's that is shown.
const LONGEST_TEXT: usize = 300;

/// Why a cluster's API did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// Nothing answers, or nothing that is the cluster's.
    #[error("{0}")]
    Unreachable(String),
    /// It answers that it will not.
    #[error("{0}")]
    Refused(String),
}

/// The API at one of a cluster's managers.
#[derive(Clone)]
struct Docker {
    api: bollard::Docker,
    endpoint: Endpoint,
    /// Until a call is given up.
    deadline: Duration,
}

impl Docker {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// None that is known: the client is made of what is at hand.
    fn at(endpoint: Endpoint, identity: Option<Identity>, deadline: Duration) -> Result<Self, Fault> {
        let to = Arc::new((endpoint.clone(), identity));
        let transport = move |request: BollardRequest| {
            let to = to.clone();
            async move {
                let sent = link::send(&to.0, to.1.as_ref(), request).await;
                sent.map_err(|error| ApiError::IOError { err: std::io::Error::other(error) })
            }
        };
        // The connection's own deadline is the one below, which the reading of the answer is under as well.
        let api = bollard::Docker::connect_with_custom_transport(
            transport,
            Some("https://swarm"),
            deadline.as_secs().saturating_add(1),
            API_DEFAULT_VERSION,
        );
        Ok(Self { api: api.map_err(|error| fault(&endpoint, error))?, endpoint, deadline })
    }

    /// One call with its whole answer.
    async fn call<T>(&self, call: impl Future<Output = Result<T, ApiError>>) -> Result<T, Fault> {
        match tokio::time::timeout(self.deadline, call).await {
            Ok(answer) => answer.map_err(|error| fault(&self.endpoint, error)),
            Err(_) => {
                Err(Fault::Unreachable(format!("{}: no answer within {} s", self.endpoint, self.deadline.as_secs())))
            }
        }
    }
}

/// Where the API of a cluster may be reached: at its address, then at each of its masters'.
pub(crate) fn managers(api_address: &str, masters: &[String]) -> Vec<Endpoint> {
    let Some(first) = Endpoint::parse(api_address) else { return Vec::new() };
    let port = first.port;
    let mut found = vec![first];
    for host in masters {
        let endpoint = Endpoint { host: host.clone(), port };
        if !found.contains(&endpoint) {
            found.push(endpoint);
        }
    }
    found
}

/// The status with which a `GET` of the path is answered, over plain HTTP.
///
/// # Errors
/// Nothing answers there.
pub(crate) async fn probe(endpoint: &Endpoint, path: &str, deadline: Duration) -> Result<u16, Fault> {
    let unreachable = |why: String| Fault::Unreachable(shown(&why));
    let request = Request::get(path).body(Empty::<Bytes>::new()).map_err(|error| unreachable(error.to_string()))?;
    match tokio::time::timeout(deadline, link::send(endpoint, None, request)).await {
        Ok(answer) => answer.map(|answer| answer.status().as_u16()).map_err(|error| unreachable(error.to_string())),
        Err(_) => Err(unreachable(format!("{endpoint}: no answer within {} s", deadline.as_secs()))),
    }
}

/// The error in our words.
fn fault(endpoint: &Endpoint, error: ApiError) -> Fault {
    match error {
        ApiError::DockerResponseServerError { message, .. } => Fault::Refused(shown(&message)),
        ApiError::IOError { err } if err.get_ref().is_some_and(|inner| inner.is::<Unreachable>()) => {
            Fault::Unreachable(shown(&err.to_string()))
        }
        other => Fault::Unreachable(shown(&format!("{endpoint}: {other}"))),
    }
}

/// Text of a stranger's as it may be shown: of bounded length, on one line.
fn shown(text: &str) -> String {
    let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.len() > LONGEST_TEXT {
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
        text.push('…');
    }
    text
}

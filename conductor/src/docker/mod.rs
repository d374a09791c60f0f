//! Docker's API of a cluster, as its Swarm is asked and told: who its nodes are, that one is to be drained, that one is gone.
//!
//! What answers is the owner's, who may be root there: every call has a deadline, every answer a bound, and nothing is
//! believed that does not come with a certificate of the cluster's own authority.

mod swarm;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error as ApiError;
use bollard::{API_DEFAULT_VERSION, BollardRequest};

use crate::link::{self, Endpoint, Fault, Identity, Unreachable, shown};

pub(crate) use swarm::{Member, Swarm};

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
    fn at(endpoint: Endpoint, identity: Identity, deadline: Duration) -> Result<Self, Fault> {
        let to = Arc::new((endpoint.clone(), identity));
        let transport = move |request: BollardRequest| {
            let to = to.clone();
            async move {
                let sent = link::send(&to.0, Some(&to.1), request).await;
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

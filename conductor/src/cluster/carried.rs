//! Steps that nodes carry out: an order is given, and the operation waits for all of them.

use std::time::Duration;

use chrono::{TimeDelta, Utc};

use crate::operation::{Code, Failure, Fault, Next, StepResult, Work};
use crate::order::{self, Kind, Order, Standing, State};
use crate::{Conductor, Result};

/// A lost wake-up costs at most this.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// How long nodes are waited for that are to undo what they did.
const RETURN: TimeDelta = TimeDelta::minutes(5);

/// Gives the order, and is done when every node has carried it out.
///
/// A node that could not, or that does not answer in time, fails the operation.
pub(super) async fn by_all(
    conductor: &Conductor,
    work: &Work,
    kind: Kind,
    generation: i32,
    progress: &str,
) -> StepResult {
    let (cluster, operation) = (&work.cluster.uuid, &work.operation.uuid);
    let order = order::store::give(&conductor.db, cluster, operation, kind, generation).await?;
    let standing = Standing::of(conductor, work, &order).await?;
    if let Some(failed) = standing.failed {
        let message = failed.message.as_deref().unwrap_or("no message");
        let text = format!("Node {} could not do what it was told ({}): {message}", failed.name, kind.as_str());
        return Err(Failure::Final(Fault::new(Code::NodeFailed, text).with_log(failed.log.0)));
    }
    if standing.waiting.is_empty() {
        return Ok(Next::Done);
    }
    let left = order.given_at + patience(conductor) - Utc::now();
    if left <= TimeDelta::zero() {
        return Err(Failure::Final(Fault::new(Code::NodeSilent, silence(conductor, kind, &standing))));
    }
    let reason = format!("{progress}: {} of {} nodes", standing.done, standing.total);
    work.say(conductor, &reason).await?;
    Ok(Next::Wait(left.to_std().unwrap_or_default().min(LONGEST_WAIT)))
}

/// How long nodes have for one order.
fn patience(conductor: &Conductor) -> TimeDelta {
    TimeDelta::seconds(conductor.config.x509.rotation_timeout_s.into())
}

fn silence(conductor: &Conductor, kind: Kind, standing: &Standing) -> String {
    let seconds = conductor.config.x509.rotation_timeout_s;
    let nodes = standing.waiting.join(", ");
    format!("Within {seconds} s these nodes have not done what they were told ({}): {nodes}", kind.as_str())
}

/// Gives the order that undoes, and tells what is still waited for: only nodes that have answered this operation before,
/// and not for long. Nothing when the way is free.
pub(super) async fn by_those_who_answered(
    conductor: &Conductor,
    work: &Work,
    kind: Kind,
    generation: i32,
) -> Result<Option<Next>> {
    let (cluster, operation) = (&work.cluster.uuid, &work.operation.uuid);
    let order = order::store::give(&conductor.db, cluster, operation, kind, generation).await?;
    let heard = order::store::answers_since(&conductor.db, cluster, work.operation.created_at).await?;
    let open = heard.iter().any(|answer| answer.order_uuid != order.uuid);
    let left = order.given_at + patience(conductor).min(RETURN) - Utc::now();
    if !open || left <= TimeDelta::zero() {
        return Ok(None);
    }
    Ok(Some(Next::Wait(left.to_std().unwrap_or_default().min(LONGEST_WAIT))))
}

/// The order that this operation has in force.
pub(super) async fn present(conductor: &Conductor, work: &Work) -> Result<Option<Order>> {
    let order = order::store::of(&conductor.db, &work.cluster.uuid).await?;
    Ok(order.filter(|order| order.operation_uuid == work.operation.uuid))
}

/// Waits for the nodes as long as they have time, and then goes on without those that are silent, whose names it gives:
/// their order stands until they come back.
pub(super) async fn by_most(conductor: &Conductor, work: &Work, order: &Order) -> Result<Result<Vec<String>, Next>> {
    let standing = Standing::of(conductor, work, order).await?;
    let left = order.given_at + patience(conductor) - Utc::now();
    if (standing.waiting.is_empty() && standing.failed.is_none()) || left <= TimeDelta::zero() {
        let failed = order::store::answers(&conductor.db, order).await?;
        let failed = failed.into_iter().filter(|answer| answer.state == State::Failed).map(|answer| answer.name);
        return Ok(Ok(standing.waiting.into_iter().chain(failed).collect()));
    }
    Ok(Err(Next::Wait(left.to_std().unwrap_or_default().min(LONGEST_WAIT))))
}

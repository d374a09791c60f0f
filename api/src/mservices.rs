//! `/v1/mservices`: the conductor, as one entry however many processes do its work.
//!
//! Clients expect exactly one conductor whose `id` is 1. It is up while any process of ours lives.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use conductor::service::{self, Service};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Api;
use crate::caller::Caller;
use crate::error::Result;
use crate::query::{Nothing, Query};
use crate::time;

/// How long after its last sign of life a process counts as living.
const SILENCE: TimeDelta = TimeDelta::seconds(180);

/// The conductor as clients read it.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Service)]
pub struct View {
    /// Always 1.
    id: i64,
    /// The machine of the process that was seen last.
    host: String,
    /// Always `magnum-conductor`, the name that clients look for.
    binary: &'static str,
    /// `up` or `down`.
    state: &'static str,
    /// Whether an operator took all processes out of use.
    disabled: bool,
    /// Why.
    disabled_reason: Option<String>,
    /// How many times processes said that they live.
    report_count: i64,
    /// When the first one did.
    created_at: String,
    /// When the last one did.
    updated_at: Option<String>,
}

/// The list of services.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Services)]
pub struct Views {
    /// The services.
    mservices: Vec<View>,
}

/// Shows whether the conductor lives.
#[utoipa::path(get, path = "/v1/mservices", tag = "services",
    responses((status = 200, description = "The conductor", body = Views)))]
pub async fn list(State(api): State<Api>, caller: Caller, Query(Nothing): Query<Nothing>) -> Result<Json<Views>> {
    api.allow(&caller, "magnum-service:get_all", None)?;
    let services = service::store::list(&api.conductor.db).await?;
    Ok(Json(Views { mservices: View::of(&services, Utc::now()).into_iter().collect() }))
}

impl View {
    fn of(services: &[Service], now: DateTime<Utc>) -> Option<Self> {
        let latest = services.iter().max_by_key(|service| seen(service))?;
        let first = services.iter().map(|service| service.created_at).min()?;
        let lives = |service: &Service| !service.forced_down && now - seen(service) <= SILENCE;
        let disabled = services.iter().all(|service| service.disabled);
        Some(Self {
            id: 1,
            host: latest.host.clone(),
            binary: "magnum-conductor",
            state: if services.iter().any(lives) { "up" } else { "down" },
            disabled,
            disabled_reason: latest.disabled_reason.clone().filter(|_| disabled),
            report_count: services.iter().map(|service| i64::from(service.report_count)).sum(),
            created_at: time::text(first),
            updated_at: latest.updated_at.map(time::text),
        })
    }
}

fn seen(service: &Service) -> DateTime<Utc> {
    service.last_seen_up.or(service.updated_at).unwrap_or(service.created_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(host: &str, seen_s_ago: i64) -> Service {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        Service {
            id: 7,
            host: host.into(),
            binary: "magnum-conductor".into(),
            disabled: false,
            disabled_reason: None,
            forced_down: false,
            report_count: 3,
            last_seen_up: Some(now - TimeDelta::seconds(seen_s_ago)),
            created_at: now - TimeDelta::days(1),
            updated_at: Some(now - TimeDelta::seconds(seen_s_ago)),
        }
    }

    fn view(services: &[Service]) -> View {
        View::of(services, DateTime::UNIX_EPOCH + TimeDelta::days(20_000)).unwrap()
    }

    #[test]
    fn many_processes_are_one_conductor_that_is_up_while_one_lives() {
        let view = view(&[service("a", 1000), service("b", 30)]);
        assert_eq!((view.id, view.host.as_str(), view.state, view.report_count), (1, "b", "up", 6));
    }

    #[test]
    fn three_minutes_of_silence_are_down() {
        assert_eq!(view(&[service("a", 180)]).state, "up");
        assert_eq!(view(&[service("a", 181)]).state, "down");
        assert_eq!(view(&[Service { forced_down: true, ..service("a", 0) }]).state, "down");
    }

    #[test]
    fn a_cloud_without_a_conductor_has_no_entry() {
        assert_eq!(View::of(&[], Utc::now()), None);
    }
}

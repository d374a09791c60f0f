//! HTTP to one service: deadlines, bounded retries, bounded bodies, redirects within one origin, one log line per try.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use super::error::{Error, Kind, Result, scrub};
use super::{REQUEST_ID, Service};
use crate::config::Keystone;

pub(super) use reqwest::Method;

/// The largest answer read, in bytes.
pub(super) const LARGEST_BODY: usize = 16 << 20;
/// Tries of a request that may be repeated.
const TRIES: u32 = 3;
/// Redirects followed within one origin.
const REDIRECTS: u32 = 3;
/// Services close idle connections after five seconds or more; ours go before.
const IDLE: Duration = Duration::from_secs(4);

/// The connection pool and its deadlines; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: reqwest::Client,
    /// Until a call, with all its tries, is given up.
    deadline: Duration,
}

/// One request to a service.
#[derive(Clone)]
pub(super) struct Call<'a> {
    pub(super) service: Service,
    pub(super) method: Method,
    /// Path below the endpoint, one entry per segment; each is encoded.
    pub(super) path: Vec<&'a str>,
    pub(super) query: Vec<(&'a str, String)>,
    pub(super) body: Option<serde_json::Value>,
    pub(super) accept: &'a str,
    pub(super) content_type: &'a str,
    /// Further headers with secret values.
    pub(super) headers: Vec<(&'static str, SecretString)>,
    /// Values to strike out of error texts.
    pub(super) secrets: Vec<&'a str>,
    /// Whether a redirect is the answer rather than followed.
    pub(super) redirect_is_answer: bool,
    /// Whether it may be sent again after an answer was lost.
    pub(super) repeatable: bool,
}

impl<'a> Call<'a> {
    pub(super) fn new(service: Service, method: Method, path: &[&'a str]) -> Self {
        Self {
            service,
            repeatable: method == Method::GET,
            method,
            path: path.to_vec(),
            query: Vec::new(),
            body: None,
            accept: "application/json",
            content_type: "application/json",
            headers: Vec::new(),
            secrets: Vec::new(),
            redirect_is_answer: false,
        }
    }

    pub(super) fn get(service: Service, path: &[&'a str]) -> Self {
        Self::new(service, Method::GET, path)
    }

    pub(super) fn post(service: Service, path: &[&'a str], body: serde_json::Value) -> Self {
        Self::new(service, Method::POST, path).body(body)
    }

    pub(super) fn delete(service: Service, path: &[&'a str]) -> Self {
        Self::new(service, Method::DELETE, path)
    }

    pub(super) fn body(mut self, body: serde_json::Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(super) fn query(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// The whole URL below an endpoint.
    pub(super) fn url(&self, endpoint: &Url) -> Result<Url> {
        let mut url = endpoint.clone();
        url.path_segments_mut()
            .map_err(|()| Error::protocol(self.service, "the catalog's URL cannot have a path"))?
            .pop_if_empty()
            .extend(&self.path);
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }
}

/// A successful answer, or a redirect where the call asked to see it.
pub(super) struct Reply {
    pub(super) service: Service,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|cause| {
            let place = format!("line {} column {}", cause.line(), cause.column());
            Error::protocol(
                self.service,
                format!("its answer cannot be read as expected ({:?} at {place})", cause.classify()),
            )
        })
    }

    /// The member `name` of a JSON answer.
    pub(super) fn part<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let mut map: serde_json::Map<String, serde_json::Value> = self.json()?;
        let value = map.remove(name).unwrap_or_default();
        serde_json::from_value(value)
            .map_err(|_| Error::protocol(self.service, format!("its answer has no usable {name:?}")))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// `None` where the service says that it does not exist.
pub(super) fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Http {
    /// # Errors
    /// `[keystone] cafile` cannot be read or holds no certificate.
    pub(super) fn new(keystone: &Keystone) -> crate::Result<Self> {
        let deadline = Duration::from_secs(keystone.timeout_s.max(1));
        let mut builder = reqwest::Client::builder()
            .user_agent("jeroboam")
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(deadline.min(Duration::from_secs(10)))
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(16)
            .tls_backend_native();
        if let Some(path) = &keystone.cafile {
            let refuse = |why: &dyn std::fmt::Display| {
                crate::Error::invalid(format!(
                    "[keystone] cafile is {:?}: {why}; it must be a PEM file",
                    path.display()
                ))
            };
            let pem = std::fs::read(path).map_err(|cause| refuse(&cause))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|cause| refuse(&cause))?;
            if certificates.is_empty() {
                return Err(refuse(&"it holds no certificate"));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        Ok(Self { client: builder.build().map_err(crate::Error::internal)?, deadline })
    }

    /// Sends `call` below `endpoint`, repeating it where that is safe, and gives up at the deadline.
    pub(super) async fn send(&self, endpoint: &Url, call: &Call<'_>, token: Option<&SecretString>) -> Result<Reply> {
        let url = call.url(endpoint)?;
        let body: Option<Arc<[u8]>> = match &call.body {
            Some(body) => Some(serde_json::to_vec(body).map_err(|cause| Error::protocol(call.service, cause))?.into()),
            None => None,
        };
        let end = Instant::now() + self.deadline;
        let mut tried = 0;
        loop {
            tried += 1;
            let (error, pause) = match self.attempt(url.clone(), call, body.clone(), token, end).await {
                Attempt::Answered(reply) => return Ok(reply),
                Attempt::Refused(error) => return Err(error),
                Attempt::Again(error, pause) => (error, pause),
            };
            let pause = pause.unwrap_or_else(|| backoff(tried));
            if tried == TRIES || Instant::now() + pause >= end {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(
        &self,
        mut url: Url,
        call: &Call<'_>,
        body: Option<Arc<[u8]>>,
        token: Option<&SecretString>,
        end: Instant,
    ) -> Attempt {
        let mut followed = 0;
        loop {
            let begun = Instant::now();
            let outcome =
                match tokio::time::timeout_at(end, self.exchange(url.clone(), call, body.as_deref(), token)).await {
                    Ok(outcome) => outcome,
                    Err(_) => {
                        let why = format!("no complete answer within {} s", self.deadline.as_secs());
                        Err((Error::new(call.service, Kind::Timeout, why), false))
                    }
                };
            record(call, &url, &outcome, begun.elapsed());
            let reply = match outcome {
                Ok(reply) => reply,
                Err((error, true)) => return Attempt::Again(error, None),
                Err((error, false)) => return Attempt::Refused(error),
            };
            match reply.status {
                200..=299 => return Attempt::Answered(reply),
                301 | 302 | 307 | 308 if call.redirect_is_answer => return Attempt::Answered(reply),
                301 | 302 | 307 | 308 if followed < REDIRECTS => match next(&url, call, &reply) {
                    Ok(next) => url = next,
                    Err(error) => return Attempt::Refused(error),
                },
                _ => return refused(call, &reply, token),
            }
            followed += 1;
        }
    }

    /// One request and its whole answer; an error says whether the request may be sent again.
    async fn exchange(
        &self,
        url: Url,
        call: &Call<'_>,
        body: Option<&[u8]>,
        token: Option<&SecretString>,
    ) -> Result<Reply, (Error, bool)> {
        let failed = |cause: reqwest::Error| {
            let again = cause.is_connect() || (call.repeatable && !cause.is_timeout() && !cause.is_builder());
            let kind = if cause.is_timeout() { Kind::Timeout } else { Kind::Unavailable };
            (Error::new(call.service, kind, reason(cause)), again)
        };
        let mut request = self.client.request(call.method.clone(), url).headers(headers(call, token));
        if let Some(body) = body {
            request = request.body(body.to_vec());
        }
        let mut response = request.send().await.map_err(failed)?;
        let too_large =
            || (Error::protocol(call.service, format!("its answer is larger than {LARGEST_BODY} bytes")), false);
        let announced = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if announced.unwrap_or(0) > LARGEST_BODY {
            return Err(too_large());
        }
        let mut bytes = Vec::with_capacity(announced.unwrap_or(0));
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > LARGEST_BODY {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        let status = response.status().as_u16();
        Ok(Reply { service: call.service, status, headers: std::mem::take(response.headers_mut()), body: bytes })
    }
}

/// What one try came to.
enum Attempt {
    Answered(Reply),
    Refused(Error),
    /// It may be tried again, after the pause the service asks for.
    Again(Error, Option<Duration>),
}

/// An error answer: final, or worth another try where the request may be repeated.
fn refused(call: &Call<'_>, reply: &Reply, token: Option<&SecretString>) -> Attempt {
    let mut secrets = call.secrets.clone();
    secrets.extend(token.map(|token| token.expose_secret()));
    secrets.extend(call.headers.iter().map(|(_, value)| value.expose_secret()));
    let error = Error::answer(call.service, reply.status, &reply.body, &secrets);
    if !(call.repeatable && matches!(reply.status, 429 | 500 | 502 | 503 | 504)) {
        return Attempt::Refused(error);
    }
    let asked = reply.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Attempt::Again(error, asked.map(Duration::from_secs))
}

/// Where a redirect leads, if that is the same origin: a token is for one service only.
fn next(from: &Url, call: &Call<'_>, reply: &Reply) -> Result<Url> {
    let location = reply.headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let url = from.join(location).map_err(|_| Error::protocol(call.service, "it redirects to no usable URL"))?;
    if call.method != Method::GET {
        return Err(Error::protocol(call.service, format!("it redirects a {} request", call.method)));
    }
    if url.origin() != from.origin() {
        let origin = url.origin().ascii_serialization();
        return Err(Error::protocol(call.service, format!("it redirects to another origin, {origin:?}; not followed")));
    }
    Ok(url)
}

fn headers(call: &Call<'_>, token: Option<&SecretString>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut put = |name: reqwest::header::HeaderName, value: &str, secret: bool| {
        if let Ok(mut value) = HeaderValue::from_str(value) {
            value.set_sensitive(secret);
            headers.insert(name, value);
        }
    };
    put(ACCEPT, call.accept, false);
    if call.body.is_some() {
        put(CONTENT_TYPE, call.content_type, false);
    }
    if let Ok(id) = REQUEST_ID.try_with(Clone::clone) {
        put(reqwest::header::HeaderName::from_static("x-openstack-request-id"), &id, false);
    }
    if let Some(token) = token {
        put(reqwest::header::HeaderName::from_static("x-auth-token"), token.expose_secret(), true);
    }
    for (name, value) in &call.headers {
        put(reqwest::header::HeaderName::from_static(name), value.expose_secret(), true);
    }
    headers
}

/// A transport failure and its causes in words, without the URL and its query.
fn reason(cause: reqwest::Error) -> String {
    let cause = cause.without_url();
    let mut text = cause.to_string();
    let mut next = std::error::Error::source(&cause);
    while let Some(inner) = next {
        let words = inner.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = inner.source();
    }
    scrub(&text, &[])
}

/// The n-th pause: 100 ms doubled each time, plus up to as much again.
fn backoff(tried: u32) -> Duration {
    let base = 100 << tried.min(6).saturating_sub(1);
    let jitter = u64::from(uuid::Uuid::new_v4().as_bytes()[0]) * base / 255;
    Duration::from_millis(base + jitter)
}

fn record(call: &Call<'_>, url: &Url, outcome: &Result<Reply, (Error, bool)>, took: Duration) {
    let status = match outcome {
        Ok(reply) => reply.status.to_string(),
        Err((error, _)) => format!("{:?}", error.kind),
    };
    let header = |name| outcome.as_ref().ok().and_then(|reply| reply.header(name));
    tracing::debug!(
        service = call.service.name(),
        method = %call.method,
        path = url.path(),
        status,
        ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        request_id = REQUEST_ID.try_with(Clone::clone).ok(),
        service_request_id = header("x-openstack-request-id").or_else(|| header("x-compute-request-id")),
        error = outcome.as_ref().err().map(|(error, _)| error.message.as_str()),
        "asked the cloud"
    );
    metrics::histogram!("jeroboam_openstack_seconds", "service" => call.service.name(), "status" => status)
        .record(took.as_secs_f64());
}

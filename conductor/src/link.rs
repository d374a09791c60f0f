//! The way to a cluster's own APIs. One request over a connection of its own: always with deadlines, an answer of bounded
//! size and, where the cluster has TLS, its own certificates on both sides, with keys that are in no file.
//!
//! What answers is the owner's, who may be root there.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::pki::KeyPair;
use crate::{Error, Result};

/// Until a connection stands, its TLS included.
const CONNECT: Duration = Duration::from_secs(5);

/// The most that an answer may hold, in bytes: what is at the other end is its owner's, not ours. A Swarm of a thousand
/// nodes fills a third of it.
const LARGEST_ANSWER: usize = 12 << 20;

/// Most bytes of a text of a stranger's that is shown.
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

/// Where something listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Address or name; an IPv6 address without brackets.
    pub(crate) host: String,
    /// Port.
    pub(crate) port: u16,
}

impl Endpoint {
    /// The endpoint of a URL with a port, as `tcp://10.0.0.5:2376`.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let url = url::Url::parse(url).ok()?;
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
        Some(Self { host: host.to_owned(), port: url.port()? })
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Where the API of a cluster may be reached: at its address, then at each of its masters'.
pub(crate) fn endpoints(api_address: &str, masters: &[String]) -> Vec<Endpoint> {
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

/// Whom we believe, and who we are: TLS 1.2 or later with the cluster's authority, no other, and our own certificate.
#[derive(Clone)]
pub(crate) struct Identity(tokio_native_tls::TlsConnector);

impl Identity {
    /// From the authority's certificate and our own, in PEM.
    ///
    /// # Errors
    /// They are no certificates, or the key is not theirs.
    pub(crate) fn new(authority: &str, own: &KeyPair) -> Result<Self> {
        let key = own.private_key.expose_secret().as_bytes();
        let identity = native_tls::Identity::from_pkcs8(own.certificate.as_bytes(), key).map_err(Error::internal)?;
        let authority = native_tls::Certificate::from_pem(authority.as_bytes()).map_err(Error::internal)?;
        let connector = native_tls::TlsConnector::builder()
            .min_protocol_version(Some(native_tls::Protocol::Tlsv12))
            .disable_built_in_roots(true)
            .add_root_certificate(authority)
            .identity(identity)
            .build()
            .map_err(Error::internal)?;
        Ok(Self(connector.into()))
    }
}

/// Why there is no answer, for people: names the endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{endpoint}: {why}")]
pub(crate) struct Unreachable {
    endpoint: String,
    why: String,
}

/// An answer, all of it.
#[derive(Debug)]
pub(crate) struct Answer {
    /// HTTP's status.
    pub(crate) status: u16,
    /// What came with it.
    pub(crate) body: Bytes,
}

/// Asks for the path, or has it take a document.
///
/// # Errors
/// `Unreachable` where nothing of the cluster's answers in full within `deadline`.
pub(crate) async fn ask(
    endpoint: &Endpoint,
    identity: Option<&Identity>,
    path: &str,
    document: Option<&Value>,
    deadline: Duration,
) -> Result<Answer, Fault> {
    let unreachable = |why: String| Fault::Unreachable(shown(&why));
    let request = match document {
        None => Request::get(path).body(Full::default()),
        Some(document) => Request::post(path)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(Full::from(document.to_string())),
    };
    let request: Request<Full<Bytes>> = request.map_err(|error| unreachable(format!("{endpoint}: {error}")))?;
    let exchange = async {
        let answer = send(endpoint, identity, request).await.map_err(|error| unreachable(error.to_string()))?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await;
        let body = body.map_err(|error| unreachable(format!("{endpoint}: {}", causes(&error))))?;
        Ok(Answer { status, body: body.to_bytes() })
    };
    let late = |_| unreachable(format!("{endpoint}: no answer within {} s", deadline.as_secs()));
    timeout(deadline, exchange).await.map_err(late)?
}

/// Text of a stranger's as it may be shown: of bounded length, on one line.
pub(crate) fn shown(text: &str) -> String {
    let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.len() > LONGEST_TEXT {
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
        text.push('…');
    }
    text
}

/// What the first of these endpoints says that says something; each is asked `head_start` later than the one before it.
///
/// # Errors
/// None does: what one refused with, else why the first cannot be reached.
pub(crate) async fn first<T, F>(
    endpoints: impl IntoIterator<Item = Endpoint>,
    head_start: Duration,
    call: impl Fn(Endpoint) -> F,
) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    let call = &call;
    let each = |(at, endpoint): (usize, Endpoint)| async move {
        tokio::time::sleep(head_start * u32::try_from(at).unwrap_or_default()).await;
        call(endpoint).await.map_err(|fault| (at, fault))
    };
    let mut asked: FuturesUnordered<_> = endpoints.into_iter().enumerate().map(each).collect();
    let mut faults = Vec::new();
    while let Some(answer) = asked.next().await {
        match answer {
            Ok(said) => return Ok(said),
            Err(fault) => faults.push(fault),
        }
    }
    let told = faults.into_iter().min_by_key(|(at, fault)| (matches!(fault, Fault::Unreachable(_)), *at));
    Err(told.map_or_else(|| Fault::Unreachable("no master's address is known".to_owned()), |(_, fault)| fault))
}

/// Sends the request and gives the answer as soon as its head is there.
///
/// # Errors
/// Nothing answers there, or something that is not the cluster's.
pub(crate) async fn send<B>(
    endpoint: &Endpoint,
    identity: Option<&Identity>,
    request: Request<B>,
) -> Result<Response<Incoming>, Unreachable>
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let (begun, method, path) = (Instant::now(), request.method().clone(), request.uri().path().to_owned());
    let failed = |cause: hyper::Error| unreachable(endpoint, causes(&cause));
    let exchange = async {
        let bounded = TokioIo::new(Bounded { stream: connected(endpoint, identity).await?, left: LARGEST_ANSWER });
        let (mut sender, connection) = http1::handshake(bounded).await.map_err(failed)?;
        // Ends with the answer, or as soon as nobody waits for it any more.
        tokio::spawn(connection);
        sender.send_request(addressed(endpoint, request)).await.map_err(failed)
    };
    let outcome = exchange.await;
    tracing::debug!(
        %endpoint,
        %method,
        path,
        status = outcome.as_ref().ok().map(|response| response.status().as_u16()),
        ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        error = outcome.as_ref().err().map(|error| error.why.as_str()),
        "asked a cluster"
    );
    outcome
}

/// A connection, with or without TLS.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn connected(endpoint: &Endpoint, identity: Option<&Identity>) -> Result<Box<dyn Stream>, Unreachable> {
    let connect = async {
        let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await;
        let stream = stream.map_err(|cause| unreachable(endpoint, causes(&cause)))?;
        let Some(Identity(tls)) = identity else { return Ok(Box::new(stream) as Box<dyn Stream>) };
        match tls.connect(&endpoint.host, stream).await {
            Ok(stream) => Ok(Box::new(stream) as Box<dyn Stream>),
            Err(cause) => Err(unreachable(endpoint, format!("no TLS as the cluster's: {}", causes(&cause)))),
        }
    };
    let late = |_| unreachable(endpoint, format!("no connection within {} s", CONNECT.as_secs()));
    timeout(CONNECT, connect).await.map_err(late)?
}

/// The request as a server gets it: the path alone, and whom it is for.
fn addressed<B>(endpoint: &Endpoint, mut request: Request<B>) -> Request<B> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    if let Ok(uri) = path.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    if let Ok(host) = HeaderValue::from_str(&endpoint.to_string()) {
        request.headers_mut().insert(HOST, host);
    }
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    request
}

fn unreachable(endpoint: &Endpoint, why: impl Into<String>) -> Unreachable {
    Unreachable { endpoint: endpoint.to_string(), why: why.into() }
}

/// The deepest cause says most, and what is above it is kept only where it says something else.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}

/// A stream that ends in an error once it has given as much as it may.
struct Bounded<S> {
    stream: S,
    left: usize,
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.left == 0 {
            let text = format!("the answer is larger than {LARGEST_ANSWER} bytes");
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.left = self.left.saturating_sub(buffer.filled().len() - before);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_from_api_addresses() {
        let endpoint = Endpoint::parse("tcp://10.0.0.5:2376").unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.port), ("10.0.0.5", 2376));
        let endpoint = Endpoint::parse("tcp://[fd00::5]:2376").unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.to_string().as_str()), ("fd00::5", "[fd00::5]:2376"));
        for bad in ["", "10.0.0.5:2376", "tcp://10.0.0.5", "tcp://:2376"] {
            assert!(Endpoint::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn masters_are_asked_at_the_clusters_address_first() {
        let masters = ["10.0.0.5".to_owned(), "10.0.0.6".to_owned()];
        let found: Vec<_> = endpoints("tcp://10.0.0.6:2376", &masters).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["10.0.0.6:2376", "10.0.0.5:2376"]);
        assert!(endpoints("nowhere", &masters).is_empty());
    }

    #[test]
    fn what_a_stranger_says_is_shown_bounded_on_one_line() {
        assert_eq!(shown("a\nb"), "a b");
        let long = shown(&"ü".repeat(1000));
        assert!(long.len() <= LONGEST_TEXT + 3 && long.ends_with("ü…"), "{long}");
    }
}

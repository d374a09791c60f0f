//! The listener: bounded connections, slow clients cut off, and a shutdown that lets requests finish.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How the listener treats its clients.
#[derive(Debug, Clone, Copy)]
pub struct Listening {
    /// Most connections at a time; further ones wait in the kernel's queue.
    pub connections: usize,
    /// How long a client may take to send a request's headers, and a connection may idle between requests.
    pub header_time: Duration,
    /// How long a shutdown waits for requests under way.
    pub drain_time: Duration,
}

impl Default for Listening {
    fn default() -> Self {
        Self { connections: 1024, header_time: Duration::from_secs(30), drain_time: Duration::from_secs(30) }
    }
}

/// Most bytes of a request's headers.
const HEADERS: usize = 64 << 10;

/// Answers requests until `shutdown`, then lets those under way finish within the drain time.
///
/// # Errors
/// The listener is broken beyond the errors of single connections.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    listening: Listening,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(listening.connections));
    let draining = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => answer(stream, place, &routes, listening, &draining),
            Err(error) if is_passing(&error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error),
        }
    }
    drop(listener);
    if tokio::time::timeout(listening.drain_time, draining.shutdown()).await.is_err() {
        tracing::warn!(after = ?listening.drain_time, "requests under way at shutdown were cut off");
    }
    Ok(())
}

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

/// Serves one connection in a task of its own.
fn answer(
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    routes: &Router,
    listening: Listening,
    draining: &GracefulShutdown,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    // HTTP/1.1 only: telling versions apart has no time limit, and no client of the cloud speaks HTTP/2 in clear.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(listening.header_time)
        .max_buf_size(HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes.clone()));
    let connection = draining.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %error, "a connection ended early");
        }
        drop(place);
    });
}

/// Whether a later connection may succeed: the client left, or this process has no file descriptor left.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, OutOfMemory};
    const TOO_MANY_FILES: [i32; 2] = [23, 24];
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted | OutOfMemory)
        || error.raw_os_error().is_some_and(|code| TOO_MANY_FILES.contains(&code))
}

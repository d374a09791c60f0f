//! `jeroboam serve`, `api` and `conductor`: the long-running halves.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use conductor::{Conductor, Config};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Which halves a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halves {
    Both,
    Api,
    Conductor,
}

pub(crate) async fn run(config: Config, halves: Halves) -> anyhow::Result<()> {
    super::start_logging();
    let listener = match halves {
        Halves::Conductor => None,
        Halves::Both | Halves::Api => {
            let address = (config.api.host.as_str(), config.api.port);
            let listener = TcpListener::bind(address)
                .await
                .with_context(|| format!("cannot listen on [api] host {:?}, port {}", address.0, address.1))?;
            Some(listener)
        }
    };
    let conductor = Arc::new(Conductor::open(config).await?);
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone())?;

    let running = match halves {
        Halves::Api => None,
        Halves::Both | Halves::Conductor => Some(conductor::run::start(conductor.clone(), shutdown.clone()).await?),
    };
    match listener {
        Some(listener) => {
            let address = listener.local_addr()?;
            tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "serving the container-infra API");
            api::serve(listener, conductor.clone(), shutdown.clone()).await?;
            shutdown.cancel();
        }
        None => shutdown.cancelled().await,
    }
    if let Some(running) = running {
        running.finish(Duration::from_secs(10)).await;
    }
    tracing::info!("stopped");
    Ok(())
}

/// SIGTERM and SIGINT begin an orderly stop.
fn stop_on_signal(shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: requests and steps under way are finished first");
        shutdown.cancel();
    });
    Ok(())
}

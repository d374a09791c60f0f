//! Says once a minute that this conductor lives (the contract's section 6.5).

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::column::now;
use crate::{Conductor, service};

/// Time between two beats; a service counts as down after three.
const INTERVAL: Duration = Duration::from_secs(60);

pub(crate) async fn run(conductor: Arc<Conductor>, shutdown: CancellationToken) {
    let host = super::host();
    let mut tick = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = service::store::heartbeat(&conductor.db, &host, service::CONDUCTOR, now()).await {
            tracing::warn!(error = %error.chain(), "the heartbeat is not on record");
        }
    }
}

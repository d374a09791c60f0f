//! Whether the service can do its work at this moment.

use std::future::Future;
use std::time::Duration;

use crate::openstack::{Kind, keystone};
use crate::{Conductor, Result, database};

/// How long each part may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// The records can be read.
    pub database: bool,
    /// Keystone knows the service's user.
    pub keystone: bool,
    /// The workflow engine runs, or none is meant to run in this process.
    pub engine: bool,
}

impl Readiness {
    /// Whether everything does.
    #[must_use]
    pub fn all(self) -> bool {
        self.database && self.keystone && self.engine
    }
}

/// Asks all parts at once; why one does not answer stands in the log.
pub async fn look(conductor: &Conductor) -> Readiness {
    let engine = async { Ok(conductor.engine_ready().await) };
    let records = async { database::ping(&conductor.db).await.map(|()| true) };
    let (database, keystone, engine) =
        tokio::join!(within("database", records), within("keystone", keystone(conductor)), within("engine", engine));
    Readiness { database, keystone, engine }
}

async fn within(part: &'static str, asked: impl Future<Output = Result<bool>>) -> bool {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(ok)) => ok,
        Ok(Err(error)) => {
            tracing::warn!(part, error = %error.chain(), "not ready");
            false
        }
        Err(_) => {
            tracing::warn!(part, after = ?PATIENCE, "not ready: no answer");
            false
        }
    }
}

/// A real question every time: a session that was opened earlier proves nothing.
async fn keystone(conductor: &Conductor) -> Result<bool> {
    let session = conductor.cloud.service().await?;
    match keystone::project_exists(&session, &session.project_id()).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind == Kind::Forbidden => Ok(true),
        Err(error) => Err(error.into()),
    }
}

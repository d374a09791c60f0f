//! Everything an operation needs, opened once.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use drivers::Driver;
use moka::future::Cache;
use sea_orm::DatabaseConnection;
use secrecy::SecretString;
use tokio::sync::Notify;

use crate::config::Config;
use crate::engine::Engine;
use crate::openstack::{BELIEVED, Cloud, Session, Validator};
use crate::{Error, Result, database, secret, watch};

/// The service's hands: records, cloud, keys and drivers.
pub struct Conductor {
    /// What the operator set.
    pub config: Config,
    /// The records.
    pub db: DatabaseConnection,
    /// The cloud.
    pub cloud: Cloud,
    /// Judges tokens.
    pub tokens: Validator,
    /// Seals what must not lie in clear.
    pub sealer: secret::Sealer,
    /// Wakes the loops of this process when there is news; a conductor elsewhere finds out by itself within a second.
    pub wake: Notify,
    /// Sessions of trustees, by trust.
    pub(crate) trustees: Cache<String, Session>,
    /// Clusters' UUIDs by the trustees and credentials inside them that have asked for something. A token is believed for
    /// some minutes after its credential has left Keystone and the records, and must not count as its owner's own then.
    pub(crate) inside: Cache<String, String>,
    /// The enabled drivers.
    drivers: Vec<&'static dyn Driver>,
    /// The workflow engine, in processes that conduct.
    pub(crate) engine: OnceLock<Arc<Engine>>,
}

impl Conductor {
    /// Opens records (bringing a SQLite file to this version's schema) and keys; calls nothing in the cloud.
    ///
    /// # Errors
    /// What is wrong with the configuration, the files or the database.
    pub async fn open(config: Config) -> Result<Self> {
        if config.keystone.auth_url.is_empty() {
            return Err(Error::invalid("[keystone] auth_url is empty; it must be Keystone's URL, ending in /v3"));
        }
        let drivers = enabled(&config.drivers.enabled)?;
        let db = database::connect(&config).await?;
        database::prepare(&db).await?;
        let sealer = secret::Sealer::load(&config.key_file()).map_err(|error| Error::invalid(error.to_string()))?;
        watch::notifications::check(&config.notifications)?;
        let cloud = Cloud::new(&config)?;
        let tokens = Validator::new(&cloud);
        let trustees = Cache::builder().max_capacity(1000).time_to_idle(Duration::from_secs(3600)).build();
        let inside = Cache::builder().max_capacity(10_000).time_to_idle(2 * BELIEVED).build();
        let (wake, engine) = (Notify::new(), OnceLock::new());
        Ok(Self { config, db, cloud, tokens, sealer, wake, trustees, inside, drivers, engine })
    }

    /// The enabled drivers: those that new templates and clusters may have.
    #[must_use]
    pub fn drivers(&self) -> &[&'static dyn Driver] {
        &self.drivers
    }

    /// The driver of that name, for what was made by it: enabled or not, as clusters outlive a change of configuration.
    ///
    /// # Errors
    /// Invalid: this release has none of that name.
    pub fn driver(&self, name: &str) -> Result<&'static dyn Driver> {
        drivers::find(name).ok_or_else(|| Error::invalid(format!("This release has no cluster driver {name}.")))
    }

    /// Seals a text so that it opens only with the same context, as `cluster/<uuid>/credential`.
    ///
    /// # Errors
    /// Cryptography failed.
    pub(crate) fn seal(&self, context: &str, text: &str) -> Result<Vec<u8>> {
        self.sealer.seal(context, text.as_bytes()).map_err(Error::internal)
    }

    /// Opens what [`Self::seal`] sealed.
    ///
    /// # Errors
    /// Sealed with another key or for another context.
    pub(crate) fn unseal(&self, context: &str, sealed: &[u8]) -> Result<SecretString> {
        let text = self.sealer.open(context, sealed).map_err(Error::internal)?;
        let text = std::str::from_utf8(&text).map_err(|_| Error::internal("what was sealed is not text"))?;
        Ok(SecretString::from(text))
    }

    /// Whether the workflow engine answers; true in processes that run none.
    pub async fn engine_ready(&self) -> bool {
        match self.engine.get() {
            Some(engine) => engine.ready().await.is_ok(),
            None => true,
        }
    }
}

fn enabled(names: &[String]) -> Result<Vec<&'static dyn Driver>> {
    let installed = drivers::installed();
    if names.is_empty() {
        return Ok(installed.into_iter().filter(|driver| !driver.is_beta()).collect());
    }
    let known: Vec<_> = installed.iter().map(|driver| driver.name()).collect();
    names
        .iter()
        .map(|name| {
            installed.iter().copied().find(|driver| driver.name() == name).ok_or_else(|| {
                Error::invalid(format!("[drivers] enabled names {name:?}; installed: {}", known.join(", ")))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beta_must_be_named() {
        let names = |asked: &[&str]| {
            let asked: Vec<_> = asked.iter().map(|name| (*name).to_owned()).collect();
            enabled(&asked).map(|drivers| drivers.iter().map(|driver| driver.name()).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).unwrap(), ["kubernetes", "swarm"]);
        assert_eq!(names(&["mesos"]).unwrap(), ["mesos"]);
        assert!(names(&["nomad"]).unwrap_err().to_string().contains("installed: kubernetes, swarm, mesos"));
    }
}

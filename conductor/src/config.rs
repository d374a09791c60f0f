//! Configuration: one TOML file, every key also as `JEROBOAM__SECTION__KEY` in the environment.
//!
//! The meaning of every key stands in `config.default.toml` beside this file, which `jeroboam config` prints; a test
//! holds its values equal to the defaults here.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

/// The sample that documents every option with its default.
pub const DEFAULTS: &str = include_str!("config.default.toml");

/// Everything an operator can set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the service keeps its files.
    pub state_dir: PathBuf,
    /// The HTTP API.
    pub api: Api,
    /// Records.
    pub database: Database,
    /// The workflow engine's own storage.
    pub engine: Engine,
    /// The cloud's Keystone and our user in it.
    pub keystone: Keystone,
    /// The domain of trustee users, for requester mode.
    pub trust: Trust,
    /// How secrets are kept.
    pub secrets: Secrets,
    /// Heat.
    pub heat: Heat,
    /// Who may do what.
    pub policy: Policy,
    /// Limits per project.
    pub quota: Quota,
    /// COE drivers.
    pub drivers: Drivers,
    /// Cluster templates' rules.
    pub cluster_template: ClusterTemplate,
    /// Certificates.
    pub x509: X509,
}

/// `[api]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Address to listen on.
    pub host: String,
    /// Port to listen on.
    pub port: u16,
    /// The endpoint as users and nodes reach it, without `/v1`; absent means `http://<host>:<port>`.
    #[serde(deserialize_with = "given")]
    pub public_url: Option<String>,
    /// PEM file with the authority that nodes need to verify `public_url`.
    #[serde(deserialize_with = "given")]
    pub public_cafile: Option<PathBuf>,
    /// Largest page of a listing.
    pub max_limit: u64,
    /// Largest request body in bytes.
    pub max_body: usize,
    /// Seconds until a request is given up.
    pub request_timeout_s: u64,
    /// Seconds a shutdown waits for requests under way.
    pub drain_timeout_s: u64,
}

/// `[database]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite://`, `postgres://` or `mysql://`; absent means `sqlite://<state_dir>/jeroboam.db`.
    #[serde(deserialize_with = "given_secret")]
    pub url: Option<SecretString>,
}

/// `[engine]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Engine {
    /// `sqlite://` or `postgres://`; absent means `sqlite://<state_dir>/workflow.db`.
    #[serde(deserialize_with = "given_secret")]
    pub url: Option<SecretString>,
}

/// `[keystone]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keystone {
    /// Keystone's URL, ending in `/v3`.
    pub auth_url: String,
    /// URL named to clients in `WWW-Authenticate`; absent means `auth_url`.
    #[serde(deserialize_with = "given")]
    pub www_authenticate_uri: Option<String>,
    /// Our user.
    pub username: String,
    /// Its password.
    pub password: SecretString,
    /// Its domain.
    pub user_domain_name: String,
    /// The project our user belongs to.
    pub project_name: String,
    /// That project's domain.
    pub project_domain_name: String,
    /// Region of the catalog; absent means the first.
    #[serde(deserialize_with = "given")]
    pub region_name: Option<String>,
    /// `public`, `internal` or `admin`.
    pub interface: Interface,
    /// PEM file with the authority of the cloud's endpoints; absent means the system's.
    #[serde(deserialize_with = "given")]
    pub cafile: Option<PathBuf>,
    /// Seconds until a call to any OpenStack service is given up.
    pub timeout_s: u64,
}

/// Which endpoint of the catalog to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interface {
    /// For everybody.
    Public,
    /// Inside the cloud.
    Internal,
    /// For operators.
    Admin,
}

impl Interface {
    /// The catalog's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Admin => "admin",
        }
    }
}

/// `[trust]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trust {
    /// Domain of the trustee users, by identifier.
    #[serde(deserialize_with = "given")]
    pub trustee_domain_id: Option<String>,
    /// Domain of the trustee users, by name.
    #[serde(deserialize_with = "given")]
    pub trustee_domain_name: Option<String>,
    /// Administrator of that domain.
    #[serde(deserialize_with = "given")]
    pub trustee_domain_admin_name: Option<String>,
    /// That administrator's password.
    #[serde(deserialize_with = "given_secret")]
    pub trustee_domain_admin_password: Option<SecretString>,
    /// Roles a trust delegates; empty means all of the requester's.
    pub roles: Vec<String>,
}

/// `[secrets]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Secrets {
    /// File with the sealing key; absent means `<state_dir>/secret.key`, made 0600 at the first start.
    #[serde(deserialize_with = "given")]
    pub key_file: Option<PathBuf>,
    /// Where private keys are kept.
    pub store: SecretStore,
}

/// Where private keys are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretStore {
    /// In the database, sealed with the key file.
    Sealed,
    /// In Barbican.
    Barbican,
}

/// `[heat]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Heat {
    /// Who owns the stacks.
    pub act_as: ActAs,
    /// Seconds between two listings of stacks.
    pub poll_interval_s: u64,
    /// Whether one listing covers all projects.
    pub global_index: GlobalIndex,
}

/// Who owns the stacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActAs {
    /// The service's user where it may, else the requester.
    Auto,
    /// The service's user.
    Service,
    /// The requester.
    Requester,
}

/// Whether one listing covers all projects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GlobalIndex {
    /// Where Heat grants it.
    Auto,
    /// Always; an error where it is not granted.
    On,
    /// Never: one listing per project.
    Off,
}

/// `[policy]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// A YAML file in oslo.policy's language, read again when it changes.
    #[serde(deserialize_with = "given")]
    pub file: Option<PathBuf>,
}

/// `[quota]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quota {
    /// Clusters a project may have unless its own quota says otherwise.
    pub clusters_per_project: u32,
}

/// `[drivers]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drivers {
    /// Names of the enabled drivers; empty means all.
    pub enabled: Vec<String>,
    /// What to do with a label no driver knows.
    pub labels_unknown: LabelsUnknown,
    /// Whether nodes report their phases; when false, a complete stack is a complete cluster.
    pub node_reports: bool,
}

/// What to do with a label no driver knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelsUnknown {
    /// Keep it without effect.
    Accept,
    /// Refuse the request.
    Refuse,
}

/// `[cluster_template]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterTemplate {
    /// Network drivers allowed for Kubernetes; `all` allows every supported one.
    pub kubernetes_allowed_network_drivers: Vec<String>,
    /// The network driver of a Kubernetes template that names none.
    pub kubernetes_default_network_driver: String,
    /// Root volume size in GiB where a flavor has no disk and no label says; 0 refuses such flavors.
    pub default_boot_volume_size: u32,
}

/// `[x509]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct X509 {
    /// Days a cluster's authority is valid.
    pub ca_validity_days: u32,
    /// Days a user's certificate is valid.
    pub user_validity_days: u32,
    /// Days a node's certificate is valid.
    pub node_validity_days: u32,
    /// Bits of the RSA keys we make.
    pub rsa_key_size: u32,
    /// Whether every member of the project may read and sign, or only the cluster's creator.
    pub project_wide: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state_dir: "./var".into(),
            api: Api::default(),
            database: Database::default(),
            engine: Engine::default(),
            keystone: Keystone::default(),
            trust: Trust::default(),
            secrets: Secrets::default(),
            heat: Heat::default(),
            policy: Policy::default(),
            quota: Quota::default(),
            drivers: Drivers::default(),
            cluster_template: ClusterTemplate::default(),
            x509: X509::default(),
        }
    }
}

impl Default for Api {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 9511,
            public_url: None,
            public_cafile: None,
            max_limit: 1000,
            max_body: 1 << 20,
            request_timeout_s: 60,
            drain_timeout_s: 30,
        }
    }
}

impl Default for Keystone {
    fn default() -> Self {
        Self {
            auth_url: String::new(),
            www_authenticate_uri: None,
            username: "jeroboam".into(),
            password: String::new().into(),
            user_domain_name: "Default".into(),
            project_name: "service".into(),
            project_domain_name: "Default".into(),
            region_name: None,
            interface: Interface::Public,
            cafile: None,
            timeout_s: 30,
        }
    }
}

impl Default for Secrets {
    fn default() -> Self {
        Self { key_file: None, store: SecretStore::Sealed }
    }
}

impl Default for Heat {
    fn default() -> Self {
        Self { act_as: ActAs::Auto, poll_interval_s: 5, global_index: GlobalIndex::Auto }
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self { clusters_per_project: 20 }
    }
}

impl Default for Drivers {
    fn default() -> Self {
        Self { enabled: Vec::new(), labels_unknown: LabelsUnknown::Accept, node_reports: true }
    }
}

impl Default for ClusterTemplate {
    fn default() -> Self {
        Self {
            kubernetes_allowed_network_drivers: vec!["flannel".into(), "calico".into()],
            kubernetes_default_network_driver: "flannel".into(),
            default_boot_volume_size: 0,
        }
    }
}

impl Default for X509 {
    fn default() -> Self {
        Self {
            ca_validity_days: 1825,
            user_validity_days: 1825,
            node_validity_days: 365,
            rsa_key_size: 2048,
            project_wide: false,
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        cause: std::io::Error,
    },
    /// It is not TOML.
    #[error("{path} is not valid TOML: {cause}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why; the text of the file is not repeated.
        cause: String,
    },
    /// A key is unknown or a value is of the wrong kind.
    #[error("the configuration is wrong: {0}")]
    Value(String),
}

impl Config {
    /// Reads `file`, or the first of `./jeroboam.toml` and `/etc/jeroboam/jeroboam.toml` that exists, then applies
    /// the `JEROBOAM__…` variables among `environment`.
    ///
    /// # Errors
    /// An unreadable file, bad TOML, an unknown key (named) or a value of the wrong kind.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let found = match file {
            Some(path) => Some(path.to_owned()),
            None => {
                ["./jeroboam.toml", "/etc/jeroboam/jeroboam.toml"].iter().map(PathBuf::from).find(|path| path.exists())
            }
        };
        let mut table = match found {
            Some(path) => read(&path)?,
            None => toml::Table::new(),
        };
        for (name, value) in environment {
            if let Some(key) = name.strip_prefix("JEROBOAM__") {
                set(&mut table, &key.to_ascii_lowercase(), &value)
                    .map_err(|why| ConfigError::Value(format!("{name} {why}")))?;
            }
        }
        table.try_into().map_err(|error: toml::de::Error| ConfigError::Value(error.message().to_owned()))
    }

    /// The records' URL, with its default filled in.
    #[must_use]
    pub fn database_url(&self) -> SecretString {
        self.database.url.clone().unwrap_or_else(|| self.sqlite("jeroboam.db"))
    }

    /// The engine's URL, with its default filled in.
    #[must_use]
    pub fn engine_url(&self) -> SecretString {
        self.engine.url.clone().unwrap_or_else(|| self.sqlite("workflow.db"))
    }

    /// The sealing key's file, with its default filled in.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.secrets.key_file.clone().unwrap_or_else(|| self.state_dir.join("secret.key"))
    }

    /// The endpoint as users and nodes reach it, without `/v1` and without a slash at its end.
    #[must_use]
    pub fn public_url(&self) -> String {
        match &self.api.public_url {
            Some(url) => url.trim_end_matches('/').trim_end_matches("/v1").to_owned(),
            None => format!("http://{}:{}", self.api.host, self.api.port),
        }
    }

    fn sqlite(&self, file: &str) -> SecretString {
        format!("sqlite://{}", self.state_dir.join(file).display()).into()
    }
}

fn read(path: &Path) -> Result<toml::Table, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|cause| ConfigError::Read { path: path.to_owned(), cause })?;
    text.parse::<toml::Table>().map_err(|error| {
        let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
        ConfigError::Syntax { path: path.to_owned(), cause: format!("line {line}: {}", error.message()) }
    })
}

/// Sets `section__key` (or `state_dir`) to a value read as TOML where it is one, else as text.
///
/// A list may be given as TOML or separated by commas.
fn set(table: &mut toml::Table, path: &str, text: &str) -> Result<(), String> {
    let (section, key) = match path.split_once("__") {
        Some((section, key)) => (Some(section), key),
        None => (None, path),
    };
    let target = match section {
        Some(section) => table
            .entry(section.to_owned())
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .ok_or_else(|| format!("names the section {section:?}, which is not a table"))?,
        None => table,
    };
    target.insert(key.to_owned(), value(section, key, text));
    Ok(())
}

/// Keys whose values are lists or numbers or booleans; every other value is text and is taken as it stands.
fn value(section: Option<&str>, key: &str, text: &str) -> toml::Value {
    let default = DEFAULTS.parse::<toml::Table>().ok();
    let default = default.as_ref().and_then(|table| match section {
        Some(section) => table.get(section)?.get(key),
        None => table.get(key),
    });
    match default {
        Some(toml::Value::Integer(_)) => text.parse().map_or_else(|_| text.into(), toml::Value::Integer),
        Some(toml::Value::Boolean(_)) => text.parse().map_or_else(|_| text.into(), toml::Value::Boolean),
        Some(toml::Value::Array(_)) => {
            toml::Value::Array(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Into::into).collect())
        }
        _ => text.into(),
    }
}

/// An empty text counts as absent, so that a sample file can name every key.
fn given<'de, D: Deserializer<'de>, T: From<String>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok((!text.is_empty()).then(|| text.into()))
}

fn given_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    given(deserializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::load(Some(file.path()), environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn the_sample_says_what_holds_without_it() {
        let sample = load(DEFAULTS, &[]).unwrap();
        assert_eq!(format!("{sample:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn the_sample_names_every_key() {
        let names = |debug: String| {
            let mut names: Vec<String> = debug
                .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
                .filter_map(|word| word.strip_suffix(':').map(str::to_owned))
                .collect();
            names.sort();
            names
        };
        let mut sample: Vec<String> = DEFAULTS
            .lines()
            .filter_map(|line| match line.strip_prefix('[') {
                Some(section) => Some(section.trim_end_matches(']').to_owned()),
                None => line.split_once(" = ").filter(|_| !line.starts_with('#')).map(|(key, _)| key.to_owned()),
            })
            .collect();
        sample.sort();
        assert_eq!(sample, names(format!("{:?}", Config::default())));
    }

    #[test]
    fn unknown_keys_are_refused_by_name() {
        let error = load("[heat]\npol_interval_s = 3\n", &[]).unwrap_err().to_string();
        assert!(error.contains("pol_interval_s") && error.contains("poll_interval_s"), "{error}");
        let error = load("", &[("JEROBOAM__HEAT__POL", "3")]).unwrap_err().to_string();
        assert!(error.contains("`pol`"), "{error}");
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let config = load(
            "state_dir = \"/a\"\n[heat]\npoll_interval_s = 3\n",
            &[
                ("JEROBOAM__HEAT__POLL_INTERVAL_S", "7"),
                ("JEROBOAM__STATE_DIR", "/b"),
                ("JEROBOAM__DRIVERS__ENABLED", "kubernetes, mesos"),
                ("JEROBOAM__KEYSTONE__PASSWORD", "12345"),
            ],
        )
        .unwrap();
        assert_eq!(config.heat.poll_interval_s, 7);
        assert_eq!(config.state_dir, Path::new("/b"));
        assert_eq!(config.drivers.enabled, ["kubernetes", "mesos"]);
        assert_eq!(secrecy::ExposeSecret::expose_secret(&config.keystone.password), "12345");
    }

    #[test]
    fn a_bad_file_is_named_with_its_line_and_without_its_text() {
        let error = load("[keystone]\npassword = \"hunter2\n", &[]).unwrap_err().to_string();
        assert!(error.contains("line 2") && !error.contains("hunter2"), "{error}");
    }
}

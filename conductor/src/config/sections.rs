//! The options, section by section, with their defaults.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use super::Health;
use crate::pki::{Extension, KeyUsage, Limits};

/// Everything an operator can set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the service keeps its files.
    pub state_dir: PathBuf,
    /// The HTTP API.
    pub api: Api,
    /// Pages of other origins.
    pub cors: Cors,
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
    /// Looks at clusters' health.
    pub health: Health,
    /// Events for other services.
    pub notifications: Notifications,
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

/// `[cors]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cors {
    /// Origins whose pages may read answers, as `https://dashboard.example.org`; `*` allows every one.
    pub allowed_origin: Vec<String>,
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

/// `[notifications]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notifications {
    /// The broker, as `amqps://user:password@host:5671/vhost`; absent means that nothing is notified.
    #[serde(deserialize_with = "given_secret")]
    pub url: Option<SecretString>,
    /// PEM file with the authority of an `amqps` broker; absent means the system's.
    #[serde(deserialize_with = "given")]
    pub cafile: Option<PathBuf>,
    /// The topic exchange to publish to.
    pub exchange: String,
    /// The first part of the routing key; the second is the priority, `info` or `error`.
    pub topic: String,
    /// Whether an exchange and queues that we have to make survive a restart of the broker.
    pub durable: bool,
    /// Hours that an event waits for a broker that is away, at most.
    pub keep_hours: u32,
    /// Events that wait for a broker that is away, at most.
    pub keep_count: u32,
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
    /// Names of the drivers that new templates and clusters may have; empty means all that are not beta. Clusters that
    /// are there go on with theirs.
    pub enabled: Vec<String>,
    /// What to do with a label no driver knows.
    pub labels_unknown: LabelsUnknown,
    /// Whether nodes report their phases; when false, a complete stack is a complete cluster.
    pub node_reports: bool,
    /// Seconds that nodes which leave a Swarm or a Mesos cluster have to give up what they run; 0 does not drain them, and
    /// asks no cluster's masters whether they stay a majority before an upgrade takes one out.
    pub drain_timeout_s: u64,
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
    /// Days that both a cluster's authority and a user's certificate are valid; 0 leaves that to the two options below.
    pub term_of_validity: u32,
    /// Days a cluster's authority is valid.
    pub ca_validity_days: u32,
    /// Days a user's certificate is valid.
    pub user_validity_days: u32,
    /// Days a node's certificate is valid.
    pub node_validity_days: u32,
    /// Bits of the RSA keys we make.
    pub rsa_key_size: u32,
    /// Extensions that users' requests may ask for.
    pub allowed_extensions: Vec<Extension>,
    /// Key usages that users' requests may ask for.
    pub allowed_key_usage: Vec<KeyUsage>,
    /// Whether users may ask for an authority's certificate.
    pub allow_ca: bool,
    /// Seconds the nodes have for each part of a rotation.
    pub rotation_timeout_s: u32,
    /// Whether every member of the project may read and sign, or only the cluster's creator.
    pub project_wide: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state_dir: "./var".into(),
            api: Api::default(),
            cors: Cors::default(),
            database: Database::default(),
            engine: Engine::default(),
            keystone: Keystone::default(),
            trust: Trust::default(),
            secrets: Secrets::default(),
            heat: Heat::default(),
            health: Health::default(),
            notifications: Notifications::default(),
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

impl Default for Notifications {
    fn default() -> Self {
        Self {
            url: None,
            cafile: None,
            exchange: "openstack".into(),
            topic: "notifications".into(),
            durable: false,
            keep_hours: 24,
            keep_count: 10_000,
        }
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self { clusters_per_project: 20 }
    }
}

impl Default for Drivers {
    fn default() -> Self {
        Self { enabled: Vec::new(), labels_unknown: LabelsUnknown::Accept, node_reports: true, drain_timeout_s: 60 }
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

impl X509 {
    /// Days a cluster's authority is valid.
    #[must_use]
    pub fn ca_days(&self) -> u32 {
        if self.term_of_validity > 0 { self.term_of_validity } else { self.ca_validity_days }
    }

    /// Days a user's certificate is valid.
    #[must_use]
    pub fn user_days(&self) -> u32 {
        if self.term_of_validity > 0 { self.term_of_validity } else { self.user_validity_days }
    }

    /// What users' requests may ask for.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let (extensions, key_usages) = (self.allowed_extensions.clone(), self.allowed_key_usage.clone());
        Limits { extensions, key_usages, allow_ca: self.allow_ca }
    }
}

impl Default for X509 {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            term_of_validity: 0,
            ca_validity_days: 1825,
            user_validity_days: 1825,
            node_validity_days: 365,
            rsa_key_size: 2048,
            allowed_extensions: limits.extensions,
            allowed_key_usage: limits.key_usages,
            allow_ca: limits.allow_ca,
            rotation_timeout_s: 1800,
            project_wide: false,
        }
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

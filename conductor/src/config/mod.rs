//! Configuration: one TOML file, every key also as `JEROBOAM__SECTION__KEY` in the environment.
//!
//! The meaning of every key stands in `default.toml` beside this file, which `jeroboam config` prints; a test
//! holds its values equal to the defaults here.

mod health;
mod sections;

use std::path::{Path, PathBuf};

use secrecy::SecretString;

pub use health::Health;
pub use sections::*;

/// The sample that documents every option with its default.
pub const DEFAULTS: &str = include_str!("default.toml");

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
    fn unknown_names_of_x509_are_refused_with_what_is_allowed() {
        for (text, name, allowed) in [
            ("[x509]\nallowed_extensions = [\"keyUsage\", \"keyUsages\"]\n", "keyUsages", "extendedKeyUsage"),
            ("[x509]\nallowed_key_usage = [\"Signature\"]\n", "Signature", "Digital Signature"),
        ] {
            let error = load(text, &[]).unwrap_err().to_string();
            assert!(error.contains(&format!("`{name}`")) && error.contains(allowed), "{error}");
        }
        let config = load("", &[("JEROBOAM__X509__ALLOWED_KEY_USAGE", "Key Agreement, CRL Sign")]).unwrap();
        assert_eq!(config.x509.allowed_key_usage.len(), 2);
        let config = load("[x509]\nterm_of_validity = 30\n", &[]).unwrap();
        assert_eq!((config.x509.ca_days(), config.x509.user_days(), config.x509.node_validity_days), (30, 30, 365));
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

//! The rules in force, read again when their file changes.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;

use super::credentials::{Credentials, Target};
use super::defaults;
use super::rules::{PolicyError, Rules};

/// How often the file's change is looked for, at most.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Decides who may do what.
pub struct Enforcer {
    rules: ArcSwap<Rules>,
    project_wide: bool,
    file: Option<(PathBuf, Mutex<Watch>)>,
}

/// What was last seen of the file.
struct Watch {
    stamp: Option<Stamp>,
    looked: Instant,
}

/// Changes when the file does: time of change and length.
type Stamp = (SystemTime, u64);

impl Enforcer {
    /// Our default rules, overlaid with those of the file when one is given.
    ///
    /// With `project_wide` every member of a project may read and sign its clusters' certificates.
    ///
    /// # Errors
    /// A file that cannot be read, is no YAML, or holds a rule that cannot be used.
    pub fn open(file: Option<&Path>, project_wide: bool) -> Result<Self, PolicyError> {
        let Some(path) = file else {
            let rules = ArcSwap::from_pointee(Rules::read("", project_wide)?);
            return Ok(Self { rules, project_wide, file: None });
        };
        // The stamp is older than the content, so that a change in between is seen later.
        let watch = Watch { stamp: stamp(path), looked: Instant::now() };
        let rules = ArcSwap::from_pointee(read(path, project_wide)?);
        Ok(Self { rules, project_wide, file: Some((path.to_owned(), Mutex::new(watch))) })
    }

    /// Whether the caller may do what the rule stands for to the target.
    ///
    /// A rule for an operation holds for tokens of a project only; a rule that is defined nowhere holds for nobody,
    /// unless the file has a rule `default`.
    #[must_use]
    pub fn allow(&self, rule: &str, credentials: &Credentials, target: &Target) -> bool {
        self.look_again(Instant::now());
        if defaults::needs_project(rule) && !credentials.is_for_project() {
            return false;
        }
        let rules = self.rules.load();
        rules.get(rule).is_some_and(|expression| expression.holds(&rules, credentials, target))
    }

    /// Whether the rule `context_is_admin` holds: the value of [`Credentials::is_admin`].
    #[must_use]
    pub fn is_admin(&self, credentials: &Credentials) -> bool {
        self.allow("context_is_admin", credentials, &Target::caller(credentials))
    }

    /// Reads the file again when it has changed and was not looked at within the last second.
    fn look_again(&self, now: Instant) {
        let Some((path, watch)) = &self.file else { return };
        // Whoever finds it locked goes on with the rules in force: somebody else is looking.
        let Ok(mut watch) = watch.try_lock() else { return };
        if now.duration_since(watch.looked) < LOOK_AGAIN {
            return;
        }
        watch.looked = now;
        let stamp = stamp(path);
        if stamp == watch.stamp {
            return;
        }
        watch.stamp = stamp;
        match read(path, self.project_wide) {
            Ok(rules) => {
                self.rules.store(rules.into());
                tracing::info!(path = %path.display(), "read the changed policy file");
            }
            Err(error) => tracing::error!(%error, "the changed policy file is not used, the rules before it stay"),
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}

fn read(path: &Path, project_wide: bool) -> Result<Rules, PolicyError> {
    let content = std::fs::read_to_string(path).map_err(|cause| PolicyError::Read { path: path.to_owned(), cause })?;
    let rules = Rules::read(&content, project_wide)?;
    for warning in &rules.warnings {
        tracing::warn!(path = %path.display(), "policy: {warning}");
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member() -> Credentials {
        Credentials { roles: vec!["member".into()], project_id: Some("p".into()), ..Credentials::default() }
    }

    /// A moment at which the file is looked at again.
    fn later(enforcer: &Enforcer) -> Instant {
        enforcer.file.as_ref().unwrap().1.lock().unwrap().looked + LOOK_AGAIN
    }

    #[test]
    fn a_changed_file_is_read_again_within_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.yaml");
        std::fs::write(&path, "cluster:create: '!'\n").unwrap();
        let enforcer = Enforcer::open(Some(&path), false).unwrap();
        let allowed = || enforcer.allow("cluster:create", &member(), &Target::object("p", "u"));
        assert!(!allowed());
        std::fs::write(&path, "cluster:create: 'role:member'\n").unwrap();
        enforcer.look_again(later(&enforcer) - Duration::from_millis(1));
        assert!(!enforcer.rules.load().get("cluster:create").unwrap().holds(
            &enforcer.rules.load(),
            &member(),
            &Target::default()
        ));
        enforcer.look_again(later(&enforcer));
        assert!(allowed());
    }

    #[test]
    fn a_broken_or_vanished_file_keeps_the_rules() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.yaml");
        std::fs::write(&path, "cluster:create: '!'\n").unwrap();
        let enforcer = Enforcer::open(Some(&path), false).unwrap();
        for broken in ["cluster:create: [", "cluster:create: http://localhost/", "a: rule:a"] {
            std::fs::write(&path, broken).unwrap();
            enforcer.look_again(later(&enforcer));
            assert!(!enforcer.allow("cluster:create", &member(), &Target::object("p", "u")), "{broken}");
        }
        std::fs::remove_file(&path).unwrap();
        enforcer.look_again(later(&enforcer));
        assert!(!enforcer.allow("cluster:create", &member(), &Target::object("p", "u")));
        // What was removed from the file falls back to the default.
        std::fs::write(&path, "cluster:delete: '!'\n").unwrap();
        enforcer.look_again(later(&enforcer));
        assert!(enforcer.allow("cluster:create", &member(), &Target::object("p", "u")));
    }

    #[test]
    fn a_missing_or_broken_file_stops_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.yaml");
        assert!(matches!(Enforcer::open(Some(&path), false), Err(PolicyError::Read { .. })));
        std::fs::write(&path, "- a\n- b\n").unwrap();
        assert!(matches!(Enforcer::open(Some(&path), false), Err(PolicyError::Syntax(_))));
    }
}

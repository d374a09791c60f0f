//! A set of rules: our defaults and, over them, those of a file.

use std::collections::HashMap;
use std::path::PathBuf;

use super::defaults;
use super::expression::{Expression, Parsed, check, parse};

/// The rule that stands for every rule that is not defined.
const FALLBACK: &str = "default";
/// How many rules may lie between a rule and the last one it refers to.
const MAX_DEPTH: usize = 50;

/// Why a policy file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("cannot read the policy file {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        cause: std::io::Error,
    },
    /// It is not a mapping in YAML.
    #[error("the policy file is not YAML with one `rule: expression` each: {0}")]
    Syntax(String),
    /// A rule cannot be used.
    #[error("the policy rule {rule:?} cannot be used: {cause}")]
    Rule {
        /// The rule's name.
        rule: String,
        /// Why.
        cause: String,
    },
}

/// Rules by name, without circles.
#[derive(Debug)]
pub(super) struct Rules {
    rules: HashMap<String, Expression>,
    /// What the log should tell the operator: rules that never match, references to nothing.
    pub(super) warnings: Vec<String>,
}

impl Rules {
    /// The defaults, overlaid with the rules in `yaml`.
    pub(super) fn read(yaml: &str, project_wide: bool) -> Result<Self, PolicyError> {
        let mut rules = Self { rules: HashMap::new(), warnings: Vec::new() };
        for (name, text) in defaults::rules(project_wide) {
            rules.add(name, &serde_yaml::Value::from(text))?;
        }
        // A mapping of YAML, unlike Rust's own, refuses a rule that is given twice.
        let overlay: Option<serde_yaml::Mapping> =
            serde_yaml::from_str(yaml).map_err(|cause| PolicyError::Syntax(cause.to_string()))?;
        for (name, value) in overlay.unwrap_or_default() {
            let name = name.as_str().ok_or_else(|| PolicyError::Syntax("a rule's name is not a text".into()))?;
            rules.add(name, &value)?;
        }
        rules.check_references()?;
        Ok(rules)
    }

    /// Only the given rules, without our defaults.
    #[cfg(test)]
    pub(super) fn only(given: &std::collections::BTreeMap<String, serde_yaml::Value>) -> Result<Self, PolicyError> {
        let mut rules = Self { rules: HashMap::new(), warnings: Vec::new() };
        given.iter().try_for_each(|(name, value)| rules.add(name, value))?;
        rules.check_references()?;
        Ok(rules)
    }

    /// The rule of that name, or the fallback's.
    pub(super) fn get(&self, name: &str) -> Option<&Expression> {
        self.rules.get(name).or_else(|| self.rules.get(FALLBACK))
    }

    fn add(&mut self, name: &str, value: &serde_yaml::Value) -> Result<(), PolicyError> {
        let refused = |cause: String| PolicyError::Rule { rule: name.to_owned(), cause };
        let expression = match value {
            serde_yaml::Value::Null => Expression::Always,
            serde_yaml::Value::String(text) => {
                let Parsed { expression, understood } = parse(text).map_err(|cause| refused(cause.to_string()))?;
                if !understood {
                    self.warnings.push(format!("the rule {name:?} cannot be understood and never matches: {text}"));
                }
                expression
            }
            serde_yaml::Value::Sequence(any) => list(any).map_err(refused)?,
            _ => return Err(refused("its value must be a text or a list of lists of texts".to_owned())),
        };
        self.rules.insert(name.to_owned(), expression);
        Ok(())
    }

    fn check_references(&mut self) -> Result<(), PolicyError> {
        let mut heights = HashMap::new();
        let mut missing = Vec::new();
        let mut names: Vec<&str> = self.rules.keys().map(String::as_str).collect();
        names.sort_unstable();
        for name in names {
            self.height(name, &mut Vec::new(), &mut heights, &mut missing)?;
        }
        self.warnings.extend(missing);
        Ok(())
    }

    /// How many rules lie below the rule; `path` are those above it.
    fn height<'a>(
        &'a self,
        name: &'a str,
        path: &mut Vec<&'a str>,
        heights: &mut HashMap<&'a str, usize>,
        missing: &mut Vec<String>,
    ) -> Result<usize, PolicyError> {
        let refused = |cause| Err(PolicyError::Rule { rule: name.to_owned(), cause });
        if let Some(start) = path.iter().position(|above| *above == name) {
            let circle: Vec<&str> = path[start..].iter().copied().chain([name]).collect();
            return refused(format!("it refers to itself: {}", circle.join(" -> ")));
        }
        let height = match heights.get(name) {
            Some(known) => *known,
            None if path.len() > MAX_DEPTH => 0,
            None => {
                let mut references = Vec::new();
                if let Some(expression) = self.rules.get(name) {
                    expression.references(&mut references);
                }
                path.push(name);
                let mut height = 0;
                for reference in references {
                    let below = match self.rules.contains_key(reference) {
                        true => reference,
                        false => {
                            missing.push(format!("the rule {name:?} refers to {reference:?}, which is not defined"));
                            FALLBACK
                        }
                    };
                    height = height.max(1 + self.height(below, path, heights, missing)?);
                }
                path.pop();
                heights.insert(name, height);
                height
            }
        };
        if path.len() + height > MAX_DEPTH {
            return refused(format!("more than {MAX_DEPTH} rules refer to each other in a row"));
        }
        Ok(height)
    }
}

impl Expression {
    /// The names of the rules it refers to.
    fn references<'a>(&'a self, found: &mut Vec<&'a str>) {
        match self {
            Self::Rule(name) => found.push(name),
            Self::Not(inner) => inner.references(found),
            Self::All(checks) | Self::Any(checks) => checks.iter().for_each(|check| check.references(found)),
            Self::Always | Self::Never | Self::Role(_) | Self::Literal(..) | Self::Credential(..) => {}
        }
    }
}

/// The old form: an outer list joined by `or` of inner lists joined by `and`; a bare text is a list of one.
fn list(any: &[serde_yaml::Value]) -> Result<Expression, String> {
    if any.is_empty() {
        return Ok(Expression::Always);
    }
    let one = |value: &serde_yaml::Value| match value {
        serde_yaml::Value::String(text) => check(text).map_err(|cause| cause.to_string()),
        _ => Err("its value must be a text or a list of lists of texts".to_owned()),
    };
    let mut choices = Vec::new();
    for all in any {
        match all {
            serde_yaml::Value::Sequence(all) if all.is_empty() => {}
            serde_yaml::Value::String(text) if text.is_empty() => {}
            serde_yaml::Value::Sequence(all) => {
                choices.push(Expression::All(all.iter().map(one).collect::<Result<_, _>>()?));
            }
            single => choices.push(one(single)?),
        }
    }
    Ok(Expression::Any(choices))
}

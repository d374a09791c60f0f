//! Whether a rule holds.

use super::credentials::{Credentials, Held, Target};
use super::expression::{Expression, Pattern, Piece};
use super::rules::Rules;

impl Expression {
    /// Whether it holds. [`Rules`] refuses circles, so this ends.
    pub(super) fn holds(&self, rules: &Rules, credentials: &Credentials, target: &Target) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Rule(name) => rules.get(name).is_some_and(|rule| rule.holds(rules, credentials, target)),
            Self::Role(pattern) => pattern.fill(target).is_some_and(|wanted| {
                let wanted = wanted.to_lowercase();
                credentials.roles.iter().any(|role| role.to_lowercase() == wanted)
            }),
            Self::Literal(value, pattern) => pattern.fill(target).is_some_and(|wanted| wanted == *value),
            Self::Credential(name, pattern) => pattern.fill(target).is_some_and(|wanted| match credentials.get(name) {
                Some(Held::One(value)) => value == wanted,
                Some(Held::Many(values)) => values.contains(&wanted),
                None => false,
            }),
            Self::Not(rule) => !rule.holds(rules, credentials, target),
            Self::All(checks) => checks.iter().all(|rule| rule.holds(rules, credentials, target)),
            Self::Any(checks) => checks.iter().any(|rule| rule.holds(rules, credentials, target)),
        }
    }
}

impl Pattern {
    /// The text with the target's values in it; none where the target lacks one.
    fn fill(&self, target: &Target) -> Option<String> {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => Some(text.as_str()),
                Piece::Value(name) => target.get(name),
            })
            .collect()
    }
}

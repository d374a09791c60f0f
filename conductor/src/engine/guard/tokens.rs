//! Lease tokens worth remembering, for a while and never more than a fixed number.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longer than any lease: afterwards the storage itself refuses the token.
const KEPT_FOR: Duration = Duration::from_secs(300);
/// Far more than there are leases in one process.
const KEPT: usize = 1024;

/// A bounded set of lease tokens, the oldest forgotten first.
#[derive(Default)]
pub(super) struct Tokens(Mutex<VecDeque<(Instant, String)>>);

impl Tokens {
    /// Remembers a token.
    pub(super) fn remember(&self, token: &str) {
        let mut tokens = self.current();
        if tokens.len() == KEPT {
            tokens.pop_front();
        }
        tokens.push_back((Instant::now(), token.to_owned()));
    }

    /// Whether the token is remembered.
    pub(super) fn holds(&self, token: &str) -> bool {
        self.current().iter().any(|(_, kept)| kept == token)
    }

    /// Forgets the token and says whether it was remembered.
    pub(super) fn take(&self, token: &str) -> bool {
        let mut tokens = self.current();
        let before = tokens.len();
        tokens.retain(|(_, kept)| kept != token);
        tokens.len() < before
    }

    fn current(&self) -> MutexGuard<'_, VecDeque<(Instant, String)>> {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while tokens.front().is_some_and(|(since, _)| since.elapsed() > KEPT_FOR) {
            tokens.pop_front();
        }
        tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_once() {
        let tokens = Tokens::default();
        tokens.remember("a");
        assert!(tokens.holds("a") && !tokens.holds("b"));
        assert!(tokens.take("a"));
        assert!(!tokens.take("a"));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let tokens = Tokens::default();
        for index in 0..=KEPT {
            tokens.remember(&index.to_string());
        }
        assert_eq!(tokens.current().len(), KEPT);
        assert!(!tokens.holds("0"));
        assert!(tokens.holds("1") && tokens.holds(&KEPT.to_string()));
    }
}

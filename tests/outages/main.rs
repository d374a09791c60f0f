//! What the service does while something that it needs is away: a clear answer at once, nothing half done, and on with
//! the work as soon as it is back.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

#[path = "../support/mod.rs"]
mod support;

mod cloud;
mod disk;
mod listener;

use support::http::Answer;

/// 503 that says what is away, and when to come back.
fn assert_unavailable(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 503, "{}", answer.text);
    let after: u64 = answer.header("retry-after").expect("Retry-After").parse().unwrap();
    assert!((1..=60).contains(&after), "{after}");
    assert!(answer.detail().contains(what), "{}", answer.text);
    assert_eq!(answer.json()["errors"][0]["code"], "server");
}

//! The Swarm driver from outside: goldens, every combination, requests, replacement.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

#[path = "combinations.rs"]
mod swarms;

#[path = "../kubernetes/combinations.rs"]
#[allow(dead_code, reason = "the tests of Kubernetes use the rest")]
mod combinations;
#[path = "../kubernetes/user_data.rs"]
#[allow(dead_code, reason = "the tests of Kubernetes use the rest")]
mod user_data;

mod every_combination;
mod goldens;
mod replacement;
mod requests;
#[path = "../support/mod.rs"]
mod support;

//! The Kubernetes driver from outside: goldens, every combination, hostile labels.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod combinations;
mod every_combination;
#[path = "../schemas/generator.rs"]
#[allow(dead_code, reason = "the tests of all schemas use the rest")]
mod generator;
mod goldens;
mod labels;
mod nodes;
mod requests;
#[path = "../support/mod.rs"]
mod support;
mod upgrades;
mod user_data;

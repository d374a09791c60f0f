//! The Kubernetes driver from outside: goldens, every combination, hostile labels.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod combinations;
mod every_combination;
mod goldens;
mod labels;
mod nodes;
mod requests;
mod upgrades;
mod user_data;

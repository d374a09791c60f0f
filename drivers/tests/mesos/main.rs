//! The Mesos driver from outside: goldens, every combination, ports, requests.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

#[path = "../kubernetes/combinations.rs"]
#[allow(dead_code, reason = "Kubernetes' own tests use the rest")]
mod combinations;
mod every_combination;
mod goldens;
mod requests;
mod shapes;
#[path = "../support/mod.rs"]
mod support;
#[path = "../kubernetes/user_data.rs"]
#[allow(dead_code, reason = "Kubernetes' own tests use the rest")]
mod user_data;

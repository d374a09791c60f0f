//! The wire contract, one test for each rule: its name is the rule, its body the request and the answer.
//!
//! What is asked runs as the real service against the real cloud: Keystone, and the look-ups of images, flavors and
//! networks. Most rules are about records: for them the API runs alone, so that clusters stay as they were accepted, and
//! what a conductor would have written later is written by [`world::World::write`]. What needs keys and nodes is asked of
//! a whole service with a real cluster ([`world::Living`]).
//!
//! Where a rule is not Magnum's but ours, its comment says `Ours:` and why.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

#[path = "../support/mod.rs"]
mod support;

mod ask;
mod world;

mod authentication;
mod bodies;
mod certificates;
mod cluster_create;
mod cluster_fields;
mod clusters;
mod documents;
mod errors;
mod federations;
mod gates;
mod headers;
mod identifiers;
mod labels;
mod microversions;
mod nodegroup_rules;
mod nodegroups;
mod paging;
mod patches;
mod policy;
mod quotas;
mod resize;
mod rotation;
mod routing;
mod scalars;
mod services;
mod template_changes;
mod template_checks;
mod template_fields;
mod templates;
mod update;
mod upgrade;

//! Tests that need the engine's own types; `tests/engine` holds those through the public interface.

mod conformance;
#[path = "../../../tests/support/postgres.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other test programs")]
pub(super) mod postgres;

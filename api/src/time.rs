//! Timestamps on the wire: ISO 8601, microseconds when there are any, and a numeric offset.

use chrono::{DateTime, Timelike, Utc};

/// The time as clients read it, as in `2026-11-20T09:36:59.290647+00:00`.
#[must_use]
pub fn text(time: DateTime<Utc>) -> String {
    let format = if time.nanosecond() < 1000 { "%Y-%m-%dT%H:%M:%S+00:00" } else { "%Y-%m-%dT%H:%M:%S%.6f+00:00" };
    time.format(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_has_microseconds_when_there_are_any_and_a_numeric_offset() {
        for (given, expected) in [
            ("2026-11-20T09:36:59.290647Z", "2026-11-20T09:36:59.290647+00:00"),
            ("2026-11-20T09:36:59.290647999Z", "2026-11-20T09:36:59.290647+00:00"),
            ("2026-11-20T09:36:59Z", "2026-11-20T09:36:59+00:00"),
            ("2026-11-20T09:36:59.0000001Z", "2026-11-20T09:36:59+00:00"),
        ] {
            assert_eq!(text(given.parse().unwrap()), expected);
        }
    }
}

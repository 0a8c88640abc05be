//! Durations in messages.

use std::{fmt, time::Duration};

/// A duration as a person reads it: `5 h 44 min`, `12 min`, `90 s`, `1.2 s`, `20 ms`.
pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let minutes = millis.div_ceil(60_000);
        let text = if millis >= 3_600_000 {
            format!("{} h {} min", minutes / 60, minutes % 60)
        } else if millis >= 600_000 {
            format!("{minutes} min")
        } else if millis < 100 {
            format!("{millis} ms")
        } else if millis.is_multiple_of(1000) {
            format!("{} s", millis / 1000)
        } else {
            format!("{:.1} s", self.0.as_secs_f64())
        };
        f.pad(&text)
    }
}

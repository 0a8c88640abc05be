//! A length of time, as people write it.

use std::{fmt, str::FromStr, time::Duration};

use super::text::{InvalidValue, written_as_text};

/// A length of time: a number and a unit (`ms`, `s`, `m`, `h`, `days` …), or several, such as `1m 30s`.
///
/// ```
/// use std::time::Duration;
/// use tower_openrouter::settings::Time;
///
/// assert_eq!("250ms".parse::<Time>()?, Duration::from_millis(250).into());
/// assert_eq!(Time(Duration::from_secs(90)).to_string(), "1m 30s");
/// assert!("10".parse::<Time>().is_err(), "without a unit");
/// # Ok::<(), tower_openrouter::settings::InvalidValue>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Time(pub Duration);

impl Time {
    pub(super) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl From<Duration> for Time {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl From<Time> for Duration {
    fn from(time: Time) -> Self {
        time.0
    }
}

impl FromStr for Time {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        humantime::parse_duration(text.trim()).map(Self).map_err(|_| {
            InvalidValue::new("not a length of time: write a number and a unit, e.g. \"10s\", \"250ms\" or \"1m 30s\"")
        })
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

written_as_text!(Time, "duration", ["10s", "250ms", "1m 30s"]);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_time_that_is_written_is_read_as_it_was(seconds in 0_u64..10_000_000_000, nanos in 0_u32..1_000_000_000) {
            let time = Time(Duration::new(seconds, nanos));
            prop_assert_eq!(time.to_string().parse::<Time>(), Ok(time));
        }

        #[test]
        fn no_text_panics(text: String) {
            drop(text.parse::<Time>());
        }
    }
}

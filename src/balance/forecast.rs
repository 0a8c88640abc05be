//! How fast money goes, from what the account says now and then.

use std::{collections::VecDeque, time::Duration};

use tower_llm_layers::UtcTime;

/// The window over which the pace is computed: readings lag by minutes, and come in steps.
const MEMORY: Duration = Duration::from_secs(60 * 60);

/// A shorter window gives no forecast.
const LEAST: Duration = Duration::from_secs(60);

/// What had gone out at several times.
#[derive(Debug, Default)]
pub(super) struct Pace {
    readings: VecDeque<(UtcTime, i128)>,
}

impl Pace {
    /// So much has gone out in all. A smaller amount than before is a new beginning: a new day, a top-up.
    pub(super) fn note(&mut self, at: UtcTime, gone: i128) {
        if self.readings.back().is_some_and(|(_, before)| gone < *before) {
            self.readings.clear();
        }
        self.readings.push_back((at, gone));
        while self.readings.len() > 2 && self.readings.get(1).is_some_and(|(time, _)| at.since(*time) >= MEMORY) {
            self.readings.pop_front();
        }
    }

    /// What goes out in an hour.
    pub(super) fn an_hour(&self) -> Option<i128> {
        let (&(from, before), &(to, after)) = (self.readings.front()?, self.readings.back()?);
        let time = to.since(from);
        if time < LEAST {
            return None;
        }
        let millis = i128::try_from(time.as_millis()).ok()?;
        Some(after.saturating_sub(before).saturating_mul(3_600_000) / millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UtcTime {
        UtcTime::from_millis(seconds * 1000)
    }

    #[test]
    fn the_pace_is_that_of_the_last_hour() {
        let mut pace = Pace::default();
        pace.note(at(0), 0);
        assert_eq!(pace.an_hour(), None);
        pace.note(at(30), 10);
        assert_eq!(pace.an_hour(), None, "too little time");
        pace.note(at(60), 10);
        assert_eq!(pace.an_hour(), Some(600));
        // A quiet hour later, what was before is forgotten.
        for minute in 2..=130 {
            pace.note(at(60 * minute), 10);
        }
        assert_eq!(pace.an_hour(), Some(0));
        // A step after a lag is spread over the hour.
        pace.note(at(60 * 131), 70);
        assert!((59..=61).contains(&pace.an_hour().unwrap()), "{:?}", pace.an_hour());
        pace.note(at(60 * 132), 5);
        assert_eq!(pace.an_hour(), None, "a new beginning");
        // From one end of the numbers to the other.
        pace.note(at(60 * 133), i128::MIN);
        pace.note(at(60 * 135), i128::MAX);
        assert_eq!(pace.an_hour(), Some(i128::MAX / 120_000));
    }
}

//! What was measured.

use std::time::Duration;

/// The times of all calls.
#[derive(Debug, Default)]
pub(crate) struct Times {
    first: Vec<Duration>,
    whole: Vec<Duration>,
}

impl Times {
    pub(crate) fn add(&mut self, first: Duration, whole: Duration) {
        self.first.push(first);
        self.whole.push(whole);
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.first.extend(other.first);
        self.whole.extend(other.whole);
    }

    /// The mean of the whole answers, in microseconds.
    pub(crate) fn mean(&self) -> u128 {
        let count = u128::try_from(self.whole.len()).unwrap_or(1).max(1);
        self.whole.iter().sum::<Duration>().as_micros() / count
    }

    /// The count, the rate and the percentiles.
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 calls")]
    pub(crate) fn line(mut self, span: Duration) -> String {
        let calls = self.whole.len();
        let rate = calls as f64 / span.as_secs_f64();
        let [whole, first] = [&mut self.whole, &mut self.first].map(|times| {
            times.sort_unstable();
            let at = |percent| times.get(calls * percent / 100).map_or(0, Duration::as_micros);
            format!("{}\t{}", at(50), at(99))
        });
        format!("{calls}\t{rate:.0}\t{whole}\t{first}")
    }
}

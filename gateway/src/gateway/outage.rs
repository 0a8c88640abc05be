//! A failure that lasts: logged when it begins, whenever it has lasted twice as long, and when it ends.

use std::time::Duration;

use tokio::time::Instant;

/// How long it lasts when it is logged for the second time.
const SECOND: Duration = Duration::from_secs(4);

/// Whether something fails, and since when.
#[derive(Debug, Default)]
pub(super) struct Outage {
    since: Option<Instant>,
    /// How long it has lasted when it is logged again.
    again: Duration,
}

impl Outage {
    /// It fails. Says how long it has done so if that is to be logged.
    pub(super) fn failed(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let Some(since) = self.since else {
            (self.since, self.again) = (Some(now), SECOND);
            return Some(Duration::ZERO);
        };
        let lasts = now.duration_since(since);
        if lasts < self.again {
            return None;
        }
        self.again = lasts.saturating_mul(2);
        Some(lasts)
    }

    /// It does not fail any more. Says how long it has, if it had.
    pub(super) fn ended(&mut self) -> Option<Duration> {
        Some(self.since.take()?.elapsed())
    }

    /// How long it fails by now, if it does.
    pub(super) fn lasts(&self) -> Option<Duration> {
        Some(self.since?.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_logged_at_its_beginning_at_each_doubling_and_at_its_end() {
        let mut outage = Outage::default();
        assert_eq!((outage.ended(), outage.lasts()), (None, None));
        let mut told = Vec::new();
        for _ in 0..200 {
            told.extend(outage.failed().map(|lasts| lasts.as_millis()));
            advance(Duration::from_millis(500)).await;
        }
        assert_eq!(told, [0, 4_000, 8_000, 16_000, 32_000, 64_000]);
        assert_eq!(outage.lasts(), Some(Duration::from_secs(100)));
        assert_eq!(outage.ended(), Some(Duration::from_secs(100)));
        assert_eq!(outage.ended(), None, "it ends once");
        assert_eq!(outage.failed(), Some(Duration::ZERO), "the next is another");
    }
}

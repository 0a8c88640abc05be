//! What a connection is doing: whether a request is in progress, and since when nothing is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// No time.
const NEVER: u64 = u64::MAX;

/// What a connection is doing. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Activity(Arc<Seen>);

#[derive(Debug)]
struct Seen {
    began: Instant,
    in_progress: AtomicUsize,
    /// Whether a request has come at all.
    has_had_one: AtomicBool,
    /// HTTP/2: bytes between requests may be no head of one.
    is_http2: AtomicBool,
    /// Since when there is no request, in milliseconds from the beginning.
    idle_since: AtomicU64,
    /// Since when the head of the next request comes.
    head_since: AtomicU64,
}

/// Counts as a request in progress until it is dropped.
#[derive(Debug)]
pub(super) struct InProgress(Activity);

impl Activity {
    pub(super) fn new() -> Self {
        Self(Arc::new(Seen {
            began: Instant::now(),
            in_progress: AtomicUsize::new(0),
            has_had_one: AtomicBool::new(false),
            is_http2: AtomicBool::new(false),
            idle_since: AtomicU64::new(0),
            head_since: AtomicU64::new(NEVER),
        }))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(NEVER - 1)
    }

    /// Bytes have come from the client.
    pub(super) fn received(&self, bytes: &[u8]) {
        let seen = &self.0;
        if !seen.has_had_one.load(Ordering::Relaxed) && bytes.starts_with(b"PRI ") {
            seen.is_http2.store(true, Ordering::Relaxed);
        }
        if seen.in_progress.load(Ordering::Relaxed) == 0 && seen.head_since.load(Ordering::Relaxed) == NEVER {
            seen.head_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// The head of a request has come.
    pub(super) fn begin(&self) -> InProgress {
        let seen = &self.0;
        seen.in_progress.fetch_add(1, Ordering::Relaxed);
        seen.has_had_one.store(true, Ordering::Relaxed);
        seen.head_since.store(NEVER, Ordering::Relaxed);
        InProgress(self.clone())
    }

    /// When the connection has waited for too long; `None` while a request is in progress.
    fn overdue_at(&self, header: Duration, idle: Duration) -> Option<Instant> {
        let seen = &self.0;
        if seen.in_progress.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let at = |since: u64, limit: Duration| seen.began + Duration::from_millis(since) + limit;
        let idle_since = seen.idle_since.load(Ordering::Relaxed);
        if !seen.has_had_one.load(Ordering::Relaxed) {
            return Some(at(0, header));
        }
        match seen.head_since.load(Ordering::Relaxed) {
            since if since != NEVER && !seen.is_http2.load(Ordering::Relaxed) => Some(at(since, header)),
            _ => Some(at(idle_since, idle)),
        }
    }

    /// Waits until the connection has waited for too long. It looks from time to time: what begins in between is seen a little late.
    pub(super) async fn overdue(&self, header: Duration, idle: Duration) {
        let look = header.min(idle) / 2;
        loop {
            let now = Instant::now();
            let until = match self.overdue_at(header, idle) {
                Some(at) if at <= now => return,
                Some(at) => at.min(now + look),
                None => now + look,
            };
            sleep_until(until).await;
        }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let seen = &self.0.0;
        seen.idle_since.store(self.0.now(), Ordering::Relaxed);
        seen.in_progress.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, timeout};

    use super::*;

    const HEADER: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_secs(60);

    async fn overdue_after(activity: &Activity) -> Option<u64> {
        let begun = Instant::now();
        let waited = timeout(Duration::from_secs(1000), activity.overdue(HEADER, IDLE)).await;
        waited.ok().map(|()| begun.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_head_must_come_in_time_however_slowly_it_drips() {
        assert_eq!(overdue_after(&Activity::new()).await, Some(10));
        let activity = Activity::new();
        let dripping = activity.clone();
        let drip = tokio::spawn(async move {
            loop {
                dripping.received(b"G");
                sleep(Duration::from_secs(1)).await;
            }
        });
        assert_eq!(overdue_after(&activity).await, Some(10));
        drip.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_progress_is_never_overdue_and_a_quiet_connection_is() {
        let activity = Activity::new();
        let request = activity.begin();
        assert_eq!(overdue_after(&activity).await, None);
        drop(request);
        assert_eq!(overdue_after(&activity).await, Some(60));
    }

    #[tokio::test(start_paused = true)]
    async fn the_head_of_a_later_request_must_come_in_time_over_http_1_only() {
        for (first, limit) in [(&b"GET "[..], 10..=15), (b"PRI * HTTP/2.0", 60..=60)] {
            let activity = Activity::new();
            activity.received(first);
            drop(activity.begin());
            activity.received(b"G");
            let after = overdue_after(&activity).await.unwrap();
            assert!(limit.contains(&after), "{after}");
        }
    }
}

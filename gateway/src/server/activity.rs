//! What a connection is doing: whether a request is in progress, whether its client takes what is ready, and since when nothing happens.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
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
    requests: Mutex<Requests>,
    /// Whether a request has come at all.
    has_had_one: AtomicBool,
    /// HTTP/2: bytes between requests may be no head of one.
    is_http2: AtomicBool,
    /// Since when there is no request, in milliseconds from the beginning.
    idle_since: AtomicU64,
    /// Since when the head of the next request comes.
    head_since: AtomicU64,
}

/// The requests in progress: since when the client takes nothing of each one's response.
#[derive(Debug, Default)]
struct Requests {
    last: u64,
    untaken: BTreeMap<u64, Arc<AtomicU64>>,
}

/// How long a connection may wait for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For the head of a request.
    pub(super) header: Duration,
    /// For the next request.
    pub(super) idle: Duration,
    /// Until the client takes what is ready.
    pub(super) write: Duration,
}

/// What a connection has waited for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// A response of which the client takes nothing, while others are in progress.
    Response,
    /// All that it could wait for.
    Everything,
}

/// Counts as a request in progress until it is dropped.
#[derive(Debug)]
pub(super) struct InProgress {
    activity: Activity,
    number: u64,
    untaken: Arc<AtomicU64>,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self(Arc::new(Seen {
            began: Instant::now(),
            requests: Mutex::default(),
            has_had_one: AtomicBool::new(false),
            is_http2: AtomicBool::new(false),
            idle_since: AtomicU64::new(0),
            head_since: AtomicU64::new(NEVER),
        }))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(NEVER - 1)
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.0.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes have come from the client.
    pub(super) fn received(&self, bytes: &[u8]) {
        let seen = &self.0;
        if !seen.has_had_one.load(Ordering::Relaxed) && bytes.starts_with(b"PRI ") {
            seen.is_http2.store(true, Ordering::Relaxed);
        }
        if seen.head_since.load(Ordering::Relaxed) == NEVER && self.requests().untaken.is_empty() {
            seen.head_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// The head of a request has come.
    pub(super) fn begin(&self) -> InProgress {
        let seen = &self.0;
        seen.has_had_one.store(true, Ordering::Relaxed);
        seen.head_since.store(NEVER, Ordering::Relaxed);
        let untaken = Arc::new(AtomicU64::new(NEVER));
        let mut requests = self.requests();
        requests.last += 1;
        let number = requests.last;
        requests.untaken.insert(number, Arc::clone(&untaken));
        drop(requests);
        InProgress {
            activity: self.clone(),
            number,
            untaken,
        }
    }

    /// When the connection has waited for too long, and for what; `None` while each request in progress waits for its response.
    fn overdue_at(&self, patience: Patience) -> Option<(Instant, Overdue)> {
        let seen = &self.0;
        let at = |since: u64, limit: Duration| seen.began + Duration::from_millis(since) + limit;
        {
            let requests = self.requests();
            let since = || requests.untaken.values().map(|since| since.load(Ordering::Relaxed));
            if let (Some(first), Some(last)) = (since().min(), since().max()) {
                let (since, what) = match last {
                    NEVER => (first, Overdue::Response),
                    // All of them are untaken: there is no response that closing would cut.
                    last => (last, Overdue::Everything),
                };
                return (since != NEVER).then(|| (at(since, patience.write), what));
            }
        }
        let idle_since = seen.idle_since.load(Ordering::Relaxed);
        let at = if seen.has_had_one.load(Ordering::Relaxed) {
            match seen.head_since.load(Ordering::Relaxed) {
                since if since != NEVER && !seen.is_http2.load(Ordering::Relaxed) => at(since, patience.header),
                _ => at(idle_since, patience.idle),
            }
        } else {
            at(0, patience.header)
        };
        Some((at, Overdue::Everything))
    }

    /// Waits until the connection has waited for too long; for everything only, if `for_everything`. It looks from time to time: what begins in
    /// between is seen a little late.
    pub(super) async fn overdue(&self, patience: Patience, for_everything: bool) -> Overdue {
        let look = patience.header.min(patience.idle).min(patience.write) / 2;
        loop {
            let now = Instant::now();
            let wanted = self
                .overdue_at(patience)
                .filter(|(_, what)| !for_everything || *what == Overdue::Everything);
            let until = match wanted {
                Some((at, what)) if at <= now => return what,
                Some((at, _)) => at.min(now + look),
                None => now + look,
            };
            sleep_until(until).await;
        }
    }
}

impl InProgress {
    /// Something of the response is ready, and the client has not taken it.
    pub(super) fn is_ready(&self) {
        self.untaken.store(self.activity.now(), Ordering::Relaxed);
    }

    /// The client has taken what was ready.
    pub(super) fn is_taken(&self) {
        self.untaken.store(NEVER, Ordering::Relaxed);
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let seen = &self.activity.0;
        seen.idle_since.store(self.activity.now(), Ordering::Relaxed);
        self.activity.requests().untaken.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, timeout};

    use super::*;

    const PATIENCE: Patience = Patience {
        header: Duration::from_secs(10),
        idle: Duration::from_secs(60),
        write: Duration::from_secs(30),
    };

    async fn overdue(activity: &Activity, for_everything: bool) -> Option<(u64, Overdue)> {
        let begun = Instant::now();
        let waited = timeout(Duration::from_secs(1000), activity.overdue(PATIENCE, for_everything)).await;
        waited.ok().map(|what| (begun.elapsed().as_secs(), what))
    }

    async fn overdue_after(activity: &Activity) -> Option<u64> {
        overdue(activity, false).await.map(|(after, _)| after)
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

    #[tokio::test(start_paused = true)]
    async fn a_response_that_is_not_taken_is_overdue_and_one_that_is_waited_for_is_not() {
        let activity = Activity::new();
        let (waiting, stalled) = (activity.begin(), activity.begin());
        stalled.is_ready();
        assert_eq!(overdue(&activity, false).await, Some((30, Overdue::Response)));
        assert_eq!(overdue(&activity, true).await, None, "another request is in progress");
        stalled.is_taken();
        assert_eq!(overdue(&activity, false).await, None);
        stalled.is_ready();
        sleep(Duration::from_secs(20)).await;
        waiting.is_ready();
        let (after, what) = overdue(&activity, true).await.unwrap();
        assert_eq!((after, what), (30, Overdue::Everything), "by the last of them");
        drop((waiting, stalled));
        assert_eq!(overdue_after(&activity).await, Some(60));
    }
}

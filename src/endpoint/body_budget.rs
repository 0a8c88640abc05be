//! How many bytes of request bodies are held at once, by all calls in flight and by one caller.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use super::problem::Problem;
use crate::Tags;

/// The most bytes of all bodies by default.
const TOTAL: usize = 512 * 1024 * 1024;

/// From this size on, a body is counted until its document is dropped, and always on the share of its caller. A smaller one is counted until the
/// response begins, without an allocation.
const LARGE: usize = 64 * 1024;

/// A caller holds one part in so many.
const SHARE: usize = 4;

/// Small bodies do not count on the share of their callers before one part in so many of all bytes is held. As much is held beyond the total by
/// small bodies alone: large ones that are announced, and may never come, refuse no small one.
const UNSHARED: usize = 8;

/// The bytes of the bodies that are read or held by calls in flight. Shared by all clones of an endpoint.
#[derive(Debug)]
pub(super) struct BodyBudget {
    total: usize,
    held: AtomicUsize,
    /// Of the callers that hold something, by their tags.
    by_caller: Mutex<HashMap<Tags, usize>>,
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self::new(TOTAL)
    }
}

impl BodyBudget {
    /// So many bytes at most.
    pub(super) fn new(total: usize) -> Self {
        Self {
            total,
            held: AtomicUsize::new(0),
            by_caller: Mutex::default(),
        }
    }

    fn by_caller(&self) -> MutexGuard<'_, HashMap<Tags, usize>> {
        self.by_caller.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes that one body counts. Dropped, they are free again.
#[derive(Debug)]
pub(super) struct BodyBytes {
    budget: Arc<BodyBudget>,
    /// The largest body.
    largest: usize,
    caller: Option<Tags>,
    bytes: usize,
    /// So many of them count on the share of the caller.
    of_caller: usize,
}

impl BodyBytes {
    /// None yet, of a body that has at most so many, before and after it is decompressed. A request without tags has no caller.
    pub(super) fn new(budget: &Arc<BodyBudget>, largest: usize, caller: Option<&Tags>) -> Self {
        Self {
            budget: Arc::clone(budget),
            largest,
            caller: caller.filter(|tags| !tags.is_empty()).cloned(),
            bytes: 0,
            of_caller: 0,
        }
    }

    /// Counts at least so many bytes.
    ///
    /// # Errors
    ///
    /// 503 if there is no room for them.
    pub(super) fn cover(&mut self, bytes: usize) -> Result<(), Problem> {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return Ok(());
        }
        let for_small = if bytes < LARGE { self.budget.total / UNSHARED } else { 0 };
        let total = self.at_least(self.budget.total).saturating_add(for_small);
        let room = |held: usize| held.checked_add(more).filter(|held| *held <= total);
        let Ok(before) = self
            .budget
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, room)
        else {
            tracing::warn!(
                held_by = "all calls",
                bytes,
                "request body refused: it has no room beside those of other calls"
            );
            return Err(no_room("all calls in flight"));
        };
        self.bytes += more;
        if self.bytes >= LARGE || before >= self.budget.total / UNSHARED {
            self.count_on_caller()?;
        }
        Ok(())
    }

    /// Counts no more than so many bytes from now on.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let freed = self.bytes.saturating_sub(bytes);
        self.bytes -= freed;
        self.budget.held.fetch_sub(freed, Ordering::Relaxed);
        let freed = self.of_caller.saturating_sub(self.bytes);
        let Some(caller) = self.caller.as_ref().filter(|_| freed > 0) else {
            return;
        };
        self.of_caller -= freed;
        let mut by_caller = self.budget.by_caller();
        let left = by_caller.get_mut(caller).map(|held| {
            *held = held.saturating_sub(freed);
            *held
        });
        if left == Some(0) {
            by_caller.remove(caller);
        }
    }

    /// The body, counted as long as a part of it is held. A small one is counted until what is returned with it is dropped.
    pub(super) fn hold(self, body: Bytes) -> (Bytes, Option<Self>) {
        if self.bytes < LARGE {
            return (body, Some(self));
        }
        (Bytes::from_owner(CountedBody { body, _bytes: self }), None)
    }

    fn count_on_caller(&mut self) -> Result<(), Problem> {
        let Some(caller) = &self.caller else { return Ok(()) };
        let share = self.at_least(self.budget.total / SHARE);
        let mut by_caller = self.budget.by_caller();
        let held = by_caller.get(caller).copied().unwrap_or_default();
        let held = held.saturating_add(self.bytes - self.of_caller);
        if held > share {
            drop(by_caller);
            // A line for each would be as many as one caller sends.
            tracing::debug!(
                held_by = "caller",
                %caller,
                bytes = self.bytes,
                "request body refused: it has no room beside those of other calls"
            );
            return Err(no_room("your own calls in flight"));
        }
        by_caller.insert(caller.clone(), held);
        self.of_caller = self.bytes;
        Ok(())
    }

    /// One compressed body, and what it decompresses to, always have room if nothing else is held.
    fn at_least(&self, bytes: usize) -> usize {
        bytes.max(self.largest.saturating_mul(2))
    }
}

impl Drop for BodyBytes {
    fn drop(&mut self) {
        self.shrink(0);
    }
}

/// A body that is counted until its last part is dropped.
struct CountedBody {
    body: Bytes,
    _bytes: BodyBytes,
}

impl AsRef<[u8]> for CountedBody {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

fn no_room(calls: &str) -> Problem {
    let message =
        format!("the request bodies of {calls} leave no room for this one: retry when some of them have ended");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "body_bytes_limited", message)
        .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    fn body(budget: &Arc<BodyBudget>, caller: Option<&Tags>, bytes: usize) -> Option<BodyBytes> {
        let mut body = BodyBytes::new(budget, 100 * KIB, caller);
        body.cover(bytes).ok().map(|()| body)
    }

    fn held(budget: &BodyBudget) -> (usize, usize) {
        (budget.held.load(Ordering::Relaxed), budget.by_caller().len())
    }

    #[test]
    fn a_caller_holds_its_share_and_leaves_the_rest_to_others() {
        let budget = Arc::new(BodyBudget::new(1600 * KIB));
        let tags = |name: &str| Tags::new([("key", name)]).unwrap();
        let (a, b) = (tags("a"), tags("b"));
        let mut of_a: Vec<_> = (0..4).map(|_| body(&budget, Some(&a), 100 * KIB).unwrap()).collect();
        assert!(body(&budget, Some(&a), 100 * KIB).is_none(), "a quarter is held");
        assert!(
            body(&budget, Some(&a), 1).is_none(),
            "small ones count, too, once an eighth is held"
        );
        assert_eq!(held(&budget), (400 * KIB, 1), "what was refused is not held");
        let of_b = body(&budget, Some(&b), 100 * KIB);
        assert!(of_b.is_some());
        drop(of_a.pop());
        assert!(body(&budget, Some(&a), 100 * KIB).is_some());
        drop((of_a, of_b));
        assert_eq!(held(&budget), (0, 0));
    }

    #[test]
    fn all_callers_hold_the_total_and_a_body_with_what_it_decompresses_to_has_room_alone() {
        let budget = Arc::new(BodyBudget::new(KIB));
        let mut body = BodyBytes::new(&budget, 100 * KIB, None);
        body.cover(100 * KIB).unwrap();
        body.cover(200 * KIB).unwrap();
        let mut other = BodyBytes::new(&budget, 100 * KIB, None);
        assert_eq!(other.cover(LARGE).unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
        body.shrink(100 * KIB);
        other.cover(LARGE).unwrap();
        drop((body, other));
        assert_eq!(held(&budget), (0, 0));
    }

    #[test]
    fn small_bodies_have_room_beside_large_ones_that_hold_the_total() {
        let budget = Arc::new(BodyBudget::new(1600 * KIB));
        let large: Vec<_> = (0..16).map(|_| body(&budget, None, 100 * KIB).unwrap()).collect();
        assert!(body(&budget, None, 100 * KIB).is_none(), "the total is held");
        assert!(body(&budget, None, LARGE).is_none());
        let small: Vec<_> = (0..4).map(|_| body(&budget, None, 50 * KIB).unwrap()).collect();
        assert!(body(&budget, None, KIB).is_none(), "theirs is bounded, too");
        let mut grows = BodyBytes::new(&budget, 100 * KIB, None);
        drop(small);
        grows.cover(50 * KIB).unwrap();
        assert!(grows.cover(LARGE).is_err(), "one that becomes large is");
        drop((large, grows));
        assert_eq!(held(&budget), (0, 0));
    }

    #[test]
    fn a_large_body_is_counted_until_its_last_part_is_dropped_and_a_small_one_with_its_call() {
        let budget = Arc::new(BodyBudget::default());
        let (text, call) = body(&budget, None, LARGE).unwrap().hold(Bytes::from(vec![0; LARGE]));
        let part = text.slice(1..2);
        drop((text, call));
        assert_eq!(held(&budget).0, LARGE, "a part of it is held");
        drop(part);
        assert_eq!(held(&budget).0, 0);
        let (text, call) = body(&budget, None, 10).unwrap().hold(Bytes::from(vec![0; 10]));
        assert_eq!(held(&budget).0, 10);
        drop(call);
        assert_eq!((held(&budget).0, text.len()), (0, 10));
    }
}

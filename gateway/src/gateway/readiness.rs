//! Whether a gateway takes calls, and whether its settings file was refused.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tower_openrouter::{Tags, redis};

use super::{Gateway, OpenError, Outage};
use crate::{page::Condition, server::Stage};

/// How long the database of client keys, or the settings with their budgets, may fail before it is reported: a revoked key may stay in force meanwhile.
const KEYS_MAY_FAIL: Duration = Duration::from_secs(3);

/// How long the answer is kept whether a call passes without the shared store: it takes a look at all keys, and every probe needs it.
const KEPT: Duration = Duration::from_secs(1);

/// Whether a gateway takes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It does.
    Ready,
    /// It takes calls, some of which it refuses or does not count.
    Degraded(&'static str),
    /// It refuses all of them.
    Unready(&'static str),
}

/// Why the settings file was refused that was read last, until one is in force again.
#[derive(Debug, Default)]
pub(super) struct Refused(Mutex<Option<Arc<str>>>);

impl Refused {
    /// What became of the settings file that was read.
    pub(super) fn note(&self, error: Option<&OpenError>) {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            // It is not what was wrong with it the first time.
            Some(OpenError::Unreadable) if refused.is_some() => {}
            Some(error) => *refused = Some(error.to_string().into()),
            None => *refused = None,
        }
    }

    fn now(&self) -> Option<Arc<str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// An answer that is kept for a second. Callers that come while it is found out wait for it.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Option<(Instant, bool)>>);

impl Kept {
    fn get(&self, find_out: impl FnOnce() -> bool) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, answer)) = *kept
            && at.elapsed() < KEPT
        {
            return answer;
        }
        let answer = find_out();
        *kept = Some((Instant::now(), answer));
        answer
    }
}

impl Gateway {
    /// Whether it takes calls now.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        if self.0.stages.now() != Stage::Serving {
            return Readiness::Unready("it is shutting down");
        }
        if !self.0.store.as_ref().is_some_and(redis::Store::is_down) {
            return self.keys_problem().map_or(Readiness::Ready, Readiness::Degraded);
        }
        if self
            .0
            .passes_without_store
            .get(|| self.some_call_passes_without_store())
        {
            Readiness::Degraded(
                "the shared store does not answer: limits are not counted, and calls with a budget that refuses are refused",
            )
        } else {
            Readiness::Unready("the shared store does not answer, and all calls have a budget that refuses")
        }
    }

    /// Why the settings file was refused that was read last: the settings before stay in force. `None` if it is in force.
    #[must_use]
    pub fn reload_error(&self) -> Option<Arc<str>> {
        self.0.refused.now()
    }

    /// Both for the page.
    pub(super) fn condition(&self) -> Condition {
        let (unready, degraded) = match self.readiness() {
            Readiness::Ready => (None, None),
            Readiness::Degraded(reason) => (None, Some(reason.into())),
            Readiness::Unready(reason) => (Some(reason.into()), None),
        };
        Condition {
            unready,
            degraded,
            settings_refused: self.reload_error(),
        }
    }

    /// What is wrong with the client keys, if something is.
    fn keys_problem(&self) -> Option<&'static str> {
        let lasts = |outage: &Mutex<Outage>| {
            let lasts = outage.lock().unwrap_or_else(PoisonError::into_inner).lasts();
            lasts.is_some_and(|lasts| lasts >= KEYS_MAY_FAIL)
        };
        if lasts(&self.0.keys_unread) {
            Some("the database of client keys does not answer: new ones are not known, and revoked ones stay in force")
        } else if lasts(&self.0.keys_refused) {
            Some(
                "new client keys with budgets are not in force: the settings with their budgets were refused, and the log says why",
            )
        } else if self.0.client_keys.left_out() > 0 {
            Some("a client key of the database cannot be used and is left out: the log names it")
        } else {
            None
        }
    }

    /// Whether a call passes while the shared store does not answer: limits let it pass uncounted then, and so do budgets that only warn; the others
    /// refuse it.
    fn some_call_passes_without_store(&self) -> bool {
        let budgets = self.0.handle.budgets();
        let passes = |tags: &Tags| budgets.lines(tags, "", "").iter().all(|line| line.budget.is_soft());
        if self.ring().is_required() {
            self.ring().any_in_force(|key| passes(key.tags()))
        } else {
            passes(&Tags::default())
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_found_out_once_a_second_however_often_it_is_needed() {
        let (kept, mut times) = (Kept::default(), 0);
        for _ in 0..40 {
            let answer = kept.get(|| {
                times += 1;
                true
            });
            assert!(answer);
            advance(Duration::from_millis(100)).await;
        }
        assert_eq!(times, 4);
    }

    #[test]
    fn a_refused_file_is_shown_by_its_first_error_until_one_is_in_force() {
        let refused = Refused::default();
        refused.note(Some(&OpenError::KeysPending));
        let first = refused.now();
        assert!(first.is_some());
        refused.note(Some(&OpenError::Unreadable));
        assert_eq!(refused.now(), first);
        refused.note(None);
        assert_eq!(refused.now(), None);
    }
}

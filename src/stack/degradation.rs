//! The degraded responses of a stack.

use std::{sync::Arc, time::Duration};

use http::Request;
use tower_llm_layers::{
    CacheMode, FailureKind, LlmRequest,
    degrade::{Degradation, StaleLater},
};

use super::{
    StackBuilder,
    slots::{Slots, Stale, StaleLook},
};
use crate::{ChatFrame, degrade::CannedReply};

/// The stack's sources of a degraded answer: the stale response, the canned reply.
pub(super) struct Sources<R, F> {
    stale: Option<Stale<R, F>>,
    canned: Option<Arc<dyn Degradation<R, F> + Send + Sync>>,
}

impl<R, F> Sources<R, F> {
    /// Those that were set; `None` if there is none.
    pub(super) fn of<E>(slots: &Slots<R, F, E>) -> Option<Self> {
        let stale = slots.cache.as_ref().and_then(|(_, stale)| stale.clone());
        let canned = slots.canned.clone();
        (stale.is_some() || canned.is_some()).then_some(Self { stale, canned })
    }
}

impl<R, F> Clone for Sources<R, F> {
    fn clone(&self) -> Self {
        Self {
            stale: self.stale.clone(),
            canned: self.canned.clone(),
        }
    }
}

impl<R: LlmRequest, F> Degradation<R, F> for Sources<R, F> {
    fn stale(&self, request: &Request<R>) -> Option<(Vec<F>, Duration)> {
        match self.stale.as_ref()?(request)? {
            StaleLook::Now(found) => Some(found),
            StaleLook::Later(_) => None,
        }
    }

    fn stale_later(&self, request: &Request<R>) -> Option<StaleLater<F>> {
        match self.stale.as_ref()?(request)? {
            StaleLook::Now(_) => None,
            StaleLook::Later(later) => Some(later),
        }
    }

    fn canned(&self, request: &Request<R>, reason: FailureKind) -> Option<Vec<F>> {
        // A call that allows only cached responses gets the cache miss.
        if CacheMode::of(request) == CacheMode::OnlyIfCached {
            return None;
        }
        self.canned.as_ref()?.canned(request, reason)
    }
}

impl<R: LlmRequest, E> StackBuilder<R, ChatFrame, E> {
    /// The response returned when every candidate has failed: a marked reply in the requested form. None by default. It comes
    /// when all has been tried, waits that an upstream asked for included: for a sooner one shorten [`max_retry_delay`](Self::max_retry_delay).
    #[must_use]
    pub fn canned_reply(mut self, reply: CannedReply) -> Self {
        self.slots.canned = Some(Arc::new(reply));
        self
    }
}

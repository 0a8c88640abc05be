//! What the stack has to say when all below has failed.

use std::time::Duration;

use http::Request;
use tower_llm_layers::{CacheKey, FailureKind, LlmRequest, degrade::Degradation};

use crate::{ChatFrame, degrade::CannedReply};

/// The stack's rungs: the answer that was kept, past its time; the canned reply.
#[derive(Debug, Clone)]
pub struct StackLadder {
    pub(super) canned: Option<CannedReply>,
    #[cfg(feature = "cache")]
    pub(super) cache: Option<super::ChatCache>,
}

impl<R: LlmRequest + CacheKey> Degradation<R, ChatFrame> for StackLadder {
    #[cfg(feature = "cache")]
    fn stale(&self, request: &Request<R>) -> Option<(Vec<ChatFrame>, Duration)> {
        use tower_llm_layers::cache::CacheMode;

        let cache = self.cache.as_ref()?;
        // Whoever goes round the cache, or wants a new answer, wants no old one.
        if !matches!(CacheMode::of(request), CacheMode::Default | CacheMode::OnlyIfCached) {
            return None;
        }
        let kept = cache.cache()?.stale(&cache.key(request)?)?;
        Some((kept.frames(), kept.status().age))
    }

    #[cfg(not(feature = "cache"))]
    fn stale(&self, _: &Request<R>) -> Option<(Vec<ChatFrame>, Duration)> {
        None
    }

    fn canned(&self, request: &Request<R>, reason: FailureKind) -> Option<Vec<ChatFrame>> {
        // Whoever wants a kept answer or none is to be told that there is none.
        #[cfg(feature = "cache")]
        if tower_llm_layers::cache::CacheMode::of(request) == tower_llm_layers::cache::CacheMode::OnlyIfCached {
            return None;
        }
        self.canned.canned(request, reason)
    }
}

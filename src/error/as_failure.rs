//! What the layers know of an error.

use std::time::Duration;

use tower_llm_layers::{Candidate, Failure, FailureKind, FailureMarks, FailureScope, RouterAttempt, TokenUsage};

use super::{Error, Inner};

impl Failure for Error {
    fn kind(&self) -> FailureKind {
        Self::kind(self)
    }

    fn status(&self) -> Option<u16> {
        self.0.status.map(|status| status.as_u16())
    }

    fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    fn provider(&self) -> Option<&str> {
        Self::provider(self)
    }

    fn generation_id(&self) -> Option<&str> {
        Self::generation_id(self)
    }

    fn may_be_billed(&self) -> bool {
        !self.0.is_unprocessed && self.kind().may_be_billed_with(Failure::status(self))
    }

    /// OpenRouter's zero completion insurance: it charges nothing for an answer that failed or has nothing in it.
    fn is_uncharged(&self) -> bool {
        self.0.no_charge_on_failure
    }

    fn token_usage(&self) -> Option<TokenUsage> {
        self.0.usage.as_deref().copied()
    }

    fn router_attempts(&self) -> Vec<RouterAttempt> {
        self.0.routed.clone()
    }

    fn affordable_tokens(&self) -> Option<u64> {
        self.0.affordable_tokens
    }

    fn scope(&self) -> FailureScope {
        self.0.scope
    }

    /// The only pool that OpenRouter speaks of is that of its free models.
    fn pool_behind(&self, candidate: &Candidate) -> Option<String> {
        (self.0.scope == FailureScope::Pool)
            .then(|| crate::free::pool_behind(candidate))
            .flatten()
    }

    fn limits_key(&self) -> bool {
        self.0.limits_key
    }

    fn summary(&self) -> String {
        self.attempt_summary()
    }

    fn marks(&self) -> &FailureMarks {
        &self.0.marks
    }

    fn marks_mut(&mut self) -> &mut FailureMarks {
        &mut self.0.marks
    }

    fn is_personal(&self) -> bool {
        self.0.personal || self.0.marks.is_own_timeout() || self.kind().is_personal()
    }

    /// Kind, status and words; neither the cause, nor the attempts, the received part and the generation of the other call.
    fn for_coalesced(&self) -> Self {
        let inner = &*self.0;
        let mut marks = FailureMarks::default();
        if inner.marks.is_exhausted() {
            marks.set_exhausted();
        }
        Self(Box::new(Inner {
            status: inner.status,
            code: inner.code.clone(),
            error_type: inner.error_type.clone(),
            message: inner.message.clone(),
            retry_after: inner.retry_after,
            affordable_tokens: inner.affordable_tokens,
            scope: inner.scope,
            limits_key: inner.limits_key,
            provider: inner.provider.clone(),
            param: inner.param.clone(),
            kind: inner.kind,
            marks,
            ..Inner::default()
        }))
    }
}

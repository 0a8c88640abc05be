//! An attempt that continues an interrupted answer: in which way its candidate is called, and what its failure says of that.

use std::sync::Arc;

use crate::{
    Candidate, ContinueBy, Failure, FailureKind, FallbackAdvice, LayerError, LlmRequest, RetryAdvice,
    call::Continuation,
};

/// The way in which a candidate was instructed to continue: in the extensions of its response, for [`Resume`](crate::resume::Resume).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Continued(pub(crate) ContinueBy);

/// Held by an attempt that continues an answer.
#[derive(Debug)]
pub(super) struct Continuing {
    continuation: Arc<Continuation>,
    candidate: Candidate,
    way: ContinueBy,
    is_alone: bool,
}

impl Continuing {
    /// Asks the candidate to continue in its way. `None` unless the request continues an answer.
    pub(super) fn prepare<R: LlmRequest>(
        request: &mut R,
        candidate: Option<&Candidate>,
    ) -> Result<Option<Box<Self>>, LayerError> {
        let (Some(continuation), Some(candidate)) = (request.call().continuation(), candidate) else {
            return Ok(None);
        };
        let continuation = Arc::clone(continuation);
        // Nothing was shown: the same is requested again.
        if continuation.last.is_empty() {
            return Ok(None);
        }
        let way = continuation.way(candidate, request.call().takes_prefill());
        let is_able = match way {
            ContinueBy::Prefill => true,
            ContinueBy::Instruction => request.add_continue_instruction(&continuation.last),
            ContinueBy::Never => false,
        };
        if !is_able {
            let model = candidate.model().to_owned();
            return Err(LayerError::NotContinuable { model });
        }
        let (candidate, is_alone) = (candidate.clone(), request.call().is_alone());
        Ok(Some(Box::new(Self {
            continuation,
            candidate,
            way,
            is_alone,
        })))
    }

    /// The answer has begun.
    pub(super) fn began(&self) -> Continued {
        if self.way == ContinueBy::Instruction {
            self.continuation.continued(&self.candidate);
        }
        Continued(self.way)
    }

    /// A candidate that rejects the begun message may continue by instruction: at once if it is alone, and otherwise after the
    /// others, which may take it.
    pub(super) fn failed<E: Failure>(&self, error: &mut E) {
        let is_rejected = matches!(error.kind(), FailureKind::BadRequest | FailureKind::RejectedByProvider);
        if self.way == ContinueBy::Prefill && is_rejected {
            self.continuation.refuse(&self.candidate);
            let mut advice = error.advice();
            advice.fall_back = FallbackAdvice::Any;
            if self.is_alone {
                advice.retry = RetryAdvice::Once;
            }
            error.marks_mut().set_advice(advice);
        }
    }
}

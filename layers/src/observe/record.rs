//! The record of one operation or one attempt: written once, however it ends.

use std::fmt;

use http::Extensions;
use tracing::{Span, span::Entered};

use super::{call_observation::CallObservation, end::End, names, one_attempt::OneAttempt, operation::Operation};
use crate::{
    Failure, Frame,
    watch::{InSpan, Watch},
};

/// Runs from the start to the end. Empty if no subscriber is interested, and after the end was recorded.
#[derive(Default)]
pub struct Record(Option<Box<Running>>);

struct Running {
    span: Span,
    seen: CallObservation,
    whose: Whose,
}

enum Whose {
    Operation(Operation),
    Attempt(OneAttempt),
}

impl Record {
    pub(super) fn operation(span: Span, seen: CallObservation, operation: Operation) -> Self {
        let whose = Whose::Operation(operation);
        Self(Some(Box::new(Running { span, seen, whose })))
    }

    pub(super) fn attempt(span: Span, seen: CallObservation, attempt: OneAttempt) -> Self {
        let whose = Whose::Attempt(attempt);
        Self(Some(Box::new(Running { span, seen, whose })))
    }

    /// No subscriber is interested.
    pub(super) const fn nothing() -> Self {
        Self(None)
    }

    /// It was refused on our side: it is no attempt, and nothing is counted.
    pub(crate) fn never_sent(&mut self) {
        if let Some(running) = self.0.take() {
            running.span.record(names::OUTCOME, "not_sent");
        }
    }

    pub(super) const fn is_running(&self) -> bool {
        self.0.is_some()
    }

    /// The response is there.
    pub(crate) fn responded(&mut self, extensions: &Extensions) {
        let Some(running) = &mut self.0 else { return };
        running.seen.responded(extensions);
        if let Whose::Operation(operation) = &mut running.whose {
            operation.responded(extensions);
        }
    }

    /// A frame of the answer.
    pub(crate) fn frame<F: Frame>(&mut self, frame: &F) {
        let Some(running) = &mut self.0 else { return };
        let gap = running.seen.frame(frame);
        #[cfg(feature = "metrics")]
        if let (Some(gap), Whose::Operation(operation), true) = (gap, &mut running.whose, running.seen.streamed) {
            operation.chunk_after(gap, &running.seen);
        }
        #[cfg(not(feature = "metrics"))]
        let _ = gap;
    }

    /// The whole answer has come.
    pub(crate) fn answered(&mut self) {
        self.end(|_| End::Answered, None);
    }

    /// It has failed, before or after the answer began.
    pub(crate) fn failed<E: Failure>(&mut self, error: &E) {
        if self.is_running() {
            self.end(|_| End::failed(error), Some(&error.summary()));
        }
    }

    /// The caller has left: called after all that is below was dropped, so that its end is known.
    pub(super) fn left(&mut self) {
        self.end(CallObservation::left, None);
    }

    fn end(&mut self, how: impl FnOnce(&CallObservation) -> End, summary: Option<&str>) {
        let Some(running) = self.0.take() else { return };
        let Running { span, seen, whose } = *running;
        let end = how(&seen);
        seen.write(&span, end);
        match whose {
            Whose::Operation(operation) => operation.end(&span, &seen, end, summary),
            Whose::Attempt(attempt) => attempt.end(&span, &seen, end),
        }
    }
}

impl InSpan for Record {
    /// All events until this is dropped belong to the span.
    fn enter(&self) -> Option<Entered<'_>> {
        self.0.as_ref().map(|running| running.span.enter())
    }
}

impl<D: Frame, E: Failure> Watch<D, E> for Record {
    fn frame(&mut self, frame: &D) {
        Self::frame(self, frame);
    }

    fn failed(&mut self, error: &E) {
        Self::failed(self, error);
    }

    fn ended(&mut self) {
        self.answered();
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.left();
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("is_running", &self.is_running())
            .finish_non_exhaustive()
    }
}

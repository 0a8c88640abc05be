use std::time::Duration;

use http::{Extensions, Response};
use tracing::Span;

use crate::{Failure, FailureKind, TokenUsage};

/// What is told of one operation or attempt, once, at its end.
pub trait Record {
    /// The span that everything below hangs on.
    fn span(&self) -> &Span;

    /// Puts the log of the call where the caller finds it, where this is what opened the call.
    fn publish<B, E: Failure>(&mut self, result: Result<Response<B>, E>) -> Result<Response<B>, E>;

    /// The answer has begun.
    fn began(&mut self, extensions: &Extensions);

    /// One more piece of it.
    fn chunk(&mut self, usage: Option<TokenUsage>);

    /// It has ended.
    fn end(&mut self, how: &End<'_>);
}

/// How it ended.
#[derive(Debug, Clone, Copy)]
pub enum End<'a> {
    Whole,
    Failed(FailureKind, &'a str),
    Dropped,
}

impl End<'_> {
    /// For `error.type`: nothing where all went well.
    pub(super) const fn error_type(&self) -> Option<&'static str> {
        match self {
            Self::Whole => None,
            Self::Failed(kind, _) => Some(kind.as_str()),
            Self::Dropped => Some("cancelled"),
        }
    }
}

/// Makes sure that the end is told once, also where nobody waits for it.
#[derive(Debug)]
pub(super) struct Recorder<T: Record>(Option<T>);

impl<T: Record> Recorder<T> {
    pub(super) const fn new(record: T) -> Self {
        Self(Some(record))
    }

    /// Nothing to tell.
    pub(super) const fn none() -> Self {
        Self(None)
    }

    pub(super) const fn get(&mut self) -> Option<&mut T> {
        self.0.as_mut()
    }

    pub(super) fn span(&self) -> Span {
        self.0.as_ref().map_or_else(Span::none, |record| record.span().clone())
    }

    pub(super) fn end(&mut self, how: &End<'_>) {
        if let Some(mut record) = self.0.take() {
            record.end(how);
        }
    }
}

impl<T: Record> Drop for Recorder<T> {
    fn drop(&mut self) {
        self.end(&End::Dropped);
    }
}

/// As a number that spans and histograms take.
pub(super) fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

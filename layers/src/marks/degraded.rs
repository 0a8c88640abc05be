//! The mark of a degraded answer.

use std::{fmt, time::Duration};

use http::Response;

use crate::FailureKind;

/// The source of a degraded answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DegradedSource {
    /// A model of a cheaper class answered.
    CheaperModel,
    /// A stale cached response.
    StaleAnswer,
    /// A reply that no model made.
    CannedReply,
    /// A shorter answer than requested, because no budget or balance carried the whole.
    ShortenedAnswer,
}

impl DegradedSource {
    /// The name used in headers, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CheaperModel => "cheaper_model",
            Self::StaleAnswer => "stale_answer",
            Self::CannedReply => "canned_reply",
            Self::ShortenedAnswer => "shortened_answer",
        }
    }
}

/// The mark of a degraded answer, in the extensions of its response. Prints as a header's value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Degraded {
    /// How far down.
    pub source: DegradedSource,
    /// Why the requested model did not answer; `None` if no failure was recorded.
    pub reason: Option<FailureKind>,
    /// How old a stale answer is.
    pub age: Option<Duration>,
    /// The requested model; `None` if the request named none.
    pub asked: Option<Box<str>>,
    /// The `max_tokens` that a shortened answer was requested with.
    pub max_tokens: Option<u64>,
}

impl fmt::Display for Degraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "source={}", self.source.as_str())?;
        if let Some(reason) = self.reason {
            write!(f, "; reason={reason}")?;
        }
        if let Some(age) = self.age {
            write!(f, "; age={}", age.as_secs())?;
        }
        if let Some(tokens) = self.max_tokens {
            write!(f, "; max_tokens={tokens}")?;
        }
        Ok(())
    }
}

impl Degraded {
    /// The mark of an answer from this source.
    pub(crate) fn new(source: DegradedSource, reason: Option<FailureKind>, asked: Option<&str>) -> Self {
        Self {
            source,
            reason,
            age: None,
            asked: asked.map(Box::from),
            max_tokens: None,
        }
    }

    /// The mark of an answer that was requested with fewer tokens than its caller wanted, since money of this kind was short.
    pub(crate) fn shortened(reason: FailureKind, max_tokens: u64, asked: Option<&str>) -> Self {
        Self {
            max_tokens: Some(max_tokens),
            ..Self::new(DegradedSource::ShortenedAnswer, Some(reason), asked)
        }
    }

    /// Puts the mark on a response, and logs it.
    pub(crate) fn put<B>(self, response: &mut Response<B>) {
        tracing::warn!(
            target: "llm::degrade",
            source = self.source.as_str(),
            reason = self.reason.map(FailureKind::as_str),
            age = ?self.age,
            asked = self.asked.as_deref(),
            max_tokens = self.max_tokens,
            "degraded answer"
        );
        response.extensions_mut().insert(self);
    }
}

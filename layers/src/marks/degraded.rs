//! The mark of an answer that is not quite what was asked for.

use std::{fmt, time::Duration};

use http::Response;

use crate::FailureKind;

/// One step down from the answer that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DegradedSource {
    /// A model of a cheaper class answered.
    CheaperModel,
    /// An answer that was kept, past its time.
    StaleAnswer,
    /// A reply that no model made.
    CannedReply,
}

impl DegradedSource {
    /// The name used in headers, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CheaperModel => "cheaper_model",
            Self::StaleAnswer => "stale_answer",
            Self::CannedReply => "canned_reply",
        }
    }
}

/// The mark of a degraded answer, in the extensions of its response. Prints as a header's value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Degraded {
    /// How far down.
    pub source: DegradedSource,
    /// What went wrong with what was asked for; `None` where nobody wrote it down.
    pub reason: Option<FailureKind>,
    /// How old a stale answer is.
    pub age: Option<Duration>,
    /// The model that was asked for; `None` where the request named none.
    pub asked: Option<Box<str>>,
}

impl fmt::Display for Degraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rung={}", self.source.as_str())?;
        if let Some(reason) = self.reason {
            write!(f, "; reason={reason}")?;
        }
        if let Some(age) = self.age {
            write!(f, "; age={}", age.as_secs())?;
        }
        Ok(())
    }
}

impl Degraded {
    /// Puts the mark on a response, and tells the log.
    pub(crate) fn put<B>(self, response: &mut Response<B>) {
        tracing::warn!(
            target: "llm::degrade",
            rung = self.source.as_str(),
            reason = self.reason.map(FailureKind::as_str),
            age = ?self.age,
            asked = self.asked.as_deref(),
            "degraded answer"
        );
        response.extensions_mut().insert(self);
    }
}

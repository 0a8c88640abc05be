use std::{fmt, time::Duration};

use http::Request;

use crate::FailureKind;

/// One step down from the answer that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rung {
    /// A model of a cheaper class answered.
    CheaperModel,
    /// An answer that was kept, past its time.
    StaleAnswer,
    /// A reply that no model made.
    CannedReply,
}

impl Rung {
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
    pub rung: Rung,
    /// What went wrong with what was asked for; `None` where nobody wrote it down.
    pub reason: Option<FailureKind>,
    /// How old a stale answer is.
    pub age: Option<Duration>,
    /// The model that was asked for; `None` where the request named none.
    pub asked: Option<Box<str>>,
}

impl fmt::Display for Degraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rung={}", self.rung.as_str())?;
        if let Some(reason) = self.reason {
            write!(f, "; reason={reason}")?;
        }
        if let Some(age) = self.age {
            write!(f, "; age={}", age.as_secs())?;
        }
        Ok(())
    }
}

/// What stands in when all else has failed. Every rung is optional.
pub trait Ladder<R, F> {
    /// An answer to this request that was kept, as frames in the form it asks for, and how old it is.
    fn stale(&self, _request: &Request<R>) -> Option<(Vec<F>, Duration)> {
        None
    }

    /// A reply of your own, as frames in the form the request asks for.
    fn canned(&self, _request: &Request<R>, _reason: FailureKind) -> Option<Vec<F>> {
        None
    }
}

/// No rung at all: for a slot that stays empty, or one that only marks cheaper models.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLadder;

impl<R, F> Ladder<R, F> for NoLadder {}

impl<R, F, L: Ladder<R, F>> Ladder<R, F> for Option<L> {
    fn stale(&self, request: &Request<R>) -> Option<(Vec<F>, Duration)> {
        self.as_ref()?.stale(request)
    }

    fn canned(&self, request: &Request<R>, reason: FailureKind) -> Option<Vec<F>> {
        self.as_ref()?.canned(request, reason)
    }
}

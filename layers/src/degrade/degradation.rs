use std::time::Duration;

use http::Request;

use crate::FailureKind;

/// The responses that stand in when every candidate has failed. Each of them is optional.
pub trait Degradation<R, F> {
    /// A cached response to this request, as frames in the form it asks for, and its age.
    fn stale(&self, _request: &Request<R>) -> Option<(Vec<F>, Duration)> {
        None
    }

    /// A reply of your own, as frames in the form the request asks for.
    fn canned(&self, _request: &Request<R>, _reason: FailureKind) -> Option<Vec<F>> {
        None
    }
}

/// No stand-in: for a slot that stays empty, or one that only marks cheaper models.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLadder;

impl<R, F> Degradation<R, F> for NoLadder {}

impl<R, F, L: Degradation<R, F>> Degradation<R, F> for Option<L> {
    fn stale(&self, request: &Request<R>) -> Option<(Vec<F>, Duration)> {
        self.as_ref()?.stale(request)
    }

    fn canned(&self, request: &Request<R>, reason: FailureKind) -> Option<Vec<F>> {
        self.as_ref()?.canned(request, reason)
    }
}

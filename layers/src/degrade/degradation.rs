//! The responses that stand in when every candidate has failed.

use std::{future::Future, pin::Pin, time::Duration};

use http::Request;

use crate::FailureKind;

/// A look for a stale response: its frames and its age.
pub type StaleLater<F> = Pin<Box<dyn Future<Output = Option<(Vec<F>, Duration)>> + Send>>;

/// The responses that stand in when every candidate has failed. Each of them is optional.
pub trait Degradation<R, F> {
    /// A cached response to this request, as frames in the form it asks for, and its age.
    fn stale(&self, _request: &Request<R>) -> Option<(Vec<F>, Duration)> {
        None
    }

    /// The same from a store that may answer later; called before [`stale`](Self::stale), which is used only if this is `None`. It is polled once,
    /// and then until the call's deadline: after that its response is not waited for.
    fn stale_later(&self, _request: &Request<R>) -> Option<StaleLater<F>> {
        None
    }

    /// A reply of your own, as frames in the form the request asks for.
    fn canned(&self, _request: &Request<R>, _reason: FailureKind) -> Option<Vec<F>> {
        None
    }
}

/// No stand-in: for a slot that stays empty, or one that only marks cheaper models.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDegradation;

impl<R, F> Degradation<R, F> for NoDegradation {}

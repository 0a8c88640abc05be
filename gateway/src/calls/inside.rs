//! What stands inside the stack: it finds the call of a request again, and takes the entries of the ledger.

use std::task::{Context, Poll};

use http::Request;
use tower_layer::Layer;
use tower_openrouter::{
    ApiRequest,
    layers::ledger::{Correction, Entry, Ledger},
};
use tower_service::Service;

use super::{Calls, open::CallMark};

/// Tells the call of a request what the stack knows of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct InsideLayer;

impl<S> Layer<S> for InsideLayer {
    type Service = Inside<S>;

    fn layer(&self, inner: S) -> Inside<S> {
        Inside { inner }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Inside<S> {
    inner: S,
}

impl<S: Service<Request<ApiRequest>>> Service<Request<ApiRequest>> for Inside<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ApiRequest>) -> S::Future {
        if let Some(mark) = request.extensions().get::<CallMark>() {
            mark.reached(request.body());
        }
        self.inner.call(request)
    }
}

/// Entries give their call its tokens, its estimate and its bill; a bill that comes later takes the place of the estimate.
impl Ledger for Calls {
    fn record(&self, entry: &Entry) {
        let late = self.store().entry(entry);
        if let Some(call) = late {
            self.publish(|| call);
        }
    }

    fn correct(&self, correction: &Correction) {
        let corrected = self.store().correct(correction);
        if let Some(call) = corrected {
            self.publish(|| call);
        }
    }
}

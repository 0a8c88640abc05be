//! The service that writes preferences of providers into requests.

use http::{Request, Response};
use tower_service::Service;

use super::{ProviderHealth, ProviderHealthBody, ProviderHealthFuture, health::Routing, watch::ProviderStart};
use crate::{
    Failure, Frame, LlmRequest, ProviderRouting,
    protocol::candidate_of,
    util::{inner_accessors, ready_as_inner},
    watch::WatchFuture,
};

/// The service of [`ProviderHealthLayer`](super::ProviderHealthLayer).
#[derive(Debug, Clone)]
pub struct ProviderRouted<S> {
    pub(super) inner: S,
    pub(super) health: ProviderHealth,
}

impl<S> ProviderRouted<S> {
    inner_accessors!();

    /// The health of the providers.
    pub const fn health(&self) -> &ProviderHealth {
        &self.health
    }
}

impl<S, R, B> Service<Request<R>> for ProviderRouted<S>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: Failure,
    R: LlmRequest + ProviderRouting,
    B: http_body::Body<Error = S::Error>,
    B::Data: Frame,
{
    type Response = Response<ProviderHealthBody<B>>;
    type Error = S::Error;
    type Future = ProviderHealthFuture<S::Future, S::Error>;

    ready_as_inner!();

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        // What a caller chose says nothing to others, and is not ours to change.
        let own = request.body().has_provider_preferences();
        let candidate = candidate_of(request.body()).filter(|_| !own);
        let Some(candidate) = candidate else {
            return WatchFuture::calling(self.inner.call(request), ProviderStart::default());
        };
        let mut routing = self.health.routing(&candidate);
        if !(routing.ignore.is_empty() && routing.order.is_empty()) {
            let body = request.body_mut();
            if body.set_providers(&routing.ignore, &routing.order) {
                note(body, &routing);
            } else {
                // An API without preferences: nothing was left out, and nothing is probed.
                self.health.give_back(&candidate, routing.probe.take());
                routing = Routing::default();
            }
        }
        let start = ProviderStart::new(self.health.clone(), candidate, routing, request.body());
        WatchFuture::calling(self.inner.call(request), start)
    }
}

/// The attempt's line says what was changed.
fn note<R: LlmRequest>(request: &R, routing: &Routing) {
    let Some(attempt) = request.call().attempt() else {
        return;
    };
    let mut note = String::new();
    if !routing.ignore.is_empty() {
        note = format!("without {}", routing.ignore.join(", "));
    }
    if !routing.order.is_empty() {
        let asked = if routing.probe.is_some() { "probes" } else { "prefers" };
        let gap = if note.is_empty() { "" } else { "; " };
        note.push_str(&format!("{gap}{asked} {}", routing.order.join(", ")));
    }
    attempt.note(&note);
}

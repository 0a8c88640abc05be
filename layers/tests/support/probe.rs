//! Counts what an inner service and its clones went through.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Request, header::AUTHORIZATION};
use tokio::time::Instant;
use tower_llm_layers::{AttemptLog, LlmRequest};

use super::TestRequest;

/// What an inner service and its clones went through. Clones share the counts.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    begun: Instant,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    /// Clones of the inner service.
    pub(crate) clones: usize,
    /// Calls of `poll_ready`.
    pub(crate) ready_polls: usize,
    /// Calls on a service that was not ready.
    pub(crate) violations: usize,
    /// Futures that are neither ready nor dropped.
    pub(crate) in_flight: usize,
    /// The most of them at once.
    pub(crate) peak: usize,
    /// Futures dropped before they were ready.
    pub(crate) futures_dropped: usize,
    /// Bodies that are there.
    pub(crate) bodies_open: usize,
    /// Bodies dropped before their end.
    pub(crate) bodies_dropped: usize,
    /// Each request as it came.
    pub(crate) seen: Vec<Seen>,
}

/// A request as it came to the inner service.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) at: Duration,
    pub(crate) model: Option<String>,
    pub(crate) upstream: Option<String>,
    pub(crate) authorization: Option<String>,
    pub(crate) sensitive: bool,
    pub(crate) remaining: Option<Duration>,
    pub(crate) is_last: bool,
    pub(crate) is_alone: bool,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) alternatives: Vec<String>,
    pub(crate) log: Option<AttemptLog>,
}

impl Probe {
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            counts: Arc::default(),
        }
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Counts) -> T) -> T {
        change(&mut self.counts.lock().unwrap())
    }

    /// All counts as they stand.
    pub(crate) fn counts(&self) -> Counts {
        self.change(|counts| counts.clone())
    }

    /// The requests that came.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.counts().seen
    }

    /// How many requests came.
    pub(crate) fn calls(&self) -> usize {
        self.change(|counts| counts.seen.len())
    }

    /// The models asked, in order.
    pub(crate) fn models(&self) -> Vec<String> {
        let seen = self.seen().into_iter();
        seen.map(|seen| seen.model.unwrap_or_default()).collect()
    }

    /// When each request came, in milliseconds.
    pub(crate) fn times(&self) -> Vec<u128> {
        self.seen().iter().map(|seen| seen.at.as_millis()).collect()
    }

    /// Nothing is in flight, no body is open, and nothing was called unready.
    pub(crate) fn assert_quiet(&self) {
        let counts = self.counts();
        assert_eq!(counts.in_flight, 0, "in flight");
        assert_eq!(counts.bodies_open, 0, "bodies");
        assert_eq!(counts.violations, 0, "called without readiness");
    }

    pub(super) fn note(&self, request: &Request<TestRequest>) {
        let body = request.body();
        let call = body.call();
        let key = request.headers().get(AUTHORIZATION);
        let seen = Seen {
            at: self.begun.elapsed(),
            model: body.model.clone(),
            upstream: call.candidate().map(|known| known.upstream().to_owned()),
            authorization: key.map(|key| key.to_str().unwrap().to_owned()),
            sensitive: key.is_some_and(http::HeaderValue::is_sensitive),
            remaining: call.remaining(),
            is_last: call.is_last(),
            is_alone: call.is_alone(),
            max_tokens: body.max_tokens,
            alternatives: body.alternatives.clone(),
            log: call.attempts(),
        };
        self.change(|counts| {
            counts.seen.push(seen);
            counts.in_flight += 1;
            counts.peak = counts.peak.max(counts.in_flight);
        });
    }
}

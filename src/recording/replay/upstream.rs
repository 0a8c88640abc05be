//! Upstreams that behave as recorded: a service in the place of the transport.

use std::{
    collections::{BTreeMap, HashMap},
    future::{Future, pending},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use tokio::time::{Instant, sleep_until};
use tower_llm_layers::{FailureKind, LlmRequest as _, UsdAmount, pause::RateLimitStatus};
use tower_service::Service;

use super::{
    ReplayReport, ReplayedCall,
    answer::{ReplayBody, ReplayRequest},
    index::{Index, Name, RecordedPosition},
};
use crate::{
    ApiRequest, Error,
    recording::{
        call::millis,
        read::Recording,
        record::{AttemptEnd, RecordedAttempt},
    },
};

/// A call of the replay, in the extensions of its request.
#[derive(Debug, Clone)]
pub(super) struct ReplaySlot {
    call: usize,
    made: Arc<Mutex<Made>>,
}

/// What a call has made so far.
#[derive(Debug, Default)]
struct Made {
    on: HashMap<Name, usize>,
    attempts: u64,
    cost: Option<UsdAmount>,
}

impl ReplaySlot {
    pub(super) fn of(call: usize) -> Self {
        Self {
            call,
            made: Arc::default(),
        }
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The attempts, and what they cost.
    pub(super) fn sums(&self) -> (u64, Option<UsdAmount>) {
        let made = self.made();
        (made.attempts, made.cost)
    }

    /// An answer came to its usage.
    pub(super) fn pays(&self, cost: Option<UsdAmount>) {
        let mut made = self.made();
        made.cost = match (made.cost, cost) {
            (Some(before), Some(cost)) => Some(before.saturating_add(cost)),
            (before, cost) => before.or(cost),
        };
    }

    /// One attempt more on this model: how many there were before.
    fn attempts(&self, name: &Name) -> usize {
        let mut made = self.made();
        made.attempts += 1;
        let on = made.on.entry(name.clone()).or_default();
        *on += 1;
        *on - 1
    }
}

/// The upstreams of a recording.
#[derive(Clone)]
pub(in super::super) struct RecordedUpstream(Arc<ReplayState>);

struct ReplayState {
    recording: Arc<Recording>,
    index: Index,
    start: OnceLock<Instant>,
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    on: BTreeMap<String, u64>,
    unknown: BTreeMap<String, u64>,
    outlasted_silences: u64,
    estimated: u64,
    shortened_prompts: u64,
}

impl RecordedUpstream {
    pub(super) fn new(recording: Arc<Recording>) -> Self {
        Self(Arc::new(ReplayState {
            index: Index::of(&recording),
            recording,
            start: OnceLock::new(),
            counted: Mutex::default(),
        }))
    }

    /// The replay begins. Called once.
    pub(super) fn start(&self, now: Instant) {
        self.0.start.get_or_init(|| now);
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.0.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What came of it.
    pub(super) fn replayed(&self, calls: Vec<ReplayedCall>) -> ReplayReport {
        let counted = std::mem::take(&mut *self.counted());
        let mut replayed = ReplayReport {
            calls,
            unknown: counted.unknown,
            outlasted_silences: counted.outlasted_silences,
            estimated: counted.estimated,
            shortened_prompts: counted.shortened_prompts,
            ..ReplayReport::default()
        };
        for (name, attempts) in self.0.index.counts() {
            replayed.load.entry(shown(name)).or_default().recorded = attempts;
        }
        for (name, attempts) in counted.on {
            replayed.load.entry(name).or_default().replayed = attempts;
        }
        replayed
    }

    /// The attempt that this one goes as.
    fn choose(&self, slot: &ReplaySlot, name: &Name, at: Instant) -> Option<RecordedPosition> {
        let after = slot.attempts(name);
        let own = self.0.recording.own_attempt(slot.call, name, after);
        let start = self.0.start.get().copied().unwrap_or(at);
        let at_ms = millis(at.saturating_duration_since(start));
        let other = || self.0.index.nearest(&self.0.recording, name, at_ms, slot.call);
        let place = own.or_else(other);
        let mut counted = self.counted();
        let counts = if place.is_some() {
            &mut counted.on
        } else {
            &mut counted.unknown
        };
        *counts.entry(shown(name)).or_default() += 1;
        counted.estimated += u64::from(own.is_none() && place.is_some());
        place
    }

    /// The attempt at this place, if there is one.
    pub(super) fn attempt(&self, place: RecordedPosition) -> Option<&RecordedAttempt> {
        self.0.recording.attempt(place)
    }

    /// An attempt has waited longer than the recorded silence.
    pub(super) fn outlives(&self) {
        self.counted().outlasted_silences += 1;
    }

    /// A call has a shorter prompt than the recorded one.
    pub(super) fn shortens(&self) {
        self.counted().shortened_prompts += 1;
    }

    /// The response, as it came then.
    async fn exchange(
        self,
        slot: ReplaySlot,
        name: Name,
        place: Option<RecordedPosition>,
        wanted: ReplayRequest,
    ) -> Result<Response<ReplayBody>, Error> {
        let began = Instant::now();
        let after = |ms| sleep_until(began + Duration::from_millis(ms));
        let found = place.and_then(|place| Some((place, self.attempt(place)?)));
        let Some((place, attempt)) = found else {
            let message = format!("the recording has no attempt on {}", shown(&name));
            return Err(Error::new(FailureKind::NoEndpoint, message));
        };
        let Some(head_ms) = attempt.head_ms else {
            after(attempt.end_ms).await;
            if matches!(attempt.end, AttemptEnd::Silent | AttemptEnd::Dropped) {
                self.outlives();
                pending::<()>().await;
            }
            return Err(Error::recorded(attempt));
        };
        if attempt.status.is_some_and(|status| !(200..300).contains(&status)) && attempt.end == AttemptEnd::Error {
            after(attempt.end_ms).await;
            return Err(Error::recorded(attempt));
        }
        after(head_ms).await;
        let mut response = Response::new(());
        if let Some(limit) = attempt.limit {
            response.extensions_mut().insert(RateLimitStatus::new(
                limit.remaining,
                limit.limit,
                Duration::from_millis(limit.reset_ms),
            ));
        }
        let body = ReplayBody::new(self.clone(), slot, place, attempt, began, wanted);
        Ok(response.map(|()| body))
    }
}

/// As reports name it.
fn shown((upstream, model): &Name) -> String {
    format!("{upstream}/{model}")
}

impl Service<Request<ApiRequest>> for RecordedUpstream {
    type Response = Response<ReplayBody>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ReplayBody>, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ApiRequest>) -> Self::Future {
        let body = request.body();
        let candidate = body.call().candidate();
        let name: Name = match candidate {
            Some(candidate) => (candidate.upstream().into(), candidate.model().into()),
            None => ("".into(), body.model().unwrap_or_default().into()),
        };
        let slot = request.extensions().get::<ReplaySlot>().cloned();
        let slot = slot.unwrap_or_else(|| ReplaySlot::of(usize::MAX));
        let place = self.choose(&slot, &name, Instant::now());
        let wanted = ReplayRequest {
            is_streaming: body.is_streaming(),
            line: body.call().attempt(),
        };
        Box::pin(self.clone().exchange(slot, name, place, wanted))
    }
}

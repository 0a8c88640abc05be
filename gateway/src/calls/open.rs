//! A call in progress: what is known of it, and its end.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use http::{HeaderMap, HeaderName, StatusCode};
use tokio::time::Instant;
use tower_openrouter::{
    Api, ApiRequest, Attempt, AttemptLog, FailureKind, Outcome, Tags,
    endpoint::{CACHE_HEADER, DEGRADED_HEADER, MODEL_HEADER, PROVIDER_HEADER},
    layers::{LlmRequest, UtcTime},
};

use super::{
    AttemptRecord, CallOutcome, CallRecord, Calls,
    answer::TailFacts,
    record::{millis, name, reason},
};
use crate::keys;

/// What is known of a call while it is in progress.
pub(super) struct Facts {
    pub(super) id: u64,
    at: UtcTime,
    started: Instant,
    api: Api,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    tags: Tags,
    requested: Option<Box<str>>,
    streamed: bool,
    log: Option<AttemptLog>,
    head: Option<Head>,
}

/// What the head of the response says.
struct Head {
    status: StatusCode,
    model: Option<Box<str>>,
    provider: Option<Box<str>>,
    degraded: Option<Box<str>>,
    cached: Option<Box<str>>,
    /// From the beginning of the call.
    after_ms: u64,
}

/// A call in the extensions of its request: found again inside the stack.
#[derive(Clone)]
pub(super) struct CallMark {
    calls: Calls,
    facts: Arc<Facts>,
}

impl Head {
    /// Whether the answer began with it, although no attempt of this call gave that answer. The head of a stream whose answer takes long is sent
    /// before the answer begins, and has none of this.
    fn brings_answer(&self) -> bool {
        self.status.is_success() && (self.cached.is_some() || self.degraded.is_some())
    }
}

impl CallMark {
    /// The call has reached the stack's chain.
    pub(super) fn reached(&self, request: &ApiRequest) {
        {
            let mut found = self.facts.found();
            found.requested = request.model().map(name);
            found.streamed = request.is_streaming();
            let call = request.call();
            if !call.tags().is_empty() {
                found.tags = call.tags().clone();
            }
            found.log = call.attempts();
        }
        self.calls.publish(|| Arc::new(self.facts.running()));
    }
}

/// How the body of a response came to its end.
#[derive(Debug)]
pub(super) enum End {
    /// It was read to its end; what its last bytes say.
    Whole(TailFacts),
    /// It was dropped before.
    Dropped,
}

/// A call in progress. Dropped without an end, its client has left.
pub(super) struct OpenCall(Option<CallMark>);

impl OpenCall {
    pub(super) fn begin(calls: &Calls, api: Api, tags: Option<&Tags>) -> Self {
        let facts = Arc::new(Facts {
            id: calls.0.last.fetch_add(1, Ordering::Relaxed) + 1,
            at: UtcTime::now(),
            started: Instant::now(),
            api,
            found: Mutex::new(Found {
                tags: tags.cloned().unwrap_or_default(),
                ..Found::default()
            }),
        });
        calls.store().begin(&facts);
        let calls = calls.clone();
        Self(Some(CallMark { calls, facts }))
    }

    /// Its number.
    pub(super) fn id(&self) -> Option<u64> {
        self.0.as_ref().map(|mark| mark.facts.id)
    }

    pub(super) fn mark(&self) -> Option<CallMark> {
        self.0.clone()
    }

    /// The head of the response has come.
    pub(super) fn answered(&self, status: StatusCode, headers: &HeaderMap, is_stream: bool) {
        let Some(CallMark { facts, .. }) = &self.0 else { return };
        let text = |header: &HeaderName| headers.get(header)?.to_str().ok().map(name);
        let head = Head {
            status,
            model: text(&MODEL_HEADER),
            provider: text(&PROVIDER_HEADER),
            degraded: text(&DEGRADED_HEADER),
            cached: text(&CACHE_HEADER).filter(|cached| &**cached != "miss"),
            after_ms: millis(facts.started.elapsed()),
        };
        let mut found = facts.found();
        found.streamed |= is_stream;
        found.head = Some(head);
    }

    pub(super) fn end(&mut self, end: End) {
        let Some(CallMark { calls, facts }) = self.0.take() else {
            return;
        };
        let record = facts.record(Some(end));
        let call = calls.store().end(record, UtcTime::now());
        calls.publish(|| call);
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.end(End::Dropped);
    }
}

impl Facts {
    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long it has been in progress.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether a call whose answer has not begun waits for a stream; `None` if its answer has begun, or if the call has not reached the chain.
    pub(super) fn is_waiting_stream(&self) -> Option<bool> {
        let found = self.found();
        let log = found.log.as_ref()?;
        (!log.has_answer()).then_some(found.streamed)
    }

    /// The record of the call as it stands.
    pub(super) fn running(&self) -> CallRecord {
        self.record(None)
    }

    fn record(&self, end: Option<End>) -> CallRecord {
        let found = self.found();
        let lines = found.log.as_ref().map(AttemptLog::attempts).unwrap_or_default();
        let head = found.head.as_ref();
        let answer = lines.iter().rev().find(|line| line.has_answered());
        let candidate = answer.and_then(|line| line.candidate.as_ref());
        let has_begun = found.log.is_none() || has_begun(head, &lines);
        let (outcome, told) = outcome(head, end, &lines, has_begun);
        let model = candidate.map(|candidate| name(candidate.model()));
        let provider = answer.and_then(|line| line.provider.as_deref().map(name));
        let cost = found.log.as_ref().and_then(AttemptLog::cost);
        CallRecord {
            id: self.id,
            at: self.at,
            key: found.tags.get(keys::TAG).map(name),
            tags: found.tags.clone(),
            api: api(self.api),
            streamed: found.streamed,
            requested: found.requested.clone(),
            model: model.or_else(|| head?.model.clone()).or(told.model),
            provider: provider.or_else(|| head?.provider.clone()),
            outcome,
            status: head.map(|head| head.status.as_u16()),
            reason: told.failure.as_deref().map(reason),
            first_token_ms: first_token(&lines)
                .or_else(|| Some(head.filter(|head| head.brings_answer())?.after_ms))
                .filter(|_| found.streamed),
            duration_ms: millis(self.started.elapsed()),
            tokens: None,
            estimate: None,
            cost,
            cost_is_estimate: lines.iter().any(|line| line.cost.is_some() && line.cost_is_estimate),
            degraded: head.and_then(|head| head.degraded.clone()),
            cached: head.and_then(|head| head.cached.clone()),
            rescued: outcome == CallOutcome::Answered && answer.is_some_and(|answer| is_rescued(answer, &lines)),
            ledger_id: found.log.as_ref().and_then(AttemptLog::call_id),
            estimates: 0,
            attempts: lines.iter().map(AttemptRecord::new).collect(),
        }
    }
}

/// When the first token came, in milliseconds after the beginning of the call: of a resumed answer, that of its first part.
fn first_token(lines: &[Attempt]) -> Option<u64> {
    let begun = lines.iter().filter(|line| line.outcome != Outcome::Dropped);
    // A client that leaves ends its attempt as a hedge that has lost does.
    let first = |line: &Attempt| Some(millis(line.started + line.first_token?));
    begun
        .filter_map(first)
        .min()
        .or_else(|| lines.iter().filter_map(first).min())
}

/// Whether the client has got the beginning of an answer.
fn has_begun(head: Option<&Head>, lines: &[Attempt]) -> bool {
    let begun =
        |line: &Attempt| line.has_answered() || (line.first_token.is_some() && line.outcome != Outcome::Dropped);
    head.is_some_and(Head::brings_answer) || lines.iter().any(begun)
}

/// How a call ended, and what its last bytes say.
fn outcome(head: Option<&Head>, end: Option<End>, lines: &[Attempt], has_begun: bool) -> (CallOutcome, TailFacts) {
    let told = match end {
        None => return (CallOutcome::Running, TailFacts::default()),
        Some(End::Dropped) => return (CallOutcome::Left, TailFacts::default()),
        Some(End::Whole(told)) => told,
    };
    let status = head.map_or(StatusCode::OK, |head| head.status);
    let outcome = if status.is_client_error() && is_refused(lines) {
        CallOutcome::Refused
    } else if status.is_client_error() || status.is_server_error() {
        CallOutcome::Failed
    } else if told.failure.is_some() && has_begun {
        CallOutcome::Interrupted
    } else if told.failure.is_some() {
        // The head went out before the answer began, which it never did.
        if is_by_client(lines) {
            CallOutcome::Refused
        } else {
            CallOutcome::Failed
        }
    } else {
        CallOutcome::Answered
    };
    (outcome, told)
}

/// Whether what the client sent is the cause of its error: the last attempt says so, or none was made although no candidate was down.
fn is_refused(lines: &[Attempt]) -> bool {
    let is_made = lines.iter().any(|line| line.number > 0);
    if is_made {
        is_by_client(lines)
    } else {
        !lines.iter().any(is_down)
    }
}

/// Whether the last attempt failed by what the client sent, or by its budget.
fn is_by_client(lines: &[Attempt]) -> bool {
    let own = |kind| {
        matches!(
            kind,
            FailureKind::BadRequest
                | FailureKind::BudgetExceeded
                | FailureKind::ContentFiltered
                | FailureKind::ContextLengthExceeded
        )
    };
    let last = lines.iter().rev().find(|line| line.number > 0);
    last.is_some_and(|last| matches!(last.outcome, Outcome::Failed(kind) if own(kind)))
}

/// Whether its candidate was passed over while it was down.
fn is_down(line: &Attempt) -> bool {
    line.outcome == Outcome::Skipped && means_down(line.summary.as_deref().unwrap_or_default())
}

fn means_down(reason: &str) -> bool {
    ["paused", "circuit", "quota", "is recovering"]
        .iter()
        .any(|words| reason.contains(words))
}

/// Whether another candidate than the one that answered has failed before, or was passed over while it was down.
fn is_rescued(answer: &Attempt, lines: &[Attempt]) -> bool {
    let mut others = lines.iter().filter(|line| line.candidate != answer.candidate);
    others.any(|line| match line.outcome {
        Outcome::Failed(_) => line.started <= answer.started,
        _ => is_down(line),
    })
}

const fn api(api: Api) -> &'static str {
    match api {
        Api::Chat => "chat",
        Api::Responses => "responses",
        Api::Messages => "messages",
        _ => api.name(),
    }
}

#[cfg(test)]
mod tests {
    use tower_openrouter::layers::LayerError;

    use super::*;

    #[test]
    fn a_candidate_whose_circuit_is_open_or_recovers_is_down() {
        for retry_after in [None, Some(Duration::ZERO), Some(Duration::from_secs(5))] {
            let (model, upstream) = ("a/b".to_owned(), "openrouter".to_owned());
            let error = LayerError::CircuitOpen {
                model,
                upstream,
                retry_after,
            };
            assert!(means_down(&error.to_string()), "{error}");
        }
        assert!(!means_down("it does not speak this API"));
    }
}

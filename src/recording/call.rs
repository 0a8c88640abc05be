//! The layer around each call: it takes down when the call came, what it asked for, and how it ended.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project::{pin_project, pinned_drop};
use tokio::time::Instant;
use tower_layer::Layer;
use tower_llm_layers::{AttemptLog, FailureKind, LlmRequest as _, Outcome, Phase, deadline::DEADLINE_HEADER};
use tower_service::Service;

use super::{
    Recorder,
    attempt::{CallSlot, name},
    record::{AttemptEnd, RecordedAttempt, RecordedCall, RecordedOutcome},
};
use crate::{ApiRequest, Error, WireRequest as _, dialect::Dialect};

/// The most models of a request that are written.
const MOST_MODELS: usize = 16;

/// Records the calls of the service that it is put around: see [`Recorder::attach`].
#[derive(Debug, Clone)]
pub struct RecordLayer(pub(super) Recorder);

impl<S> Layer<S> for RecordLayer {
    type Service = RecordService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RecordService {
            inner,
            recorder: self.0.clone(),
        }
    }
}

/// The service of [`RecordLayer`].
#[derive(Debug, Clone)]
pub struct RecordService<S> {
    inner: S,
    recorder: Recorder,
}

impl<S, B> Service<Request<ApiRequest>> for RecordService<S>
where
    S: Service<Request<ApiRequest>, Response = Response<B>, Error = Error>,
    B: Body<Error = Error>,
{
    type Response = Response<RecordBody<B>>;
    type Error = Error;
    type Future = RecordFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ApiRequest>) -> Self::Future {
        let call = OpenCall::begin(&self.recorder, &request);
        request.extensions_mut().insert(call.slot.clone());
        RecordFuture {
            inner: Some(self.inner.call(request)),
            call: Some(call),
        }
    }
}

/// A call in progress. Dropped without an end, its caller has left, or its deadline has passed.
struct OpenCall {
    recorder: Recorder,
    slot: CallSlot,
    log: Option<AttemptLog>,
    began: Instant,
    /// When the answer must have begun.
    first_token_deadline: Option<Instant>,
    record: Option<Box<RecordedCall>>,
}

impl OpenCall {
    fn begin(recorder: &Recorder, request: &Request<ApiRequest>) -> Self {
        let (body, began) = (request.body(), Instant::now());
        let call = body.call();
        let models = body.model().map(name).into_iter();
        let has_own = request.headers().contains_key(DEADLINE_HEADER);
        let deadline = call.deadline().filter(|_| has_own);
        let bytes = body.segments(Dialect::OpenRouter).into_iter().map(|part| part.len());
        Self {
            recorder: recorder.clone(),
            slot: CallSlot::default(),
            log: call.attempts(),
            began,
            first_token_deadline: call.first_token_deadline(),
            record: Some(Box::new(RecordedCall {
                at_ms: millis(began.saturating_duration_since(recorder.began())),
                api: body.api(),
                models: models
                    .chain(body.alternatives().iter().map(|model| name(model)))
                    .take(MOST_MODELS)
                    .collect(),
                stream: body.is_streaming(),
                prompt_bytes: bytes.sum::<usize>() as u64,
                max_tokens: body.max_tokens(),
                deadline_ms: deadline.map(|deadline| millis(deadline.saturating_duration_since(began))),
                outcome: RecordedOutcome::Left,
                kind: None,
                first_ms: None,
                whole_ms: 0,
                model: None,
                attempts: Vec::new(),
            })),
        }
    }

    fn began_answer(&mut self) {
        let after = millis(self.began.elapsed());
        if let Some(record) = &mut self.record {
            record.first_ms = Some(after);
        }
    }

    fn end(&mut self, outcome: RecordedOutcome, kind: Option<FailureKind>) {
        let Some(mut record) = self.record.take() else { return };
        record.whole_ms = millis(self.began.elapsed());
        record.outcome = outcome;
        record.kind = kind;
        record.attempts = self.slot.take();
        if let Some(log) = &self.log {
            let lines = log.attempts();
            for attempt in &mut record.attempts {
                let mut own = lines.iter().filter(|line| line.number == attempt.number);
                if let Some(Outcome::Failed(kind)) = own.next_back().map(|line| line.outcome) {
                    ended_above(attempt, kind);
                }
            }
            let model = log.answered_by().map(|candidate| name(candidate.model()));
            record.model = model.filter(|_| outcome != RecordedOutcome::Failed);
        }
        self.recorder.write(record);
    }
}

/// A layer above the exchange ended the attempt so.
fn ended_above(attempt: &mut RecordedAttempt, kind: FailureKind) {
    if attempt.end == AttemptEnd::Dropped && matches!(kind, FailureKind::Timeout(_)) {
        attempt.end = AttemptEnd::Silent;
    }
    attempt.kind = Some(kind);
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        let Some(record) = &self.record else { return };
        let deadline = self.log.as_ref().and_then(AttemptLog::deadline);
        let first_token_deadline = self.first_token_deadline.filter(|_| record.first_ms.is_none());
        let now = Instant::now();
        if deadline
            .into_iter()
            .chain(first_token_deadline)
            .any(|limit| limit <= now)
        {
            self.end(RecordedOutcome::Failed, Some(FailureKind::Timeout(Phase::Deadline)));
        } else {
            self.end(RecordedOutcome::Left, None);
        }
    }
}

/// The future of [`RecordService`].
#[pin_project(PinnedDrop)]
#[must_use = "futures do nothing unless polled"]
pub struct RecordFuture<F> {
    /// There until it has ended.
    #[pin]
    inner: Option<F>,
    call: Option<OpenCall>,
}

impl<F, B> Future for RecordFuture<F>
where
    F: Future<Output = Result<Response<B>, Error>>,
    B: Body<Error = Error>,
{
    type Output = Result<Response<RecordBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            // Polled again after it was ready: stay silent rather than panic.
            return Poll::Pending;
        };
        let result = ready!(inner.poll(cx));
        this.inner.set(None);
        let mut call = this.call.take();
        match (&result, &mut call) {
            (Ok(_), Some(call)) => call.began_answer(),
            (Err(error), Some(call)) => call.end(RecordedOutcome::Failed, Some(error.kind())),
            (_, None) => {}
        }
        Poll::Ready(result.map(|response| {
            response.map(|body| RecordBody {
                inner: Some(body),
                call,
            })
        }))
    }
}

/// The body of [`RecordService`]: passed on as it is, and watched for its end.
#[pin_project(PinnedDrop)]
pub struct RecordBody<B> {
    /// There until it is dropped.
    #[pin]
    inner: Option<B>,
    call: Option<OpenCall>,
}

impl<B: Body<Error = Error>> Body for RecordBody<B> {
    type Data = B::Data;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, Error>>> {
        let mut this = self.project();
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let frame = ready!(inner.as_mut().poll_frame(cx));
        let end = match &frame {
            Some(Err(error)) => Some((RecordedOutcome::Failed, Some(error.kind()))),
            None => Some((RecordedOutcome::Answered, None)),
            // A reader may stop at the last frame, and never poll for the end.
            Some(Ok(_)) => inner.is_end_stream().then_some((RecordedOutcome::Answered, None)),
        };
        if let (Some((outcome, kind)), Some(call)) = (end, this.call.as_mut()) {
            call.end(outcome, kind);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

/// What is inside ends first: then the log of the call is complete.
#[pinned_drop]
impl<F> PinnedDrop for RecordFuture<F> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.inner.set(None);
        drop(this.call.take());
    }
}

/// What is inside ends first: then the log of the call is complete.
#[pinned_drop]
impl<B> PinnedDrop for RecordBody<B> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.inner.set(None);
        drop(this.call.take());
    }
}

impl<F> std::fmt::Debug for RecordFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordFuture").finish_non_exhaustive()
    }
}

impl<B> std::fmt::Debug for RecordBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordBody").finish_non_exhaustive()
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

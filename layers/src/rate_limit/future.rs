//! A call that waits for its turn, and what its answer takes of the limits.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    LimitReport, LimitUse, LimitWait, RateLimitBody, RateLimitPermit, SOON, WaitReason,
    bucket::{Bucket, Full, Grant, RateWait},
    layer::Settings,
    limiter::Shared,
    watch::TokensWatch,
};
use crate::{
    Failure, Frame, LayerError, LlmRequest, metering,
    prices::PromptEstimate,
    util::after,
    watch::{Admit, InSpan, Respond, WatchBody},
};

/// Its name among the queues.
const QUEUE: &str = "rate_limit";

/// A call that waits for its turn.
pub struct RateLimitWait {
    bucket: Arc<Bucket>,
    prompt: PromptEstimate,
    answer: u64,
    since: Instant,
    /// What it waits for; `None` at first and after each wait.
    step: Option<Step>,
    full: Option<Full>,
    /// Passed here, and not yet in the store that others share.
    granted: Option<Grant>,
    shared: Option<Shared>,
    settings: Settings,
}

type Step = Pin<Box<dyn Future<Output = StepEnd> + Send>>;

/// What a wait ended with.
enum StepEnd {
    Time,
    Place(Option<OwnedSemaphorePermit>),
    Shared(Result<Box<dyn RateLimitPermit>, LimitWait>),
}

impl RateLimitWait {
    pub(super) fn new(
        bucket: Arc<Bucket>,
        (prompt, answer): (PromptEstimate, u64),
        full: Option<Full>,
        shared: Option<Shared>,
        settings: Settings,
    ) -> Self {
        Self {
            bucket,
            prompt,
            answer,
            since: Instant::now(),
            step: None,
            full,
            granted: None,
            shared,
            settings,
        }
    }

    /// Waits until it may pass, or says that it may not.
    fn poll_pass<R: LlmRequest>(
        &mut self,
        request: &Request<R>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Grant, LayerError>> {
        loop {
            let mut place = None;
            if let Some(step) = &mut self.step {
                let end = ready!(step.as_mut().poll(cx));
                self.step = None;
                match end {
                    StepEnd::Time => {}
                    StepEnd::Place(had) => place = had,
                    StepEnd::Shared(Ok(hold)) => {
                        let Some(grant) = self.granted.take() else {
                            return Poll::Pending;
                        };
                        self.report(request, hold.limits_used());
                        return Poll::Ready(Ok(grant.with_shared(hold)));
                    }
                    StepEnd::Shared(Err(full)) => {
                        self.granted = None;
                        self.report_refusal(request, &full);
                        self.full = Some(Full::Shared(full));
                    }
                }
            }
            let tokens = self.prompt.tokens().saturating_add(self.answer);
            let full = match self.full.take() {
                Some(full) => full,
                None => match (self.bucket.admit(tokens, place), &self.shared) {
                    (Ok(grant), None) => {
                        self.bucket.wake_next();
                        return Poll::Ready(Ok(grant));
                    }
                    (Ok(grant), Some(shared)) => {
                        self.granted = Some(grant);
                        let admitting = shared.store.admit(&shared.key, &shared.limits, tokens);
                        self.step = Some(Box::pin(async move { StepEnd::Shared(admitting.await) }));
                        continue;
                    }
                    (Err(full), _) => full,
                },
            };
            self.step = Some(self.next_step(full, request.body())?);
        }
    }

    /// Fills the request's report with what the store has counted. A call that waits passes later, with other numbers: the last ones count, so
    /// nothing is reported before the wait is over.
    fn report<R>(&self, request: &Request<R>, used: Option<LimitUse>) {
        let report = request.extensions().get::<LimitReport>();
        if let (true, Some(report), Some(used), Some(shared)) = (self.settings.reports, report, used, &self.shared) {
            report.shared(shared.limits, used);
        }
    }

    /// The same of a call that will not wait.
    fn report_refusal<R: LlmRequest>(&self, request: &Request<R>, full: &LimitWait) {
        let left = self.time_left(request.body());
        if full.wait > left || left.is_zero() {
            self.report(request, full.used);
        }
    }

    fn time_left<R: LlmRequest>(&self, request: &R) -> Duration {
        let left = self.settings.max_wait.saturating_sub(self.since.elapsed());
        request.call().remaining().map_or(left, |until| until.min(left))
    }

    /// What to wait for now, if there is time for it.
    fn next_step<R: LlmRequest>(&self, full: Full, request: &R) -> Result<Step, LayerError> {
        let left = self.time_left(request);
        match full {
            Full::Rate(RateWait {
                time,
                limit,
                is_claimed,
            }) if left.is_zero() || (time > left && !is_claimed) => {
                let (_, unit, _) = limit;
                metering::refused(QUEUE, unit);
                tracing::info!(retry_after = ?time, limit = unit, "rate limited");
                Err(LayerError::RateLimited {
                    limit: Some(limit),
                    retry_after: Some(time),
                })
            }
            Full::Shared(full) if full.wait > left || left.is_zero() => Err(refused(full)),
            Full::NoPlace(_) if left.is_zero() => {
                // A place may be free soon; the rates must let the call pass then, too.
                let tokens = self.prompt.tokens().saturating_add(self.answer);
                let rates = self.bucket.rate_wait(tokens).map(|wait| wait.time);
                let wait = rates.unwrap_or_default().max(SOON);
                metering::refused(QUEUE, "concurrency");
                tracing::info!(retry_after = ?wait, limit = "concurrency", "rate limited");
                Err(LayerError::RateLimited {
                    limit: None,
                    retry_after: Some(wait),
                })
            }
            Full::Rate(RateWait { time, .. }) => {
                let (until, bucket) = (passes_at(time, left), Arc::clone(&self.bucket));
                Ok(Box::pin(async move {
                    bucket.freed_or(until).await;
                    StepEnd::Time
                }))
            }
            Full::Shared(LimitWait { wait, .. }) => {
                let until = passes_at(wait, left);
                Ok(Box::pin(async move {
                    tokio::time::sleep_until(until).await;
                    StepEnd::Time
                }))
            }
            Full::NoPlace(places) => Ok(Box::pin(async move {
                // Never closed; the next check reports that time is up.
                let place = tokio::time::timeout(left, places.acquire_owned()).await;
                StepEnd::Place(place.ok().and_then(Result::ok))
            })),
        }
    }
}

/// When a call looks again that waits for so long, and has so much time left. Calls that wait for the same instant pass one after another.
fn passes_at(wait: Duration, left: Duration) -> Instant {
    let wait = wait.min(left);
    let spread = (wait / 10).min(left.saturating_sub(wait));
    after(Instant::now(), wait + spread.mul_f64(fastrand::f64()))
}

/// A refusal by what several processes share.
fn refused(full: LimitWait) -> LayerError {
    let (limit, retry_after) = match full.reason {
        WaitReason::Rate { amount, unit, per } => (Some((amount, unit, per)), Some(full.wait)),
        WaitReason::Concurrency => (None, Some(full.wait.max(SOON))),
        WaitReason::StoreDown { cause } => {
            metering::refused(QUEUE, "store_down");
            return LayerError::LimitsDown { cause };
        }
    };
    metering::refused(QUEUE, limit.map_or("concurrency", |(_, unit, _)| unit));
    tracing::info!(
        ?retry_after,
        limit = limit.map_or("concurrency", |(_, unit, _)| unit),
        "rate limited"
    );
    LayerError::RateLimited { limit, retry_after }
}

impl fmt::Debug for RateLimitWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitWait")
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

impl<R, E> Admit<R, E> for RateLimitWait
where
    R: LlmRequest,
    E: Failure + From<LayerError>,
{
    type Respond = RateLimitGuard;

    fn poll_admit(&mut self, request: &mut Request<R>, cx: &mut Context<'_>) -> Poll<Result<RateLimitGuard, E>> {
        let granted = ready!(self.poll_pass(request, cx));
        Poll::Ready(match granted {
            Ok(grant) => {
                let grant = grant.of_turn(request.body().call().turn_handle());
                metering::waited(QUEUE, self.since.elapsed());
                tracing::debug!(waited = ?self.since.elapsed(), "rate limit passed");
                Ok(RateLimitGuard(Some((grant, self.prompt))))
            }
            Err(refusal) => {
                let mut error = E::from(refusal);
                error.marks_mut().set_local();
                Err(error)
            }
        })
    }
}

/// What a call took of the limits, and the tokens of its prompt; `None` without a limit.
#[derive(Debug)]
pub struct RateLimitGuard(pub(super) Option<(Grant, PromptEstimate)>);

impl InSpan for RateLimitGuard {}

impl<B, E> Respond<Response<B>, E> for RateLimitGuard
where
    B: http_body::Body<Error = E>,
    B::Data: Frame,
{
    type Response = Response<RateLimitBody<B>>;

    fn respond(self, result: Result<Response<B>, E>) -> Result<Self::Response, E> {
        match result {
            Ok(response) => Ok(response.map(|body| WatchBody::new(body, TokensWatch::new(self.0)))),
            Err(error) => {
                if let Some((mut grant, _)) = self.0 {
                    grant.used(0);
                }
                Err(error)
            }
        }
    }
}

//! A call that passes, waits for its turn, or is refused.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use pin_project::pin_project;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use tower_service::Service;

use super::{
    LimitHold, LimitStore, LimitWait, Limits, RateLimitBody, WaitReason,
    bucket::{Bucket, Full, Grant},
    layer::Settings,
    watch::TokensWatch,
};
use crate::{Failure, Frame, LayerError, LlmRequest, metering, watch::WatchBody};

/// Its name among the queues.
const QUEUE: &str = "rate_limit";

/// When a refused call may try again for a place: a call in flight may end at any time.
const SOON: Duration = Duration::from_secs(1);

/// The future of [`RateLimit`](super::RateLimit).
#[pin_project]
pub struct RateLimitFuture<S, Q>
where
    S: Service<Q>,
{
    #[pin]
    state: State<S, Q, S::Future>,
    settings: Settings,
}

#[pin_project(project = StateProjection, project_replace = StateOwned)]
enum State<S, Q, F> {
    Waiting(Box<Queued<S, Q>>),
    Passed(#[pin] F, Option<(Grant, u64)>),
    Ended,
}

/// A call that waits for its turn.
struct Queued<S, Q> {
    service: S,
    request: Q,
    bucket: Arc<Bucket>,
    prompt: u64,
    answer: u64,
    since: Instant,
    /// What it waits for; `None` at first and after each wait.
    step: Option<Step>,
    full: Option<Full>,
    /// Passed here, and not yet in the store that others share.
    granted: Option<Grant>,
    shared: Option<Shared>,
}

/// The shared store that counts in addition to the bucket of this process.
pub(super) struct Shared {
    pub(super) store: Arc<dyn LimitStore>,
    pub(super) key: Arc<str>,
    pub(super) limits: Limits,
}

type Step = Pin<Box<dyn Future<Output = StepEnd> + Send>>;

/// What a wait ended with.
enum StepEnd {
    Time,
    Place(Option<OwnedSemaphorePermit>),
    Shared(Result<Box<dyn LimitHold>, LimitWait>),
}

impl<S, R> RateLimitFuture<S, Request<R>>
where
    S: Service<Request<R>>,
{
    pub(super) const fn passed(future: S::Future, grant: Option<(Grant, u64)>, settings: Settings) -> Self {
        Self {
            state: State::Passed(future, grant),
            settings,
        }
    }

    pub(super) fn waiting(
        service: S,
        request: Request<R>,
        bucket: Arc<Bucket>,
        (prompt, answer): (u64, u64),
        full: Option<Full>,
        shared: Option<Shared>,
        settings: Settings,
    ) -> Self {
        let since = Instant::now();
        let queued = Queued {
            service,
            request,
            bucket,
            prompt,
            answer,
            since,
            step: None,
            full,
            granted: None,
            shared,
        };
        Self {
            state: State::Waiting(Box::new(queued)),
            settings,
        }
    }
}

impl<S, R: LlmRequest> Queued<S, Request<R>> {
    /// Waits until it may pass, or says that it may not.
    fn poll_pass(&mut self, cx: &mut Context<'_>, settings: Settings) -> Poll<Result<Grant, LayerError>> {
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
                        return Poll::Ready(Ok(grant.with_shared(hold)));
                    }
                    StepEnd::Shared(Err(full)) => {
                        self.granted = None;
                        self.full = Some(Full::Shared(full));
                    }
                }
            }
            let tokens = self.prompt.saturating_add(self.answer);
            let full = match self.full.take() {
                Some(full) => full,
                None => match (self.bucket.admit(tokens, place), &self.shared) {
                    (Ok(grant), None) => return Poll::Ready(Ok(grant)),
                    (Ok(grant), Some(shared)) => {
                        self.granted = Some(grant);
                        let admitting = shared.store.admit(&shared.key, &shared.limits, tokens);
                        self.step = Some(Box::pin(async move { StepEnd::Shared(admitting.await) }));
                        continue;
                    }
                    (Err(full), _) => full,
                },
            };
            self.step = Some(self.next_step(full, settings)?);
        }
    }

    /// What to wait for now, if there is time for it.
    fn next_step(&self, full: Full, settings: Settings) -> Result<Step, LayerError> {
        let left = settings.max_wait.saturating_sub(self.since.elapsed());
        let left = self
            .request
            .body()
            .call()
            .remaining()
            .map_or(left, |until| until.min(left));
        match full {
            Full::For(wait, limit) if wait > left || left.is_zero() => {
                let (_, unit, _) = limit;
                metering::refused(QUEUE, unit);
                tracing::info!(retry_after = ?wait, limit = unit, "rate limited");
                Err(LayerError::RateLimited {
                    limit: Some(limit),
                    retry_after: Some(wait),
                })
            }
            Full::Shared(full) if full.wait > left || left.is_zero() => Err(refused(full)),
            Full::NoPlace(_) if left.is_zero() => {
                metering::refused(QUEUE, "concurrency");
                tracing::info!(limit = "concurrency", "rate limited");
                Err(LayerError::RateLimited {
                    limit: None,
                    retry_after: Some(SOON),
                })
            }
            Full::For(wait, _) | Full::Shared(LimitWait { wait, .. }) => {
                // Calls that wait for the same instant pass one after another.
                let spread = (wait / 10).min(left - wait).mul_f64(fastrand::f64());
                let until = Instant::now() + wait + spread;
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

/// A refusal by what several processes share.
fn refused(full: LimitWait) -> LayerError {
    let (limit, retry_after) = match full.reason {
        WaitReason::Rate { amount, unit, per } => (Some((amount, unit, per)), Some(full.wait)),
        WaitReason::Concurrency => (None, Some(SOON)),
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

impl<S, Q> fmt::Debug for RateLimitFuture<S, Q>
where
    S: Service<Q>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = matches!(self.state, State::Waiting(_));
        f.debug_struct("RateLimitFuture")
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}

impl<S, R, B> Future for RateLimitFuture<S, Request<R>>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
    B: http_body::Body<Error = S::Error>,
    B::Data: Frame,
{
    type Output = Result<Response<RateLimitBody<B>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Waiting(queued) => {
                    let granted = ready!(queued.poll_pass(cx, *this.settings));
                    let StateOwned::Waiting(queued) = this.state.as_mut().project_replace(State::Ended) else {
                        return Poll::Pending;
                    };
                    let Queued {
                        mut service,
                        request,
                        prompt,
                        since,
                        ..
                    } = *queued;
                    match granted {
                        Ok(grant) => {
                            let grant = grant.of_turn(request.body().call().turn_handle());
                            metering::waited(QUEUE, since.elapsed());
                            tracing::debug!(waited = ?since.elapsed(), "rate limit passed");
                            this.state
                                .set(State::Passed(service.call(request), Some((grant, prompt))));
                        }
                        Err(refusal) => {
                            let mut error = S::Error::from(refusal);
                            error.marks_mut().set_local();
                            return Poll::Ready(Err(error));
                        }
                    }
                }
                StateProjection::Passed(future, grant) => {
                    let result = ready!(future.poll(cx));
                    let grant = grant.take();
                    this.state.set(State::Ended);
                    return Poll::Ready(match result {
                        Ok(response) => Ok(response.map(|body| WatchBody::new(body, TokensWatch::new(grant)))),
                        Err(error) => {
                            if let Some((mut grant, _)) = grant {
                                grant.used(0);
                            }
                            Err(error)
                        }
                    });
                }
                StateProjection::Ended => return Poll::Pending,
            }
        }
    }
}

//! Makes a service ready, calls it, reads its answer.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::Instant;
use tower::{Service, ServiceExt};
use tower_llm_layers::{AttemptLog, Candidate, LlmRequest, Stage, fallback::Chain};

use super::{TestError, TestFrame, TestRequest};

/// Waits for readiness, then calls. The body comes boxed, since one with a timer inside does not move.
pub(crate) async fn ask<S, B>(service: &S, request: Request<TestRequest>) -> Result<Response<Pin<Box<B>>>, TestError>
where
    S: Service<Request<TestRequest>, Response = Response<B>, Error = TestError> + Clone,
{
    let response = service.clone().oneshot(request).await?;
    Ok(response.map(Box::pin))
}

/// All that a body gave.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) stages: Vec<Stage>,
    pub(crate) error: Option<TestError>,
}

/// Reads a body to its end or its error, and once more after an error.
pub(crate) async fn read<B>(mut body: B) -> Reading
where
    B: Body<Data = TestFrame, Error = TestError> + Unpin,
{
    let mut reading = Reading {
        stages: Vec::new(),
        error: None,
    };
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => reading.stages.extend(frame.data_ref().map(|data| data.stage)),
            Err(error) => {
                reading.error = Some(error);
                break;
            }
        }
    }
    reading
}

/// The log of a response.
pub(crate) fn text<B>(response: &Response<B>) -> String {
    let log = response.extensions().get::<AttemptLog>();
    log.expect("the log is in the extensions").to_string()
}

/// What a future gives, and how long it took in virtual time.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let begun = Instant::now();
    let output = future.await;
    (output, begun.elapsed())
}

/// Polls once, without a task.
pub(crate) fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A model at the upstream `router`, unless it is written `upstream/model`.
pub(crate) fn candidate(name: &str) -> Candidate {
    let (upstream, model) = name.split_once('/').unwrap_or(("router", name));
    let candidate = Candidate::new(upstream, model).unwrap();
    match TestRequest::pool_of(upstream, model) {
        Some(pool) => candidate.with_pool(&pool),
        None => candidate,
    }
}

/// A chain of such candidates.
pub(crate) fn chain<const N: usize>(names: [&str; N]) -> Chain {
    Chain::new(names.map(candidate)).unwrap()
}

/// All of them, polled together.
pub(crate) async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, output) in &mut futures {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(cx)
            {
                *output = Some(ready);
            }
        }
        if futures.iter().all(|(_, output)| output.is_some()) {
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}

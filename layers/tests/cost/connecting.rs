//! A service below that tells when the request is written: an attempt that ends before that was not sent.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use tokio::time::{sleep, timeout};
use tower::{Service, ServiceBuilder, layer::layer_fn};
use tower_llm_layers::{
    AttemptHandle, FailureKind, LlmRequest, Outcome, Phase, attempt::AttemptLayer, deadline::DeadlineLayer,
    ledger::EntryOutcome, timeout::AttemptTimeoutLayer,
};

use super::{budgeted, up_to};
use crate::support::{Leaf, ScriptBody, Step, TestError, TestRequest, ask, fails, secs, usd};

/// How making a connection goes.
#[derive(Debug, Clone, Copy)]
enum Dial {
    /// It takes this long.
    Lasts(Duration),
    /// It fails after this long.
    Fails(Duration),
    /// As `Lasts`, by a service that says nothing of it.
    Silent(Duration),
}

/// A service that makes a connection before it sends, and the line of its last attempt.
#[derive(Clone)]
struct Dials {
    leaf: Leaf,
    dial: Dial,
    line: Arc<Mutex<Option<AttemptHandle>>>,
}

impl Service<Request<TestRequest>> for Dials {
    type Response = Response<ScriptBody>;
    type Error = TestError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ScriptBody>, TestError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TestError>> {
        self.leaf.poll_ready(cx)
    }

    fn call(&mut self, request: Request<TestRequest>) -> Self::Future {
        let clone = self.leaf.clone();
        let mut leaf = std::mem::replace(&mut self.leaf, clone);
        let line = request.body().call().attempt().unwrap();
        *self.line.lock().unwrap() = Some(line.clone());
        let dial = self.dial;
        if !matches!(dial, Dial::Silent(_)) {
            line.connecting();
        }
        Box::pin(async move {
            match dial {
                Dial::Lasts(time) => {
                    sleep(time).await;
                    assert!(line.sending());
                }
                Dial::Fails(time) => {
                    sleep(time).await;
                    assert!(line.sending());
                    return Err(fails(FailureKind::Connect));
                }
                Dial::Silent(time) => sleep(time).await,
            }
            leaf.call(request).await
        })
    }
}

fn dials(dial: Dial) -> Dials {
    Dials {
        leaf: Leaf::new([Step::Hang]),
        dial,
        line: Arc::default(),
    }
}

/// The caller leaves, a deadline passes, or the attempt's own timeout: streamed and plain.
#[tokio::test(start_paused = true)]
async fn what_ends_before_its_connection_is_had_was_not_sent() {
    for streaming in [true, false] {
        for (total, limit) in [(60, 60), (5, 60), (60, 5)] {
            let what = format!("deadline {total} s, timeout {limit} s, streamed: {streaming}");
            let (cost, book, kept) = budgeted("1");
            let dials = dials(Dial::Lasts(secs(30)));
            let (probe, line) = (dials.leaf.probe(), Arc::clone(&dials.line));
            let service = ServiceBuilder::new()
                .layer(DeadlineLayer::new(secs(total)))
                .layer(AttemptLayer::new())
                .layer(AttemptTimeoutLayer::new(secs(limit)).last_candidate_grace(Duration::ZERO))
                .layer(cost)
                .service(dials);
            let mut request = up_to("a", 100);
            request.body_mut().streaming = streaming;
            let left = timeout(secs(10), ask(&service, request)).await;
            if let Ok(result) = left {
                let error = result.err().unwrap();
                assert!(
                    matches!(
                        error.kind,
                        FailureKind::Timeout(Phase::Deadline | Phase::FirstToken | Phase::Response)
                    ),
                    "{what}: {error:?}"
                );
                let log = error.log();
                assert_eq!((log.sent(), log.cost()), (0, None), "{what}");
                assert_ne!(log.attempts()[0].outcome, Outcome::Waiting, "{what}");
            }
            assert_eq!((probe.calls(), kept.entries().len()), (0, 0), "{what}");
            let [account] = &book.accounts()[..] else {
                unreachable!()
            };
            assert_eq!((account.settled, account.reserved), (usd("0"), usd("0")), "{what}");
            // A task that still holds the request learns that it must not be sent.
            let line = line.lock().unwrap().take().unwrap();
            assert!(!line.sending(), "{what}");
        }
    }
}

/// After that it counts as before; so does one of a service that says nothing.
#[tokio::test(start_paused = true)]
async fn what_ends_after_it_was_written_was_sent() {
    for dial in [Dial::Lasts(secs(1)), Dial::Silent(secs(30))] {
        let (cost, book, kept) = budgeted("1");
        let service = ServiceBuilder::new()
            .layer(AttemptLayer::new())
            .layer(cost)
            .service(dials(dial));
        let left = timeout(secs(10), ask(&service, up_to("a", 100))).await;
        assert!(left.is_err());
        let entry = kept.only();
        assert_eq!(entry.outcome, EntryOutcome::Dropped, "{dial:?}");
        assert!(entry.recorded > usd("0"), "{dial:?}: {entry:?}");
        let [account] = &book.accounts()[..] else {
            unreachable!()
        };
        assert_eq!(
            (account.settled, account.reserved),
            (entry.recorded, usd("0")),
            "{dial:?}"
        );
    }
}

/// An upstream that cannot be reached is an attempt that failed, and costs nothing.
#[tokio::test(start_paused = true)]
async fn a_connection_that_fails_is_an_attempt() {
    let (cost, _, kept) = budgeted("1");
    let service = ServiceBuilder::new()
        .layer(AttemptLayer::new())
        .layer(cost)
        .service(dials(Dial::Fails(secs(1))));
    let error = ask(&service, up_to("a", 100)).await.err().unwrap();
    assert_eq!((error.kind, error.log().sent()), (FailureKind::Connect, 1));
    assert_eq!(kept.only().recorded, usd("0"));
}

/// A service of the user's own between, which gives up on the first connection and makes another one: each exchange has its own line.
#[tokio::test(start_paused = true)]
async fn a_repeated_exchange_tells_of_itself() {
    let (cost, _, kept) = budgeted("1");
    let service = ServiceBuilder::new()
        .layer(AttemptLayer::new())
        .layer(layer_fn(Impatient))
        .layer(cost)
        .service(dials(Dial::Lasts(secs(3))));
    let error = ask(&service, up_to("a", 100)).await.err().unwrap();
    assert_eq!(error.kind, FailureKind::Internal);
    let sent: Vec<bool> = error.log().attempts().iter().map(|line| line.is_sent).collect();
    assert_eq!(sent, [false, true]);
    assert_eq!(kept.only().attempt, 2);
}

/// Waits a second for the first exchange, and five for the second one.
#[derive(Clone)]
struct Impatient<S>(S);

impl<S> Service<Request<TestRequest>> for Impatient<S>
where
    S: Service<Request<TestRequest>, Future: Send, Error = TestError, Response: Send> + Clone + Send + 'static,
{
    type Response = S::Response;
    type Error = TestError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, TestError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TestError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<TestRequest>) -> Self::Future {
        let clone = self.0.clone();
        let mut ready = std::mem::replace(&mut self.0, clone);
        Box::pin(async move {
            for patience in [1, 5] {
                std::future::poll_fn(|cx| ready.poll_ready(cx)).await?;
                if let Ok(result) = timeout(secs(patience), ready.call(request.clone())).await {
                    return result;
                }
            }
            Err(fails(FailureKind::Internal))
        })
    }
}

//! What was refused on our side, by a budget, a price list, a missing key or a middleware of the user's, counts nowhere as an attempt; nor does
//! what ended while it waited for a connection.

use std::{
    future::{Pending, Ready, pending, ready},
    sync::Arc,
};

use futures_util::future::Either;
use http::Request;
use tower::{Layer, ServiceBuilder};
use tower_llm_layers::{
    FailureKind, LlmRequest,
    attempt::AttemptLayer,
    auth::{ApiKey, AuthLayer, Keys},
    budget::{Budget, Budgets},
    cost::CostLayer,
    fallback::FallbackLayer,
    observe::{ObserveLayer, names as n},
    timeout::AttemptTimeoutLayer,
};

use super::{answer, attempts, fields, operation, recorder::record, stream};
use crate::support::{Leaf, Prices, Step, TestRequest, ask, chain, fails, log, read, secs};

/// Who refuses the first candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// The budget, which the second one fits into.
    Budget,
    /// The price list: it does not have the first one, and a budget applies.
    Price,
    /// The keys: there is none for its upstream.
    Key,
    /// A middleware of the user's, around the attempt.
    Middleware,
    /// No attempt was sent: no connection is had before the attempt's time is over.
    Connection,
}

impl Refused {
    const ALL: [Self; 5] = [Self::Budget, Self::Price, Self::Key, Self::Middleware, Self::Connection];

    const fn first(self) -> &'static str {
        match self {
            Self::Budget => "a/costly",
            Self::Price => "a/unknown",
            Self::Key | Self::Middleware | Self::Connection => "a/m",
        }
    }
}

/// How often each metric of this name was recorded, and the sum.
fn counted(recorded: &std::collections::BTreeMap<String, super::recorder::Series>, name: &str) -> (usize, f64) {
    let own = recorded.iter().filter(|(key, _)| key.split('{').next() == Some(name));
    let values: Vec<f64> = own.flat_map(|(_, series)| series.values.clone()).collect();
    (values.len(), values.iter().sum())
}

/// Calls once with the second candidate or without it, and checks how many attempts are recorded everywhere.
async fn refuse(how: Refused, has_second: bool) {
    log::listen();
    let recorded = record();
    let leaf = Leaf::new([Step::body(answer())]);
    let probe = leaf.probe();
    let key = || ApiKey::new("sk-the-key").unwrap();
    let keys = Keys::new().upstream("b", key());
    let keys = if how == Refused::Key {
        keys
    } else {
        keys.upstream("a", key())
    };
    let cap = if how == Refused::Budget { "0.01" } else { "100" };
    let cost = CostLayer::new()
        .prices(Arc::new(Prices))
        .budgets(Budgets::new([Budget::usd("all", cap).unwrap()]).unwrap());
    let below = ServiceBuilder::new()
        .layer(cost)
        .layer(AuthLayer::new(keys))
        .service(leaf);
    let middleware = Around { inner: below, how };
    let attempt = AttemptLayer::new().layer(AttemptTimeoutLayer::new(secs(1)).layer(middleware));
    let chain = if has_second {
        chain([how.first(), "b/m"])
    } else {
        chain([how.first()])
    };
    let service = ObserveLayer::new().layer(FallbackLayer::new(chain).layer(attempt));
    let mut request = stream("m");
    request.body_mut().model = None;
    request.body_mut().needs.most_prompt_tokens = 100;
    let result = ask(&service, request).await;
    assert_eq!(result.is_ok(), has_second, "{how:?}");
    if let Ok(response) = result {
        read(response.into_body()).await;
    }

    let sent = usize::from(has_second);
    assert_eq!(probe.calls(), sent, "{how:?}");
    let numbers = recorded.take();
    // All calls share this budget.
    let is_the_service = |name: &String| name.starts_with("llm.operations{") && name.contains("llm.fault=service");
    let is_budget = how == Refused::Budget && !has_second;
    assert!(!is_budget || numbers.keys().any(is_the_service), "{how:?}");
    #[expect(clippy::cast_precision_loss, reason = "none or one")]
    let amplification = (1, sent as f64);
    assert_eq!(counted(&numbers, n::OPERATION_ATTEMPTS), amplification, "{how:?}");
    assert_eq!(counted(&numbers, n::ATTEMPTS_ENDED).0, sent, "{how:?}");
    assert_eq!(counted(&numbers, n::ATTEMPT_DURATION).0, sent, "{how:?}");
    assert_eq!(
        counted(&numbers, n::FALLBACKS).0,
        0,
        "{how:?}: the second is the first that was sent"
    );
    assert_eq!(counted(&numbers, n::RETRIES).0, 0, "{how:?}");
    assert_eq!(log::one("operation ended")["attempts"], sent.to_string(), "{how:?}");
    let span = fields(&operation(), [n::ATTEMPTS, n::FALLBACK_COUNT]);
    assert_eq!(
        span,
        [format!("{}={sent}", n::ATTEMPTS), format!("{}=-", n::FALLBACK_COUNT)],
        "{how:?}"
    );
    let outcomes: Vec<String> = attempts()
        .iter()
        .map(|span| fields(span, [n::OUTCOME]).join(""))
        .collect();
    let answered = has_second.then_some("llm.outcome=answered");
    let expected: Vec<&str> = std::iter::once("llm.outcome=not_sent").chain(answered).collect();
    assert_eq!(outcomes, expected, "{how:?}");
}

/// A middleware around the attempt: it refuses the upstream `a` if it is its turn to.
#[derive(Clone)]
struct Around<S> {
    inner: S,
    how: Refused,
}

impl<S> tower::Service<Request<TestRequest>> for Around<S>
where
    S: tower::Service<Request<TestRequest>, Error = crate::support::TestError>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future =
        Either<S::Future, Either<Ready<Result<S::Response, S::Error>>, Pending<Result<S::Response, S::Error>>>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<TestRequest>) -> Self::Future {
        let call = request.body().call();
        let is_its_own = call.candidate().is_some_and(|candidate| candidate.upstream() == "a");
        if self.how == Refused::Middleware && is_its_own {
            call.attempt().unwrap().not_sent();
            return Either::Right(Either::Left(ready(Err(fails(FailureKind::Overloaded)))));
        }
        if self.how == Refused::Connection && is_its_own {
            call.attempt().unwrap().connecting();
            return Either::Right(Either::Right(pending()));
        }
        Either::Left(self.inner.call(request))
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_attempt_before_a_fallback_counts_nowhere() {
    for how in Refused::ALL {
        refuse(how, true).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_whose_attempts_were_all_refused_has_none() {
    for how in Refused::ALL {
        refuse(how, false).await;
    }
}

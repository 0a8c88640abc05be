//! What is recorded of operations and attempts: in spans, and in the `metrics` facade.

#[cfg(feature = "metrics")]
mod between;
mod failing;
mod leaving;
mod lines;
mod names;
mod no_model;
#[cfg(feature = "metrics")]
mod numbers;
#[cfg(feature = "metrics")]
mod recorder;
mod resumed;
#[cfg(all(feature = "metrics", feature = "cache"))]
mod shared;
mod spans;
#[cfg(feature = "metrics")]
mod standing;
#[cfg(all(feature = "metrics", feature = "auth", feature = "cost"))]
mod unsent;
mod values;

use std::{sync::Arc, time::Duration};

use http::{Request, Response};
use http_body::Body;
use tower::{Service, ServiceBuilder};
use tower_llm_layers::{
    FailureKind, Stage, Tags,
    attempt::AttemptLayer,
    cost::CostLayer,
    deadline::DeadlineLayer,
    degrade::{Degradation, DegradeLayer},
    fallback::{Chain, FallbackLayer},
    first_token::FirstTokenLayer,
    observe::ObserveLayer,
    retry::RetryLayer,
    timeout::AttemptTimeoutLayer,
};

use crate::support::{
    Beat, Leaf, Prices, TestError, TestFrame, TestRequest, charged,
    log::{self, SpanHeard},
    plain, secs, streamed,
};

/// A canned reply, if there is one.
#[derive(Debug, Clone, Copy)]
struct Canned(bool);

impl Degradation<TestRequest, TestFrame> for Canned {
    fn canned(&self, _: &Request<TestRequest>, _: FailureKind) -> Option<Vec<TestFrame>> {
        self.0
            .then(|| vec![TestFrame::of(Stage::Content), TestFrame::of(Stage::Finish)])
    }
}

/// All layers that are observed, in their order, over an inner service.
#[derive(Clone)]
struct Stack {
    chain: Chain,
    canned: bool,
    observe: ObserveLayer,
}

impl Stack {
    fn of(chain: Chain) -> Self {
        Self {
            chain,
            canned: false,
            observe: ObserveLayer::new(),
        }
    }

    fn over(
        self,
        leaf: Leaf,
    ) -> impl Service<
        Request<TestRequest>,
        Response = Response<impl Body<Data = TestFrame, Error = TestError> + Send + std::fmt::Debug>,
        Error = TestError,
        Future: Send,
    > + Clone {
        let retry = RetryLayer::new().max_attempts(2);
        ServiceBuilder::new()
            .layer(self.observe)
            .layer(DegradeLayer::new(Canned(self.canned)))
            .layer(DeadlineLayer::new(secs(90)))
            .layer(FallbackLayer::new(self.chain))
            .layer(retry)
            .layer(AttemptLayer::new())
            .layer(AttemptTimeoutLayer::new(secs(10)))
            .layer(FirstTokenLayer::new())
            .layer(CostLayer::new().prices(Arc::new(Prices)))
            .service(leaf)
    }
}

/// Asks for this model, with a prompt of a hundred tokens, for two teams' tags.
fn asks(model: &str, mut request: Request<TestRequest>) -> Request<TestRequest> {
    let body = request.body_mut();
    body.model = Some(model.to_owned());
    body.max_tokens = Some(500);
    body.needs.prompt_tokens = 100;
    body.call
        .set_tags(Tags::new([("team", "search"), ("tenant", "the secret tenant")]).unwrap());
    request
}

fn stream(model: &str) -> Request<TestRequest> {
    asks(model, streamed())
}

fn whole(model: &str) -> Request<TestRequest> {
    asks(model, plain())
}

/// An answer of three frames that show something, a second apart, after two seconds; then the bill.
fn answer() -> Vec<Beat> {
    let content = || Beat::Frame(Stage::Content);
    let second = || Beat::Pause(Duration::from_secs(1));
    vec![
        Beat::Frame(Stage::Preamble),
        second(),
        second(),
        content(),
        second(),
        content(),
        second(),
        content(),
        Beat::Frame(Stage::Finish),
        charged(100, 20, "0.25"),
    ]
}

/// The one operation.
fn operation() -> SpanHeard {
    let mut found = named("llm operation");
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

/// The attempts, in their order; each hangs on the operation.
fn attempts() -> Vec<SpanHeard> {
    named("llm attempt")
}

fn named(name: &str) -> Vec<SpanHeard> {
    log::spans().into_iter().filter(|span| span.name == name).collect()
}

/// These fields of a span, a line each; `-` if it has none of that name.
fn fields<const N: usize>(span: &SpanHeard, names: [&str; N]) -> Vec<String> {
    let told = |name: &str| span.fields.get(name).map_or("-", String::as_str).to_owned();
    names.into_iter().map(|name| format!("{name}={}", told(name))).collect()
}

//! Layers of tower and of tower-http around a stack, and in the middle of one.

use std::{
    any::type_name,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use tower::{
    BoxError, Layer, Service, ServiceBuilder, ServiceExt, buffer::BufferLayer, limit::ConcurrencyLimitLayer,
    load_shed::LoadShedLayer, timeout::TimeoutLayer, util::MapRequestLayer,
};
use tower_http::{
    cors::CorsLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    sensitive_headers::SetSensitiveRequestHeadersLayer,
    set_header::{SetRequestHeaderLayer, SetResponseHeaderLayer},
    trace::TraceLayer,
    validate_request::ValidateRequestHeaderLayer,
};
use tower_openrouter::{
    Answer, ApiRequest, ChatFrame, ChatServiceExt, Error, FailureKind, Outcome, Phase, Stack, UsdAmount,
    layers::{Advice, FallbackAdvice, LlmRequest, RetryAdvice, fallback::Hedge},
    stack::{StackBody, StackBuilder},
};

use crate::support::{FIRST, SECOND, World, ask, call};

const NAME: HeaderName = HeaderName::from_static("x-team");

fn named<T>(mut request: Request<T>) -> Request<T> {
    request.headers_mut().insert(NAME, HeaderValue::from_static("search"));
    request
}

fn second() -> Duration {
    Duration::from_secs(1)
}

/// Each around a stack: what compiles here did not before, or not in minutes.
#[tokio::test(start_paused = true)]
async fn layers_of_tower_stand_around_a_stack() {
    async fn answers<S, B>(service: S)
    where
        S: Service<Request<ApiRequest>, Response = http::Response<B>, Error: Into<BoxError>>,
        B: http_body::Body<Data = ChatFrame, Error = Error> + Send + 'static,
    {
        let response = service.oneshot(ask().into_http()).await.map_err(Into::into).unwrap();
        assert!(Answer::new(response).next_frame().await.unwrap().is_ok());
    }
    let world = World::new("GOOD").await;
    let stack = world.pair();
    answers(TimeoutLayer::new(second()).layer(stack.clone())).await;
    answers(BufferLayer::<Request<ApiRequest>>::new(8).layer(stack.clone())).await;
    answers(LoadShedLayer::new().layer(stack.clone())).await;
    answers(ConcurrencyLimitLayer::new(2).layer(stack.clone())).await;
    answers(MapRequestLayer::new(named::<ApiRequest>).layer(stack.clone())).await;
    answers(tower::util::BoxCloneService::new(stack.clone())).await;
    let mapped = stack
        .clone()
        .and_then(|response| async move { Ok::<_, Error>(response) });
    answers(mapped.then(|result| async move { result })).await;
    let several = ServiceBuilder::new()
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION]))
        .layer(SetRequestHeaderLayer::if_not_present(
            NAME,
            HeaderValue::from_static("search"),
        ))
        .layer(SetResponseHeaderLayer::if_not_present(
            NAME,
            HeaderValue::from_static("search"),
        ));
    let response = several.service(stack).oneshot(ask().into_http()).await.unwrap();
    assert_eq!(response.headers()[NAME], "search");
    assert!(response.headers().contains_key("x-request-id"));
}

/// What a wrapper compiles grows with the types that it sees. Those of a stack do not show its layers, however many there are.
#[tokio::test(start_paused = true)]
async fn the_types_of_a_stack_do_not_grow_with_its_layers() {
    fn types<S, B>(_: &S) -> [&'static str; 4]
    where
        S: Service<Request<ApiRequest>, Response = http::Response<B>>,
    {
        [
            type_name::<S>(),
            type_name::<S::Future>(),
            type_name::<B>(),
            type_name::<S::Error>(),
        ]
    }
    let world = World::new("GOOD").await;
    let with_all = (0..10).fold(world.builder().chain([FIRST, SECOND]), |builder, _| {
        builder
            .around_call(TimeoutLayer::new(second()))
            .around_attempt(TimeoutLayer::new(second()))
    });
    let stacks = [world.pair(), with_all.build().unwrap()];
    let [few, many] = stacks.each_ref().map(types);
    assert_eq!(few, many);
    for name in few {
        // With the paths of all names; one layer's type within is longer.
        assert!(name.len() < 250, "{} bytes: {name}", name.len());
    }
}

/// The same in the middle, once a call and once an attempt.
#[tokio::test(start_paused = true)]
async fn layers_of_tower_stand_inside_a_stack() {
    type Place = fn(StackBuilder, usize) -> StackBuilder;
    let around_call: Place = |builder, which| match which {
        0 => builder.around_call(TimeoutLayer::new(second())),
        1 => builder.around_call(BufferLayer::<Request<ApiRequest>>::new(8)),
        2 => builder.around_call(LoadShedLayer::new()),
        3 => builder.around_call(ConcurrencyLimitLayer::new(2)),
        4 => builder.around_call(MapRequestLayer::new(named::<ApiRequest>)),
        5 => builder.around_call(SetRequestIdLayer::x_request_id(MakeRequestUuid)),
        6 => builder.around_call(PropagateRequestIdLayer::x_request_id()),
        7 => builder.around_call(SetResponseHeaderLayer::if_not_present(
            NAME,
            HeaderValue::from_static("a"),
        )),
        8 => builder.around_call(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION])),
        _ => builder.around_call(SetRequestHeaderLayer::if_not_present(
            NAME,
            HeaderValue::from_static("a"),
        )),
    };
    let around_attempt: Place = |builder, which| match which {
        0 => builder.around_attempt(TimeoutLayer::new(second())),
        1 => builder.around_attempt(BufferLayer::<Request<ApiRequest>>::new(8)),
        2 => builder.around_attempt(LoadShedLayer::new()),
        3 => builder.around_attempt(ConcurrencyLimitLayer::new(2)),
        4 => builder.around_attempt(MapRequestLayer::new(named::<ApiRequest>)),
        5 => builder.around_attempt(SetRequestIdLayer::x_request_id(MakeRequestUuid)),
        6 => builder.around_attempt(PropagateRequestIdLayer::x_request_id()),
        7 => builder.around_attempt(SetResponseHeaderLayer::if_not_present(
            NAME,
            HeaderValue::from_static("a"),
        )),
        8 => builder.around_attempt(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION])),
        _ => builder.around_attempt(SetRequestHeaderLayer::if_not_present(
            NAME,
            HeaderValue::from_static("a"),
        )),
    };
    let world = World::new("503;no-hint,GOOD").await;
    for which in 0..10 {
        for place in [around_call, around_attempt] {
            let stack = place(world.builder().chain([FIRST]), which).build().unwrap();
            for streamed in [true, false] {
                world.simulator.plan(FIRST, "503;no-hint,ok").unwrap();
                let got = call(&stack, streamed, ask()).await;
                assert!(got.error.is_none() && !got.text.is_empty(), "{which}: {got:?}");
                assert_eq!(got.asked().len(), 2, "{which}: {got:?}");
            }
        }
    }
}

/// Counts calls, and waits in each before it continues.
#[derive(Clone)]
struct Waits {
    seen: Arc<AtomicUsize>,
    wait: Duration,
}

impl<S> Layer<S> for Waits {
    type Service = Waiting<S>;

    fn layer(&self, inner: S) -> Waiting<S> {
        Waiting {
            inner,
            waits: self.clone(),
        }
    }
}

#[derive(Clone)]
struct Waiting<S> {
    inner: S,
    waits: Waits,
}

impl<S> Service<Request<ApiRequest>> for Waiting<S>
where
    S: Service<Request<ApiRequest>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = futures_util::future::BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ApiRequest>) -> Self::Future {
        assert!(
            !request.headers().contains_key(header::AUTHORIZATION),
            "no layer sees the key"
        );
        self.waits.seen.fetch_add(1, Ordering::Relaxed);
        let clone = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, clone);
        let wait = self.waits.wait;
        Box::pin(async move {
            tokio::time::sleep(wait).await;
            ready.call(request).await
        })
    }
}

fn waits(wait: Duration) -> (Waits, Arc<AtomicUsize>) {
    let seen = Arc::new(AtomicUsize::new(0));
    let waits = Waits {
        seen: Arc::clone(&seen),
        wait,
    };
    (waits, seen)
}

/// A call of two attempts, the second after the first: each is seen once, and each one's cost is on its own line.
#[tokio::test(start_paused = true)]
async fn a_layer_in_the_middle_sees_each_attempt_and_leaves_its_cost_on_its_line() {
    let world = World::new("503;no-hint,GOOD").await;
    let (around_call, calls) = waits(Duration::from_millis(100));
    let (around_attempt, attempts) = waits(Duration::from_millis(200));
    let kept = crate::support::ledger::Kept::new();
    let stack = world
        .builder()
        .chain([FIRST, SECOND])
        .around_call(around_call)
        .around_attempt(around_attempt)
        .ledger(kept.clone())
        .build()
        .unwrap();
    for streamed in [true, false] {
        world.simulator.plan(FIRST, "503;no-hint,ok").unwrap();
        let got = call(&stack, streamed, ask()).await;
        assert!(got.error.is_none(), "{got:?}");
        let [failed, answered] = &got.lines[..] else {
            unreachable!("{got:?}");
        };
        assert!(matches!(failed.outcome, Outcome::Failed { .. }), "{failed:?}");
        assert_eq!((failed.number, answered.number), (1, 2));
        assert!(failed.cost.is_none_or(|cost| cost == UsdAmount::ZERO), "{failed:?}");
        assert!(answered.cost.unwrap() > UsdAmount::ZERO, "{answered:?}");
        let entry = kept.entries().pop().unwrap();
        assert_eq!((entry.attempt, Some(entry.cost())), (2, answered.cost));
    }
    assert_eq!(
        (calls.load(Ordering::Relaxed), attempts.load(Ordering::Relaxed)),
        (2, 4)
    );
}

/// The same of a hedge and the slow attempt that it overtakes, which are in flight at the same time.
#[tokio::test(start_paused = true)]
async fn a_layer_in_the_middle_sees_a_hedge_and_leaves_each_cost_on_its_line() {
    for (streamed, slow) in [(true, "first-token=9s;GOOD"), (false, "slow-headers=9s;GOOD")] {
        let world = World::new(slow).await;
        let (around_call, calls) = waits(Duration::from_millis(100));
        let (around_attempt, attempts) = waits(Duration::from_millis(200));
        let kept = crate::support::ledger::Kept::new();
        let stack = world
            .builder()
            .chain([FIRST, SECOND])
            .hedge(Hedge::after(Duration::from_secs(2)).ratio(1.0))
            .around_call(around_call)
            .around_attempt(around_attempt)
            .ledger(kept.clone())
            .build()
            .unwrap();
        let got = call(&stack, streamed, ask()).await;
        assert!(got.error.is_none(), "{got:?}");
        assert!(got.took < Duration::from_secs(4), "{got:?}");
        let [overtaken, hedge] = &got.lines[..] else {
            unreachable!("{got:?}");
        };
        assert_eq!(
            (overtaken.outcome, hedge.outcome),
            (Outcome::Dropped, Outcome::Answered)
        );
        assert_eq!((overtaken.number, hedge.number), (1, 2));
        assert!(hedge.cost.unwrap() > UsdAmount::ZERO, "{hedge:?}");
        let entries = kept.entries();
        assert_eq!(entries.len(), 2, "{entries:?}");
        for line in [overtaken, hedge] {
            let own = entries.iter().find(|entry| entry.attempt == line.number).unwrap();
            assert_eq!(&*own.model, line.candidate.as_ref().unwrap().model());
            assert_eq!(Some(own.cost()), line.cost, "{line:?}");
        }
        let seen = (calls.load(Ordering::Relaxed), attempts.load(Ordering::Relaxed));
        assert_eq!(seen, (1, 2));
    }
}

/// An error of another type is reported as what it is, and the stack's own comes through unchanged.
#[tokio::test(start_paused = true)]
async fn what_a_layer_in_the_middle_fails_with_is_classified() {
    let world = World::new("GOOD").await;
    // A wait of 3 s within an attempt's own limit of 1 s: a timeout, so the next candidate is called.
    let (slow, _) = waits(Duration::from_secs(3));
    let stack = world
        .builder()
        .chain([FIRST, SECOND])
        .around_attempt(TimeoutLayer::new(second()))
        .around_attempt(slow)
        .build()
        .unwrap();
    let got = call(&stack, true, ask()).await;
    assert_eq!(got.kind(), Some(FailureKind::Timeout(Phase::FirstToken)), "{got:?}");
    assert_eq!(got.took, Duration::from_secs(2), "{got:?}");
    assert_eq!(world.simulator.report().attempts.len(), 0);

    // A limit that sheds what is over it.
    let (slow, _) = waits(second());
    let stack = world
        .builder()
        .chain([FIRST])
        .around_call(LoadShedLayer::new())
        .around_call(ConcurrencyLimitLayer::new(1))
        .around_call(slow)
        .build()
        .unwrap();
    let (first, second) = tokio::join!(stack.complete(ask()), stack.complete(ask()));
    assert!(first.is_ok());
    assert_eq!(second.unwrap_err().kind(), FailureKind::ConcurrencyLimited);

    // One of its own.
    let refuses = tower::layer::layer_fn(|inner: tower_openrouter::stack::ErasedService<_, _, Error>| {
        inner
            .map_err(BoxError::from)
            .filter_map_request(|request: Request<ApiRequest>| {
                let model = request.body().model().unwrap_or_default();
                if model == FIRST {
                    let error: BoxError =
                        Error::new(FailureKind::ContextLengthExceeded, "too long for this one").into();
                    return Err(error);
                }
                Ok(request)
            })
    });
    let stack = world
        .builder()
        .chain([FIRST, SECOND])
        .around_attempt(refuses)
        .build()
        .unwrap();
    let got = call(&stack, true, ask()).await;
    assert!(got.error.is_none(), "{got:?}");
    let failed = &got.lines[0];
    assert!(format!("{failed:?}").contains("too long for this one"), "{failed:?}");
}

trait FilterMapRequest<Q>: Service<Q> + Sized {
    /// Fails, or calls with what the closure makes of the request.
    fn filter_map_request(self, check: fn(Q) -> Result<Q, BoxError>) -> Filtered<Self, Q> {
        Filtered { inner: self, check }
    }
}

impl<S: Service<Q>, Q> FilterMapRequest<Q> for S {}

struct Filtered<S, Q> {
    inner: S,
    check: fn(Q) -> Result<Q, BoxError>,
}

impl<S: Clone, Q> Clone for Filtered<S, Q> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            check: self.check,
        }
    }
}

impl<S, Q> Service<Q> for Filtered<S, Q>
where
    S: Service<Q, Error = BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = futures_util::future::Either<std::future::Ready<Result<S::Response, BoxError>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Q) -> Self::Future {
        match (self.check)(request) {
            Ok(request) => futures_util::future::Either::Right(self.inner.call(request)),
            Err(error) => futures_util::future::Either::Left(std::future::ready(Err(error))),
        }
    }
}

/// A refusal of the request is final by the table; this stack's owner knows better.
#[tokio::test(start_paused = true)]
async fn a_classifier_overrides_what_follows_from_a_failure() {
    let world = World::new("400").await;
    let got = call(&world.pair(), true, ask()).await;
    assert_eq!(
        (got.kind(), got.asked().len()),
        (Some(FailureKind::BadRequest), 1),
        "{got:?}"
    );

    let elsewhere = |error: &Error| -> Option<Advice> {
        let mut advice = error.kind().advice();
        (advice.retry, advice.fall_back) = (RetryAdvice::Never, FallbackAdvice::Any);
        (error.kind() == FailureKind::BadRequest).then_some(advice)
    };
    let stack = world
        .builder()
        .chain([FIRST, SECOND])
        .classify(elsewhere)
        .build()
        .unwrap();
    for streamed in [true, false] {
        let got = call(&stack, streamed, ask()).await;
        assert!(got.error.is_none(), "{got:?}");
        assert_eq!(got.asked(), [FIRST, SECOND]);
    }
    // And the other way round: what would be tried again is not.
    world.simulator.plan(FIRST, "503;no-hint,ok").unwrap();
    let never = |error: &Error| -> Option<Advice> {
        let mut advice = error.kind().advice();
        (advice.retry, advice.fall_back) = (RetryAdvice::Never, FallbackAdvice::Never);
        Some(advice)
    };
    let stack = world.builder().chain([FIRST, SECOND]).classify(never).build().unwrap();
    let got = call(&stack, true, ask()).await;
    assert_eq!(
        (got.kind(), got.asked().len()),
        (Some(FailureKind::Overloaded), 1),
        "{got:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_description_names_each_slot_and_which_are_off() {
    let world = World::new("GOOD").await;
    let stack = world.builder().chain([FIRST]).build().unwrap();
    let names: Vec<_> = stack
        .describe()
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let expected = "Tags Observe Degrade Deadline Cache TenantRateLimit around_call StreamUpstream Resume Fallback Retry \
                    Conformance CircuitBreaker AdaptiveConcurrency UpstreamRateLimit Attempt Timeout around_attempt FirstToken Cost Auth \
                    Transport";
    assert_eq!(names.join(" "), expected);
    let is_off = |stack: &Stack, name: &str| {
        let line = stack.describe().lines().find(|line| line.starts_with(name)).unwrap();
        line.ends_with(" off")
    };
    for name in [
        "Degrade",
        "Cache",
        "TenantRateLimit",
        "around_call",
        "Resume",
        "Conformance",
        "AdaptiveConcurrency",
        "around_attempt",
    ] {
        assert!(is_off(&stack, name), "{name}");
    }
    let stack = world
        .builder()
        .chain([FIRST])
        .around_call(LoadShedLayer::new())
        .around_attempt(LoadShedLayer::new())
        .build()
        .unwrap();
    assert!(!is_off(&stack, "around_call") && !is_off(&stack, "around_attempt"));
}

/// Around the endpoint: these need a body that is `Default`; a request to somewhere else, one that is `Sync`.
#[tokio::test(start_paused = true)]
async fn layers_of_tower_http_stand_around_the_endpoint() {
    let world = World::new("GOOD").await;
    let endpoint = || world.pair().into_openai_endpoint();
    let request = || {
        Request::post("/v1/chat/completions")
            .header(header::ACCEPT, "application/json")
            .body(Full::<bytes::Bytes>::from(ask().model(FIRST).to_bytes()))
            .unwrap()
    };
    let timed =
        tower_http::timeout::TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, second()).layer(endpoint());
    assert_eq!(timed.oneshot(request()).await.unwrap().status(), StatusCode::OK);
    let cors = CorsLayer::permissive().layer(endpoint());
    assert_eq!(cors.oneshot(request()).await.unwrap().status(), StatusCode::OK);
    let accepting = ValidateRequestHeaderLayer::accept("application/json").layer(endpoint());
    let response = accepting.oneshot(request()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let body = reqwest::Body::wrap(response.into_body());
    assert!(body.collect().await.unwrap().to_bytes().starts_with(b"{"));
    let traced = TraceLayer::new_for_http().layer(endpoint());
    assert_eq!(traced.oneshot(request()).await.unwrap().status(), StatusCode::OK);
    let marked = SetResponseHeaderLayer::if_not_present(NAME, HeaderValue::from_static("a")).layer(endpoint());
    assert_eq!(marked.oneshot(request()).await.unwrap().headers()[NAME], "a");
}

/// A stack, its future and its body go wherever an application wants them.
#[test]
fn all_of_it_is_send_and_sync() {
    fn is<T: Send + Sync + Unpin + 'static>() {}
    is::<Stack>();
    is::<StackBody>();
    is::<tower_openrouter::endpoint::EndpointBody>();
    fn is_sent<T: Send + Unpin + 'static>() {}
    is_sent::<tower_openrouter::stack::StackFuture>();
}

//! Invariant 12: there is no setting of the stack that is read and ignored. Those not here have a file of their own.

use std::time::Duration;

use crate::support::{
    FIRST, Got, SECOND, World, ask, call,
    raw::{Raw, Step, chunk, done, events},
};
use axum::{Router, http::StatusCode, response::Redirect, routing::post};
use tower::ServiceExt;
use tower_openrouter::{
    Api, ApiKey, EmbeddingRequest, FailureKind as K, Phase, Stack, Tags, WireRequest,
    layers::{
        fallback::RequestedModel,
        rate_limit::{Limits, Rate},
        retry::{Exponential, RetryBudget},
        timeout::MinThroughput,
    },
    stack::{StackBuilder, TenantKey},
    transport::{Dialect, Upstream},
};

/// One call in a chain of two, where the first follows this plan.
async fn with(plan: &str, change: impl FnOnce(StackBuilder) -> StackBuilder) -> Got {
    let world = World::new(plan).await;
    let stack = change(world.builder().chain([FIRST, SECOND])).build().unwrap();
    call(&stack, true, ask()).await
}

#[tokio::test(start_paused = true)]
async fn attempts_in_all_and_on_one_candidate() {
    let plan = "503;no-hint";
    assert_eq!(with(plan, |b| b).await.asked(), [FIRST, FIRST, SECOND]);
    assert_eq!(
        with(plan, |b| b.attempts_per_candidate(1)).await.asked(),
        [FIRST, SECOND]
    );
    assert_eq!(
        with(plan, |b| b.attempts_per_candidate(4)).await.asked(),
        [FIRST, FIRST, FIRST, FIRST, SECOND]
    );
    let capped = with(plan, |b| b.attempts(2)).await;
    assert_eq!(
        (capped.asked(), capped.kind()),
        (vec![FIRST, FIRST], Some(K::Overloaded))
    );
}

#[tokio::test(start_paused = true)]
async fn the_longest_wait() {
    let plan = "429;retry-after=8";
    assert_eq!(
        with(plan, |b| b.max_retry_delay(Duration::from_secs(9))).await.asked(),
        [FIRST, FIRST, SECOND]
    );
    assert_eq!(
        with(plan, |b| b.max_retry_delay(Duration::from_secs(7))).await.asked(),
        [FIRST, SECOND]
    );
    assert_eq!(
        with(plan, |b| b.max_retry_delay_with_fallback(Duration::from_secs(7)))
            .await
            .asked(),
        [FIRST, SECOND]
    );
    let alone = with(plan, |b| {
        b.max_retry_delay_with_fallback(Duration::from_secs(7)).chain([FIRST])
    })
    .await;
    assert_eq!(alone.asked(), [FIRST, FIRST], "no other can answer");
}

#[tokio::test(start_paused = true)]
async fn the_back_off() {
    let (base, max) = (Duration::from_secs(100), Duration::from_secs(100));
    let slow = with("503;no-hint", |b| {
        b.backoff(Exponential::new(base, max).seeded(3)).max_retry_delay(max)
    })
    .await;
    assert!(slow.took > Duration::from_secs(1), "{:?}", slow.took);
    assert!(with("503;no-hint", |b| b).await.took < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn the_retry_budget_is_shared_by_all_stacks_that_are_given_it() {
    let budget = RetryBudget::new(0.0, 1.0);
    let first = with("503;no-hint", |b| b.retry_budget(budget.clone())).await;
    assert_eq!(first.asked(), [FIRST, FIRST, SECOND]);
    // The one retry of this second is spent.
    let second = with("503;no-hint", |b| b.retry_budget(budget.clone())).await;
    assert_eq!(second.asked(), [FIRST, SECOND]);
    assert!(
        second
            .lines
            .iter()
            .any(|line| line.note.as_deref().is_some_and(|note| note.contains("retry ratio")))
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_falls_back_only_if_allowed() {
    let refused = with("403-moderation", |b| b).await;
    assert_eq!(
        (refused.asked(), refused.kind()),
        (vec![FIRST], Some(K::ContentFiltered))
    );
    assert_eq!(
        with("403-moderation", |b| b.fallback_on_refusal(true)).await.asked(),
        [FIRST, SECOND]
    );
}

#[tokio::test(start_paused = true)]
async fn the_model_that_a_request_names() {
    let world = World::new("GOOD").await;
    let asked = |builder: StackBuilder| async {
        let stack = builder.chain([FIRST]).build().unwrap();
        call(&stack, true, ask().model(SECOND)).await.asked().join(" ")
    };
    assert_eq!(asked(world.builder()).await, SECOND);
    assert_eq!(
        asked(world.builder().requested_model(RequestedModel::Ignored)).await,
        FIRST
    );
    // Without a chain a request must name one.
    let nobody = call(&world.builder().build().unwrap(), true, ask()).await;
    assert_eq!(nobody.kind(), Some(K::BadRequest));
    assert!(nobody.error.unwrap().to_string().contains("name a model"));
}

#[tokio::test(start_paused = true)]
async fn the_pace_floor() {
    let plan = "delay=2s;words=30";
    assert!(with(plan, |b| b).await.error.is_none());
    let floor = MinThroughput::new(10, Duration::from_secs(10));
    let slow = with(plan, |b| b.min_throughput(floor)).await;
    assert_eq!(
        (slow.kind(), slow.asked()),
        (Some(K::Timeout(Phase::Throughput)), vec![FIRST])
    );
    let floor = MinThroughput::new(4, Duration::from_secs(10));
    assert!(with(plan, |b| b.min_throughput(floor)).await.error.is_none());
}

/// One chunk a second: a hundred tokens each is fast, one letter each is not.
#[tokio::test(start_paused = true)]
async fn the_pace_floor_counts_what_a_chunk_holds_and_not_chunks() {
    let floor = MinThroughput::new(100, Duration::from_secs(10));
    for (letters, kind) in [(500, None), (1, Some(K::Timeout(Phase::Throughput)))] {
        let mut steps = vec![events()];
        for _ in 0..25 {
            steps.push(Step::Wait(Duration::from_secs(1)));
            steps.push(chunk(&"x".repeat(letters), "null"));
        }
        steps.extend([chunk("", "\"stop\""), done()]);
        let raw = Raw::always(steps).await;
        let stack = raw.builder().min_throughput(floor).build().unwrap();
        let got = call(&stack, true, ask()).await;
        assert_eq!(got.kind(), kind, "{letters} letters a chunk");
        assert_eq!(
            got.text.len() == 25 * letters,
            kind.is_none(),
            "{letters}: {}",
            got.text.len()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_idle_clock_and_the_grace() {
    let stalls = "stall=12s@3;words=9";
    assert!(with(stalls, |b| b).await.error.is_none());
    let idle = with(stalls, |b| b.idle_timeout(Duration::from_secs(5))).await;
    assert_eq!(idle.kind(), Some(K::Timeout(Phase::Idle)));
    let world = World::new("first-token=14s").await;
    let alone = |grace| {
        world
            .builder()
            .last_candidate_grace(Duration::from_secs(grace))
            .chain([FIRST])
            .build()
            .unwrap()
    };
    assert!(call(&alone(5), true, ask()).await.error.is_none());
    assert_eq!(
        call(&alone(0), true, ask()).await.kind(),
        Some(K::Timeout(Phase::FirstToken))
    );
}

#[tokio::test(start_paused = true)]
async fn a_candidate_that_asks_for_a_pause_gets_it() {
    let world = World::new("1x429;retry-after=10,GOOD").await;
    let many = Limits::new().requests(Rate::new(1000, Duration::from_secs(1)).unwrap());
    let builder = world.builder().chain([FIRST, SECOND]).attempts_per_candidate(1);
    let stack = builder.upstream_limits(many, Duration::ZERO).build().unwrap();
    assert_eq!(call(&stack, true, ask()).await.asked(), [FIRST, SECOND]);
    assert_eq!(call(&stack, true, ask()).await.asked(), [SECOND]);
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(call(&stack, true, ask()).await.asked(), [FIRST]);
}

/// With the short way of asking, too: a tag is all that it takes.
#[tokio::test(start_paused = true)]
async fn a_tenant_is_found_by_its_tag() {
    let world = World::new("GOOD").await;
    let one = Limits::new().requests(Rate::new(1, Duration::from_secs(60)).unwrap());
    let builder = world.builder().chain([FIRST]);
    let stack = builder
        .tenant_limits(one, TenantKey::tag("tenant"), Duration::ZERO)
        .build()
        .unwrap();
    let ask_as = async |tenant: &'static str| {
        let request = ask().tags(Tags::new([("tenant", tenant)]).unwrap());
        call(&stack, false, request).await.kind()
    };
    assert_eq!([ask_as("a").await, ask_as("b").await], [None, None]);
    assert_eq!(ask_as("a").await, Some(K::RateLimited));
    for _ in 0..2 {
        assert_eq!(call(&stack, false, ask()).await.kind(), None, "without a tenant");
    }
}

#[tokio::test(start_paused = true)]
async fn the_limits_of_a_tenant_and_of_a_candidate() {
    let world = World::new("GOOD").await;
    let minute = Duration::from_secs(60);
    let one = Limits::new().requests(Rate::new(1, minute).unwrap());
    let tenant = TenantKey::new(|headers, _| headers.get("x-tenant")?.to_str().ok().map(Into::into));
    let stack = world
        .builder()
        .chain([FIRST])
        .tenant_limits(one, tenant, Duration::ZERO)
        .build()
        .unwrap();
    let ask_as = |tenant: &'static str| {
        let mut request = ask().stream(true).into_http();
        request.headers_mut().insert("x-tenant", tenant.parse().unwrap());
        stack.clone().oneshot(request)
    };
    assert!(ask_as("a").await.is_ok() && ask_as("b").await.is_ok());
    let refused = ask_as("a").await.unwrap_err();
    assert_eq!(refused.kind(), K::RateLimited);
    assert!(
        refused.to_string().starts_with("over 1 requests in 60 s: retry in"),
        "{refused}"
    );
    assert_eq!(world.simulator.report().attempts.len(), 2, "nothing was sent for it");
    assert!(
        call(&stack, true, ask()).await.error.is_none(),
        "without a tenant it is not limited"
    );

    // A candidate over its limit is passed on from; nothing is sent to it.
    let stack = world
        .builder()
        .chain([FIRST, SECOND])
        .upstream_limits(one, Duration::ZERO)
        .build()
        .unwrap();
    assert_eq!(call(&stack, true, ask()).await.asked(), [FIRST]);
    assert_eq!(call(&stack, true, ask()).await.asked(), [SECOND]);
    assert!(
        stack.describe().contains("1 requests in 60s a candidate"),
        "{}",
        stack.describe()
    );
    // Or waited for.
    let few = Limits::new().requests(Rate::new(6, minute).unwrap().burst(1).unwrap());
    for (wait, asked) in [(Duration::from_secs(15), FIRST), (Duration::ZERO, SECOND)] {
        let stack = world
            .builder()
            .chain([FIRST, SECOND])
            .attempts_per_candidate(1)
            .upstream_limits(few, wait);
        let stack = stack.build().unwrap();
        call(&stack, true, ask()).await;
        assert_eq!(call(&stack, true, ask()).await.asked(), [asked], "{wait:?}");
        let stack = world
            .builder()
            .chain([FIRST])
            .tenant_limits(few, TenantKey::global(), wait);
        let stack = stack.build().unwrap();
        call(&stack, true, ask()).await;
        let kind = call(&stack, true, ask()).await.kind();
        assert_eq!(kind, wait.is_zero().then_some(K::RateLimited), "{wait:?}");
    }
    let empty = world
        .builder()
        .upstream_limits(Limits::new(), Duration::ZERO)
        .build()
        .unwrap_err();
    assert!(empty.to_string().contains("the limits are empty"));
}

#[test]
fn the_settings_in_force_are_printed() {
    let stack = Stack::openrouter(ApiKey::new("sk-or-v1-s3cr3t").unwrap())
        .chain([FIRST, SECOND])
        .server_side_fallback(true)
        .deadline(Duration::from_secs(90))
        .attempts(4)
        .build()
        .unwrap();
    let told = stack.describe();
    let layers: Vec<_> = told.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(
        layers,
        [
            "Tags",
            "Observe",
            "Degrade",
            "Deadline",
            "Cache",
            "TenantRateLimit",
            "around_call",
            "StreamUpstream",
            "Resume",
            "Fallback",
            "Retry",
            "Conformance",
            "CircuitBreaker",
            "AdaptiveConcurrency",
            "UpstreamRateLimit",
            "Attempt",
            "Timeout",
            "around_attempt",
            "FirstToken",
            "Cost",
            "Auth",
            "Transport"
        ],
        "{told}"
    );
    for part in [
        "90s in all",
        FIRST,
        SECOND,
        "by itself",
        "4 in all",
        "x-request-timeout-ms",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("s3cr3t"));
}

/// A redirect would carry the key to another place: it is an error, and is not followed.
#[tokio::test(start_paused = true)]
async fn a_redirect_is_not_followed() {
    let elsewhere = World::new("GOOD").await;
    let target = format!("{}/chat/completions", elsewhere.simulator.base_url());
    let app = Router::new().route(
        "/v1/chat/completions",
        post(move || async move { (StatusCode::TEMPORARY_REDIRECT, Redirect::temporary(&target)) }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let stack = Stack::builder()
        .upstream(base.as_str(), ApiKey::new("sk-or-v1-test").unwrap())
        .chain([FIRST])
        .build()
        .unwrap();
    let got = call(&stack, true, ask()).await;
    assert_eq!(got.kind(), Some(K::Malformed), "{got:?}");
    assert!(elsewhere.simulator.report().attempts.is_empty());
}

#[test]
fn embeddings_drop_what_a_provider_does_not_know() {
    let request = EmbeddingRequest::new("m", ["a"])
        .field("provider", serde_json::json!({"only": ["x"]}))
        .and_then(|request| request.field("input_type", "query"))
        .and_then(|request| request.field("dimensions", 8))
        .unwrap();
    let sent = |name: &str, base: &str, dialect| {
        let upstream = Upstream::new(name, base, dialect).unwrap();
        let segments = WireRequest::segments_for(&request, &upstream);
        let whole: Vec<u8> = segments.into_iter().flatten().collect();
        serde_json::from_slice::<serde_json::Value>(&whole).unwrap()
    };
    let openrouter = sent("openrouter", "https://openrouter.ai/api/v1", Dialect::OpenRouter);
    assert_eq!(
        (&openrouter["input_type"], openrouter["provider"].is_object()),
        (&"query".into(), true)
    );
    // Voyage, Cohere and NVIDIA embed a query in another way than a document.
    for base in ["https://api.voyageai.com/v1", "http://127.0.0.1:8000/v1"] {
        assert_eq!(
            sent("direct", base, Dialect::OpenAi),
            serde_json::json!({"model": "m", "input": ["a"], "input_type": "query", "dimensions": 8}),
            "{base}"
        );
    }
    for (name, base) in [
        ("openai", "http://127.0.0.1:1/v1"),
        ("direct", "https://api.openai.com/v1"),
        ("azure", "https://acme.openai.azure.com/openai/v1"),
    ] {
        assert_eq!(
            sent(name, base, Dialect::OpenAi),
            serde_json::json!({"model": "m", "input": ["a"], "dimensions": 8}),
            "{name} at {base}"
        );
    }
}

#[test]
fn the_apis_of_each_upstream_are_printed() {
    let key = || ApiKey::new("sk-or-v1-s3cr3t").unwrap();
    let stack = Stack::openrouter(key()).chain([FIRST]).build().unwrap();
    let told = stack.describe();
    assert!(told.ends_with("every upstream supports all APIs"), "{told}");
    let local = Upstream::new("local", "http://127.0.0.1:1/v1", Dialect::OpenAi).unwrap();
    let stack = Stack::openrouter(key())
        .upstream(local.apis([Api::Chat, Api::Responses]), key())
        .chain([FIRST])
        .build()
        .unwrap();
    let told = stack.describe();
    assert!(told.contains("; local supports chat, responses; any other"), "{told}");
}

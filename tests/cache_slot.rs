//! The cache in its slot of the stack: inside the deadline, outside of everything that calls and pays, and stale degraded answers.

use std::{sync::Arc, time::Duration};

use crate::support::{FIRST, SECOND, TEXT, World, ask, call};
use http::{Method, Request, Response, header::CACHE_CONTROL};
use http_body_util::{BodyExt, Full};
use tokio::time::advance;
use tower::ServiceExt;
use tower_openrouter::{
    Answer, ChatServiceExt, FailureKind, Stack,
    degrade::CannedReply,
    endpoint::{CACHE_HEADER, DEGRADED_HEADER, EndpointBody},
    layers::{
        CacheMode, Coalesced, Degraded, DegradedSource, LlmRequest, Tags,
        cache::{Cache, CacheStatus},
        rate_limit::{Limits, Rate},
    },
    stack::{ChatCache, StackBuilder, TenantKey},
};

const MINUTE: Duration = Duration::from_secs(60);

/// Tells tenants apart by a header.
fn tenants() -> TenantKey {
    TenantKey::new(|headers, _| headers.get("x-tenant")?.to_str().ok().map(Arc::from))
}

fn kept() -> Cache<tower_openrouter::ChatFrame> {
    Cache::new(1 << 20).time_to_live(MINUTE)
}

fn cached(builder: StackBuilder, cache: Cache<tower_openrouter::ChatFrame>) -> Stack {
    let cache = ChatCache::new(cache, TenantKey::global());
    builder.chain([FIRST]).cache(cache).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn stacks_may_share_what_is_kept_and_what_is_under_way() {
    let world = World::new("GOOD;delay=1s").await;
    let cache = ChatCache::new(kept(), TenantKey::global());
    let stack = || world.builder().chain([FIRST]).cache(cache.clone()).build().unwrap();
    let (one, other) = (stack(), stack());
    let (led, joined) = tokio::join!(call(&one, true, ask()), other.stream(ask()));
    let joined = joined.unwrap();
    assert_eq!((led.text.as_str(), joined.text().await.unwrap().as_str()), (TEXT, TEXT));
    assert_eq!(call(&stack(), true, ask()).await.text, TEXT);
    assert_eq!(world.simulator.report().attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_request_may_go_round_the_cache_or_want_nothing_else() {
    let world = World::new("GOOD").await;
    let stack = cached(world.builder(), kept());
    let in_mode = async |mode: CacheMode| {
        let request = ask().stream(true).cache_mode(mode).into_http();
        let answer = Answer::new(stack.clone().oneshot(request).await?);
        answer.text().await
    };
    assert!(in_mode(CacheMode::OnlyIfCached).await.is_err());
    assert_eq!(world.simulator.report().attempts.len(), 0);
    for (mode, attempts) in [
        (CacheMode::Default, 1),
        (CacheMode::Default, 1),
        (CacheMode::OnlyIfCached, 1),
        (CacheMode::Refresh, 2),
        (CacheMode::Bypass, 3),
        (CacheMode::Default, 3),
    ] {
        assert_eq!(in_mode(mode).await.unwrap(), TEXT);
        assert_eq!(world.simulator.report().attempts.len(), attempts, "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hit_passes_no_limit_and_makes_no_attempt() {
    let world = World::new("GOOD").await;
    let one = Limits::new().requests(Rate::new(1, Duration::from_secs(3600)).unwrap());
    let builder = world.builder().tenant_limits(one, TenantKey::global(), Duration::ZERO);
    let stack = cached(builder, kept());
    for streamed in [true, true, true] {
        let got = call(&stack, streamed, ask()).await;
        assert_eq!((got.text.as_str(), got.kind()), (TEXT, None));
    }
    assert_eq!(world.simulator.report().attempts.len(), 1);
    let limited = call(&stack, false, ask()).await;
    assert_eq!(
        limited.kind(),
        Some(FailureKind::RateLimited),
        "a plain answer is another one"
    );
    assert!(
        stack.describe().contains("\nCache                1048576 bytes"),
        "{}",
        stack.describe()
    );
}

#[tokio::test(start_paused = true)]
async fn without_one_each_call_decides_for_itself() {
    let world = World::new("GOOD").await;
    let stack = world.alone();
    for _ in 0..2 {
        assert_eq!(call(&stack, true, ask()).await.text, TEXT);
    }
    assert_eq!(world.simulator.report().attempts.len(), 2);
    let answer = stack.stream(ask()).await.unwrap();
    assert!(answer.parts().extensions.get::<CacheStatus>().is_none());
}

/// A request over HTTP, and its response.
async fn over_http(stack: &Stack, streamed: bool, headers: &[(&str, &str)]) -> (Response<()>, String) {
    let body = format!(r#"{{"model":"{FIRST}","stream":{streamed},"messages":[{{"role":"user","content":"Hello"}}]}}"#);
    let mut request = Request::builder().method(Method::POST).uri("/v1/chat/completions");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(bytes::Bytes::from(body))).unwrap();
    let endpoint = stack
        .clone()
        .into_openai_endpoint()
        .pass_header(http::HeaderName::from_static("x-tenant"))
        .pass_header(http::HeaderName::from_static("x-anthropic-beta"));
    let response: Response<EndpointBody> = endpoint.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    (Response::from_parts(parts, ()), text)
}

fn header<'a>(response: &'a Response<()>, name: &http::HeaderName) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test(start_paused = true)]
async fn tenants_are_distinguished_and_the_client_sees_it() {
    let world = World::new("GOOD").await;
    let cache = ChatCache::new(kept(), tenants());
    let stack = world.builder().chain([FIRST]).cache(cache).build().unwrap();
    for (headers, told) in [
        (vec![("x-tenant", "acme")], Some("miss")),
        (vec![("x-tenant", "acme")], Some("hit; age=0")),
        (vec![("x-tenant", "other")], Some("miss")),
        (vec![("x-tenant", "acme"), (CACHE_CONTROL.as_str(), "no-store")], None),
        (vec![], None),
    ] {
        for streamed in [true, false] {
            let (response, text) = over_http(&stack, streamed, &headers).await;
            assert_eq!(
                header(&response, &CACHE_HEADER),
                told,
                "{headers:?} streamed={streamed}"
            );
            assert_eq!(text.ends_with("data: [DONE]\n\n"), streamed, "{text}");
        }
    }
}

/// What a middleware puts into the extensions gets through the endpoint, and goes nowhere else.
#[tokio::test(start_paused = true)]
async fn tenants_may_come_from_tags_set_in_front() {
    let world = World::new("GOOD").await;
    let cache = ChatCache::new(kept(), TenantKey::tag("tenant"));
    let stack = world.builder().chain([FIRST]).cache(cache).build().unwrap();
    for (tenant, told) in [
        (Some("acme"), Some("miss")),
        (Some("acme"), Some("hit; age=0")),
        (Some("other"), Some("miss")),
        (None, None),
    ] {
        let body = r#"{"messages":[{"role":"user","content":"Hello"}]}"#;
        let mut request = Request::post("/v1/chat/completions")
            .body(Full::new(bytes::Bytes::from(body)))
            .unwrap();
        if let Some(tenant) = tenant {
            request
                .extensions_mut()
                .insert(Tags::new([("tenant", tenant)]).unwrap());
        }
        let response = stack.clone().into_openai_endpoint().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        body.collect().await.unwrap();
        assert_eq!(
            header(&Response::from_parts(parts, ()), &CACHE_HEADER),
            told,
            "{tenant:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_stands_in_before_the_canned_reply() {
    for streamed in [true, false] {
        let world = World::new("GOOD").await;
        let builder = world.builder().canned_reply(CannedReply::text("Sorry."));
        let stack = cached(builder, kept().stale_if_error(10 * MINUTE));
        assert!(
            stack.describe().contains("a stale answer, then a canned reply"),
            "{}",
            stack.describe()
        );
        let (_, fresh) = over_http(&stack, streamed, &[]).await;
        world.simulator.plan(FIRST, "503").unwrap();
        advance(2 * MINUTE).await;
        let (response, stale) = over_http(&stack, streamed, &[]).await;
        let told = header(&response, &DEGRADED_HEADER).unwrap();
        let age = told
            .strip_prefix("source=stale_answer; reason=overloaded; age=")
            .unwrap();
        assert!(age.parse::<u64>().unwrap() >= 120, "{told}");
        assert!(fresh.contains("Scattering") && stale.contains("Scattering"), "{stale}");
        assert_eq!(stale.ends_with("data: [DONE]\n\n"), streamed, "{stale}");
        advance(10 * MINUTE).await;
        let (response, text) = over_http(&stack, streamed, &[]).await;
        assert!(
            header(&response, &DEGRADED_HEADER)
                .unwrap()
                .starts_with("source=canned_reply")
        );
        assert!(text.contains("Sorry."), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_request_or_another_question_is_not_answered_with_a_stale_one() {
    let world = World::new("GOOD").await;
    let stack = cached(world.builder(), kept().stale_if_error(10 * MINUTE));
    call(&stack, true, ask()).await;
    advance(2 * MINUTE).await;
    world.simulator.plan(FIRST, "400").unwrap();
    assert_eq!(call(&stack, true, ask()).await.kind(), Some(FailureKind::BadRequest));
    world.simulator.plan(FIRST, "503").unwrap();
    let other = tower_openrouter::ChatRequest::user("Something else?");
    assert_eq!(call(&stack, true, other).await.kind(), Some(FailureKind::Overloaded));
    assert_eq!(call(&stack, true, ask()).await.text, TEXT);
}

#[tokio::test(start_paused = true)]
async fn without_time_beyond_its_time_nothing_is_stale() {
    let world = World::new("GOOD").await;
    let stack = cached(world.builder(), kept());
    call(&stack, true, ask()).await;
    advance(2 * MINUTE).await;
    world.simulator.plan(FIRST, "503").unwrap();
    assert_eq!(call(&stack, true, ask()).await.kind(), Some(FailureKind::Overloaded));
}

#[tokio::test(start_paused = true)]
async fn a_cheaper_models_answer_is_not_kept_and_marked_for_all_who_share_it() {
    let world = World::new("503").await;
    let stack = world
        .builder()
        .chain([FIRST])
        .cheaper([SECOND])
        .cache(ChatCache::new(kept(), TenantKey::global()))
        .build()
        .unwrap();
    let (one, other) = tokio::join!(stack.stream(ask()), stack.stream(ask()));
    for (answer, shares) in [(one.unwrap(), false), (other.unwrap(), true)] {
        let extensions = &answer.parts().extensions;
        assert_eq!(extensions.get::<Coalesced>().is_some(), shares);
        assert_eq!(
            extensions.get::<Degraded>().map(|mark| mark.source),
            Some(DegradedSource::CheaperModel)
        );
        assert_eq!(answer.text().await.unwrap(), TEXT);
    }
    world.simulator.plan(FIRST, "text=Well%20again.").unwrap();
    assert_eq!(call(&stack, true, ask()).await.text, "Well again.");
}

/// A request that bypasses the cache gets nothing from it, not even a stale answer.
#[tokio::test(start_paused = true)]
async fn a_request_that_bypasses_the_cache_gets_no_stale_answer() {
    let mut stood_in = Vec::new();
    for case in ["no-store", "bypass", "refresh", "default"] {
        let world = World::new("1xGOOD,503").await;
        let kept = Cache::new(1 << 20)
            .time_to_live(Duration::from_secs(60))
            .stale_if_error(Duration::from_secs(3600));
        let stack = world
            .builder()
            .chain([FIRST])
            .cache(ChatCache::new(kept, TenantKey::global()))
            .build()
            .unwrap();
        assert_eq!(call(&stack, true, ask()).await.text, TEXT);
        advance(Duration::from_secs(100)).await;
        let mut request = ask().stream(true).into_http();
        match case {
            "no-store" => {
                request.headers_mut().insert(CACHE_CONTROL, "no-store".parse().unwrap());
            }
            "bypass" => {
                request.body_mut().call_mut().set_cache_mode(CacheMode::Bypass);
            }
            "refresh" => {
                request.body_mut().call_mut().set_cache_mode(CacheMode::Refresh);
            }
            _ => {}
        }
        if stack.clone().oneshot(request).await.is_ok() {
            stood_in.push(case);
        }
    }
    assert_eq!(stood_in, ["default"]);
}

/// It gets a cache miss, whatever else the stack could answer.
#[tokio::test(start_paused = true)]
async fn an_only_if_cached_request_gets_no_other_answer() {
    let world = World::new("503").await;
    let builder = world.builder().canned_reply(CannedReply::text("sorry"));
    let stack = cached(builder, kept());
    let request = ask().cache_mode(CacheMode::OnlyIfCached);
    let error = stack.complete(request).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("cache miss, and the request allows only cached responses"),
        "{error}"
    );
    let canned = stack.complete(ask()).await.unwrap();
    assert_eq!(canned.degraded().unwrap().source, DegradedSource::CannedReply);
    assert!(world.simulator.report().of(FIRST).count() > 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_the_balance_cut_short_is_not_kept() {
    for streamed in [true, false] {
        let world = World::new("1x402-afford=300,words=400").await;
        let stack = cached(world.builder(), kept());
        let long = || ask().max_tokens(600);
        let short = call(&stack, streamed, long()).await.text;
        let whole = call(&stack, streamed, long()).await.text;
        assert!(short.len() < whole.len(), "{short:?} {whole:?}");
        assert_eq!(call(&stack, streamed, long()).await.text, whole);
        assert_eq!(world.simulator.report().attempts.len(), 3);
    }
}

/// What the client sends and the endpoint passes on may change the answer.
#[tokio::test(start_paused = true)]
async fn a_header_that_reaches_the_upstream_is_part_of_the_key() {
    const BETA: &str = "x-anthropic-beta";
    let world = World::new("GOOD").await;
    let stack = cached(world.builder(), kept());
    let cases: &[(&[(&str, &str)], bool)] = &[
        (&[], false),
        (&[(BETA, "context-1m")], false),
        (&[(BETA, "fast-mode")], false),
        (&[(BETA, "context-1m"), (BETA, "fast-mode")], false),
        (&[(BETA, "fast-mode"), (BETA, "context-1m")], false),
        (&[("x-openrouter-metadata", "enabled")], false),
        (&[("x-openrouter-metadata", "enabled"), (BETA, "fast-mode")], false),
        (&[(BETA, "fast-mode"), ("x-openrouter-metadata", "enabled")], true),
        (&[("X-Anthropic-Beta", "context-1m")], true),
        (&[("x-not-passed-on", "1")], true),
        (&[("authorization", "Bearer theirs"), ("user-agent", "curl")], true),
        (&[("x-request-id", "1"), ("traceparent", "00-1-1-01")], true),
        (&[("x-session-id", "1"), ("x-request-timeout-ms", "60000")], true),
    ];
    let mut asked = 0;
    for (headers, is_hit) in cases {
        let (response, _) = over_http(&stack, false, headers).await;
        let expected = if *is_hit { "hit; age=0" } else { "miss" };
        assert_eq!(header(&response, &CACHE_HEADER), Some(expected), "{headers:?}");
        asked += usize::from(!is_hit);
        let seen = world.simulator.report();
        assert_eq!(seen.attempts.len(), asked, "{headers:?}");
    }
}

/// A second line of a header says as much as the first.
#[tokio::test(start_paused = true)]
async fn a_repeated_header_passes_whole() {
    let world = World::new("GOOD").await;
    let stack = cached(world.builder(), kept());
    let twice = [("cache-control", "max-age=0"), ("cache-control", "no-store")];
    for _ in 0..2 {
        let (response, _) = over_http(&stack, false, &twice).await;
        assert_eq!(header(&response, &CACHE_HEADER), None);
    }
    assert_eq!(world.simulator.report().attempts.len(), 2);
}

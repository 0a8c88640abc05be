//! A cache over a whole stack: what the wire brings is kept, and comes again for nothing.

use std::time::Duration;

use crate::support::{FIRST, TEXT, World, ask, call};
use openrouter_simulator::Outcome as Seen;
use tower::Layer;
use tower_openrouter::response::UsageExt as _;
use tower_openrouter::{
    Answer, ChatFrame, ChatRequest, ChatServiceExt, Error, FrameKind, Stack,
    layers::{
        Coalesced, GlobalKey, WorstCasePrice,
        budget::{Budget, Window},
        cache::{Cache, CacheLayer, CacheService, CacheStatus},
        cost::UnknownPrice,
    },
};

type Cached = CacheService<Stack, ChatFrame, Error, GlobalKey>;

fn over(stack: Stack) -> Cached {
    CacheLayer::new(Cache::new(1 << 20), GlobalKey).layer(stack)
}

fn is_hit<B>(answer: &Answer<B>) -> bool
where
    B: http_body::Body<Data = ChatFrame, Error = Error>,
{
    let status = answer.parts().extensions.get::<CacheStatus>();
    status.is_some_and(|status| status.hit)
}

/// The frames of an answer, signs of life apart.
async fn frames<B>(mut answer: Answer<B>) -> Result<Vec<ChatFrame>, Error>
where
    B: http_body::Body<Data = ChatFrame, Error = Error>,
{
    let mut frames = Vec::new();
    while let Some(frame) = answer.next_frame().await {
        frames.push(frame?);
    }
    frames.retain(|frame| frame.kind() != FrameKind::KeepAlive);
    Ok(frames)
}

#[tokio::test(start_paused = true)]
async fn the_router_may_cache_an_answer_for_a_second_to_a_day() {
    let world = World::new("GOOD").await;
    let stack = world.alone();
    for (time, seconds) in [
        (None, None),
        (Some(Duration::ZERO), Some("1")),
        (Some(Duration::from_millis(90_500)), Some("90")),
        (Some(Duration::MAX), Some("86400")),
    ] {
        for streamed in [true, false] {
            let request = time.into_iter().fold(ask(), ChatRequest::keep_response);
            assert!(call(&stack, streamed, request).await.error.is_none());
            let seen = world.simulator.report();
            let last = seen.attempts.last().unwrap();
            let told = ["x-openrouter-cache", "x-openrouter-cache-ttl"].map(|name| last.header(name));
            assert_eq!(told, [seconds.map(|_| "true"), seconds], "{time:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_streamed_answer_is_replayed_with_usage_of_nothing() {
    let world = World::new("GOOD").await;
    let service = over(world.alone());
    let first = frames(service.stream(ask()).await.unwrap()).await.unwrap();
    let again = service.stream(ask()).await.unwrap();
    assert!(is_hit(&again));
    let again = frames(again).await.unwrap();
    assert_eq!(first.len(), again.len());
    let mut bills = 0;
    for (first, again) in first.iter().zip(&again) {
        if let Some(usage) = first.usage() {
            bills += 1;
            let unpaid = again.usage().unwrap();
            assert!(usage.total_tokens > Some(0) && usage.charged().unwrap().is_some());
            assert_eq!(
                (unpaid.prompt_tokens, unpaid.completion_tokens, unpaid.total_tokens),
                (Some(0), Some(0), Some(0))
            );
            assert_eq!(unpaid.charged().unwrap().unwrap().to_string(), "$0.00");
        } else {
            assert_eq!(first.bytes(), again.bytes());
        }
    }
    assert_eq!((bills, world.simulator.report().attempts.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_plain_answer_is_kept_too_and_apart() {
    let world = World::new("GOOD").await;
    let service = over(world.alone());
    for requests in [1, 1] {
        let answer = service.complete(ask()).await.unwrap();
        assert_eq!(answer.response.text(), Some(TEXT));
        assert_eq!(world.simulator.report().attempts.len(), requests);
    }
    let streamed = service.stream(ask()).await.unwrap();
    assert!(!is_hit(&streamed));
    assert_eq!(streamed.text().await.unwrap(), TEXT);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_or_filtered_answer_is_not_cached() {
    for plan in ["GOOD;cut@3", "GOOD;finish=content_filter", "GOOD;finish=length"] {
        let world = World::new(plan).await;
        let service = over(world.alone());
        for _ in 0..2 {
            let Ok(answer) = service.stream(ask()).await else {
                continue;
            };
            assert!(!is_hit(&answer), "{plan}");
            frames(answer).await.ok();
        }
        assert_eq!(
            (world.simulator.report().attempts.len(), service.cache().bytes()),
            (2, 0),
            "{plan}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_coalesced_call_continues_without_its_first_caller_and_ends_with_its_last() {
    let world = World::new("delay=1s;words=50").await;
    let service = over(world.alone());
    let mut first = service.stream(ask()).await.unwrap();
    let mut second = service.stream(ask()).await.unwrap();
    assert!(second.parts().extensions.get::<Coalesced>().is_some());
    first.next_text().await.unwrap().unwrap();
    drop(first);
    for _ in 0..5 {
        second.next_text().await.unwrap().unwrap();
    }
    drop(second);
    let simulator = &world.simulator;
    let ends = simulator.wait_until(|seen| seen.open_connections == 0);
    tokio::time::timeout(Duration::from_secs(10), ends).await.unwrap();
    let seen = simulator.report();
    assert_eq!(seen.attempts.len(), 1);
    assert_eq!(seen.attempts[0].outcome, Seen::ClosedByClient);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_a_budget_shortened_is_not_kept() {
    for (cap, hit) in [("0.60", false), ("10", true)] {
        let world = World::new("GOOD").await;
        let price = WorstCasePrice::new().answer_token("0.002".parse().unwrap());
        let stack = world
            .builder()
            .chain([FIRST])
            .budget(Budget::usd("all", cap).unwrap().per(Window::Day))
            .unknown_price(UnknownPrice::Assume(price))
            .build()
            .unwrap();
        let service = over(stack);
        let first = service.stream(ask().max_tokens(1_000)).await.unwrap();
        frames(first).await.unwrap();
        let second = service.stream(ask().max_tokens(1_000)).await.unwrap();
        assert_eq!(is_hit(&second), hit, "{cap}");
    }
}

//! Cached responses in a store outside of the process: two stacks share them by their bytes, and a store that is down fails no call.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::HeaderValue;
use tokio::time::{advance, sleep};
use tower_openrouter::{
    Api, ApiKey, Candidate, ChatFrame, FailureKind,
    layers::{
        DegradedSource,
        cache::{
            AnswerKey, Cache, CacheStatus, CacheStore, CachedResponse, KeySecret, Lookup,
            idempotency::InMemoryIdempotency,
        },
    },
    prelude::*,
    stack::{ChatCache, ChatIdempotency, StackBuilder, TenantKey},
    transport::{Dialect, Upstream},
};

use crate::support::{FIRST, GOOD, TEXT, World, ask, call, mounted, raw};

/// A store in another place: it answers after a moment, with bytes.
#[derive(Clone, Default)]
struct Elsewhere {
    kept: Arc<Mutex<HashMap<[u8; 16], Vec<u8>>>>,
    is_down: Arc<AtomicBool>,
}

impl CacheStore<ChatFrame> for Elsewhere {
    fn get(&self, key: &AnswerKey) -> Lookup<ChatFrame> {
        let (found, is_down) = (self.kept.lock().unwrap().get(&key.to_bytes()).cloned(), &self.is_down);
        let is_down = is_down.load(Ordering::Relaxed);
        Lookup::Later(Box::pin(async move {
            sleep(Duration::from_millis(2)).await;
            if is_down {
                return Err("connection refused".into());
            }
            Ok(found.and_then(|bytes| CachedResponse::from_bytes(&bytes)))
        }))
    }

    fn put(&self, key: &AnswerKey, response: CachedResponse<ChatFrame>) {
        if let Some(bytes) = response.to_bytes() {
            self.kept.lock().unwrap().insert(key.to_bytes(), bytes);
        }
    }

    fn remove(&self, key: &AnswerKey) {
        self.kept.lock().unwrap().remove(&key.to_bytes());
    }

    fn clear(&self) {
        self.kept.lock().unwrap().clear();
    }
}

fn over(world: &World, store: &Elsewhere) -> Stack {
    let cache = Cache::with_store(store.clone())
        .time_to_live(Duration::from_secs(60))
        .stale_if_error(Duration::from_secs(600));
    let cache = ChatCache::new(cache, TenantKey::global()).key_secret(KeySecret::new([7; 32]));
    world.builder().chain([FIRST]).cache(cache).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn two_stacks_share_whole_and_streamed_answers_by_their_bytes() {
    let world = World::new("GOOD").await;
    let store = Elsewhere::default();
    for streamed in [false, true] {
        let first = call(&over(&world, &store), streamed, ask()).await;
        let second = call(&over(&world, &store), streamed, ask()).await;
        assert_eq!((first.text.as_str(), second.text.as_str()), (TEXT, TEXT));
    }
    assert_eq!(world.simulator.report().attempts.len(), 2, "one of each form");
    let whole = over(&world, &store).complete(ask()).await.unwrap();
    assert!(whole.parts.extensions.get::<CacheStatus>().unwrap().hit);
    assert_eq!(
        whole.response.usage.unwrap().total_tokens,
        Some(0),
        "a replay is not charged"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stale_response_stands_in_and_a_store_that_is_down_fails_no_call() {
    let world = World::new("GOOD").await;
    let store = Elsewhere::default();
    let stack = over(&world, &store);
    assert_eq!(call(&stack, true, ask()).await.text, TEXT);
    advance(Duration::from_secs(100)).await;
    world.simulator.plan(FIRST, "503").unwrap();
    let stale = stack.complete(ask()).await;
    let streamed = stack.stream(ask()).await.unwrap();
    assert_eq!(streamed.degraded().unwrap().source, DegradedSource::StaleAnswer);
    assert_eq!(streamed.text().await.unwrap(), TEXT);
    assert!(stale.is_err(), "the plain form was never kept");
    store.is_down.store(true, Ordering::Relaxed);
    assert_eq!(stack.stream(ask()).await.err().unwrap().kind(), FailureKind::Overloaded);
    world.simulator.plan(FIRST, &GOOD.replace(',', "%2C")).unwrap();
    assert!(call(&stack, true, ask()).await.error.is_none());
}

/// Gives a stack what replays answers.
type Slot = fn(StackBuilder) -> StackBuilder;

/// OpenAI sends a chunk with usage and no choice only to a client that requested it: each time, from wherever the answer comes.
#[tokio::test(start_paused = true)]
async fn usage_that_only_the_stack_requested_is_left_out_of_replays() {
    let answer = r#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":"Oslo."},"finish_reason":"stop"}]}"#;
    let usage = r#"{"id":"gen-1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;
    let body = format!(r#"{{"model":"{FIRST}","stream":true,"messages":[{{"role":"user","content":"Hi"}}]}}"#);
    let slots: [(&str, Slot); 3] = [
        ("memory", |builder| {
            builder.cache(ChatCache::new(Cache::new(1 << 20), TenantKey::global()))
        }),
        ("elsewhere", |builder| {
            let cache = Cache::with_store(Elsewhere::default()).time_to_live(Duration::from_secs(60));
            builder.cache(ChatCache::new(cache, TenantKey::global()))
        }),
        ("idempotency keys", |builder| {
            builder.idempotency(ChatIdempotency::new(
                InMemoryIdempotency::new(1 << 20),
                TenantKey::global(),
            ))
        }),
    ];
    for (slot, with) in slots {
        let stream = format!("data: {answer}\n\ndata: {usage}\n\ndata: [DONE]\n\n");
        let raw = raw::Raw::always(vec![raw::events(), raw::send(stream)]).await;
        let upstream = Upstream::new("direct", raw.url(), Dialect::OpenAi).unwrap();
        let builder = Stack::builder()
            .upstream(upstream, ApiKey::new(raw::KEY).unwrap())
            .chain([Candidate::new("direct", FIRST).unwrap()]);
        let endpoint = with(builder).build().unwrap().into_endpoint(Api::Chat);
        for _ in 0..2 {
            let mut request = mounted::post("/", body.clone());
            request
                .headers_mut()
                .insert("idempotency-key", HeaderValue::from_static("a"));
            let (_, text) = mounted::send(endpoint.clone(), request).await;
            assert_eq!(text, format!("data: {answer}\n\ndata: [DONE]\n\n"), "{slot}");
        }
        assert_eq!(raw.seen().len(), 1, "{slot}: the second answer is a replay");
    }
}

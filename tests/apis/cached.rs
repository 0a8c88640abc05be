//! Cached and coalesced answers, in every API.

use tower_openrouter::{
    UsdAmount,
    layers::{Frame, cache::Cache},
    stack::{ChatCache, TenantKey},
};

use super::{SKY, TYPED, call, good, request};
use crate::support::raw::Raw;

#[tokio::test(start_paused = true)]
async fn a_cached_answer_is_the_same_and_costs_nothing() {
    for api in TYPED {
        for streamed in [true, false] {
            let raw = Raw::start(move |request| good(api, request)).await;
            let cache = ChatCache::new(Cache::new(1 << 20), TenantKey::everyone());
            let stack = raw.builder().cache(cache).build().unwrap();
            let paid = call(&stack, request(api, streamed)).await;
            // One of another API is another request, however alike.
            let kept = call(&stack, request(api, streamed)).await;
            assert_eq!((paid.text.as_str(), kept.text.as_str()), (SKY, SKY), "{api} {streamed}");
            assert_eq!(raw.seen().len(), 1, "{api} {streamed}");
            let costs = |got: &super::Got| {
                let usage = got.frames.iter().rev().find_map(Frame::token_usage).unwrap();
                (usage.total(), usage.bill().unwrap())
            };
            assert_eq!(costs(&paid), (126, "0.000123".parse().unwrap()), "{api} {streamed}");
            assert_eq!(costs(&kept), (0, UsdAmount::ZERO), "{api} {streamed}");
            let text: String = kept
                .bytes()
                .iter()
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
                .collect();
            assert!(!text.contains("120") && !text.contains("0.000123"), "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn identical_requests_under_way_are_one() {
    for api in TYPED {
        let raw = Raw::start(move |request| good(api, request)).await;
        let cache = ChatCache::new(Cache::new(1 << 20), TenantKey::everyone());
        let stack = raw.builder().cache(cache).build().unwrap();
        let (one, other) = tokio::join!(call(&stack, request(api, true)), call(&stack, request(api, true)));
        assert_eq!(
            (one.text.as_str(), other.text.as_str(), raw.seen().len()),
            (SKY, SKY, 1),
            "{api}"
        );
    }
}

//! Cached, coalesced and stale answers, in every API.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::advance;
use tower_openrouter::{
    Api, FailureKind, UsdAmount,
    degrade::CannedReply,
    layers::{DegradedSource, Frame, cache::Cache},
    stack::{ChatCache, TenantKey},
};

use super::{body, call, forms, good, is_good, request};
use crate::{
    scorecard_apis::OTHERS,
    support::raw::{Raw, head},
};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_cached_answer_is_the_same_and_costs_nothing() {
    for api in OTHERS {
        for &streamed in forms(api) {
            let raw = Raw::start(move |request| good(api, request)).await;
            let cache = ChatCache::new(Cache::new(1 << 20), TenantKey::global());
            let stack = raw.builder().cache(cache).build().unwrap();
            let paid = call(&stack, request(api, streamed)).await;
            // One of another API is another request, however alike.
            let kept = call(&stack, request(api, streamed)).await;
            assert!(is_good(api, &paid) && is_good(api, &kept), "{api} {streamed}: {kept:?}");
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
            assert!(
                !["120", "126", "0.000123"].iter().any(|paid| text.contains(paid)),
                "{text}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn identical_requests_under_way_are_one() {
    for api in OTHERS {
        let raw = Raw::start(move |request| good(api, request)).await;
        let cache = ChatCache::new(Cache::new(1 << 20), TenantKey::global());
        let stack = raw.builder().cache(cache).build().unwrap();
        let (one, other) = tokio::join!(call(&stack, request(api, true)), call(&stack, request(api, true)));
        assert!(is_good(api, &one) && is_good(api, &other), "{api}: {other:?}");
        assert_eq!(raw.seen().len(), 1, "{api}");
    }
}

/// Also of vectors: they are those of the requested model. It goes before a canned reply.
#[tokio::test(start_paused = true)]
async fn a_stale_answer_stands_in_for_a_dead_upstream_in_every_api() {
    for api in Api::ALL {
        for &streamed in forms(api) {
            let what = format!("{api}, streamed: {streamed}");
            let down = vec![head("503 Service Unavailable", "text/plain")];
            let (raw, turn) = Raw::in_turn(vec![good(api, &body(api, streamed)), down]).await;
            let cache = Cache::new(1 << 20).time_to_live(MINUTE).stale_if_error(60 * MINUTE);
            let builder = raw.builder().cache(ChatCache::new(cache, TenantKey::global()));
            let stack = builder.canned_reply(CannedReply::text("Sorry.")).build().unwrap();
            let paid = call(&stack, request(api, streamed)).await;
            assert!(is_good(api, &paid) && paid.degraded.is_none(), "{what}: {paid:?}");
            turn.store(1, Ordering::Relaxed);
            advance(2 * MINUTE).await;
            let stale = call(&stack, request(api, streamed)).await;
            assert!(is_good(api, &stale), "{what}: {stale:?}");
            let mark = stale.degraded.as_ref().unwrap();
            assert_eq!(
                (mark.source, mark.reason),
                (DegradedSource::StaleAnswer, Some(FailureKind::Overloaded)),
                "{what}"
            );
            assert!(mark.age > Some(MINUTE), "{what}: {mark:?}");
            assert_eq!(raw.seen().len(), 2, "{what}: it was tried");
        }
    }
}

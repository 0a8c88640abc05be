//! For each outage, which degraded source answers, and how the answer is marked: plain and streamed.

use std::time::Duration;

use crate::support::{FIRST, SECOND, World, ask, call};
use tokio::time::advance;
use tower::ServiceExt;
use tower_openrouter::{
    FailureKind as K, Phase, Stack,
    degrade::CannedReply,
    layers::{Degraded, DegradedSource, cache::Cache},
    stack::{ChatCache, TenantKey},
};

const CHEAP: &str = "google/gemini-2.5-flash";
const MINUTE: Duration = Duration::from_secs(60);

/// What a model answers: enough to see which one answered.
const FULL: &str = "Full.";
const CHEAPER: &str = "Cheaper.";
const STALE: &str = "Stale.";
const CANNED: &str = "Canned.";

/// A stack with every degraded source: a chain of two, a cheaper model, a stale response, a canned reply.
fn ladder(world: &World) -> Stack {
    let kept = Cache::new(1 << 20).time_to_live(MINUTE).stale_if_error(60 * MINUTE);
    world
        .builder()
        .max_retry_delay_with_fallback(Duration::from_secs(3))
        .deadline(Duration::from_secs(170))
        .circuit_breaker(None)
        .chain([FIRST, SECOND])
        .cheaper([CHEAP])
        .cache(ChatCache::new(kept, TenantKey::global()))
        .canned_reply(CannedReply::text(CANNED))
        .build()
        .unwrap()
}

/// How far an outage reaches.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Down {
    First,
    Full,
    All,
    /// All, after an answer was kept.
    AllOnceKept,
}

async fn outage(plan: &str, down: Down) -> (World, Stack) {
    let world = World::new("ok").await;
    let well = |text: &str| format!("text={text}");
    for (model, text) in [(FIRST, STALE), (SECOND, FULL), (CHEAP, CHEAPER)] {
        world.simulator.plan(model, &well(text)).unwrap();
    }
    let stack = ladder(&world);
    if down == Down::AllOnceKept {
        for streamed in [true, false] {
            assert_eq!(call(&stack, streamed, ask()).await.text, STALE);
        }
        advance(2 * MINUTE).await;
    }
    let models: &[&str] = match down {
        Down::First => &[FIRST],
        Down::Full => &[FIRST, SECOND],
        Down::All | Down::AllOnceKept => &[FIRST, SECOND, CHEAP],
    };
    for model in models {
        world.simulator.plan(*model, plan).unwrap();
    }
    (world, stack)
}

/// Outages that other models may answer, and what they are known by.
const OUTAGES: [(&str, K); 11] = [
    ("503;no-hint", K::Overloaded),
    ("500", K::Upstream),
    ("529", K::Overloaded),
    ("reset", K::Reset),
    ("close", K::Reset),
    ("429;no-hint", K::RateLimited),
    ("429;no-hint;retry-after=30", K::RateLimited),
    ("404", K::NoEndpoint),
    ("html", K::Malformed),
    ("error=502", K::Upstream),
    ("empty-content", K::EmptyResponse),
];

async fn mark(stack: &Stack, streamed: bool) -> Option<Degraded> {
    let response = stack.clone().oneshot(ask().stream(streamed).into_http()).await.unwrap();
    response.extensions().get().cloned()
}

#[tokio::test(start_paused = true)]
async fn each_outage_is_answered_from_the_degraded_source_that_is_left() {
    for (plan, kind) in OUTAGES {
        for (down, text, rung) in [
            (Down::First, FULL, None),
            (Down::Full, CHEAPER, Some(DegradedSource::CheaperModel)),
            (Down::All, CANNED, Some(DegradedSource::CannedReply)),
            (Down::AllOnceKept, STALE, Some(DegradedSource::StaleAnswer)),
        ] {
            for streamed in [true, false] {
                let case = format!("{plan} {down:?} streamed={streamed}");
                let (_world, stack) = outage(plan, down).await;
                let got = call(&stack, streamed, ask()).await;
                assert_eq!((got.text.as_str(), got.kind()), (text, None), "{case}: {:?}", got.lines);
                let (_world, stack) = outage(plan, down).await;
                let found = mark(&stack, streamed).await;
                assert_eq!(found.as_ref().map(|mark| mark.source), rung, "{case}");
                let Some(found) = found else { continue };
                assert_eq!(found.reason, Some(kind), "{case}");
                assert_eq!(found.asked, None, "{case}");
                assert_eq!(found.age.is_some(), rung == Some(DegradedSource::StaleAnswer), "{case}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_befalls_the_key_leaves_no_model_of_that_upstream() {
    for (plan, kind) in [("402", K::InsufficientFunds), ("403-key", K::QuotaExhausted)] {
        for streamed in [true, false] {
            let (world, stack) = outage(plan, Down::First).await;
            assert_eq!(call(&stack, streamed, ask()).await.text, CANNED, "{plan}");
            let found = mark(&stack, streamed).await;
            assert_eq!(
                found.map(|mark| (mark.source, mark.reason)),
                Some((DegradedSource::CannedReply, Some(kind)))
            );
            assert_eq!(world.simulator.report().of(SECOND).count(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn silence_takes_its_time_and_the_same_way_down() {
    for (streamed, kind) in [
        (true, K::Timeout(Phase::FirstToken)),
        (false, K::Timeout(Phase::Response)),
    ] {
        for (down, text, rung) in [
            (Down::First, FULL, None),
            (Down::Full, CHEAPER, Some(DegradedSource::CheaperModel)),
            (Down::All, CANNED, Some(DegradedSource::CannedReply)),
        ] {
            let (_world, stack) = outage("hang", down).await;
            assert_eq!(call(&stack, streamed, ask()).await.text, text, "{down:?} {streamed}");
            let (_world, stack) = outage("hang", down).await;
            let found = mark(&stack, streamed).await;
            assert_eq!(found.as_ref().map(|mark| mark.source), rung, "{down:?} {streamed}");
            assert!(found.is_none_or(|mark| mark.reason == Some(kind)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_request_is_never_degraded() {
    for (plan, kind) in [
        ("400", K::BadRequest),
        ("413", K::BadRequest),
        ("422", K::BadRequest),
        ("403-moderation", K::ContentFiltered),
        ("400-policy", K::ContentFiltered),
        ("401", K::Auth),
    ] {
        for streamed in [true, false] {
            let (_world, stack) = outage(plan, Down::AllOnceKept).await;
            let got = call(&stack, streamed, ask()).await;
            assert_eq!(
                (got.text.as_str(), got.kind()),
                ("", Some(kind)),
                "{plan} streamed={streamed}"
            );
        }
    }
}

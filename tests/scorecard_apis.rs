//! The sixteen faults of the scorecard in the other APIs: as for chat, an answer within bounds; a stream of Responses that was interrupted ends in
//! the honest error, since no other call can continue it.

use std::time::Duration;

use tokio::time::Instant;
use tower_openrouter::{
    Api, ApiKey, ApiRequest, Candidate, FailureKind as K, Outcome, Phase, Stack,
    layers::resume::ResumeLayer,
    stack::StackBuilder,
    transport::{Dialect, OPENROUTER, Upstream},
};

use crate::{
    apis::{
        Got, call, forms,
        money::{all_billed, late_bills},
    },
    support::{
        FIRST, SECOND, TEXT, World,
        ledger::{Kept, bill},
    },
};

const THIRD: &str = "google/gemini-2.5-flash";
/// The simulator has one model of vectors: the fallback is the same one at another upstream.
pub(crate) const EMBEDDER: &str = "openai/text-embedding-3-small";
const SPARE: &str = "spare";
pub(crate) const OTHERS: [Api; 3] = [Api::Responses, Api::Messages, Api::Embeddings];

pub(crate) fn ask(api: Api, streamed: bool) -> ApiRequest {
    of(api, FIRST, streamed)
}

pub(crate) fn of(api: Api, model: &str, streamed: bool) -> ApiRequest {
    let body = match api {
        Api::Responses => format!(r#"{{"model":"{model}","input":"Why is the sky blue?","stream":{streamed}}}"#),
        Api::Embeddings => format!(r#"{{"model":"{EMBEDDER}","input":["Why is the sky blue?"]}}"#),
        _ => format!(
            r#"{{"model":"{model}","max_tokens":500,"messages":[{{"role":"user","content":"Why is the sky blue?"}}],"stream":{streamed}}}"#
        ),
    };
    ApiRequest::from_json(api, body).unwrap()
}

/// An upstream whose first model follows this plan.
pub(crate) async fn world(api: Api, plan: &str) -> World {
    if api != Api::Embeddings {
        return World::new(plan).await;
    }
    let world = World::new("ok").await;
    world.simulator.plan(EMBEDDER, &plan.replace("GOOD", "ok")).unwrap();
    world
}

/// The stack as it comes, with one fallback: no timeout is set. `spare` is an upstream that is well.
pub(crate) fn with_defaults(api: Api, world: &World, spare: &World) -> StackBuilder {
    let key = || ApiKey::new("sk-or-v1-0123456789abcdef0123456789abtest").unwrap();
    let at = Upstream::new(SPARE, &spare.simulator.base_url(), Dialect::OpenRouter).unwrap();
    let builder = Stack::builder().upstream(world.upstream(), key()).upstream(at, key());
    let candidate = |upstream: &str, model: &str| Candidate::new(upstream, model).unwrap();
    match api {
        Api::Embeddings => builder.chain([candidate(OPENROUTER, EMBEDDER), candidate(SPARE, EMBEDDER)]),
        _ => builder.chain([FIRST, SECOND]),
    }
}

/// As for chat: two retries, one fallback, a first token within ten seconds.
pub(crate) fn standard(api: Api, world: &World, spare: &World) -> StackBuilder {
    with_defaults(api, world, spare)
        .attempts_per_candidate(3)
        .first_token_timeout(Duration::from_secs(10))
        .response_timeout(Duration::from_secs(60))
        .idle_timeout(Duration::from_secs(15))
}

/// The first model of its chain.
const fn first(api: Api) -> &'static str {
    match api {
        Api::Embeddings => EMBEDDER,
        _ => FIRST,
    }
}

/// The models that were called; the spare upstream counts as the second model.
pub(crate) fn sent(got: &Got) -> Vec<&str> {
    let sent = got.lines.iter().filter(|line| line.outcome != Outcome::Skipped);
    let names = sent.filter_map(|line| line.candidate.as_ref()).map(|candidate| {
        match (candidate.model(), candidate.upstream()) {
            (EMBEDDER, SPARE) => SECOND,
            (EMBEDDER, _) => FIRST,
            (model, _) => model,
        }
    });
    names.collect()
}

/// The whole answer, of whichever API.
pub(crate) fn whole(what: &str, api: Api, got: &Got) {
    assert_eq!(got.kind(), None, "{what}: {got:?}");
    if api == Api::Embeddings {
        let bytes = got.bytes().concat();
        assert!(
            memchr::memmem::find(&bytes, b"\"embedding\"").is_some(),
            "{what}: {got:?}"
        );
    } else {
        assert_eq!(got.text, TEXT, "{what}: {got:?}");
    }
}

/// What a fault of the first model leads to.
struct Scene {
    name: &'static str,
    plan: &'static str,
    /// The models that are called; empty if it is only certain that the second one answers.
    asked: &'static [&'static str],
    /// The most attempts.
    most: usize,
    /// The longest that the call takes, streamed and plain, in seconds.
    within: [u64; 2],
    /// Whether an answer without a stream of tokens can meet it.
    plain: bool,
    embeddings: bool,
}

const SCENES: [Scene; 9] = [
    Scene {
        name: "S01: a 429 with a hint is waited for",
        plan: "1x429;no-hint;retry-after=2,GOOD",
        asked: &[FIRST, FIRST],
        most: 2,
        within: [4, 4],
        plain: true,
        embeddings: true,
    },
    Scene {
        name: "S02: an endless 429 is not hammered",
        plan: "429;no-hint",
        asked: &[],
        most: 6,
        within: [60, 60],
        plain: true,
        embeddings: true,
    },
    Scene {
        name: "S03: a single 500 is retried",
        plan: "1x500,GOOD",
        asked: &[FIRST, FIRST],
        most: 2,
        within: [5, 5],
        plain: true,
        embeddings: true,
    },
    Scene {
        name: "S04: an endless 503 goes to the fallback",
        plan: "503;no-hint",
        asked: &[],
        most: 4,
        within: [30, 30],
        plain: true,
        embeddings: true,
    },
    Scene {
        name: "S05: a reset before the headers is retried",
        plan: "1xreset,GOOD",
        asked: &[FIRST, FIRST],
        most: 2,
        within: [5, 5],
        plain: true,
        embeddings: true,
    },
    Scene {
        name: "S05: an endless reset goes to the fallback",
        plan: "reset",
        asked: &[],
        most: 4,
        within: [30, 30],
        plain: true,
        embeddings: true,
    },
    Scene {
        name: "S06: a silent route is left",
        plan: "hang",
        asked: &[FIRST, SECOND],
        most: 2,
        within: [15, 100],
        plain: true,
        embeddings: true,
    },
    Scene {
        name: "S07: a late first token is no reason to wait",
        plan: "first-token=20s",
        asked: &[FIRST, SECOND],
        most: 2,
        within: [15, 0],
        plain: false,
        embeddings: false,
    },
    Scene {
        name: "S10: broken JSON is no answer",
        plan: "1xbad-json,GOOD",
        asked: &[FIRST, FIRST],
        most: 2,
        within: [5, 5],
        plain: true,
        embeddings: true,
    },
];

#[tokio::test(start_paused = true)]
async fn a_fault_before_the_answer_is_overcome_in_every_api() {
    for scene in &SCENES {
        for api in OTHERS {
            for &streamed in forms(api) {
                let is_met = match api {
                    Api::Embeddings => scene.embeddings,
                    _ => streamed || scene.plain,
                };
                if !is_met {
                    continue;
                }
                let what = format!("{} ({api}, streamed: {streamed})", scene.name);
                let (world, spare) = (world(api, scene.plan).await, World::new("ok").await);
                let begun = Instant::now();
                let got = call(&standard(api, &world, &spare).build().unwrap(), ask(api, streamed)).await;
                whole(&what, api, &got);
                if scene.asked.is_empty() {
                    assert_eq!(sent(&got).last(), Some(&SECOND), "{what}");
                } else {
                    assert_eq!(sent(&got), scene.asked, "{what}");
                }
                assert!(sent(&got).len() <= scene.most, "{what}: {:?}", sent(&got));
                let within = scene.within[usize::from(!streamed)];
                assert!(
                    begun.elapsed() <= Duration::from_secs(within),
                    "{what}: {:?}",
                    begun.elapsed()
                );
            }
        }
    }
}

/// S08, S09, S10 and S14: sixty words, of which forty were shown.
#[tokio::test(start_paused = true)]
async fn an_answer_that_was_shown_is_resumed_or_ends_in_the_honest_error() {
    let pair: &[&str] = &[FIRST, SECOND];
    let three: &[&str] = &[FIRST, SECOND, THIRD];
    for (name, plan, chain, kind) in [
        ("S08: a cut", "1xwords=60;cut@40,words=60", pair, K::Truncated),
        ("S08: a reset", "1xwords=60;cut@40;rst,words=60", pair, K::Truncated),
        (
            "S09: a stall",
            "1xwords=60;stall=30s@40,words=60",
            pair,
            K::Timeout(Phase::Idle),
        ),
        (
            "S10: broken JSON",
            "1xwords=60;bad-json@40,words=60",
            pair,
            K::Truncated,
        ),
        (
            "S14: a fallback that refuses a begun message",
            "1xwords=60;cut@40,503;no-hint",
            three,
            K::Truncated,
        ),
    ] {
        for api in [Api::Responses, Api::Messages] {
            for resume in [ResumeLayer::new(), ResumeLayer::off()] {
                let what = format!("{name} ({api}, {resume})");
                let world = World::new(plan).await;
                for (model, plan) in [(SECOND, "no-prefill;words=60"), (THIRD, "words=60")] {
                    world.simulator.plan(model, plan).unwrap();
                }
                let builder = || standard(api, &world, &world).resume(resume);
                let third = builder().chain([THIRD]).build().unwrap();
                let all = call(&third, of(api, THIRD, true)).await;
                assert_eq!((all.text.split(' ').count(), all.kind()), (60, None), "{what}");
                let stack = builder().chain(chain.iter().copied()).build().unwrap();
                let begun = Instant::now();
                let got = call(&stack, ask(api, true)).await;
                assert!(
                    begun.elapsed() <= Duration::from_secs(60),
                    "{what}: {:?}",
                    begun.elapsed()
                );
                if api == Api::Messages && resume.to_string() != "off" {
                    assert_eq!(
                        (got.text.as_str(), got.kind()),
                        (all.text.as_str(), None),
                        "{what}: {got:?}"
                    );
                } else {
                    assert_eq!(got.kind(), Some(kind), "{what}: {got:?}");
                    assert!(
                        !got.text.is_empty() && got.text.len() < all.text.len() && all.text.starts_with(&got.text),
                        "{what}"
                    );
                    assert_eq!(sent(&got), [FIRST], "{what}");
                }
            }
        }
    }
}

/// S02: no more than three calls of the first model within three seconds.
#[tokio::test(start_paused = true)]
async fn an_endless_429_is_not_hammered_in_any_api() {
    for api in OTHERS {
        for &streamed in forms(api) {
            for plan in ["429;no-hint", "429;no-hint;retry-after=1"] {
                let what = format!("S02 {api} {plan}, streamed: {streamed}");
                let (world, spare) = (world(api, plan).await, World::new("ok").await);
                let got = call(&standard(api, &world, &spare).build().unwrap(), ask(api, streamed)).await;
                whole(&what, api, &got);
                assert!(sent(&got).len() <= 6, "{what}: {:?}", sent(&got));
                let seen = world.simulator.report();
                let times: Vec<_> = seen.of(first(api)).map(|attempt| attempt.at).collect();
                let early = times.iter().filter(|at| **at - times[0] < Duration::from_secs(3));
                assert!(early.count() <= 3, "{what}: {times:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_costs_few_probes_in_every_api() {
    for api in OTHERS {
        for &streamed in forms(api) {
            let what = format!("S15 {api}, streamed: {streamed}");
            let (world, spare) = (world(api, "down=60s").await, World::new("ok").await);
            let stack = standard(api, &world, &spare).build().unwrap();
            let begun = Instant::now();
            let mut back = None;
            for _ in 0..20 {
                let got = call(&stack, ask(api, streamed)).await;
                assert_eq!(got.kind(), None, "{what}: {got:?}");
                if begun.elapsed() > Duration::from_secs(60) && sent(&got) == [FIRST] {
                    back.get_or_insert(begun.elapsed());
                }
                tokio::time::advance(Duration::from_secs(5)).await;
            }
            let back = back.unwrap_or(Duration::MAX);
            assert!(back <= Duration::from_secs(90), "{what}: {back:?}");
            let seen = world.simulator.report();
            let during = seen
                .of(first(api))
                .filter(|attempt| attempt.at < Duration::from_secs(60));
            let probes = during.count();
            assert!(probes <= 10, "{what}: {probes}");
        }
    }
}

/// S16. The bill of a streamed message comes later.
#[tokio::test(start_paused = true)]
async fn the_bill_names_the_model_that_answered_in_every_api() {
    for api in OTHERS {
        for &streamed in forms(api) {
            let what = format!("S16 {api}, streamed: {streamed}");
            let (world, spare) = (world(api, "503;no-hint").await, World::new("ok").await);
            let kept = Kept::new();
            let builder = standard(api, &world, &spare).ledger(kept.clone());
            let stack = builder.reconciler(late_bills(&world, &kept)).build().unwrap();
            let got = call(&stack, ask(api, streamed)).await;
            whole(&what, api, &got);
            all_billed(&kept).await;
            let entries = kept.entries();
            let paid: Vec<_> = entries.iter().filter(|entry| entry.cost().pico() > 0).collect();
            assert_eq!(paid.len(), 1, "{what}: {entries:?}");
            let (model, server) = if api == Api::Embeddings {
                (EMBEDDER, &spare)
            } else {
                (SECOND, &world)
            };
            assert_eq!(&*paid[0].model, model, "{what}");
            assert_eq!(kept.total(), bill(&server.simulator), "{what}");
        }
    }
}

//! What an upstream said of its limits is remembered, without any setting: over the simulator.

use std::time::Duration;

use crate::support::{FIRST, SECOND, World, ask, call};
use tokio::time::sleep;
use tower_openrouter::{
    FailureKind, Stack,
    layers::{FailureScope, circuit_breaker::CircuitState, rate_limit::Limits, retry::Exponential},
    stack::StackBuilder,
};

const S: Duration = Duration::from_secs(1);
const FREE: &str = "deepseek/deepseek-r1:free";

fn calls_of(world: &World, model: &str) -> usize {
    world.simulator.report().of(model).count()
}

/// Unconfigured, and with limits of our own configured.
fn both(builder: &StackBuilder) -> [Stack; 2] {
    let limits = Limits::new().concurrency(1_000).unwrap();
    let limited = builder.clone().upstream_limits(limits, Duration::ZERO);
    [builder.clone().build().unwrap(), limited.build().unwrap()]
}

#[tokio::test(start_paused = true)]
async fn a_long_pause_is_kept_while_another_model_answers_at_once() {
    for which in 0..2 {
        let world = World::new("429;retry-after=40").await;
        let builder = world
            .builder()
            .max_retry_delay_with_fallback(3 * S)
            .chain([FIRST, SECOND]);
        let stack = &both(&builder)[which];
        for _ in 0..10 {
            let got = call(stack, true, ask()).await;
            assert_eq!(got.kind(), None);
            assert!(got.took < S, "{:?}", got.took);
            sleep(S).await;
        }
        assert_eq!(calls_of(&world, FIRST), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn one_mistaken_hint_of_a_day_does_not_end_a_day() {
    for which in 0..2 {
        let world = World::new("1x429;retry-after=86400,ok").await;
        let stack = &both(&world.builder().chain([FIRST]))[which];
        let first = call(stack, true, ask()).await;
        assert_eq!(first.kind(), Some(FailureKind::RateLimited));
        sleep(30 * S).await;
        let refused = call(stack, true, ask()).await.error.unwrap();
        assert!(refused.retry_after().is_some_and(|wait| wait <= 30 * S), "{refused}");
        assert!(refused.to_string().contains("next attempt in"), "{refused}");
        sleep(31 * S).await;
        assert_eq!(call(stack, true, ask()).await.kind(), None);
        assert_eq!(calls_of(&world, FIRST), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_models_the_paused_one_is_used_again_after_its_probe() {
    let world = World::new("1x429;retry-after=86400,ok").await;
    let stack = world.pair();
    call(&stack, true, ask()).await;
    sleep(61 * S).await;
    for _ in 0..3 {
        assert_eq!(call(&stack, true, ask()).await.asked(), [FIRST]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_free_day_is_called_once() {
    for which in 0..2 {
        let world = World::new("GOOD").await;
        world.simulator.plan(FREE, "429-day").unwrap();
        let stack = &both(&world.builder().chain([FREE, SECOND]))[which];
        for _ in 0..20 {
            assert_eq!(call(stack, true, ask()).await.kind(), None);
            sleep(60 * S).await;
        }
        assert_eq!(calls_of(&world, FREE), 1);
    }
}

/// A free model is named in several ways, and a preset may lead to one: paid traffic continues, whatever pool the names say.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_free_day_never_pauses_what_is_paid() {
    for leads_to_free in [
        "openrouter/free",
        "a/b:free:online",
        "a/b:free@preset/p",
        "@preset/cheap",
    ] {
        let world = World::new("GOOD").await;
        for free in [leads_to_free, FREE] {
            world.simulator.plan(free, "429-day").unwrap();
        }
        let stack = world.builder().chain([leads_to_free, FREE, SECOND]).build().unwrap();
        for _ in 0..5 {
            let got = call(&stack, true, ask()).await;
            assert_eq!(got.kind(), None, "{leads_to_free}: {got:?}");
            sleep(20 * S).await;
        }
        assert_eq!(calls_of(&world, leads_to_free), 1, "{leads_to_free}");
        assert_eq!(calls_of(&world, FREE), 0, "{leads_to_free}: one quota");
        assert_eq!(calls_of(&world, SECOND), 5, "{leads_to_free}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_keys_cap_is_remembered_for_all_models_of_its_upstream() {
    let world = World::new("403-key").await;
    world.simulator.plan(SECOND, "403-key").unwrap();
    let stack = world.pair();
    for _ in 0..10 {
        let error = call(&stack, true, ask()).await.error.unwrap();
        assert_eq!(error.kind(), FailureKind::QuotaExhausted, "{error}");
        sleep(S).await;
    }
    assert_eq!(world.simulator.report().chats().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_says_429_without_a_hint_is_left_alone_for_longer_and_longer() {
    for which in 0..2 {
        let world = World::new("429;no-hint").await;
        let builder = world.builder().backoff(Exponential::default()).chain([FIRST, SECOND]);
        let stack = &both(&builder)[which];
        for _ in 0..30 {
            let got = call(stack, true, ask()).await;
            assert_eq!(got.kind(), None);
            sleep(S).await;
        }
        let calls = calls_of(&world, FIRST);
        assert!(calls <= 10, "{calls}");
        let circuits = stack.circuits().unwrap().reports();
        assert!(circuits.iter().all(|report| report.state == CircuitState::Closed));
    }
}

#[tokio::test(start_paused = true)]
async fn short_hints_are_obeyed_and_a_hint_of_zero_is_no_storm() {
    for plan in ["1x429;retry-after=2,ok", "1x429;retry-after-date=2s,ok"] {
        let got = call(&World::new(plan).await.alone(), true, ask()).await;
        assert_eq!((got.kind(), got.asked().len()), (None, 2));
        assert!(got.took >= S && got.took < 4 * S, "{plan}: {:?}", got.took);
    }
    let world = World::new("429;retry-after=0").await;
    let stack = world
        .builder()
        .backoff(Exponential::default())
        .chain([FIRST])
        .build()
        .unwrap();
    assert!(call(&stack, true, ask()).await.asked().len() <= 3);
}

/// A caller's own choice of a provider is no reason to leave the model alone for all others.
#[tokio::test(start_paused = true)]
async fn a_provider_that_one_caller_pins_counts_against_that_route_only() {
    let world = World::new("5x503,ok").await;
    let stack = world.builder().chain([FIRST, SECOND]).build().unwrap();
    let pinned = || ask().extra("provider", serde_json::json!({"only": ["openai"]}));
    for _ in 0..8 {
        assert_eq!(
            call(&stack, true, pinned()).await.kind(),
            None,
            "the second model answers"
        );
    }
    let asked = call(&stack, true, ask()).await;
    assert_eq!(asked.asked(), [FIRST], "{:?}", asked.lines);
    let world = World::new("1x429;retry-after=40,ok").await;
    let stack = world
        .builder()
        .max_retry_delay_with_fallback(3 * S)
        .chain([FIRST, SECOND])
        .build()
        .unwrap();
    assert_eq!(call(&stack, true, pinned()).await.asked(), [FIRST, SECOND]);
    assert_eq!(call(&stack, true, pinned()).await.asked(), [SECOND]);
    assert_eq!(call(&stack, true, ask()).await.asked(), [FIRST]);
}

/// Who is on duty sees what is not called, and until when.
#[tokio::test(start_paused = true)]
async fn the_pauses_in_force_are_seen_on_the_stack() {
    for which in 0..2 {
        let world = World::new("429;retry-after=40").await;
        let builder = world
            .builder()
            .max_retry_delay_with_fallback(3 * S)
            .chain([FIRST, SECOND]);
        let stack = &both(&builder)[which];
        assert!(stack.pauses().reports().is_empty());
        assert_eq!(call(stack, true, ask()).await.kind(), None);
        sleep(10 * S).await;
        let reports = stack.clone().pauses().reports();
        let [report] = &reports[..] else {
            unreachable!("one pause: {reports:?}")
        };
        assert_eq!(
            (report.candidate.model(), report.scope),
            (FIRST, FailureScope::Candidate)
        );
        assert_eq!(report.kind, FailureKind::RateLimited);
        assert!((29 * S..=30 * S).contains(&report.ends_in), "{:?}", report.ends_in);
        let told = report.to_string();
        let start = format!("{FIRST} at openrouter: paused (rate_limited), next attempt in ");
        assert!(told.starts_with(&start), "{told}");
        sleep(31 * S).await;
        assert!(stack.pauses().reports().is_empty());
    }
}

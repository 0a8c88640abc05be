//! Circuits and hedges in the stack, over the simulator's real sockets.

use std::{sync::Arc, time::Duration};

use crate::support::{
    FIRST, SECOND, TEXT, World, ask, call,
    ledger::{Kept, bill},
    prices::account,
};
use openrouter_simulator::{Outcome as Ended, Report, Simulator};
use serde_json::Value;
use tokio::time::{Instant, advance, timeout};
use tower_openrouter::{
    Catalogue, ChatServiceExt, FailureKind, Outcome,
    degrade::CannedReply,
    layers::{
        Priority,
        adaptive_concurrency::{ConcurrencyLimits, ConcurrencyPolicy},
        circuit_breaker::{CircuitPolicy, CircuitState, Circuits},
        fallback::Hedge,
        ledger::{EntryOutcome, EntryState},
        retry::Exponential,
    },
    stream_upstream::StreamUpstreamLayer,
};

fn asked(world: &World, model: &str) -> usize {
    world.simulator.report().of(model).count()
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_down_is_left_alone_and_comes_back() {
    let world = World::new("down=60s").await;
    let stack = world.pair();
    let begun = Instant::now();
    let each_second_until = async |end: u64| {
        while begun.elapsed() < Duration::from_secs(end) {
            let got = call(&stack, true, ask()).await;
            assert_eq!(got.kind(), None, "{:?}", got.lines);
            advance(Duration::from_secs(1)).await;
        }
    };
    each_second_until(50).await;
    // Five failures open it; probes come after 5, 10 and 20 seconds.
    assert_eq!(asked(&world, FIRST), 8);
    let reports = stack.circuits().unwrap().reports();
    let first = reports.iter().find(|report| report.candidate.model() == FIRST).unwrap();
    assert!(matches!(first.state, CircuitState::Open { .. }));
    // It is up after a minute: probed within 20 s, and back at full traffic ten seconds later.
    each_second_until(92).await;
    let before = asked(&world, SECOND);
    each_second_until(100).await;
    assert_eq!(asked(&world, SECOND), before);
    let mut reports = stack.circuits().unwrap().reports().into_iter();
    assert!(reports.all(|report| report.state == CircuitState::Closed));
}

#[tokio::test(start_paused = true)]
async fn without_the_breaker_every_call_asks_and_circuits_can_be_shared() {
    let world = World::new("503").await;
    let stack = world.builder().chain([FIRST, SECOND]).attempts_per_candidate(1);
    let off = stack.clone().circuit_breaker(None).build().unwrap();
    assert!(off.circuits().is_none() && off.describe().contains("CircuitBreaker       off"));
    for _ in 0..20 {
        call(&off, true, ask()).await;
    }
    assert_eq!(asked(&world, FIRST), 20);
    let strict = CircuitPolicy::new().min_calls(2);
    let on = stack.clone().circuit_breaker(strict).build().unwrap();
    for _ in 0..20 {
        call(&on, true, ask()).await;
    }
    assert_eq!(asked(&world, FIRST), 22);
    let circuits = Circuits::new(strict).unwrap();
    for _ in 0..10 {
        let one_of_many = stack.clone().circuits(circuits.clone()).build().unwrap();
        call(&one_of_many, true, ask()).await;
    }
    assert_eq!(asked(&world, FIRST), 24);
    let wrong = stack.circuit_breaker(strict.error_ratio(2.0)).build().unwrap_err();
    assert!(wrong.to_string().contains("give more than 0 and at most 1"), "{wrong}");
}

#[tokio::test(start_paused = true)]
async fn if_all_circuits_are_open_the_error_says_what_to_do() {
    let world = World::new("503").await;
    let policy = CircuitPolicy::new().min_calls(1).last_resorts(0);
    let stack = world.builder().chain([FIRST]).circuit_breaker(policy).build().unwrap();
    call(&stack, true, ask()).await;
    let error = call(&stack, true, ask()).await.error.unwrap();
    assert_eq!(error.kind(), FailureKind::CircuitOpen);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(5)));
    let told = error.report();
    assert!(
        told.contains("next probe in 5 s") && told.contains("add a candidate"),
        "{told}"
    );
}

/// What the simulator charges.
async fn catalogue(simulator: &Simulator) -> Arc<Catalogue> {
    Arc::new(Catalogue::new(account(simulator).models().await.unwrap()))
}

/// Hedged after two seconds, as often as one likes.
async fn hedged(world: &World, kept: &Arc<Kept>) -> tower_openrouter::Stack {
    world
        .builder()
        .chain([FIRST, SECOND])
        .hedge(Hedge::after(Duration::from_secs(2)).ratio(1.0))
        .prices(catalogue(&world.simulator).await)
        .ledger(kept.clone())
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_hedges_loser_is_closed_at_the_upstream_and_on_the_bill() {
    for streamed in [true, false] {
        let plan = if streamed {
            "first-token=9s;GOOD"
        } else {
            "slow-headers=9s;GOOD"
        };
        let world = World::new(plan).await;
        let kept = Kept::new();
        let got = call(&hedged(&world, &kept).await, streamed, ask()).await;
        assert_eq!((got.kind(), got.text.as_str()), (None, TEXT));
        assert!(got.took < Duration::from_secs(4), "{:?}", got.took);
        assert_eq!(
            got.lines.iter().map(|line| line.outcome).collect::<Vec<_>>(),
            [Outcome::Dropped, Outcome::Answered]
        );
        let seen = timeout(Duration::from_secs(60), world.simulator.wait_until(Report::idle))
            .await
            .unwrap();
        assert_eq!(seen.of(FIRST).next().unwrap().outcome, Ended::ClosedByClient);
        let entries = kept.entries();
        assert_eq!(entries.len(), 2);
        let loser = entries.iter().find(|entry| &*entry.model == FIRST).unwrap();
        assert_eq!(
            (loser.outcome, loser.state),
            (EntryOutcome::Dropped, EntryState::Estimated)
        );
        assert!(entries.iter().map(|entry| entry.cost().pico()).sum::<i128>() >= bill(&world.simulator));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedged_call_that_is_left_closes_both() {
    let world = World::new("first-token=60s").await;
    world.simulator.plan(SECOND, "first-token=60s").unwrap();
    let kept = Kept::new();
    let stack = hedged(&world, &kept).await;
    let left = timeout(Duration::from_secs(5), stack.stream(ask())).await;
    assert!(left.is_err());
    let seen = timeout(Duration::from_secs(60), world.simulator.wait_until(Report::idle))
        .await
        .unwrap();
    let outcomes: Vec<_> = seen.chats().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Ended::ClosedByClient, Ended::ClosedByClient]);
    assert_eq!(kept.entries().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_interactive_call_goes_before_a_batch() {
    for gather in [StreamUpstreamLayer::on_request(), StreamUpstreamLayer::new()] {
        let world = World::new("GOOD;delay=1s").await;
        let limits = ConcurrencyLimits::new(ConcurrencyPolicy::new().initial(1).ceiling(1)).unwrap();
        let stack = world.builder().chain([FIRST]).stream_upstream(gather);
        let stack = stack.adaptive_concurrency(limits).build().unwrap();
        let asked = async |name: &str, after: u64, priority: Option<Priority>| {
            tokio::time::sleep(Duration::from_millis(after)).await;
            let mut request = ask().end_user(name);
            if let Some(priority) = priority {
                request = request.priority(priority);
            }
            stack.complete(request).await.unwrap();
        };
        tokio::join!(
            asked("first", 0, None),
            asked("batch", 10, Some(Priority::Batch)),
            asked("unsaid", 20, None),
            asked("person", 30, Some(Priority::Interactive))
        );
        let seen = world.simulator.report();
        let users = seen.attempts.iter().map(|attempt| {
            let body: Value = serde_json::from_slice(&attempt.body).unwrap();
            body["user"].as_str().unwrap().to_owned()
        });
        assert_eq!(users.collect::<Vec<_>>(), ["first", "unsaid", "person", "batch"]);
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_beyond_the_concurrency_limit_wait_or_fall_back() {
    let world = World::new("GOOD;delay=1s").await;
    let policy = ConcurrencyPolicy::new().initial(2).ceiling(2).queue(0);
    let limits = ConcurrencyLimits::new(policy).unwrap();
    let stack = world
        .builder()
        .chain([FIRST, SECOND])
        .adaptive_concurrency(limits.clone())
        .build()
        .unwrap();
    let four = tokio::join!(
        call(&stack, true, ask()),
        call(&stack, true, ask()),
        call(&stack, true, ask()),
        call(&stack, true, ask())
    );
    for got in [four.0, four.1, four.2, four.3] {
        assert_eq!(got.text, TEXT);
    }
    assert_eq!(
        (asked(&world, FIRST), asked(&world, SECOND)),
        (2, 2),
        "the others moved on"
    );
    let reports = stack.concurrency().unwrap().reports();
    assert!(reports.iter().all(|report| report.in_flight == 0), "{reports:?}");
    assert!(
        stack.describe().contains("AdaptiveConcurrency  2 concurrent attempts"),
        "{}",
        stack.describe()
    );
    assert!(!reports.is_empty());
    // No other candidate is left: the call is refused, and the error says why.
    let alone = world
        .builder()
        .chain([FIRST])
        .adaptive_concurrency(limits.clone())
        .build()
        .unwrap();
    // The two stacks share the model's limit.
    let pair = world
        .builder()
        .chain([FIRST])
        .adaptive_concurrency(limits)
        .build()
        .unwrap();
    let _two = [alone.stream(ask()).await.unwrap(), pair.stream(ask()).await.unwrap()];
    let error = alone.stream(ask()).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::ConcurrencyLimited);
    assert!(
        error.to_string().contains("is at its concurrency limit (2 in flight"),
        "{error}"
    );
}

/// A cap that a hedge has spent is no reason to leave the caller without the canned reply.
#[tokio::test(start_paused = true)]
async fn a_cap_spent_by_a_hedge_degrades_as_any_failure() {
    let world = World::new("503;slow-headers=900ms").await;
    world.simulator.plan(SECOND, "503").unwrap();
    let stack = world
        .builder()
        .backoff(Exponential::new(Duration::from_secs(8), Duration::from_secs(8)).seeded(3))
        .chain([FIRST, SECOND])
        .attempts(2)
        .attempts_per_candidate(2)
        .hedge(Hedge::after(Duration::from_secs(1)).ratio(1.0))
        .canned_reply(CannedReply::text("Sorry."))
        .build()
        .unwrap();
    let got = call(&stack, false, ask()).await;
    let error = got.error.as_ref().map(|error| (error.kind(), error.to_string()));
    assert!(error.is_none(), "{error:?}");
}

//! What is left of the money, watched over the simulator's real sockets.

use std::{sync::Arc, time::Duration};

use crate::support::{FIRST, Got, World, ask, call, ledger::Kept, log};
use openrouter_simulator::{Cost, Simulator};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};
use tower_openrouter::{
    Account, ApiKey, FailureKind, Stack, Transport, UsdAmount,
    balance::{BalanceWatch, BalanceWatchBuilder},
    layers::ledger::{EntryOutcome, Ledger},
};

const KEY: &str = "sk-or-v1-0123456789abcdef0123456789abtest";

fn watching(world: &World) -> BalanceWatchBuilder {
    let upstream = world.upstream();
    let transport = Transport::builder().upstream(upstream.clone()).build().unwrap();
    BalanceWatch::builder(Account::new(transport, upstream, Some(ApiKey::new(KEY).unwrap())))
}

async fn world(dollars: &str) -> World {
    let credits: Cost = dollars.parse().unwrap();
    World::over(Simulator::builder().credits(credits).start().await.unwrap(), "GOOD")
}

fn stack(world: &World, watch: &BalanceWatch) -> Stack {
    world
        .builder()
        .chain([FIRST])
        .ledger(Arc::new(watch.clone()))
        .build()
        .unwrap()
}

fn polls(world: &World) -> usize {
    let seen = world.simulator.report();
    seen.attempts
        .iter()
        .filter(|attempt| attempt.path.ends_with("/key"))
        .count()
}

fn pico(amount: Option<i128>) -> String {
    UsdAmount::from_pico(amount.unwrap()).to_string()
}

#[tokio::test(start_paused = true)]
async fn it_reads_at_a_low_rate_and_ends_with_its_last_handle() {
    let world = world("10").await;
    let watch = watching(&world).spawn_on(&Handle::current());
    assert!(watch.state().to_string().contains("not been read yet"));
    let state = watch.clone().changed().await;
    assert_eq!(pico(state.prepaid.left), "$10.00");
    assert_eq!((state.key_cap.left, state.free_day.left), (None, Some(1000)));
    assert!(!state.is_out());
    assert!(
        state
            .to_string()
            .starts_with("prepaid: $10.00 left; key cap: none; free requests today: 1000 left (read at"),
        "{state}"
    );
    sleep(Duration::from_secs(3600)).await;
    let asked = polls(&world);
    assert!((48..=77).contains(&asked), "{asked} times in an hour");
    drop(watch);
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(polls(&world), asked);
}

#[tokio::test(start_paused = true)]
async fn another_rate_is_kept_to() {
    let world = world("10").await;
    let _watch = watching(&world)
        .every(Duration::from_secs(600))
        .spawn_on(&Handle::current());
    sleep(Duration::from_secs(3600)).await;
    let asked = polls(&world);
    assert!((5..=9).contains(&asked), "{asked} times in an hour");
}

/// Its first wait goes beyond any instant, and so does one after failures.
#[tokio::test(start_paused = true)]
async fn a_balance_that_is_read_only_once_is_read_again_after_a_refusal() {
    for plan in ["ok", "1x503,ok"] {
        let world = world("10").await;
        world.simulator.plan("/key", plan).unwrap();
        world.simulator.plan(FIRST, "402").unwrap();
        let watch = watching(&world).every(Duration::MAX).spawn_on(&Handle::current());
        sleep(Duration::from_secs(10)).await;
        assert_eq!(polls(&world), 1, "{plan}");
        let got = call(&stack(&world, &watch), true, ask()).await;
        assert_eq!(got.kind(), Some(FailureKind::InsufficientFunds));
        sleep(Duration::from_secs(10)).await;
        assert!(
            polls(&world) > 1 && watch.state().failures == 0,
            "{plan}: {}",
            watch.state()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_first_reading_of_a_balance_that_is_read_only_once_is_repeated() {
    let world = world("10").await;
    world.simulator.plan("/key", "1x503,ok").unwrap();
    let watch = watching(&world).every(Duration::MAX).spawn_on(&Handle::current());
    sleep(Duration::from_secs(300)).await;
    assert_eq!(polls(&world), 2);
    assert_eq!(watch.state().failures, 0, "{}", watch.state());
    assert!(watch.state().read_at.is_some());
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(polls(&world), 2, "it is read once");
}

#[tokio::test(start_paused = true)]
async fn what_the_key_may_not_see_is_unknown_and_no_failure() {
    let world = world("10").await;
    world.simulator.plan("/credits", "403").unwrap();
    let mut watch = watching(&world).spawn_on(&Handle::current());
    let state = watch.changed().await;
    assert_eq!((state.prepaid.left, state.failures), (None, 0));
    assert!(!state.is_out() && state.read_at.is_some());
    assert!(state.to_string().contains("prepaid: unknown"), "{state}");
}

/// An ordinary key is answered with zeros, or is refused.
#[tokio::test(start_paused = true)]
async fn an_unknown_balance_is_not_out_until_a_refusal_and_then_stays_so() {
    for (credits, plan) in [("0", "ok"), ("10", "403")] {
        let (log, _guard) = log::Log::listen("llm::balance=error");
        let world = world(credits).await;
        world.simulator.plan("/credits", plan).unwrap();
        world.simulator.plan(FIRST, "402").unwrap();
        let mut watch = watching(&world).spawn_on(&Handle::current());
        let state = watch.changed().await;
        assert_eq!((state.prepaid.left, state.is_out()), (None, false), "{state}");
        assert!(state.to_string().contains("prepaid: unknown"), "{state}");
        let stack = stack(&world, &watch);
        for _ in 0..60 {
            let got = call(&stack, true, ask()).await;
            assert_eq!(got.kind(), Some(FailureKind::InsufficientFunds));
            sleep(Duration::from_secs(1)).await;
            assert!(watch.state().prepaid.is_out(), "{}", watch.state());
        }
        assert_eq!(log.text().matches("the upstream refuses").count(), 1, "{}", log.text());
        // The last refusal is older than a reading lags.
        sleep(Duration::from_secs(720)).await;
        assert!(!watch.state().is_out(), "{}", watch.state());
    }
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_fails_keeps_the_old_one_and_is_tried_less_often() {
    let world = world("10").await;
    let mut watch = watching(&world).spawn_on(&Handle::current());
    let before = watch.changed().await;
    world.simulator.plan("/key", "503").unwrap();
    sleep(Duration::from_secs(3600)).await;
    let state = watch.state();
    assert_eq!(
        (state.prepaid.left, state.read_at),
        (before.prepaid.left, before.read_at)
    );
    assert!(
        state.failures > 2 && state.to_string().contains("failures since"),
        "{state}"
    );
    let asked = polls(&world);
    assert!((5..=12).contains(&asked), "backed off: {asked}");
    world.simulator.plan("/key", "ok").unwrap();
    sleep(Duration::from_secs(1600)).await;
    assert_eq!(watch.state().failures, 0);
}

#[tokio::test(start_paused = true)]
async fn it_says_that_money_runs_out_before_it_does() {
    let (log, _guard) = log::Log::listen("llm::balance=info");
    // Some ten minutes of calls, one a second.
    let world = world("0.06").await;
    let watch = watching(&world)
        .warn_before([Duration::from_secs(400), Duration::from_secs(130)])
        .spawn_on(&Handle::current());
    let stack = stack(&world, &watch);
    let mut calls = 0;
    let mut warned_at = None;
    loop {
        let got = call(&stack, true, ask().max_tokens(1)).await;
        if let Some(error) = got.error {
            assert_eq!(error.status().map(|status| status.as_u16()), Some(402), "{error}");
            break;
        }
        calls += 1;
        if warned_at.is_none() && log.text().contains("money runs out at the present pace") {
            warned_at = Some(calls);
        }
        assert!(calls < 20_000, "it never runs out");
        sleep(Duration::from_secs(1)).await;
    }
    assert!(warned_at.is_some_and(|at| at < calls), "{warned_at:?} of {calls}");
    assert_eq!(
        log.text().matches("money runs out at the present pace").count(),
        2,
        "once at each mark"
    );
    assert!(watch.state().prepaid.is_out(), "a 402 is known at once");
    assert_eq!(
        watch.state().prepaid.lasts(tower_openrouter::layers::UtcTime::now()),
        Some(Duration::ZERO)
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_known_at_once_and_a_thousand_make_one_question() {
    let world = world("10").await;
    world.simulator.plan(FIRST, "402").unwrap();
    let watch = watching(&world)
        .every(Duration::from_secs(3600))
        .spawn_on(&Handle::current());
    sleep(Duration::from_secs(10)).await;
    assert_eq!(polls(&world), 1);
    let stack = stack(&world, &watch);
    let begun = Instant::now();
    let mut refused = Vec::new();
    // Fifty at a time: a thousand connections at once do not fit the listener's queue.
    for _ in 0..20 {
        let calls = (0..50).map(|_| call(&stack, true, ask()));
        refused.extend(futures_util::future::join_all(calls).await);
    }
    let kinds: Vec<_> = refused.iter().map(Got::kind).collect();
    assert_eq!(kinds, [Some(FailureKind::InsufficientFunds); 1000]);
    // The paused clock jumps while sockets are waited for, so the calls take some seconds of it.
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap();
    assert!(watch.state().prepaid.refused && watch.state().is_out());
    sleep(Duration::from_secs(10)).await;
    let asked = polls(&world);
    assert!(
        (2..=seconds + 4).contains(&asked) && asked < 20,
        "{asked} questions in {seconds} s"
    );
    // An answer that is paid for says otherwise.
    world.simulator.plan(FIRST, "ok").unwrap();
    assert!(call(&stack, true, ask()).await.error.is_none());
    assert!(!watch.state().is_out());
    // The same by hand.
    watch.record_failure(refused.first().and_then(|got| got.error.as_ref()).unwrap());
    assert!(watch.state().prepaid.refused);
}

#[tokio::test(start_paused = true)]
async fn a_keys_cap_is_distinguished_from_the_balance() {
    let simulator = Simulator::builder()
        .key_with_limit(KEY, "0.0001".parse().unwrap())
        .start()
        .await
        .unwrap();
    let world = World::over(simulator, "GOOD");
    let mut watch = watching(&world).spawn_on(&Handle::current());
    assert_eq!(pico(watch.changed().await.key_cap.left), "$0.0001");
    let stack = stack(&world, &watch);
    while call(&stack, true, ask()).await.error.is_none() {}
    let state = watch.state();
    assert!(state.key_cap.is_out() && !state.prepaid.is_out(), "{state}");
}

/// Only what its own account pays for tells of it, and an account that can pay for less is not out.
#[tokio::test(start_paused = true)]
async fn another_upstreams_trouble_and_a_smaller_answer_are_no_empty_balance() {
    let world = world("10").await;
    let mut watch = watching(&world).spawn_on(&Handle::current());
    watch.changed().await;
    let kept = Kept::new();
    let stack = world.builder().chain([FIRST]).ledger(kept.clone()).build().unwrap();
    assert_eq!(call(&stack, true, ask()).await.kind(), None);
    let mut entry = kept.entries().remove(0);
    entry.outcome = EntryOutcome::Failed(FailureKind::InsufficientFunds);
    let record = |upstream: &str, affordable: Option<u64>| {
        let mut entry = entry.clone();
        entry.upstream = upstream.into();
        entry.affordable_tokens = affordable;
        watch.record(&entry);
        watch.state().prepaid.refused
    };
    assert!(!record("elsewhere", None));
    assert!(!record(&entry.upstream, Some(400)));
    assert!(record(&entry.upstream, Some(0)), "not a token more");
    assert!(record(&entry.upstream, None));
    entry.outcome = EntryOutcome::Answered;
    let mut elsewhere = entry.clone();
    elsewhere.upstream = "elsewhere".into();
    watch.record(&elsewhere);
    assert!(watch.state().prepaid.refused, "another account's answer proves nothing");
    watch.record(&entry);
    assert!(!watch.state().prepaid.refused);
}

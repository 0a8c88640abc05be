//! Keys: rotated when rejected or rate limited, probed again, and never shown.

use std::time::Duration;

use crate::support::{FIRST, World, ask, call};
use openrouter_simulator::Simulator;
use tower_openrouter::{
    ApiKey, FailureKind, KeyPool, Stack,
    layers::auth::KeyState,
    transport::{Dialect, OPENROUTER, Upstream},
};

fn pool(keys: &[&str]) -> KeyPool {
    KeyPool::new(keys.iter().map(|key| ApiKey::new(*key).unwrap())).unwrap()
}

fn stack(simulator: &Simulator, pool: &KeyPool) -> Stack {
    let upstream = Upstream::new(OPENROUTER, &simulator.base_url(), Dialect::OpenRouter).unwrap();
    Stack::builder()
        .upstream(upstream, pool.clone())
        .chain([FIRST])
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_rejected_key_rests_and_the_next_one_answers() {
    let simulator = Simulator::builder().key("sk-or-v1-good").start().await.unwrap();
    let pool = pool(&["sk-or-v1-dead", "sk-or-v1-good"]);
    let stack = stack(&simulator, &pool);
    let first = call(&stack, true, ask()).await;
    assert_eq!((first.kind(), first.asked().len()), (None, 2), "{first:?}");
    assert!(
        matches!(pool.states()[..], [KeyState::RejectedUntil(_), KeyState::Usable]),
        "{pool:?}"
    );
    for _ in 0..3 {
        assert_eq!(call(&stack, true, ask()).await.asked().len(), 1, "a rejected key rests");
    }
}

#[tokio::test(start_paused = true)]
async fn when_every_key_is_rejected_it_says_so() {
    let simulator = Simulator::builder().key("sk-or-v1-good").start().await.unwrap();
    let pool = pool(&["sk-or-v1-s3cr3t1", "sk-or-v1-s3cr3t2"]);
    let stack = stack(&simulator, &pool);
    assert_eq!(call(&stack, true, ask()).await.kind(), Some(FailureKind::Auth));
    let again = call(&stack, true, ask()).await;
    assert_eq!(again.kind(), Some(FailureKind::Auth));
    let said = again.error.unwrap().report();
    assert!(said.contains("check the API key") && !said.contains("s3cr3t"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_key_over_its_cap_rests() {
    let cap = "0.00000001".parse().unwrap();
    let simulator = Simulator::builder()
        .key_with_limit("sk-or-v1-small", cap)
        .key("sk-or-v1-large")
        .start()
        .await
        .unwrap();
    let pool = pool(&["sk-or-v1-small", "sk-or-v1-large"]);
    let stack = stack(&simulator, &pool);
    for _ in 0..4 {
        let got = call(&stack, true, ask()).await;
        assert!(got.error.is_none(), "{got:?}");
    }
    assert!(
        matches!(pool.states()[..], [KeyState::RestingUntil(_), KeyState::Usable]),
        "{pool:?}"
    );
}

const S: Duration = Duration::from_secs(1);

fn stack_over(world: &World, pool: &KeyPool) -> Stack {
    let builder = Stack::builder().upstream(world.upstream(), pool.clone());
    builder.chain([FIRST]).build().unwrap()
}

/// One 401, from an outage at the router, is not the key's end.
#[tokio::test(start_paused = true)]
async fn one_rejection_is_forgotten_once_a_probe_is_accepted() {
    let world = World::new("1x401,ok").await;
    let pool = pool(&["sk-or-v1-aaaa", "sk-or-v1-bbbb"]);
    let stack = stack_over(&world, &pool);
    assert_eq!(call(&stack, true, ask()).await.kind(), None);
    assert!(pool.states().iter().any(|state| *state != KeyState::Usable));
    tokio::time::sleep(31 * S).await;
    for _ in 0..2 {
        assert_eq!(call(&stack, true, ask()).await.asked().len(), 1);
    }
    assert_eq!(pool.states(), [KeyState::Usable; 2]);
}

/// A minute in which the router rejects every key.
#[tokio::test(start_paused = true)]
async fn an_outage_that_rejects_all_keys_ends_with_it() {
    let world = World::new("401;down=60s").await;
    let pool = pool(&["sk-or-v1-aaaa", "sk-or-v1-bbbb", "sk-or-v1-cccc"]);
    let stack = stack_over(&world, &pool);
    for _ in 0..3 {
        assert_eq!(call(&stack, true, ask()).await.kind(), Some(FailureKind::Auth));
        tokio::time::sleep(15 * S).await;
    }
    tokio::time::sleep(16 * S).await;
    for _ in 0..4 {
        let got = call(&stack, true, ask()).await;
        assert_eq!(got.kind(), None, "{:?}", got.lines);
    }
}

/// The day of the free models is exhausted for one account; the other key is another one's.
#[tokio::test(start_paused = true)]
async fn a_free_day_is_exhausted_for_one_key_and_not_for_the_other() {
    let free = "deepseek/deepseek-r1:free";
    let world = World::new("GOOD").await;
    world.simulator.plan(free, "429-day").unwrap();
    let pool = pool(&["sk-or-v1-aaaa", "sk-or-v1-bbbb"]);
    let stack = Stack::builder()
        .upstream(world.upstream(), pool.clone())
        .chain([free])
        .build()
        .unwrap();
    let first = call(&stack, true, ask()).await;
    assert_eq!(first.kind(), Some(FailureKind::QuotaExhausted));
    assert_eq!(world.simulator.report().of(free).count(), 2, "each key once");
    let again = call(&stack, true, ask()).await;
    assert!(again.error.unwrap().retry_after().is_some_and(|wait| wait <= 3_600 * S));
    assert_eq!(world.simulator.report().of(free).count(), 2);
    assert_eq!(pool.states(), [KeyState::Usable; 2], "for other models");
}

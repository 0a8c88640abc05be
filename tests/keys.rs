//! Keys: rotated when dead or throttled, and seen by nobody.

use crate::support::{FIRST, ask, call};
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
async fn a_dead_key_is_buried_and_the_next_one_answers() {
    let simulator = Simulator::builder().key("sk-or-v1-good").start().await.unwrap();
    let pool = pool(&["sk-or-v1-dead", "sk-or-v1-good"]);
    let stack = stack(&simulator, &pool);
    let first = call(&stack, true, ask()).await;
    assert_eq!((first.kind(), first.asked().len()), (None, 2), "{first:?}");
    assert_eq!(pool.states(), [KeyState::Dead, KeyState::Usable]);
    for _ in 0..3 {
        assert_eq!(
            call(&stack, true, ask()).await.asked().len(),
            1,
            "a dead key is never tried again"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn when_every_key_is_dead_it_says_so() {
    let simulator = Simulator::builder().key("sk-or-v1-good").start().await.unwrap();
    let pool = pool(&["sk-or-v1-s3cr3t1", "sk-or-v1-s3cr3t2"]);
    let stack = stack(&simulator, &pool);
    assert_eq!(call(&stack, true, ask()).await.kind(), Some(FailureKind::Auth));
    let again = call(&stack, true, ask()).await;
    let said = again.error.unwrap().report();
    assert!(
        said.contains("no key for openrouter: every key of the pool was rejected"),
        "{said}"
    );
    assert!(!said.contains("s3cr3t"));
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

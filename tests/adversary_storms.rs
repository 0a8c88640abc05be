//! Retries without end, and callers who leave at every instant.

use std::time::Duration;

use crate::support::{
    FIRST, SECOND, World, ask, call,
    raw::{Raw, head},
};
use futures_util::future::join_all;
use tokio::{runtime::Handle, time::timeout};
use tower_openrouter::{ChatServiceExt, layers::retry::RetryBudget};

/// "Retry at once", without end.
#[tokio::test(start_paused = true)]
async fn an_upstream_that_always_says_retry_now_gets_no_more_than_the_cap() {
    let raw = Raw::always(vec![head("429 Too Many Requests\r\nretry-after: 0", "text/plain")]).await;
    for cap in 1..6 {
        let before = raw.seen().len();
        let stack = raw
            .builder()
            .chain([FIRST, SECOND])
            .attempts(cap)
            .attempts_per_candidate(100);
        let got = call(&stack.build().unwrap(), true, ask()).await;
        assert!(got.error.is_some());
        assert_eq!(raw.seen().len() - before, cap as usize, "{got:?}");
    }
}

/// Invariant 4 with many callers at once.
#[tokio::test(start_paused = true)]
async fn callers_together_keep_to_the_ratio() {
    let raw = Raw::always(vec![head("503 Service Unavailable", "text/plain")]).await;
    let budget = RetryBudget::new(0.2, 0.0);
    let stack = raw
        .builder()
        .attempts(50)
        .attempts_per_candidate(50)
        .retry_budget(budget)
        .circuit_breaker(None);
    let stack = stack.build().unwrap();
    join_all((0..100).map(|_| call(&stack, true, ask()))).await;
    let sent = raw.seen().len();
    assert!((110..=120).contains(&sent), "{sent} attempts for 100 calls");
}

/// Invariant 7: whenever the caller goes, its connection closes, and no task is left.
#[tokio::test(start_paused = true)]
async fn whenever_the_caller_goes_nothing_is_left() {
    let world = World::new("503;no-hint,delay=200ms;words=20").await;
    let alone = Handle::current().metrics().num_alive_tasks();
    for streamed in [true, false] {
        for millis in (0..4000).step_by(130) {
            world
                .simulator
                .plan(FIRST, "slow-headers=500ms,503,delay=200ms;words=20")
                .unwrap();
            let stack = world.pair();
            let whole = async {
                if streamed {
                    let mut answer = stack.stream(ask()).await.unwrap();
                    while let Some(text) = answer.next_text().await {
                        text.unwrap();
                    }
                } else {
                    stack.complete(ask()).await.unwrap();
                }
            };
            let _left = timeout(Duration::from_millis(millis), whole).await;
            drop(stack);
            world
                .simulator
                .wait_until(|seen| seen.open_connections == 0 && seen.idle())
                .await;
            // The tasks see that in the turn after.
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert_eq!(
                Handle::current().metrics().num_alive_tasks(),
                alone,
                "{millis} ms, {streamed}"
            );
        }
    }
}

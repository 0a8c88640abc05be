//! A limit that is changed is in force at once: what was taken counts in units, and not in the time that the old limit refills them in.

use std::{sync::Arc, time::Duration};

use test_servers::Redis;
use tokio::time::Instant;
use tower_llm_layers::rate_limit::{LimitStore, LimitUse, LimitWait, Limits, Rate, RateLimitPermit};
use tower_llm_redis::{RedisLimits, Store};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn connect(server: &Redis) -> RedisLimits {
    let builder = Store::builder(&server.url()).decision_timeout(Duration::from_secs(30));
    builder.connect().await.unwrap().limits()
}

fn rate(amount: u32, per: Duration, burst: u32) -> Rate {
    Rate::new(amount, per).unwrap().burst(burst).unwrap()
}

async fn admit(limits: &RedisLimits, of: &Limits, tokens: u64) -> Result<Box<dyn RateLimitPermit>, LimitWait> {
    limits.admit(&Arc::from("acme"), of, tokens).await
}

/// What is used once a call of so many tokens has passed.
async fn used(limits: &RedisLimits, of: &Limits, tokens: u64) -> LimitUse {
    admit(limits, of, tokens).await.unwrap().limits_used().unwrap()
}

/// Whether it is so long, less what the store has refilled since then: a second in each, however long the commands took.
fn is_about(time: Duration, millis: u64, began: Instant) -> bool {
    // Microseconds are rounded up.
    let most = Duration::from_millis(millis + 1);
    time <= most && time + began.elapsed() + Duration::from_millis(2) > most
}

#[tokio::test]
async fn a_raised_limit_lets_pass_at_once_and_the_requests_taken_stay_taken() {
    let Some(server) = Redis::start() else { return };
    let shared = connect(&server).await;
    let few = Limits::new().requests(rate(100, DAY, 10));
    let began = Instant::now();
    for _ in 0..10 {
        assert!(admit(&shared, &few, 0).await.is_ok());
    }
    assert!(admit(&shared, &few, 0).await.is_err());
    // A second for each.
    let many = Limits::new().requests(rate(60, MINUTE, 40));
    let first = used(&shared, &many, 0).await.requests_full_in;
    assert!(is_about(first, 11_000, began), "{first:?}");
    // Back again: those of the old burst are used.
    let refused = admit(&shared, &few, 0).await.err().unwrap();
    assert!(refused.wait <= Duration::from_secs(864), "{refused:?}");
}

#[tokio::test]
async fn a_lowered_limit_is_used_no_more_than_its_burst() {
    let Some(server) = Redis::start() else { return };
    let shared = connect(&server).await;
    let many = Limits::new().tokens(rate(60, MINUTE, 60));
    let _ended = admit(&shared, &many, 50).await.unwrap();
    let few = Limits::new().tokens(rate(60, 60 * MINUTE, 5));
    let refused = admit(&shared, &few, 1).await.err().unwrap();
    assert!(refused.wait <= MINUTE && refused.wait > MINUTE / 2, "{refused:?}");
}

#[tokio::test]
async fn what_is_owed_beyond_the_burst_is_paid_at_the_new_rate_also_while_calls_are_refused() {
    let Some(server) = Redis::start() else { return };
    let shared = connect(&server).await;
    let slow = Limits::new().tokens(rate(100, DAY, 10));
    admit(&shared, &slow, 10).await.unwrap().used(50);
    shared.flush().await;
    // 10 of the burst and 40 beyond, at a hundred a second: one passes when 19 are left.
    let fast = Limits::new().tokens(rate(6_000, MINUTE, 20));
    let refused = admit(&shared, &fast, 1).await.err().unwrap();
    let millis = refused.wait.as_millis();
    assert!((300..=311).contains(&millis), "{refused:?}");
    tokio::time::sleep(refused.wait).await;
    assert!(admit(&shared, &fast, 1).await.is_ok());
}

#[tokio::test]
async fn a_call_that_ends_after_the_change_gives_back_what_it_took() {
    let Some(server) = Redis::start() else { return };
    let shared = connect(&server).await;
    let slow = Limits::new().tokens(rate(100, DAY, 100));
    let began = Instant::now();
    let in_flight = admit(&shared, &slow, 50).await.unwrap();
    let fast = Limits::new().tokens(rate(60, MINUTE, 60));
    let before = used(&shared, &fast, 1).await.tokens_full_in;
    assert!(is_about(before, 51_000, began), "{before:?}");
    in_flight.used(20);
    shared.flush().await;
    let after = used(&shared, &fast, 1).await.tokens_full_in;
    assert!(is_about(after, 22_000, began), "{after:?}");
}

/// As during a rollout, or while calls still wait in a stack that was replaced.
#[tokio::test]
async fn two_limits_side_by_side_let_no_more_pass_than_the_larger_burst() {
    let Some(server) = Redis::start() else { return };
    let shared = connect(&server).await;
    let limits = |burst: u32| Limits::new().requests(rate(burst, DAY, burst));
    let (few, many) = (limits(10), limits(40));
    let mut passed = 0;
    for _ in 0..4 {
        while admit(&shared, &many, 0).await.is_ok() {
            passed += 1;
        }
        assert!(admit(&shared, &few, 0).await.is_err());
    }
    assert_eq!(passed, 40);
}

#[tokio::test]
async fn a_smaller_burst_that_refills_faster_does_so_at_once() {
    let Some(server) = Redis::start() else { return };
    let shared = connect(&server).await;
    let slow = Limits::new().tokens(rate(100, DAY, 100));
    assert!(admit(&shared, &slow, 100).await.is_ok());
    // A hundred a second.
    let fast = Limits::new().tokens(rate(6_000, MINUTE, 20));
    let refused = admit(&shared, &fast, 1).await.err().unwrap();
    assert!(refused.wait <= Duration::from_millis(11), "{refused:?}");
    tokio::time::sleep(refused.wait).await;
    assert!(admit(&shared, &fast, 1).await.is_ok());
}

//! Shared rate limits in a real Redis, started for each test.
#![expect(clippy::unwrap_used, reason = "a test that fails here should say so")]

use std::{sync::Arc, time::Duration};

use test_servers::Redis;
use tower_llm_layers::rate_limit::{LimitHold, LimitStore, LimitWait, Limits, Rate};
use tower_llm_redis::{RedisLimits, Store, WhenDown};

const MINUTE: Duration = Duration::from_secs(60);

async fn connect(server: &Redis) -> Store {
    Store::builder(&server.url())
        .decision_timeout(Duration::from_secs(30))
        .connect()
        .await
        .unwrap()
}

async fn admit(limits: &RedisLimits, of: &Limits, tokens: u64) -> Result<Box<dyn LimitHold>, LimitWait> {
    limits.admit(&Arc::from("acme"), of, tokens).await
}

#[tokio::test]
async fn two_processes_share_a_rate_and_learn_exactly_when() {
    let Some(server) = Redis::start() else { return };
    let (one, other) = (connect(&server).await.limits(), connect(&server).await.limits());
    let limits = Limits::new().requests(Rate::new(60, MINUTE).unwrap().burst(3).unwrap());
    assert!(admit(&one, &limits, 0).await.is_ok());
    assert!(admit(&other, &limits, 0).await.is_ok());
    assert!(admit(&one, &limits, 0).await.is_ok());
    let full = admit(&other, &limits, 0).await.err().unwrap();
    assert_eq!(full.limit, Some((60, "requests", MINUTE)));
    assert!(
        full.wait > Duration::from_millis(500) && full.wait <= Duration::from_secs(1),
        "{full:?}"
    );
    let elsewhere = other.admit(&Arc::from("globex"), &limits, 0).await;
    assert!(elsewhere.is_ok(), "another key has a limit of its own");
}

#[tokio::test]
async fn tokens_are_trued_up_over_and_under() {
    let Some(server) = Redis::start() else { return };
    let shared = connect(&server).await.limits();
    let limits = Limits::new().tokens(Rate::new(6_000, MINUTE).unwrap().burst(600).unwrap());
    let under = admit(&shared, &limits, 600).await.unwrap();
    assert_eq!(
        admit(&shared, &limits, 100).await.err().unwrap().limit,
        Some((6_000, "tokens", MINUTE))
    );
    under.used(0);
    shared.flush().await;
    let over = admit(&shared, &limits, 500).await.unwrap();
    over.used(1_100);
    shared.flush().await;
    let owed = admit(&shared, &limits, 100).await.err().unwrap().wait;
    assert!(
        owed > Duration::from_millis(5_500) && owed <= Duration::from_secs(6),
        "{owed:?}"
    );
}

#[tokio::test]
async fn a_place_is_held_to_the_end_and_given_back_then() {
    let Some(server) = Redis::start() else { return };
    let lease = Duration::from_millis(400);
    let store = || async { Store::builder(&server.url()).lease(lease).connect().await.unwrap() };
    let shared = store().await.limits();
    let limits = Limits::new().concurrency(1).unwrap();
    let held = admit(&shared, &limits, 0).await.unwrap();
    tokio::time::sleep(lease * 3).await;
    assert_eq!(
        admit(&shared, &limits, 0).await.err().unwrap().limit,
        None,
        "alive, its lease is renewed"
    );
    drop(held);
    shared.flush().await;
    let again = admit(&shared, &limits, 0).await.unwrap();
    let other = store().await.limits();
    assert!(admit(&other, &limits, 0).await.is_err());
    drop(again);
}

#[tokio::test]
async fn while_the_server_is_away_calls_pass_or_are_refused_and_are_counted() {
    let Some(mut server) = Redis::start() else { return };
    let store = Store::builder(&server.url()).connect().await.unwrap();
    let shared = store.limits();
    let limits = Limits::new().requests(Rate::new(1, MINUTE).unwrap());
    server.stop();
    assert!(admit(&shared, &limits, 0).await.is_ok());
    assert!(admit(&shared, &limits, 0).await.is_ok());
    assert!(
        admit(&shared.clone().when_down(WhenDown::Refuse), &limits, 0)
            .await
            .is_err()
    );
    assert_eq!(store.blind_decisions(), 3);
}

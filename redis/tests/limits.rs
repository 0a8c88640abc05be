//! Shared rate limits in a real Redis, started for each test.

use std::{
    future::Future,
    mem::ManuallyDrop,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use crate::support::reads;
use test_servers::Redis;
use tower_llm_layers::rate_limit::{LimitStore, LimitWait, Limits, Rate, RateLimitPermit, WaitReason};
use tower_llm_redis::{OnStoreFailure, RedisLimits, Store};

const MINUTE: Duration = Duration::from_secs(60);

async fn connect(server: &Redis) -> Store {
    Store::builder(&server.url())
        .decision_timeout(Duration::from_secs(30))
        .connect()
        .await
        .unwrap()
}

async fn with_lease(server: &Redis, lease: Duration) -> Store {
    let builder = Store::builder(&server.url()).decision_timeout(Duration::from_secs(30));
    builder.lease(lease).connect().await.unwrap()
}

async fn admit(limits: &RedisLimits, of: &Limits, tokens: u64) -> Result<Box<dyn RateLimitPermit>, LimitWait> {
    limits.admit(&Arc::from("acme"), of, tokens).await
}

const fn rate_of(amount: u32, unit: &'static str, per: Duration) -> WaitReason {
    WaitReason::Rate { amount, unit, per }
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
    assert_eq!(full.reason, rate_of(60, "requests", MINUTE));
    assert!(
        full.wait > Duration::from_millis(500) && full.wait <= Duration::from_secs(1),
        "{full:?}"
    );
    let elsewhere = other.admit(&Arc::from("globex"), &limits, 0).await;
    assert!(elsewhere.is_ok(), "another key has a limit of its own");
}

/// Each answer of the store reports what is used; a refusal says when all rates let the call pass, not only the first.
#[tokio::test]
async fn each_decision_says_what_is_used() {
    let Some(server) = Redis::start() else { return };
    let shared = connect(&server).await.limits();
    let rate = |amount, burst| Rate::new(amount, MINUTE).unwrap().burst(burst).unwrap();
    let limits = Limits::new()
        .requests(rate(60, 2))
        .tokens(rate(6, 100))
        .concurrency(3)
        .unwrap();
    let first = admit(&shared, &limits, 40).await.unwrap();
    let used = first.limits_used().unwrap();
    assert_eq!((used.requests_full_in, used.in_flight), (Duration::from_secs(1), 1));
    assert_eq!(used.tokens_full_in, Duration::from_secs(400));
    let second = admit(&shared, &limits, 55).await.unwrap();
    let used = second.limits_used().unwrap();
    assert!(
        used.requests_full_in > Duration::from_secs(1) && used.in_flight == 2,
        "{used:?}"
    );
    let refused = admit(&shared, &limits, 55).await.err().unwrap();
    assert_eq!(
        refused.reason,
        rate_of(6, "tokens", MINUTE),
        "a request is there sooner"
    );
    assert!(refused.wait > Duration::from_secs(400), "{refused:?}");
    assert_eq!(refused.used.map(|used| used.in_flight), Some(2));
}

#[tokio::test]
async fn all_limits_of_a_call_are_one_round_trip() {
    let Some(server) = Redis::start() else { return };
    let shared = connect(&server).await.limits();
    let rate = Rate::new(60, MINUTE).unwrap().burst(60).unwrap();
    let limits = Limits::new().requests(rate).tokens(rate).concurrency(2).unwrap();
    drop(admit(&shared, &limits, 1).await);
    shared.flush().await;
    let client = redis::Client::open(server.url()).unwrap();
    let mut watching = client.get_multiplexed_async_connection().await.unwrap();
    let before = reads(&mut watching).await;
    let held = (admit(&shared, &limits, 1).await, admit(&shared, &limits, 1).await);
    assert!(held.0.is_ok() && held.1.is_ok() && admit(&shared, &limits, 1).await.is_err());
    assert_eq!(reads(&mut watching).await - before - 1, 3, "one for each decision");
}

#[tokio::test]
async fn a_rate_is_exact_where_a_unit_is_no_whole_micro_second() {
    let Some(server) = Redis::start() else { return };
    let shared = connect(&server).await.limits();
    let limits = Limits::new().tokens(
        Rate::new(900_000, Duration::from_secs(1))
            .unwrap()
            .burst(900_000)
            .unwrap(),
    );
    assert!(admit(&shared, &limits, 900_000).await.is_ok());
    let wait = admit(&shared, &limits, 450_000).await.err().unwrap().wait;
    assert!(
        wait > Duration::from_millis(200) && wait <= Duration::from_millis(500),
        "{wait:?}"
    );
}

#[tokio::test]
async fn after_the_wait_it_passes_and_two_clients_never_pass_the_rate() {
    let Some(server) = Redis::start() else { return };
    let limits = Limits::new().requests(Rate::new(70, Duration::from_secs(1)).unwrap().burst(2).unwrap());
    let begun = tokio::time::Instant::now();
    let client = || async {
        let shared = connect(&server).await.limits();
        let (mut passed, mut refused_after_wait) = (0_u32, 0_u32);
        while begun.elapsed() < Duration::from_millis(700) {
            match admit(&shared, &limits, 0).await {
                Ok(_) => passed += 1,
                Err(full) => {
                    tokio::time::sleep(full.wait).await;
                    refused_after_wait += 1;
                }
            }
        }
        (passed, refused_after_wait)
    };
    let ((one, _), (other, _)) = tokio::join!(client(), client());
    let most = 2.0 + begun.elapsed().as_secs_f64() * 70.0;
    assert!(f64::from(one + other) <= most, "{one} and {other} of {most}");
    // Alone, a call that waits as long as the hint passes.
    let limits = Limits::new().requests(Rate::new(4, Duration::from_secs(1)).unwrap().burst(1).unwrap());
    let shared = connect(&server).await.limits();
    let key = Arc::from("alone");
    let mut waits = 0;
    for _ in 0..4 {
        if let Err(full) = shared.admit(&key, &limits, 0).await {
            tokio::time::sleep(full.wait).await;
            assert!(
                shared.admit(&key, &limits, 0).await.is_ok(),
                "it passes after {:?}",
                full.wait
            );
            waits += 1;
        }
    }
    assert!(waits > 0);
}

#[tokio::test]
async fn a_call_dropped_at_any_moment_takes_nothing() {
    let Some(server) = Redis::start() else { return };
    let shared = connect(&server).await.limits();
    let day = Duration::from_secs(86_400);
    let limits = Limits::new()
        .requests(Rate::new(100, day).unwrap().burst(100).unwrap())
        .tokens(Rate::new(1_000, day).unwrap().burst(1_000).unwrap())
        .concurrency(1)
        .unwrap();
    // The script is known before.
    drop(shared.admit(&Arc::from("other"), &limits, 0).await);
    let mut passed = 0;
    for polls in 0..40 {
        let mut deciding = Box::pin(admit(&shared, &limits, 100));
        for _ in 0..polls {
            let waker = std::task::Waker::noop();
            if let Poll::Ready(decided) = deciding.as_mut().poll(&mut Context::from_waker(waker)) {
                decided.unwrap().used(0);
                passed += 1;
                break;
            }
            tokio::time::sleep(Duration::from_micros(50)).await;
        }
        // In some rounds there is an answer by now, which was not read.
        tokio::time::sleep(Duration::from_millis(polls % 2 * 2)).await;
        drop(deciding);
        tokio::time::sleep(Duration::from_millis(2)).await;
        shared.flush().await;
    }
    assert!(passed > 0 && passed < 40, "{passed} saw their answer");
    let all = admit(&shared, &limits, 1_000).await.unwrap();
    all.used(0);
    let mut left = 1;
    loop {
        shared.flush().await;
        match admit(&shared, &limits, 0).await {
            Ok(_) => left += 1,
            Err(full) => break assert_eq!(full.reason, rate_of(100, "requests", day)),
        }
    }
    assert_eq!(left + passed, 100, "a request that passed is counted, and no other");
}

#[tokio::test]
async fn the_place_of_a_killed_process_is_free_after_its_lease() {
    let Some(server) = Redis::start() else { return };
    let lease = Duration::from_secs(1);
    let store = || with_lease(&server, lease);
    let limits = Limits::new().concurrency(1).unwrap();
    std::thread::scope(|scope| {
        // Its runtime ends with the renewal, and the place is not released.
        let dead = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let shared = store().await.limits();
                let _never_ends = ManuallyDrop::new(admit(&shared, &limits, 0).await.unwrap());
            });
        });
        dead.join().unwrap();
    });
    let shared = store().await.limits();
    assert!(admit(&shared, &limits, 0).await.is_err());
    tokio::time::sleep(lease + Duration::from_millis(100)).await;
    assert!(admit(&shared, &limits, 0).await.is_ok());
}

#[tokio::test]
async fn what_passed_blind_and_was_heard_after_all_is_trued_up() {
    let Some(server) = Redis::start() else { return };
    let builder = Store::builder(&server.url()).decision_timeout(Duration::from_millis(400));
    let store = builder.connect().await.unwrap();
    let shared = store.limits();
    let day = Duration::from_secs(86_400);
    let limits = Limits::new().tokens(Rate::new(1_000, day).unwrap().burst(1_000).unwrap());
    drop(admit(&shared, &limits, 0).await);
    let before = store.blind_decisions();
    let client = redis::Client::open(server.url()).unwrap();
    let mut other = client.get_multiplexed_async_connection().await.unwrap();
    let pause = redis::cmd("CLIENT").arg("PAUSE").arg(2_000).to_owned();
    pause.exec_async(&mut other).await.unwrap();
    let blind = admit(&shared, &limits, 900).await.unwrap();
    let refusing = shared.clone().on_store_failure(OnStoreFailure::FailClosed);
    assert!(admit(&refusing, &limits, 900).await.is_err());
    assert_eq!(store.blind_decisions() - before, 2);
    blind.used(300);
    shared.flush().await;
    let shared = connect(&server).await.limits();
    assert!(
        admit(&shared, &limits, 600).await.is_ok(),
        "what was refused took nothing"
    );
    assert!(admit(&shared, &limits, 200).await.is_err(), "300 and 600 are used");
}

#[tokio::test]
async fn no_number_of_tokens_is_too_large_to_count() {
    let Some(server) = Redis::start() else { return };
    let store = connect(&server).await;
    let shared = store.limits();
    let limits = Limits::new().tokens(Rate::new(1, Duration::from_secs(1)).unwrap().burst(1_000).unwrap());
    let huge = admit(&shared, &limits, u64::MAX).await.unwrap();
    assert!(admit(&shared, &limits, 1).await.is_err());
    huge.used(10);
    shared.flush().await;
    assert!(admit(&shared, &limits, 900).await.is_ok());
    assert_eq!(store.blind_decisions(), 0);
}

/// Whatever an upstream says was used, the refusals end within a day.
#[tokio::test]
async fn what_is_used_beyond_a_limit_is_paid_back_within_a_day() {
    let Some(server) = Redis::start() else { return };
    let shared = connect(&server).await.limits();
    let limits = Limits::new().tokens(Rate::new(1, Duration::from_secs(1)).unwrap());
    admit(&shared, &limits, 1).await.unwrap().used(1_000_000_000);
    shared.flush().await;
    let wait = admit(&shared, &limits, 1).await.err().unwrap().wait;
    assert!(wait > 1_439 * MINUTE && wait <= 1_440 * MINUTE, "{wait:?}");
}

#[tokio::test]
async fn tokens_are_trued_up_over_and_under() {
    let Some(server) = Redis::start() else { return };
    let shared = connect(&server).await.limits();
    let limits = Limits::new().tokens(Rate::new(6_000, MINUTE).unwrap().burst(600).unwrap());
    let under = admit(&shared, &limits, 600).await.unwrap();
    assert_eq!(
        admit(&shared, &limits, 100).await.err().unwrap().reason,
        rate_of(6_000, "tokens", MINUTE)
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
async fn what_was_never_sent_gives_its_request_its_tokens_and_its_place_back() {
    let Some(server) = Redis::start() else { return };
    let shared = connect(&server).await.limits();
    let rate = |amount| Rate::new(amount, MINUTE).unwrap().burst(amount).unwrap();
    let limits = Limits::new()
        .requests(rate(1))
        .tokens(rate(100))
        .concurrency(1)
        .unwrap();
    for _ in 0..3 {
        admit(&shared, &limits, 100).await.unwrap().not_sent();
        shared.flush().await;
    }
    // A failure that was sent gives its tokens back, and not its request.
    admit(&shared, &limits, 100).await.unwrap().used(0);
    shared.flush().await;
    let full = admit(&shared, &limits, 100).await.err().unwrap();
    assert_eq!(full.reason, rate_of(1, "requests", MINUTE));
}

#[tokio::test]
async fn a_place_is_held_to_the_end_and_given_back_then() {
    let Some(server) = Redis::start() else { return };
    let lease = Duration::from_secs(1);
    let store = || with_lease(&server, lease);
    let shared = store().await.limits();
    let limits = Limits::new().concurrency(1).unwrap();
    let held = admit(&shared, &limits, 0).await.unwrap();
    tokio::time::sleep(lease * 3).await;
    assert_eq!(
        admit(&shared, &limits, 0).await.err().unwrap().reason,
        WaitReason::Concurrency,
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
    let refusing = shared.clone().on_store_failure(OnStoreFailure::FailClosed);
    let refused = admit(&refusing, &limits, 0).await.err().unwrap();
    assert!(matches!(refused.reason, WaitReason::StoreDown { .. }), "{refused:?}");
    assert_eq!(store.blind_decisions(), 3);
}

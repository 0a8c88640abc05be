//! A real Redis that is paused, killed, flushed, read-only, out of memory, or whose keys hold something else: budgets are never over,
//! nothing that was spent is lost, and money that is free is granted at once when the server is well again.

use std::{sync::Arc, time::Duration};

use redis::aio::MultiplexedConnection;
use test_servers::Redis;
use tokio::time::{sleep, timeout};
use tower_llm_layers::{
    Tags, UtcTime,
    budget::{Budget, BudgetStore, Budgets, Decision, Refusal, RefusalReason, Reservation, ReserveRequest},
};
use tower_llm_redis::{RedisBudgets, Store};

use crate::support::{ask, budgets, line, listen, stands, usd};

/// Long enough for delivery to wait for seconds between two tries.
const OUTAGE: Duration = Duration::from_secs(2);

async fn connect(server: &Redis, lease: Duration) -> Store {
    Store::builder(&server.url())
        .lease(lease)
        .decision_timeout(Duration::from_secs(10))
        .connect()
        .await
        .unwrap()
}

async fn connection(server: &Redis) -> MultiplexedConnection {
    let client = redis::Client::open(server.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// Gives the server a command.
async fn tell(server: &Redis, words: &[&str]) {
    let command = redis::cmd(words[0]).arg(&words[1..]).to_owned();
    command.exec_async(&mut connection(server).await).await.unwrap();
}

/// Ways to make it refuse what is written, and to end that.
const REFUSALS: [(&str, &[&str], &[&str]); 2] = [
    (
        "read-only",
        &["REPLICAOF", "127.0.0.1", "1"],
        &["REPLICAOF", "NO", "ONE"],
    ),
    (
        "out of memory",
        &["CONFIG", "SET", "maxmemory", "1"],
        &["CONFIG", "SET", "maxmemory", "0"],
    ),
];

#[tokio::test]
async fn money_that_is_free_is_granted_at_once_after_an_outage() {
    let Some(server) = Redis::start() else { return };
    for (name, begin, end) in REFUSALS {
        tell(&server, &["FLUSHALL"]).await;
        let (budgets, shared) = budgets(&connect(&server, Duration::from_secs(60)).await, "5.00");
        let mut held = Vec::new();
        for _ in 0..50 {
            held.push(ask(&shared, &budgets, "0.10").await.unwrap());
        }
        tell(&server, begin).await;
        for held in held {
            held.settle(usd("0.01"));
        }
        sleep(OUTAGE).await;
        tell(&server, end).await;
        let granted = ask(&shared, &budgets, "4.50").await.expect(name);
        assert!(ask(&shared, &budgets, "0.01").await.is_err(), "{name}: and no more");
        drop(granted);
        assert_eq!(
            stands(&shared, &line(&budgets)).await,
            ["$0.50", "$0.00", "$0.00"],
            "{name}"
        );
        assert_eq!(shared.lost(), 0, "{name}");
    }
}

#[tokio::test]
async fn what_was_spent_in_an_outage_that_outlasts_its_lease_is_not_granted_again() {
    let Some(server) = Redis::start() else { return };
    for (name, begin, end) in REFUSALS {
        tell(&server, &["FLUSHALL"]).await;
        let (log, _listening) = listen();
        let (budgets, shared) = budgets(&connect(&server, Duration::from_millis(300)).await, "5.00");
        let held = ask(&shared, &budgets, "5.00").await.unwrap();
        tell(&server, begin).await;
        held.settle(usd("4.00"));
        sleep(OUTAGE).await;
        tell(&server, end).await;
        let refused = ask(&shared, &budgets, "1.01").await.unwrap_err();
        let RefusalReason::Spent { settled, reserved } = refused.reason else {
            unreachable!("{name}: {refused}");
        };
        assert_eq!((settled, reserved), (usd("4.00"), usd("0")), "{name}");
        drop(ask(&shared, &budgets, "1.00").await.expect(name));
        assert_eq!(
            stands(&shared, &line(&budgets)).await,
            ["$4.00", "$0.00", "$0.00"],
            "{name}"
        );
        assert!(!log.text().contains("over its cap"), "{name}: {}", log.text());
    }
}

#[tokio::test]
async fn what_has_just_ended_here_is_free_for_the_next_call() {
    let Some(server) = Redis::start() else { return };
    let (budgets, shared) = budgets(&connect(&server, Duration::from_secs(60)).await, "1.00");
    let mut held = ask(&shared, &budgets, "1.00").await.unwrap();
    for round in 0..200 {
        held.settle(usd("0"));
        held = ask(&shared, &budgets, "1.00")
            .await
            .unwrap_or_else(|refused| unreachable!("round {round}: {refused}"));
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_on_and_gets_everything_later() {
    let Some(server) = Redis::start() else { return };
    let store = Store::builder(&server.url()).decision_timeout(Duration::from_millis(300));
    let store = store.connect().await.unwrap();
    let (budgets, shared) = budgets(&store, "5.00");
    let held = ask(&shared, &budgets, "1.00").await.unwrap();
    server.pause();
    let asking = async {
        for _ in 0..5 {
            let refused = ask(&shared, &budgets, "1.00").await.unwrap_err();
            assert!(matches!(refused.reason, RefusalReason::StoreDown { .. }), "{refused}");
        }
    };
    timeout(Duration::from_secs(20), asking)
        .await
        .expect("no call is held up");
    held.settle(usd("0.40"));
    server.resume();
    assert_eq!(stands(&shared, &line(&budgets)).await, ["$0.40", "$0.00", "$0.00"]);
    assert_eq!(shared.lost(), 0);
}

/// Until the server answers again.
async fn granted(shared: &RedisBudgets, budgets: &Budgets, amount: &str) -> Reservation {
    let asking = async {
        loop {
            match ask(shared, budgets, amount).await {
                Ok(granted) => return granted,
                Err(refused) => assert!(matches!(refused.reason, RefusalReason::StoreDown { .. }), "{refused}"),
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(30), asking).await.unwrap()
}

#[tokio::test]
async fn a_server_that_is_killed_or_flushed_counts_what_was_spent_before_and_since() {
    let Some(mut server) = Redis::start() else { return };
    for is_killed in [false, true] {
        let (budgets, shared) = budgets(&connect(&server, Duration::from_secs(60)).await, "5.00");
        ask(&shared, &budgets, "1.00").await.unwrap().settle(usd("1.00"));
        shared.flush().await;
        let held = ask(&shared, &budgets, "2.00").await.unwrap();
        if is_killed {
            server.kill();
            held.settle(usd("0.70"));
            server.run();
        } else {
            tell(&server, &["FLUSHALL"]).await;
            tell(&server, &["SCRIPT", "FLUSH"]).await;
            held.settle(usd("0.70"));
        }
        // It has forgotten what it kept on no disk: what was seen of that is counted again, and so is what ended since.
        drop(granted(&shared, &budgets, "3.30").await);
        shared.flush().await;
        assert!(ask(&shared, &budgets, "3.31").await.is_err());
        assert_eq!(stands(&shared, &line(&budgets)).await, ["$1.70", "$0.00", "$0.00"]);
        assert_eq!((shared.lost(), shared.restored()), (0, 1));
        tell(&server, &["FLUSHALL"]).await;
    }
}

async fn ask_of(shared: &RedisBudgets, budgets: &Budgets, tenant: &str) -> Result<Reservation, Box<Refusal>> {
    let tags = Tags::new([("tenant", tenant)]).unwrap();
    let ask = ReserveRequest::new(budgets.lines(&tags, "", ""), usd("0.10"), UtcTime::now());
    match shared.reserve(ask) {
        Decision::Now(decision) => decision,
        Decision::Later(decision) => decision.await,
    }
}

#[tokio::test]
async fn a_key_that_holds_something_else_stops_its_own_account_alone() {
    let Some(server) = Redis::start() else { return };
    let (log, _listening) = listen();
    let store = connect(&server, Duration::from_secs(60)).await;
    let shared = store.budgets();
    let budget = Budget::usd("each", "1.00").unwrap().each("tenant");
    let budgets = Budgets::in_store([budget], Arc::new(shared.clone())).unwrap();
    let mut held = Vec::new();
    for _ in 0..5 {
        for tenant in ["good", "bad"] {
            held.push(ask_of(&shared, &budgets, tenant).await.unwrap());
        }
    }
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg("*bad")
        .query_async(&mut connection(&server).await)
        .await
        .unwrap();
    let [key] = &keys[..] else { unreachable!("{keys:?}") };
    tell(&server, &["DEL", key]).await;
    tell(&server, &["RPUSH", key, "something else"]).await;
    for held in held {
        held.settle(usd("0.05"));
    }
    timeout(Duration::from_secs(10), shared.flush())
        .await
        .expect("the others' are sent");
    assert_eq!(shared.lost(), 5, "counted");
    assert!(
        log.text().contains("the shared store refuses what was spent"),
        "{}",
        log.text()
    );
    let accounts: Vec<_> = budgets.lines(&Tags::new([("tenant", "good")]).unwrap(), "", "");
    let good = shared.account(&accounts[0]).await.unwrap().unwrap();
    assert_eq!((good.settled, good.reserved), (usd("0.25"), usd("0")));
    assert!(ask_of(&shared, &budgets, "good").await.is_ok());
    let refused = ask_of(&shared, &budgets, "bad").await.unwrap_err();
    assert!(refused.to_string().contains("WRONGTYPE"), "{refused}");
    assert!(!store.is_down(), "the server is well");
    // Once it is gone, the account starts again.
    tell(&server, &["DEL", key]).await;
    assert!(ask_of(&shared, &budgets, "bad").await.is_ok());
}

//! Holds as leases, in a real Redis: of processes that live, and of those that are gone.

use std::{mem::ManuallyDrop, sync::Arc, time::Duration};

use crate::support::{ask, budgets, line, stands, usd};
use redis::aio::MultiplexedConnection;
use test_servers::Redis;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tower_llm_layers::{
    Tags, UsdAmount, UtcTime,
    budget::{Budget, BudgetStore, Budgets, Decision, ReserveRequest, Window},
};
use tower_llm_redis::{RedisBudgets, Store};

const LEASE: Duration = Duration::from_secs(1);

async fn connect(server: &Redis) -> Store {
    Store::builder(&server.url())
        .lease(LEASE)
        .decision_timeout(Duration::from_secs(30))
        .connect()
        .await
        .unwrap()
}

async fn connection(server: &Redis) -> MultiplexedConnection {
    let client = redis::Client::open(server.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// Leaves this much reserved as a killed process does: it is neither renewed nor ended.
fn killed_with(server: &Redis, cap: &str, amounts: &[&str]) {
    std::thread::scope(|scope| {
        let dead = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let (budgets, shared) = budgets(&connect(server).await, cap);
                for amount in amounts {
                    let _never_ends = ManuallyDrop::new(ask(&shared, &budgets, amount).await.unwrap());
                }
            });
        });
        dead.join().unwrap();
    });
}

#[tokio::test]
async fn a_lease_is_renewed_while_its_owner_lives_and_not_after_its_end() {
    let Some(server) = Redis::start() else { return };
    let (budgets, shared) = budgets(&connect(&server).await, "1.00");
    let held = ask(&shared, &budgets, "1.00").await.unwrap();
    sleep(LEASE * 3).await;
    assert!(
        ask(&shared, &budgets, "0.01").await.is_err(),
        "alive, its lease is renewed"
    );
    held.settle(UsdAmount::ZERO);
    shared.flush().await;
    assert!(ask(&shared, &budgets, "1.00").await.is_ok());
}

#[tokio::test]
async fn what_a_killed_process_held_is_free_after_the_lease_on_every_path() {
    let Some(server) = Redis::start() else { return };
    killed_with(&server, "1.00", &["0.30", "0.20", "0.10"]);
    let (budgets, shared) = budgets(&connect(&server).await, "1.00");
    assert_eq!(shared.accounts(&budgets).await.unwrap()[0].reserved, usd("0.60"));
    assert!(ask(&shared, &budgets, "0.50").await.is_err());
    let free = async {
        while ask(&shared, &budgets, "1.00").await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LEASE * 3, free)
        .await
        .expect("its holds are free within the lease");
    assert_eq!(stands(&shared, &line(&budgets)).await, ["$0.00", "$0.00", "$0.00"]);
    let left: Vec<String> = redis::cmd("KEYS")
        .arg("*budget*")
        .query_async(&mut connection(&server).await)
        .await
        .unwrap();
    assert_eq!(left.len(), 1, "no list of holds is left behind: {left:?}");
}

#[tokio::test]
async fn a_lease_that_ends_unseen_for_a_long_time_is_still_found() {
    let Some(server) = Redis::start() else { return };
    killed_with(&server, "1.00", &["1.00"]);
    // Neither the account nor what is held on it goes before the other.
    let mut connection = connection(&server).await;
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg("*budget*")
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(keys.len(), 3);
    for key in &keys {
        let ends: i64 = redis::cmd("PTTL").arg(key).query_async(&mut connection).await.unwrap();
        assert_eq!(ends, -1, "a budget without a window: {key:?}");
    }
}

#[tokio::test]
async fn accounts_of_a_window_go_with_it() {
    let Some(server) = Redis::start() else { return };
    let shared = connect(&server).await.budgets();
    let budget = Budget::usd("day", "1").unwrap().per(Window::Day);
    let budgets = Budgets::in_store([budget], Arc::new(shared.clone())).unwrap();
    let held = ask(&shared, &budgets, "1").await.unwrap();
    let mut connection = connection(&server).await;
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg("*budget*")
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(keys.len(), 3);
    let end = Window::Day.end(UtcTime::now()).unwrap();
    for key in &keys {
        let ends: u64 = redis::cmd("PEXPIRETIME")
            .arg(key)
            .query_async(&mut connection)
            .await
            .unwrap();
        let after = UtcTime::from_millis(ends).since(end);
        assert!(
            after > Duration::from_secs(3_600) && after < Duration::from_secs(3 * 86_400),
            "{key:?}"
        );
    }
    drop(held);
}

#[tokio::test]
async fn what_is_spent_after_its_lease_has_ended_is_recorded() {
    let Some(server) = Redis::start() else { return };
    let (budgets, shared) = budgets(&connect(&server).await, "1.00");
    let held = ask(&shared, &budgets, "0.60").await.unwrap();
    let mut connection = connection(&server).await;
    // As if it had not been renewed, and another call had swept it since.
    let holds: Vec<String> = redis::cmd("KEYS")
        .arg("*holds")
        .query_async(&mut connection)
        .await
        .unwrap();
    let ids: Vec<String> = redis::cmd("ZRANGE")
        .arg(&holds[0])
        .arg(0)
        .arg(-1)
        .query_async(&mut connection)
        .await
        .unwrap();
    redis::cmd("ZADD")
        .arg(&holds[0])
        .arg(1)
        .arg(&ids[0])
        .exec_async(&mut connection)
        .await
        .unwrap();
    let other = ask(&shared, &budgets, "0.90").await.unwrap();
    held.settle(usd("0.50"));
    let line = line(&budgets);
    assert_eq!(
        stands(&shared, &line).await,
        ["$0.10", "$0.90", "$0.40"],
        "within the cap, and beyond"
    );
    other.settle(usd("0.90"));
    assert_eq!(stands(&shared, &line).await, ["$1.00", "$0.00", "$0.40"]);
}

/// Moves the account into the window before, as if it had been used last then.
async fn age(server: &Redis, window: Window) {
    let before = window.start(window.start(UtcTime::now()).before(Duration::from_secs(1)));
    set_window(server, before).await;
}

/// Makes this the window that the account is of.
async fn set_window(server: &Redis, start: UtcTime) {
    let mut connection = connection(server).await;
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg("*budget:w")
        .query_async(&mut connection)
        .await
        .unwrap();
    let set = redis::cmd("HSET")
        .arg(keys.first().unwrap())
        .arg("w")
        .arg(start.millis().to_string())
        .to_owned();
    set.exec_async(&mut connection).await.unwrap();
}

#[tokio::test]
async fn an_account_of_a_window_far_ahead_is_of_the_present_one_again() {
    let Some(server) = Redis::start() else { return };
    let store = connect(&server).await;
    let shared = store.budgets();
    let budget = Budget::usd("w", "1.00").unwrap().per(Window::Day);
    let budgets = Budgets::in_store([budget], Arc::new(shared.clone())).unwrap();
    let line = line(&budgets);
    ask(&shared, &budgets, "0.40").await.unwrap().settle(usd("0.40"));
    shared.flush().await;
    // As a clock that was a year ahead left it.
    let ahead = Window::Day.start(UtcTime::now().after(Duration::from_secs(400 * 86_400)));
    set_window(&server, ahead).await;
    drop(ask(&shared, &budgets, "0.10").await.unwrap());
    assert_eq!(
        stands(&shared, &line).await,
        ["$0.40", "$0.00", "$0.00"],
        "what is spent stays"
    );
    let mut connection = connection(&server).await;
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg("*budget:w")
        .query_async(&mut connection)
        .await
        .unwrap();
    let get = redis::cmd("HGET").arg(&keys[0]).arg("w").to_owned();
    let window: String = get.query_async(&mut connection).await.unwrap();
    assert_eq!(window, Window::Day.start(UtcTime::now()).millis().to_string());
}

#[tokio::test]
async fn a_new_window_is_empty_but_for_what_is_held() {
    let Some(server) = Redis::start() else { return };
    for window in [Window::Day, Window::Week, Window::Month] {
        let store = Store::builder(&server.url()).prefix(window.as_str());
        let shared: RedisBudgets = store.connect().await.unwrap().budgets();
        let budget = Budget::usd("w", "1.00").unwrap().per(window);
        let budgets = Budgets::in_store([budget], Arc::new(shared.clone())).unwrap();
        let line = line(&budgets);
        ask(&shared, &budgets, "0.40").await.unwrap().settle(usd("0.70"));
        let held = ask(&shared, &budgets, "0.20").await.unwrap();
        assert_eq!(stands(&shared, &line).await, ["$0.70", "$0.20", "$0.00"], "{window}");
        age(&server, window).await;
        assert_eq!(stands(&shared, &line).await, ["$0.00", "$0.20", "$0.00"], "{window}");
        assert!(
            ask(&shared, &budgets, "0.81").await.is_err(),
            "{window}: what is held is held"
        );
        age(&server, window).await;
        held.settle(usd("0.15"));
        assert_eq!(
            stands(&shared, &line).await,
            ["$0.15", "$0.00", "$0.00"],
            "{window}: spent in the new one"
        );
        // A bill for the window before changes nothing here.
        let long_ago = UtcTime::now().before(Duration::from_secs(40 * 86_400));
        for (by, at) in [("0.50", long_ago), ("0.05", UtcTime::now())] {
            shared.adjust(std::slice::from_ref(&line), usd(by), at);
        }
        assert_eq!(stands(&shared, &line).await, ["$0.20", "$0.00", "$0.00"], "{window}");
        redis::cmd("FLUSHALL")
            .exec_async(&mut connection(&server).await)
            .await
            .unwrap();
    }
}

/// Passes bytes on, each piece so much later.
async fn slowly(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, delay: Duration) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        sleep(delay).await;
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// The address of something that passes all on to this server, with a long way there and back.
async fn far_away(server: &Redis, delay: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let there = server
        .url()
        .trim_start_matches("redis://")
        .trim_end_matches('/')
        .to_owned();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(&there).await.unwrap();
            let ((read_near, write_near), (read_far, write_far)) = (near.into_split(), far.into_split());
            tokio::spawn(slowly(read_near, write_far, delay));
            tokio::spawn(slowly(read_far, write_near, delay));
        }
    });
    url
}

/// One round trip for each key in turn would take three times the lease.
#[tokio::test(flavor = "multi_thread")]
async fn many_keys_of_a_server_that_is_far_away_are_renewed_in_time() {
    const KEYS: usize = 150;
    let Some(server) = Redis::start() else { return };
    let builder = Store::builder(&far_away(&server, Duration::from_millis(10)).await).lease(LEASE);
    let store = builder
        .decision_timeout(Duration::from_secs(30))
        .connect()
        .await
        .unwrap();
    let shared = store.budgets();
    let budget = Budget::usd("each", "1.00").unwrap().each("tenant");
    let budgets = Budgets::in_store([budget], Arc::new(shared.clone())).unwrap();
    let dollar: UsdAmount = usd("1.00");
    let ask = |tenant: usize| {
        let tags = Tags::new([("tenant", tenant.to_string())]).unwrap();
        let ask = ReserveRequest::new(budgets.lines(&tags, "openrouter", "a/b"), dollar, UtcTime::now());
        let decided = shared.reserve(ask);
        tokio::spawn(async move {
            match decided {
                Decision::Now(decision) => decision,
                Decision::Later(decision) => decision.await,
            }
        })
    };
    let asked: Vec<_> = (0..KEYS).map(ask).collect();
    let mut held = Vec::new();
    for decided in asked {
        held.push(decided.await.unwrap().unwrap());
    }
    sleep(LEASE * 5).await;
    let again: Vec<_> = (0..KEYS).map(ask).collect();
    for (tenant, decided) in again.into_iter().enumerate() {
        assert!(
            decided.await.unwrap().is_err(),
            "the lease of {tenant} has ended although its owner lives"
        );
    }
    drop(held);
}

//! What happens while the server is away, in a real Redis that is stopped and started for the test.

use std::time::Duration;

use crate::support::{ask, budgets, line, listen, stands, usd};
use test_servers::Redis;
use tokio::{
    io::AsyncWriteExt,
    net::TcpListener,
    time::{Instant, sleep, timeout},
};
use tower_llm_layers::{
    UtcTime,
    budget::{BudgetStore, Budgets, RefusalReason},
};
use tower_llm_redis::{OnStoreFailure, RedisBudgets, RedisError, Store};

/// One that waits for as long as a busy machine may take.
async fn patient(url: &str) -> Store {
    let builder = Store::builder(url).decision_timeout(Duration::from_secs(10));
    builder.connect().await.unwrap()
}

/// Asks until the store is well again.
async fn well_again(store: &Store, shared: &RedisBudgets, budgets: &Budgets) {
    let again = async {
        while ask(shared, budgets, "0.01").await.is_err() || store.is_down() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(30), again).await.expect("it answers again");
}

#[tokio::test]
async fn while_the_server_is_away_it_refuses_or_lets_pass_and_counts() {
    let Some(mut server) = Redis::start() else { return };
    let (told, _telling) = listen();
    let store = patient(&server.url()).await;
    let (budgets, shared) = budgets(&store, "5.00");
    let line = line(&budgets);
    let held = ask(&shared, &budgets, "1.00").await.unwrap();
    server.stop();
    let refused = ask(&shared, &budgets, "1.00").await.unwrap_err();
    assert!(matches!(refused.reason, RefusalReason::StoreDown { .. }), "{refused}");
    assert!(refused.to_string().contains("are refused"), "{refused}");
    assert_eq!((store.blind_decisions(), store.is_down()), (1, true));
    let open = shared.clone().on_store_failure(OnStoreFailure::FailOpen);
    let blind = ask(&open, &budgets, "1.00").await.unwrap();
    assert_eq!(store.blind_decisions(), 2);
    assert!(shared.accounts(&budgets).await.is_err() && shared.account(&line).await.is_err());
    // What ends meanwhile is sent once the server is back, which has forgotten its scripts.
    held.settle(usd("0.30"));
    blind.settle(usd("0.20"));
    server.run();
    assert_eq!(stands(&shared, &line).await, ["$0.50", "$0.00", "$0.00"]);
    well_again(&store, &shared, &budgets).await;
    assert_eq!(shared.lost(), 0);
    let said = told.text();
    assert_eq!(said.matches("the shared store does not answer").count(), 1, "{said}");
    assert_eq!(said.matches("the shared store answers again").count(), 1, "{said}");
}

#[tokio::test]
async fn a_decision_waits_no_longer_than_it_may() {
    let Some(server) = Redis::start() else { return };
    let builder = Store::builder(&server.url()).decision_timeout(Duration::from_millis(400));
    let store = builder.connect().await.unwrap();
    let (budgets, shared) = budgets(&store, "5.00");
    drop(ask(&shared, &budgets, "0.01").await);
    shared.flush().await;
    let before = store.blind_decisions();
    let client = redis::Client::open(server.url()).unwrap();
    let mut other = client.get_multiplexed_async_connection().await.unwrap();
    // The server takes what it is sent, and answers nothing for two seconds.
    redis::cmd("CLIENT")
        .arg("PAUSE")
        .arg(2_000)
        .exec_async(&mut other)
        .await
        .unwrap();
    let begun = Instant::now();
    let refused = ask(&shared, &budgets, "1.00").await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
    assert!(refused.to_string().contains("no answer in 400ms"), "{refused}");
    let open = shared.clone().on_store_failure(OnStoreFailure::FailOpen);
    ask(&open, &budgets, "2.00").await.unwrap().settle(usd("0.25"));
    // It heard both questions in the end: neither is held.
    assert_eq!(stands(&shared, &line(&budgets)).await, ["$0.25", "$0.00", "$0.00"]);
    assert_eq!(store.blind_decisions() - before, 2);
}

#[tokio::test]
async fn one_slow_answer_is_no_outage_for_as_long_as_nothing_is_called() {
    let Some(server) = Redis::start() else { return };
    let builder = Store::builder(&server.url()).decision_timeout(Duration::from_millis(200));
    let store = builder.connect().await.unwrap();
    let (budgets, shared) = budgets(&store, "5.00");
    let client = redis::Client::open(server.url()).unwrap();
    let mut other = client.get_multiplexed_async_connection().await.unwrap();
    let pause = redis::cmd("CLIENT").arg("PAUSE").arg(500).to_owned();
    pause.exec_async(&mut other).await.unwrap();
    ask(&shared, &budgets, "1.00").await.unwrap_err();
    assert!(store.is_down());
    let ends = async {
        while store.is_down() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(30), ends).await.expect("it is probed");
}

/// Three decisions wait for a store that hangs; those after them do not.
#[tokio::test]
async fn a_server_that_hangs_is_given_up_on_by_all_calls_and_found_again() {
    let Some(server) = Redis::start() else { return };
    let builder = Store::builder(&server.url()).decision_timeout(Duration::from_millis(200));
    let store = builder.connect().await.unwrap();
    let (budgets, shared) = budgets(&store, "5.00");
    let client = redis::Client::open(server.url()).unwrap();
    let mut other = client.get_multiplexed_async_connection().await.unwrap();
    let pause = redis::cmd("CLIENT").arg("PAUSE").arg(3_000).to_owned();
    pause.exec_async(&mut other).await.unwrap();
    for _ in 0..3 {
        let refused = ask(&shared, &budgets, "1.00").await.unwrap_err();
        assert!(refused.to_string().contains("no answer in 200ms"), "{refused}");
    }
    // A thousand that waited would take two hundred seconds.
    let thousand = async {
        for _ in 0..1_000 {
            let refused = ask(&shared, &budgets, "1.00").await.unwrap_err();
            assert!(refused.to_string().contains("only probed, once a second"), "{refused}");
            assert!(refused.is_store_down());
        }
    };
    timeout(Duration::from_secs(100), thousand).await.expect("none waits");
    well_again(&store, &shared, &budgets).await;
}

#[tokio::test]
async fn refusals_of_a_long_outage_leave_room_for_what_was_spent() {
    let Some(mut server) = Redis::start() else { return };
    let store = patient(&server.url()).await;
    let (budgets, shared) = budgets(&store, "5.00");
    let line = line(&budgets);
    let held = ask(&shared, &budgets, "1.00").await.unwrap();
    server.stop();
    // More than half of what may wait.
    for _ in 0..50_100 {
        shared.adjust(std::slice::from_ref(&line), usd("0.00001"), UtcTime::now());
    }
    for _ in 0..20 {
        ask(&shared, &budgets, "1.00").await.unwrap_err();
    }
    held.settle(usd("1.00"));
    assert!(format!("{shared:?}").contains("waiting: 50101"), "{shared:?}");
    server.run();
    assert_eq!(stands(&shared, &line).await, ["$1.501", "$0.00", "$0.00"]);
    assert_eq!(shared.lost(), 0);
}

#[tokio::test]
async fn it_comes_back_after_its_password_was_changed_for_a_while() {
    let Some(server) = Redis::with_password(Some("s3cr3t")) else {
        return;
    };
    let url = format!("redis://:s3cr3t@127.0.0.1:{}", server.port());
    let store = patient(&url).await;
    let (budgets, shared) = budgets(&store, "5.00");
    drop(ask(&shared, &budgets, "0.01").await.unwrap());
    shared.flush().await;
    let client = redis::Client::open(url).unwrap();
    let mut other = client.get_multiplexed_async_connection().await.unwrap();
    for words in [
        &["CONFIG", "SET", "requirepass", "0ther"][..],
        &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"],
    ] {
        redis::cmd(words[0])
            .arg(&words[1..])
            .exec_async(&mut other)
            .await
            .unwrap();
    }
    let refused = async {
        loop {
            let refused = ask(&shared, &budgets, "0.01").await.unwrap_err().to_string();
            assert!(!refused.contains("s3cr3t"), "{refused}");
            if refused.to_lowercase().contains("password") {
                break;
            }
        }
    };
    timeout(Duration::from_secs(20), refused).await.expect("it says why");
    redis::cmd("CONFIG")
        .arg(&["SET", "requirepass", "s3cr3t"])
        .exec_async(&mut other)
        .await
        .unwrap();
    well_again(&store, &shared, &budgets).await;
}

/// A primary that became a replica in a failover answers every `PING`.
#[tokio::test]
async fn a_server_that_takes_no_writes_is_away_until_it_takes_them_again() {
    let Some(server) = Redis::start() else { return };
    let store = patient(&server.url()).await;
    let (budgets, shared) = budgets(&store, "5.00");
    let line = line(&budgets);
    let held = ask(&shared, &budgets, "1.00").await.unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let mut other = client.get_multiplexed_async_connection().await.unwrap();
    let mut follows = redis::cmd("REPLICAOF");
    follows.arg("127.0.0.1").arg(1).exec_async(&mut other).await.unwrap();
    assert!(ask(&shared, &budgets, "1.00").await.is_err() && store.is_down());
    for _ in 0..30 {
        sleep(Duration::from_millis(100)).await;
        assert!(store.is_down(), "only probes ask, and no write was taken");
    }
    held.settle(usd("0.30"));
    sleep(Duration::from_millis(500)).await;
    let mut leads = redis::cmd("REPLICAOF");
    leads.arg("NO").arg("ONE").exec_async(&mut other).await.unwrap();
    assert_eq!(stands(&shared, &line).await, ["$0.30", "$0.00", "$0.00"]);
    well_again(&store, &shared, &budgets).await;
    assert_eq!(shared.lost(), 0);
}

/// Such a server answers every `PING`, and all that it need not write.
#[tokio::test]
async fn a_server_without_memory_or_replicas_is_away_until_it_takes_writes() {
    for (setting, refuses, takes) in [("maxmemory", "1", "0"), ("min-replicas-to-write", "1", "0")] {
        let Some(server) = Redis::start() else { return };
        let (told, _telling) = listen();
        let store = patient(&server.url()).await;
        let (budgets, shared) = budgets(&store, "5.00");
        drop(ask(&shared, &budgets, "1.00").await.unwrap());
        shared.flush().await;
        let client = redis::Client::open(server.url()).unwrap();
        let mut other = client.get_multiplexed_async_connection().await.unwrap();
        let mut set = async |value: &str| {
            let mut config = redis::cmd("CONFIG");
            config.arg(&["SET", setting, value]);
            config.exec_async(&mut other).await.unwrap();
        };
        set(refuses).await;
        assert!(ask(&shared, &budgets, "1.00").await.is_err() && store.is_down());
        for _ in 0..30 {
            sleep(Duration::from_millis(100)).await;
            assert!(shared.account(&line(&budgets)).await.is_ok(), "{setting}");
            assert!(store.is_down(), "{setting}: no write was taken");
        }
        set(takes).await;
        let well = async {
            while store.is_down() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(Duration::from_secs(30), well).await.expect("it is probed");
        assert!(ask(&shared, &budgets, "1.00").await.is_ok());
        assert_eq!(shared.lost(), 0);
        // Servers of earlier rounds end meanwhile, and are reported, too.
        let url = server.url();
        let address = url.trim_start_matches("redis://").trim_end_matches('/');
        let said = told.text();
        for part in ["the shared store does not answer", "the shared store answers again"] {
            let lines = said
                .lines()
                .filter(|line| line.contains(part) && line.contains(address));
            assert_eq!(lines.count(), 1, "{said}");
        }
    }
}

#[tokio::test]
async fn a_server_that_is_no_redis_is_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
                sleep(Duration::from_secs(60)).await;
            });
        }
    });
    let error = Store::builder(&format!("redis://127.0.0.1:{port}"))
        .connect()
        .await
        .unwrap_err();
    assert!(matches!(error, RedisError::NotRedis { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains(&format!("127.0.0.1:{port} is not a usable Redis")),
        "{error}"
    );
    // Without an answer, it does not wait without end.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://127.0.0.1:{}", silent.local_addr().unwrap().port());
    let error = timeout(Duration::from_secs(30), Store::builder(&url).connect())
        .await
        .unwrap();
    assert!(matches!(error, Err(RedisError::Slow { .. })), "{error:?}");
}

#[tokio::test]
async fn an_invalid_store_is_reported_without_the_password() {
    let Some(server) = Redis::with_password(Some("s3cr3t")) else {
        return;
    };
    let port = server.port();
    let at = |url: String| async move { Store::builder(&url).connect().await.map(|_| ()).unwrap_err() };
    let wrong = at(format!("redis://:wr0ng@127.0.0.1:{port}")).await;
    assert!(matches!(wrong, RedisError::Rejected { .. }), "{wrong:?}");
    let none = at(server.url()).await;
    assert!(matches!(none, RedisError::Rejected { .. }), "{none:?}");
    let nobody = at("redis://:wr0ng@127.0.0.1:1".to_owned()).await;
    assert!(matches!(nobody, RedisError::Unreachable { .. }), "{nobody:?}");
    let url = at("http://:wr0ng@127.0.0.1".to_owned()).await;
    assert!(matches!(url, RedisError::Url { .. }), "{url:?}");
    let mut errors = vec![wrong, none, nobody, url];
    for odd in [
        "wr0ng?x",
        "wr0ng/x",
        "wr0ng#x",
        "x@wr0ng",
        "x?wr0ng",
        "1/wr0ng",
        "x@x?wr0ng",
        "wr0ng?x=x",
    ] {
        let odd = at(format!("redis://:{odd}@127.0.0.1:1/0")).await;
        assert!(matches!(odd, RedisError::Url { .. }), "{odd:?}");
        errors.push(odd);
    }
    for error in errors {
        let said = format!("{error} {error:?}");
        assert!(!said.contains("wr0ng") && !said.contains("s3cr3t"), "{said}");
    }
    let right = Store::builder(&format!("redis://:s3cr3t@127.0.0.1:{port}"))
        .connect()
        .await
        .unwrap();
    assert!(!format!("{right:?}").contains("s3cr3t"));
}

#[tokio::test]
async fn tls_needs_its_feature_and_a_server_that_speaks_it() {
    let Some(server) = Redis::start() else { return };
    let url = server.url().replace("redis://", "rediss://");
    let connecting = timeout(Duration::from_secs(30), Store::builder(&url).connect());
    let error = connecting.await.unwrap().unwrap_err();
    if cfg!(feature = "tls") {
        assert!(
            matches!(error, RedisError::Unreachable { .. } | RedisError::Slow { .. }),
            "{error:?}"
        );
    } else {
        assert!(matches!(error, RedisError::Url { .. }), "{error:?}");
    }
}

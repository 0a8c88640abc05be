//! Shared budgets in a real Redis, started for each test.
#![expect(clippy::unwrap_used, reason = "a test that fails here should say so")]

mod support;

use std::{future::Future, pin::pin, sync::Arc, task::Context, time::Duration};

use support::{ask, ask_between, budgets, usd};
use test_servers::Redis;
use tower_llm_layers::{
    Tags, UsdAmount, UtcTime,
    budget::{Ask, Budget, BudgetStore, Budgets, Decision, Line, RefusalReason, Window},
};
use tower_llm_redis::{RedisBudgets, Store, StoreError, WhenDown};

async fn connect(server: &Redis) -> Store {
    Store::builder(&server.url())
        .decision_timeout(Duration::from_secs(30))
        .connect()
        .await
        .unwrap()
}

fn line(budgets: &Budgets) -> Line {
    budgets.lines(&Tags::default(), "openrouter", "a/b").remove(0)
}

/// Settled, reserved, overrun.
async fn stands(shared: &RedisBudgets, line: &Line) -> [String; 3] {
    shared.flush().await;
    let state = shared.account(line).await.unwrap().unwrap();
    [state.settled, state.reserved, state.overrun].map(|amount| amount.to_string())
}

#[tokio::test]
async fn it_holds_and_settles_to_the_last_pico_dollar() {
    let Some(server) = Redis::start() else { return };
    let (budgets, shared) = budgets(&connect(&server).await, "1000000.000000000007");
    let line = line(&budgets);
    assert!(shared.account(&line).await.unwrap().is_none());
    let held = ask(&shared, &budgets, "999999.999999999999").await.unwrap();
    assert_eq!(stands(&shared, &line).await, ["$0.00", "$999999.999999999999", "$0.00"]);
    let refused = ask(&shared, &budgets, "0.000000000009").await.unwrap_err();
    let RefusalReason::Spent { settled, reserved } = refused.reason else {
        unreachable!("{refused}");
    };
    assert_eq!((settled, reserved), (usd("0"), usd("999999.999999999999")));
    let rest = ask(&shared, &budgets, "0.000000000008").await.unwrap();
    held.settle(usd("3.000000000001"));
    drop(rest);
    assert_eq!(stands(&shared, &line).await, ["$3.000000000001", "$0.00", "$0.00"]);
}

#[tokio::test]
async fn it_grants_what_is_there_and_counts_what_was_overrun() {
    let Some(server) = Redis::start() else { return };
    let (budgets, shared) = budgets(&connect(&server).await, "1.00");
    let line = line(&budgets);
    let first = ask(&shared, &budgets, "0.70").await.unwrap();
    let second = ask_between(&shared, &budgets, "0.70", "0.20").await.unwrap();
    assert_eq!(second.amount(), usd("0.30"));
    assert!(ask_between(&shared, &budgets, "0.70", "0.01").await.is_err());
    first.settle(usd("0.90"));
    assert_eq!(
        stands(&shared, &line).await,
        ["$0.70", "$0.30", "$0.20"],
        "settled and reserved stay within the cap"
    );
    second.settle(usd("0"));
    shared.adjust(std::slice::from_ref(&line), usd("-0.50"), UtcTime::now());
    assert_eq!(
        stands(&shared, &line).await,
        ["$0.40", "$0.00", "$0.00"],
        "what was overrun goes back first"
    );
    shared.adjust(std::slice::from_ref(&line), usd("0.10"), UtcTime::now());
    assert_eq!(stands(&shared, &line).await, ["$0.50", "$0.00", "$0.00"]);
}

#[tokio::test]
async fn several_budgets_hold_all_or_nothing_in_one_round_trip() {
    let Some(server) = Redis::start() else { return };
    let store = connect(&server).await;
    let shared = store.budgets();
    let all = [
        Budget::usd("a", "10").unwrap().per(Window::Day),
        Budget::usd("soft", "0.01").unwrap().soft(),
        Budget::usd("b", "1").unwrap().per(Window::Month),
    ];
    let budgets = Budgets::in_store(all, Arc::new(shared.clone())).unwrap();
    let lines = budgets.lines(&Tags::default(), "", "");
    let before = decisions(&server).await;
    let held = ask(&shared, &budgets, "0.60").await.unwrap();
    let refused = ask(&shared, &budgets, "0.60").await.unwrap_err();
    assert_eq!(decisions(&server).await - before, 2);
    assert_eq!(refused.budget.name(), "b");
    for line in &lines {
        assert_eq!(stands(&shared, line).await[1], "$0.60", "{}", line.account);
    }
    held.settle(usd("0.25"));
    for line in &lines {
        assert_eq!(stands(&shared, line).await[..2], ["$0.25", "$0.00"], "{}", line.account);
    }
}

/// How many scripts the server has run.
async fn decisions(server: &Redis) -> u64 {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let info: String = redis::cmd("INFO")
        .arg("commandstats")
        .query_async(&mut connection)
        .await
        .unwrap();
    let count = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name))?;
        line.split(',').next()?.parse::<u64>().ok()
    };
    count("cmdstat_evalsha:calls=").unwrap_or(0) - failed_hashes(&info)
}

/// Those that the server did not know yet.
fn failed_hashes(info: &str) -> u64 {
    let line = info.lines().find(|line| line.starts_with("cmdstat_evalsha:"));
    let failed = line.and_then(|line| line.split("failed_calls=").nth(1));
    failed.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn a_decision_dropped_at_any_moment_leaves_nothing_held() {
    let Some(server) = Redis::start() else { return };
    let (budgets, shared) = budgets(&connect(&server).await, "5.00");
    let line = line(&budgets);
    drop(ask(&shared, &budgets, "0.01").await.unwrap());
    for polls in 0..40 {
        let mut deciding = Box::pin(ask(&shared, &budgets, "0.10"));
        for _ in 0..polls {
            let waker = std::task::Waker::noop();
            if pin!(&mut deciding).poll(&mut Context::from_waker(waker)).is_ready() {
                break;
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        drop(deciding);
    }
    // What was under way has arrived by then.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(stands(&shared, &line).await, ["$0.00", "$0.00", "$0.00"]);
}

#[tokio::test]
async fn while_the_server_is_away_it_refuses_or_lets_pass_and_counts() {
    let Some(mut server) = Redis::start() else { return };
    let store = Store::builder(&server.url()).connect().await.unwrap();
    let (budgets, shared) = budgets(&store, "5.00");
    let line = line(&budgets);
    let held = ask(&shared, &budgets, "1.00").await.unwrap();
    server.stop();
    let refused = ask(&shared, &budgets, "1.00").await.unwrap_err();
    assert!(matches!(refused.reason, RefusalReason::StoreDown { .. }), "{refused}");
    assert!(refused.to_string().contains("nothing is let through"), "{refused}");
    assert_eq!((store.blind_decisions(), store.is_down()), (1, true));
    let open = shared.clone().when_down(WhenDown::LetPass);
    let blind = ask(&open, &budgets, "1.00").await.unwrap();
    assert_eq!(store.blind_decisions(), 2);
    // What ends meanwhile is told once the server is back, which has forgotten its scripts.
    held.settle(usd("0.30"));
    blind.settle(usd("0.20"));
    server.run();
    assert_eq!(stands(&shared, &line).await, ["$0.50", "$0.00", "$0.00"]);
    let again = async {
        while ask(&shared, &budgets, "0.01").await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again)
        .await
        .expect("it answers again");
    assert!(!store.is_down());
    assert_eq!(shared.lost(), 0);
}

#[tokio::test]
async fn what_is_no_store_is_told_without_the_password() {
    let Some(server) = Redis::with_password(Some("s3cr3t")) else {
        return;
    };
    let port = server.port();
    let at = |url: String| async move { Store::builder(&url).connect().await.map(|_| ()).unwrap_err() };
    let wrong = at(format!("redis://:wr0ng@127.0.0.1:{port}")).await;
    assert!(matches!(wrong, StoreError::Rejected { .. }), "{wrong:?}");
    let none = at(server.url()).await;
    assert!(matches!(none, StoreError::Rejected { .. }), "{none:?}");
    let nobody = at("redis://:wr0ng@127.0.0.1:1".to_owned()).await;
    assert!(matches!(nobody, StoreError::Unreachable { .. }), "{nobody:?}");
    let url = at("http://:wr0ng@127.0.0.1".to_owned()).await;
    assert!(matches!(url, StoreError::Url { .. }), "{url:?}");
    for error in [wrong, none, nobody, url] {
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
async fn two_prefixes_do_not_meet() {
    let Some(server) = Redis::start() else { return };
    let store = |prefix: &'static str| {
        let builder = Store::builder(&server.url()).prefix(prefix);
        async move { builder.connect().await.unwrap() }
    };
    let (one, one_shared) = budgets(&store("{one}").await, "1.00");
    let (other, other_shared) = budgets(&store("{other}").await, "1.00");
    let held = ask(&one_shared, &one, "1.00").await.unwrap();
    assert!(ask(&other_shared, &other, "1.00").await.is_ok());
    drop(held);
}

#[tokio::test]
async fn a_store_decides_later_and_a_spent_hold_is_not_renewed() {
    let Some(server) = Redis::start() else { return };
    let store = Store::builder(&server.url())
        .lease(Duration::from_millis(300))
        .connect()
        .await
        .unwrap();
    let (budgets, shared) = budgets(&store, "1.00");
    let decision = shared.reserve(Ask {
        lines: vec![line(&budgets)],
        want: usd("1.00"),
        at_least: usd("1.00"),
        at: UtcTime::now(),
    });
    let Decision::Later(decision) = decision else {
        unreachable!("it asks a server");
    };
    let held = decision.await.unwrap();
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert!(
        ask(&shared, &budgets, "0.01").await.is_err(),
        "alive, its lease is renewed"
    );
    held.settle(UsdAmount::ZERO);
    shared.flush().await;
    assert!(ask(&shared, &budgets, "1.00").await.is_ok());
}

//! Shared budgets in a real Redis, started for each test.

use std::{future::Future, pin::pin, sync::Arc, task::Context, time::Duration};

use crate::support::{ask, ask_between, budgets, line, reads, stands, usd};
use test_servers::Redis;
use tower_llm_layers::{
    Tags, UtcTime,
    budget::{Budget, BudgetStore, Budgets, Decision, RefusalReason, ReserveRequest, Window},
};
use tower_llm_redis::Store;

async fn connect(server: &Redis) -> Store {
    Store::builder(&server.url())
        .decision_timeout(Duration::from_secs(30))
        .connect()
        .await
        .unwrap()
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
    let RefusalReason::Reserved { settled, reserved } = refused.reason else {
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
    drop(ask(&shared, &budgets, "0.01").await.unwrap());
    shared.flush().await;
    let client = redis::Client::open(server.url()).unwrap();
    let mut watching = client.get_multiplexed_async_connection().await.unwrap();
    let before = reads(&mut watching).await;
    let held = ask(&shared, &budgets, "0.60").await.unwrap();
    let refused = ask(&shared, &budgets, "0.60").await.unwrap_err();
    let trips = reads(&mut watching).await - before - 1;
    assert_eq!(trips, 2, "one for each decision");
    assert_eq!(refused.budget.name(), "b");
    for line in &lines {
        assert_eq!(stands(&shared, line).await[1], "$0.60", "{}", line.account);
    }
    held.settle(usd("0.25"));
    for line in &lines {
        assert_eq!(stands(&shared, line).await[..2], ["$0.25", "$0.00"], "{}", line.account);
    }
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
async fn an_attempt_without_a_budget_calls_no_store() {
    let Some(mut server) = Redis::start() else { return };
    let shared = connect(&server).await.budgets();
    server.stop();
    let ask = ReserveRequest::new(Vec::new(), usd("1.00"), UtcTime::now());
    let Decision::Now(Ok(held)) = shared.reserve(ask) else {
        unreachable!("there is nothing to ask");
    };
    assert_eq!(held.amount(), usd("1.00"));
}

#[tokio::test]
async fn all_accounts_are_read_the_fullest_first() {
    let Some(server) = Redis::start() else { return };
    // A prefix that would match others', were it taken for a pattern.
    let store = |prefix: &'static str| Store::builder(&server.url()).prefix(prefix).connect();
    let (shared, other) = (
        store("{a*[b]}").await.unwrap().budgets(),
        store("{abc[b]}").await.unwrap().budgets(),
    );
    let all = || {
        [
            Budget::usd("tenant", "2").unwrap().per(Window::Day).each("tenant"),
            Budget::usd("tenant:holds", "9").unwrap(),
        ]
    };
    let budgets = Budgets::in_store(all(), Arc::new(shared.clone())).unwrap();
    assert_eq!(shared.accounts(&budgets).await.unwrap(), []);
    let mut held = Vec::new();
    for (store, tenant, amount) in [
        (&shared, "acme", "0.25"),
        (&shared, "globex", "1.50"),
        (&other, "initech", "2"),
    ] {
        let tags = Tags::new([("tenant", tenant)]).unwrap();
        let ask = ReserveRequest::new(budgets.lines(&tags, "", ""), usd(amount), UtcTime::now());
        let Decision::Later(decision) = store.reserve(ask) else {
            unreachable!()
        };
        held.push(decision.await.unwrap());
    }
    held.remove(0).settle(usd("0.20"));
    shared.flush().await;
    let states = shared.accounts(&budgets).await.unwrap();
    let told: Vec<_> = states
        .iter()
        .map(|state| (state.budget.name(), &*state.account, state.settled, state.reserved))
        .collect();
    let [zero, one_and_a_half, fifth] = ["0", "1.50", "0.20"].map(usd);
    assert_eq!(
        told,
        [
            ("tenant", "tenant=globex", zero, one_and_a_half),
            ("tenant", "tenant=acme", fifth, zero),
            ("tenant:holds", "", fifth, one_and_a_half),
        ]
    );
    assert!(states[0].resets > Some(UtcTime::now()) && states[2].resets.is_none());
    // Those of budgets that are no more are not shown.
    let fewer = Budgets::in_store(all().into_iter().take(1), Arc::new(shared.clone())).unwrap();
    assert_eq!(shared.accounts(&fewer).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_full_budget_is_refused_with_the_servers_time_and_a_soft_one_only_warns() {
    let Some(server) = Redis::start() else { return };
    let (told, _telling) = crate::support::listen();
    let shared = connect(&server).await.budgets();
    let all = [
        Budget::usd("day", "1").unwrap().per(Window::Day),
        Budget::usd("watch", "0.10").unwrap().soft(),
    ];
    let budgets = Budgets::in_store(all, Arc::new(shared.clone())).unwrap();
    let held = ask(&shared, &budgets, "0.60").await.unwrap();
    // A local clock that is wrong by a year.
    let asked = ReserveRequest::new(
        budgets.lines(&Tags::default(), "", ""),
        usd("0.60"),
        UtcTime::now().before(Duration::from_secs(365 * 24 * 60 * 60)),
    );
    let Decision::Later(decision) = shared.reserve(asked) else {
        unreachable!()
    };
    let refused = decision.await.unwrap_err();
    assert!(UtcTime::now().since(refused.at) < Duration::from_secs(60), "{refused}");
    assert!(refused.resets > Some(UtcTime::now()), "{refused}");
    held.settle(usd("0.85"));
    shared.flush().await;
    let said = told.text();
    for mark in [
        "budget=\"day\" account=\"\" percent=80",
        "budget=\"watch\" account=\"\" percent=100",
    ] {
        assert_eq!(said.matches(mark).count(), 1, "{mark} in {said}");
    }
    assert!(!said.contains("over its cap"), "{said}");
}

#[test]
fn it_is_taken_and_ended_outside_of_a_runtime() {
    let Some(server) = Redis::start() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let store = runtime.block_on(connect(&server));
    let (budgets, shared) = budgets(&store, "1.00");
    let held = runtime.block_on(ask(&shared, &budgets, "1.00")).unwrap();
    held.settle(usd("0.25"));
    assert_eq!(
        runtime.block_on(stands(&shared, &line(&budgets))),
        ["$0.25", "$0.00", "$0.00"]
    );
}

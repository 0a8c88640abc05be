//! What a ledger says was spent, in a real Redis: it counts once, and takes nothing away.

use std::{sync::Arc, time::Duration};

use test_servers::Redis;
use tokio::time::sleep;
use tower_llm_layers::{
    Tags, UtcTime,
    budget::{Budget, Budgets, Window},
};
use tower_llm_redis::{RedisBudgets, Store};

use crate::support::{ask, line, stands, usd};

const HOUR: Duration = Duration::from_secs(3_600);

/// Two processes that share one budget of ten dollars.
async fn processes(server: &Redis, window: Window) -> [(Budgets, RedisBudgets); 2] {
    let one = async || {
        let store = Store::builder(&server.url()).decision_timeout(Duration::from_secs(30));
        let shared = store.connect().await.unwrap().budgets();
        let budget = Budget::usd(window.as_str(), "10").unwrap().per(window);
        (Budgets::in_store([budget], Arc::new(shared.clone())).unwrap(), shared)
    };
    [one().await, one().await]
}

async fn flush_all(server: &Redis) {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("FLUSHALL").exec_async(&mut connection).await.unwrap();
}

#[tokio::test]
async fn what_a_ledger_says_is_counted_once_by_however_many_processes() {
    let Some(server) = Redis::start() else { return };
    for window in [Window::Ever, Window::Month, Window::Rolling(10 * HOUR)] {
        let all = processes(&server, window).await;
        let (budgets, first) = &all[0];
        let line = line(budgets);
        ask(first, budgets, "1.00").await.unwrap().settle(usd("1.00"));
        first.flush().await;
        let now = UtcTime::now();
        // As a ledger adds it up: one sum for each window, and single ones of a window that rolls.
        let (earlier, late) = match window {
            Window::Rolling(_) => (now.before(5 * HOUR), now),
            _ => (window.start(now), window.start(now)),
        };
        for (spent, expected) in [
            ([(earlier, "3.00"), (late, "1.00")], ["$4.00", "$0.00", "$0.00"]),
            ([(earlier, "0.00"), (late, "2.00")], ["$4.00", "$0.00", "$0.00"]),
            ([(earlier, "10.00"), (late, "2.00")], ["$10.00", "$0.00", "$2.00"]),
        ] {
            for (_, shared) in &all {
                shared.refill_to(&line, spent.map(|(at, amount)| (at, usd(amount))));
            }
            for (_, shared) in &all {
                assert_eq!(stands(shared, &line).await, expected, "{window} {spent:?}");
                assert_eq!(shared.lost(), 0);
            }
        }
        assert!(budgets.reset(window.as_str(), &Tags::default()));
        first.flush().await;
        first.refill_to(&line, [(late, usd("4.00"))]);
        assert_eq!(
            stands(first, &line).await,
            ["$0.00", "$0.00", "$0.00"],
            "{window}: it was reset"
        );
        flush_all(&server).await;
        first.refill_to(&line, [(now.before(40 * 24 * HOUR), usd("4.00")), (late, usd("1.00"))]);
        let expected = if window == Window::Ever { "$5.00" } else { "$1.00" };
        assert_eq!(stands(first, &line).await[0], expected, "{window}: of this window");
        flush_all(&server).await;
    }
}

#[tokio::test]
async fn what_was_missing_of_a_window_that_rolls_is_free_again_first() {
    let Some(server) = Redis::start() else { return };
    let [(budgets, shared), _] = processes(&server, Window::Rolling(10 * HOUR)).await;
    let line = line(&budgets);
    ask(&shared, &budgets, "5.00").await.unwrap().settle(usd("5.00"));
    shared.flush().await;
    let now = UtcTime::now();
    let (first, second) = (now.before(9 * HOUR), now.before(5 * HOUR));
    shared.refill_to(&line, [(second, usd("2.00")), (first, usd("3.00")), (now, usd("5.00"))]);
    assert_eq!(stands(&shared, &line).await, ["$10.00", "$0.00", "$0.00"]);
    for (amount, hours) in [("3.00", 1), ("5.00", 5), ("6.00", 10)] {
        let refused = ask(&shared, &budgets, amount).await.unwrap_err();
        let wait = refused.resets.unwrap().since(now);
        // A thirtieth of the window later at most.
        let wanted = hours * HOUR;
        assert!(
            wait + HOUR / 60 >= wanted && wait <= wanted + HOUR / 2,
            "{amount}: {wait:?}"
        );
    }
}

#[tokio::test]
async fn what_a_ledger_has_brought_back_is_not_counted_again_by_a_process_that_has_seen_it() {
    let Some(server) = Redis::start() else { return };
    let all = processes(&server, Window::Ever).await;
    let [(budgets, first), (_, second)] = &all;
    let line = line(budgets);
    ask(first, budgets, "3.00").await.unwrap().settle(usd("3.00"));
    first.flush().await;
    flush_all(&server).await;
    // What was seen is older than what the ledger says: by more than the server's clock shows.
    sleep(Duration::from_millis(20)).await;
    second.refill_to(&line, [(UtcTime::from_millis(0), usd("3.00"))]);
    assert_eq!(stands(second, &line).await[0], "$3.00");
    ask(first, budgets, "1.00").await.unwrap().settle(usd("1.00"));
    assert_eq!(stands(first, &line).await[0], "$4.00", "not the three dollars again");
    flush_all(&server).await;
    for shared in [second, first] {
        drop(ask(shared, budgets, "0.01").await.unwrap());
        shared.flush().await;
    }
    assert_eq!(stands(first, &line).await[0], "$4.00", "all that was seen");
    second.refill_to(&line, [(UtcTime::from_millis(0), usd("4.00"))]);
    assert_eq!(stands(second, &line).await[0], "$4.00");
}

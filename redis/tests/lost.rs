//! A real Redis that has lost its accounts: what any process has seen of them is counted again, once, and not across windows and resets.

use fastrand::Rng;
use redis::{Connection, Script, Value};
use test_servers::Redis;
use tower_llm_layers::{
    Tags, UtcTime,
    budget::{Budgets, Window},
};
use tower_llm_redis::{RedisBudgets, Store};

use crate::support::{ask, budgets, line, listen, stands, usd};

fn connect(server: &Redis) -> Connection {
    redis::Client::open(server.url()).unwrap().get_connection().unwrap()
}

fn flush_all(connection: &mut Connection) {
    redis::cmd("FLUSHALL").exec(connection).unwrap();
}

/// So many processes that share one budget of a thousand dollars.
async fn processes(server: &Redis, count: usize) -> Vec<(Budgets, RedisBudgets)> {
    let mut all = Vec::new();
    for _ in 0..count {
        let store = Store::builder(&server.url()).decision_timeout(std::time::Duration::from_secs(10));
        all.push(budgets(&store.connect().await.unwrap(), "1000.00"));
    }
    all
}

fn dollars(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// A decision of each process, so that each has counted again what it has seen.
async fn decide(all: &[(Budgets, RedisBudgets)]) {
    for (budgets, shared) in all {
        drop(ask(shared, budgets, "0.01").await.unwrap());
        shared.flush().await;
    }
}

#[tokio::test]
async fn what_several_processes_have_seen_is_counted_once_and_nothing_of_it_is_forgotten() {
    let Some(server) = Redis::start() else { return };
    let mut connection = connect(&server);
    for seed in 0..12 {
        flush_all(&mut connection);
        let all = processes(&server, 3).await;
        let (mut rng, mut spent, mut flushes) = (Rng::with_seed(seed), 0, 0);
        for _ in 0..40 {
            let (budgets, shared) = &all[rng.usize(..all.len())];
            let held = ask(shared, budgets, &dollars(rng.u64(1..300))).await.unwrap();
            // Within the attempt, or after it.
            let lost = [rng.u8(..10) == 0, rng.u8(..10) == 0].map(|is_lost| is_lost && flushes < 6);
            if lost[0] {
                flush_all(&mut connection);
            }
            let cents = rng.u64(..300);
            held.settle(usd(&dollars(cents)));
            shared.flush().await;
            if lost[1] {
                flush_all(&mut connection);
            }
            spent += cents;
            flushes += lost.into_iter().filter(|is_lost| *is_lost).count();
        }
        decide(&all).await;
        let expected = usd(&dollars(spent)).to_string();
        for (budgets, shared) in &all {
            let stands = stands(shared, &line(budgets)).await;
            assert_eq!(stands, [&*expected, "$0.00", "$0.00"], "seed {seed}, {flushes} flushes");
            assert_eq!(shared.lost(), 0);
        }
    }
}

/// The only key of the accounts, and what stands there.
fn state(connection: &mut Connection) -> (String, Vec<u8>) {
    let keys: Vec<String> = redis::cmd("KEYS").arg("*budget*").query(connection).unwrap();
    let [key] = &keys[..] else { unreachable!("{keys:?}") };
    let state = redis::cmd("DUMP").arg(key).query(connection).unwrap();
    (key.clone(), state)
}

/// Puts an older state in the place of what stands there, as a failover to a replica that lags does.
fn fall_back(connection: &mut Connection, (key, state): &(String, Vec<u8>)) {
    let mut restore = redis::cmd("RESTORE");
    restore.arg(key).arg(0).arg(&state[..]).arg("REPLACE");
    restore.exec(connection).unwrap();
}

async fn spend((budgets, shared): &(Budgets, RedisBudgets), amount: &str) {
    ask(shared, budgets, amount).await.unwrap().settle(usd(amount));
    shared.flush().await;
}

#[tokio::test]
async fn what_was_spent_after_the_state_that_the_server_falls_back_to_is_counted_once() {
    let Some(server) = Redis::start() else { return };
    let mut connection = connect(&server);
    let all = processes(&server, 3).await;
    spend(&all[0], "3.00").await;
    decide(&all).await;
    let older = state(&mut connection);
    spend(&all[0], "1.00").await;
    spend(&all[1], "2.00").await;
    let (budgets, shared) = &all[1];
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(ask(shared, budgets, "0.10").await.unwrap());
    }
    fall_back(&mut connection, &older);
    // More changes than the server has lost, before anything is decided.
    for held in held {
        held.settle(usd("0.05"));
    }
    shared.flush().await;
    for (turn, restored) in [("first", 2), ("again", 2), ("older once more", 5)] {
        if restored > 2 {
            fall_back(&mut connection, &older);
        }
        decide(&all).await;
        for (budgets, shared) in &all {
            let stands = stands(shared, &line(budgets)).await;
            assert_eq!(stands, ["$7.00", "$0.00", "$0.00"], "{turn}");
        }
        let count: u64 = all.iter().map(|(_, shared)| shared.restored()).sum();
        assert!(count <= restored && count >= 2, "{turn}: {count}");
    }
}

#[tokio::test]
async fn what_another_process_spends_on_an_older_state_is_not_taken_back() {
    let Some(server) = Redis::start() else { return };
    let mut connection = connect(&server);
    for (settles_first, expected) in [(false, "$11.00"), (true, "$11.50")] {
        flush_all(&mut connection);
        let all = processes(&server, 3).await;
        spend(&all[0], "2.00").await;
        let older = state(&mut connection);
        // More changes than the older state sees after that.
        for _ in 0..6 {
            spend(&all[0], "0.50").await;
        }
        let (budgets, shared) = &all[0];
        let held = ask(shared, budgets, "0.50").await.unwrap();
        // A third process has seen a still newer state.
        decide(&all[2..]).await;
        fall_back(&mut connection, &older);
        spend(&all[1], "9.00").await;
        if settles_first {
            held.settle(usd("0.50"));
        } else {
            drop(held);
        }
        shared.flush().await;
        for turn in ["first", "again"] {
            decide(&all).await;
            for (budgets, shared) in &all {
                let stands = stands(shared, &line(budgets)).await;
                assert_eq!(
                    stands,
                    [expected, "$0.00", "$0.00"],
                    "{turn}, settles first: {settles_first}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_generations_of_an_account_that_falls_back_often_are_bounded_and_all_is_counted() {
    let Some(server) = Redis::start() else { return };
    let mut connection = connect(&server);
    let all = processes(&server, 1).await;
    let (budgets, shared) = &all[0];
    spend(&all[0], "1.00").await;
    for turn in 0..20 {
        let older = state(&mut connection);
        spend(&all[0], "1.00").await;
        fall_back(&mut connection, &older);
        decide(&all).await;
        let expected = format!("${}.00", turn + 2);
        assert_eq!(
            stands(shared, &line(budgets)).await,
            [&*expected, "$0.00", "$0.00"],
            "turn {turn}"
        );
        let lost: String = redis::cmd("HGET")
            .arg(&older.0)
            .arg("f")
            .query(&mut connection)
            .unwrap();
        assert!(lost.split(';').count() <= 8, "turn {turn}: {lost}");
    }
}

#[tokio::test]
async fn what_is_counted_again_is_one_line_of_the_log_and_a_counter() {
    let Some(server) = Redis::start() else { return };
    let mut connection = connect(&server);
    let (log, _listening) = listen();
    let all = processes(&server, 2).await;
    let [(budgets, first), (_, second)] = &all[..] else {
        unreachable!()
    };
    ask(first, budgets, "3.00").await.unwrap().settle(usd("3.00"));
    first.flush().await;
    decide(&all).await;
    assert_eq!((first.restored(), second.restored()), (0, 0));
    flush_all(&mut connection);
    decide(&all).await;
    decide(&all).await;
    assert_eq!((first.restored(), second.restored()), (1, 0), "by one of them");
    assert_eq!(stands(second, &line(budgets)).await, ["$3.00", "$0.00", "$0.00"]);
    let text = log.text();
    assert_eq!(text.matches("has lost what was spent").count(), 1, "{text}");
    assert!(text.contains("ERROR") && text.contains("again=$3.00"), "{text}");
}

#[tokio::test]
async fn what_was_reset_by_hand_is_not_counted_again() {
    let Some(server) = Redis::start() else { return };
    let mut connection = connect(&server);
    for is_lost_before in [false, true] {
        flush_all(&mut connection);
        let all = processes(&server, 2).await;
        let [(budgets, first), (_, second)] = &all[..] else {
            unreachable!()
        };
        ask(first, budgets, "3.00").await.unwrap().settle(usd("3.00"));
        first.flush().await;
        decide(&all).await;
        if is_lost_before {
            flush_all(&mut connection);
        }
        // The other one does not hear of it.
        assert!(budgets.reset("all", &Tags::default()));
        first.flush().await;
        flush_all(&mut connection);
        for shared in [second, first] {
            drop(ask(shared, budgets, "0.01").await.unwrap());
            shared.flush().await;
        }
        assert_eq!(
            stands(first, &line(budgets)).await,
            ["$0.00", "$0.00", "$0.00"],
            "lost before: {is_lost_before}"
        );
    }
}

/// How much a decision counts again, in dollars, if the process has seen this.
fn again(connection: &mut Connection, window: &str, known: &str) -> String {
    let script = Script::new(
        &[
            include_str!("../src/lua/money.lua"),
            include_str!("../src/lua/window.lua"),
            include_str!("../src/lua/account.lua"),
            include_str!("../src/lua/reserve.lua"),
        ]
        .join("\n"),
    );
    let mut call = script.prepare_invoke();
    let hold = fastrand::u64(..).to_string();
    call.key(format!("ended:{hold}")).key("account");
    for argument in [&*hold, "60000", "1", "0", "1", "0", "900", "0", window, "0", known] {
        call.arg(argument);
    }
    let answer: Vec<Value> = call.invoke(connection).unwrap();
    let reports: Vec<Vec<String>> = redis::from_redis_value(answer.into_iter().last().unwrap()).unwrap();
    reports[0][0].clone()
}

#[test]
fn what_is_of_another_window_or_too_old_is_not_counted_again() {
    let Some(server) = Redis::start() else { return };
    let connection = &mut connect(&server);
    let now = UtcTime::now();
    let (at, today) = (now.millis(), Window::Day.start(now).millis());
    let (hour, day) = (3_600_000, 86_400_000);
    let rolling = format!("rolling:{hour}");
    for (window, known, expected) in [
        ("day", String::new(), "0"),
        ("day", "nonsense".to_owned(), "0"),
        ("day", format!("{today}:0;g0,3,2,0,{at}"), "2"),
        ("day", format!("{today}:0;g0,3,2,0,{at};g1,9,5,0,{at}"), "7"),
        ("day", format!("{}:0;g0,3,2,0,{at}", today - day), "0"),
        ("day", format!("{today}:{at};g0,3,2,0,{at}"), "0"),
        ("ever", format!("0:0;g0,3,2,0,{}", at - 400 * day), "2"),
        (rolling.as_str(), format!("0:0;g0,3,2,0,{}", at - hour / 2), "2"),
        (rolling.as_str(), format!("0:0;g0,3,2,0,{}", at - 2 * hour), "0"),
    ] {
        flush_all(connection);
        assert_eq!(again(connection, window, &known), expected, "{window} {known}");
        assert_eq!(again(connection, window, &known), "0", "{window} {known}: once");
    }
    // Another process has seen more of the same, and a third one less.
    flush_all(connection);
    for (version, dollars, expected) in [(3, 2, "2"), (7, 5, "3"), (5, 4, "0"), (9, 1, "0"), (12, 6, "5")] {
        let known = format!("{today}:0;g0,{version},{dollars},0,{at}");
        assert_eq!(again(connection, "day", &known), expected, "{known}");
    }
}

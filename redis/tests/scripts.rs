//! What the scripts count with, run in a real Redis by themselves.

use fastrand::Rng;
use proptest::{
    collection::vec,
    prelude::{Strategy, any},
    test_runner::{Config, TestRunner},
};
use redis::{Connection, Script, Value};
use test_servers::Redis;
use tower_llm_layers::{UtcTime, budget::Window};

fn connect(server: &Redis) -> Connection {
    redis::Client::open(server.url()).unwrap().get_connection().unwrap()
}

/// Parts of scripts, as the crate puts them together.
macro_rules! script {
    ($($file:literal)* $(; $more:expr)?) => {
        Script::new(&[$(include_str!(concat!("../src/lua/", $file)),)* $($more)?].join("\n"))
    };
}

const ONE: i128 = 1_000_000_000_000;

/// Two parts; below zero the dollars alone are negative.
fn parts(pico: i128) -> [String; 2] {
    [pico.div_euclid(ONE).to_string(), pico.rem_euclid(ONE).to_string()]
}

fn whole(dollars: &str, pico: &str) -> i128 {
    let (dollars, pico): (i128, i128) = (dollars.parse().unwrap(), pico.parse().unwrap());
    assert!((0..ONE).contains(&pico), "{dollars} {pico}");
    dollars * ONE + pico
}

#[test]
fn money_in_lua_is_exact() {
    let Some(server) = Redis::start() else { return };
    let mut connection = connect(&server);
    let script = script!("money.lua"; r"
        local all = {}
        for index = 1, #ARGV, 4 do
            local ad, ap, bd, bp = tonumber(ARGV[index]), tonumber(ARGV[index + 1]), tonumber(ARGV[index + 2]), tonumber(ARGV[index + 3])
            local sd, sp = add(ad, ap, bd, bp)
            local dd, dp = sub(ad, ap, bd, bp)
            all[#all + 1] = {text(sd), text(sp), text(dd), text(dp), less(ad, ap, bd, bp) and '1' or '0'}
        end
        return all");
    // Sums of a thousand million dollars to the pico-dollar, and those around a whole dollar, where a carry is.
    let any_amount = (any::<i64>(), -2_i64..=2, any::<bool>()).prop_map(|(wide, near, is_near)| {
        if is_near {
            i128::from(wide % 1_000) * ONE + i128::from(near)
        } else {
            i128::from(wide) * 97
        }
    });
    let pairs = vec((any_amount.clone(), any_amount), 50);
    let mut runner = TestRunner::new(Config {
        cases: 100,
        failure_persistence: None,
        ..Config::default()
    });
    let connection = std::cell::RefCell::new(&mut connection);
    let checked = runner.run(&pairs, |pairs| {
        let mut call = script.prepare_invoke();
        for (a, b) in &pairs {
            for part in parts(*a).into_iter().chain(parts(*b)) {
                call.arg(part);
            }
        }
        let all: Vec<[String; 5]> = call.invoke(&mut **connection.borrow_mut()).unwrap();
        for ((a, b), [sd, sp, dd, dp, less]) in pairs.iter().zip(&all) {
            assert_eq!(whole(sd, sp), a + b, "{a} + {b}");
            assert_eq!(whole(dd, dp), a - b, "{a} - {b}");
            assert_eq!(less == "1", a < b, "{a} < {b}");
        }
        assert_eq!(all.len(), pairs.len());
        Ok(())
    });
    checked.unwrap();
}

#[test]
fn windows_begin_and_end_as_in_this_process() {
    let Some(server) = Redis::start() else { return };
    let mut connection = connect(&server);
    let script = script!("money.lua" "window.lua";
        "local starts, ends = window(ARGV[1], tonumber(ARGV[2])) return {text(starts), text(ends)}");
    let mut rng = Rng::with_seed(1);
    // From 1970 to 2400, and the first days, where a week would begin before them.
    let times = (0..400)
        .map(|_| rng.u64(..13_569_465_600_000))
        .chain([0, 1, 86_400_000 * 3 - 1, 86_400_000 * 4]);
    for at in times.map(UtcTime::from_millis).collect::<Vec<_>>() {
        for window in [Window::Hour, Window::Day, Window::Week, Window::Month, Window::Ever] {
            let mut call = script.prepare_invoke();
            call.arg(window.as_str()).arg(at.millis().to_string());
            let [starts, ends]: [String; 2] = call.invoke(&mut connection).unwrap();
            assert_eq!(starts, window.start(at).millis().to_string(), "{window} at {at}");
            let here = window.end(at).map_or(0, UtcTime::millis);
            assert_eq!(ends, here.to_string(), "{window} at {at}");
        }
    }
}

fn reserve(connection: &mut Connection, hold: &str) -> i64 {
    let script = script!("money.lua" "window.lua" "account.lua" "reserve.lua");
    let mut call = script.prepare_invoke();
    call.key(format!("ended:{hold}")).key("account");
    for argument in [hold, "60000", "3", "0", "3", "0", "9", "0", "day", "0"] {
        call.arg(argument);
    }
    let answer: Vec<Value> = call.invoke(connection).unwrap();
    redis::from_redis_value(answer.into_iter().next().unwrap()).unwrap()
}

/// Delivers the ends of these reservations, each of two dollars, the first under this number.
fn settle(connection: &mut Connection, first: u64, holds: &[&str], unheard: &str) -> Vec<bool> {
    let script = script!("money.lua" "window.lua" "account.lua" "rate.lua" "deliver.lua");
    let mut call = script.prepare_invoke();
    call.key("sender").arg("60000").arg(first.to_string());
    for hold in holds {
        call.key(format!("ended:{hold}")).key("account");
        for argument in ["settle", "2", "8", hold, unheard, "2", "0", "9", "0", "day", "0"] {
            call.arg(argument);
        }
    }
    let told: Vec<Vec<Vec<String>>> = call.invoke(connection).unwrap();
    told.iter().map(|told| !told.is_empty()).collect()
}

fn stands(connection: &mut Connection) -> [String; 2] {
    redis::cmd("HMGET")
        .arg("account")
        .arg("sd")
        .arg("rd")
        .query(connection)
        .unwrap()
}

/// Every key, and what stands there in the order of its members: a table that grows moves them by itself.
fn state(connection: &mut Connection) -> Vec<(String, Vec<(String, String)>)> {
    let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query(connection).unwrap();
    keys.sort();
    let mut state = Vec::new();
    for key in keys {
        let kind: String = redis::cmd("TYPE").arg(&key).query(connection).unwrap();
        let mut members: Vec<(String, String)> = match kind.as_str() {
            "hash" => redis::cmd("HGETALL").arg(&key).query(connection).unwrap(),
            "zset" => redis::cmd("ZRANGE")
                .arg(&[&key, "0", "-1", "WITHSCORES"])
                .query(connection)
                .unwrap(),
            _ => vec![(String::new(), redis::cmd("GET").arg(&key).query(connection).unwrap())],
        };
        members.sort();
        state.push((key, members));
    }
    state
}

#[test]
fn what_is_read_is_not_written_and_leaves_out_what_dead_processes_held() {
    let Some(server) = Redis::start() else { return };
    let connection = &mut connect(&server);
    assert_eq!((reserve(connection, "one"), reserve(connection, "two")), (1, 1));
    settle(connection, 1, &["one"], "0");
    // Leases that have ended: more than a decision ends at once.
    for dead in 0..1_200 {
        let hold = format!("dead{dead}");
        for words in [
            ["ZADD", "account\u{1e}holds", "1", &hold],
            ["HSET", "account\u{1e}amounts", &hold, "0:1"],
        ] {
            redis::cmd(words[0]).arg(&words[1..]).exec(connection).unwrap();
        }
    }
    redis::cmd("HSET")
        .arg(&["account", "rp", "1200"])
        .exec(connection)
        .unwrap();
    let before = state(connection);
    let script = script!("money.lua" "window.lua" "account.lua" "read.lua");
    let read: Vec<Vec<String>> = script.key("account").arg("day").invoke(connection).unwrap();
    assert_eq!(read[0][..4], ["2", "0", "3", "0"], "settled and reserved");
    assert_eq!(state(connection), before);
    // One call leaves out 5 000 at most.
    let mut more = redis::pipe();
    for dead in 1_200..6_000 {
        let hold = format!("dead{dead}");
        more.cmd("ZADD").arg(&["account\u{1e}holds", "1", &hold]);
        more.cmd("HSET").arg(&["account\u{1e}amounts", &hold, "0:1"]);
    }
    more.cmd("HSET").arg(&["account", "rp", "6000"]);
    more.exec(connection).unwrap();
    let read: Vec<Vec<String>> = script.key("account").arg("day").invoke(connection).unwrap();
    assert_eq!(read[0][..4], ["2", "0", "3", "1000"], "settled and reserved");
}

#[test]
fn an_end_that_is_sent_again_counts_once() {
    let Some(server) = Redis::start() else { return };
    let connection = &mut connect(&server);
    assert_eq!((reserve(connection, "one"), reserve(connection, "two")), (1, 1));
    assert_eq!(settle(connection, 1, &["one"], "0"), [true]);
    assert_eq!(settle(connection, 1, &["one"], "0"), [false]);
    assert_eq!(stands(connection), ["2", "3"]);
    // The answer was lost; sent again, with what came since.
    assert_eq!(settle(connection, 1, &["one", "two"], "0"), [false, true]);
    assert_eq!(settle(connection, 2, &["two"], "0"), [false]);
    assert_eq!(stands(connection), ["4", "0"]);
}

#[test]
fn an_end_that_overtakes_its_question_leaves_nothing_held() {
    let Some(server) = Redis::start() else { return };
    let connection = &mut connect(&server);
    assert_eq!(settle(connection, 1, &["one"], "1"), [true]);
    assert_eq!(reserve(connection, "one"), 2, "nothing is held for what has ended");
    assert_eq!(stands(connection), ["2", "0"]);
    // What the store has answered needs no mark, so that marks do not pile up.
    assert_eq!(reserve(connection, "two"), 1);
    settle(connection, 2, &["two"], "0");
    let marks: Vec<String> = redis::cmd("KEYS").arg("ended:*").query(connection).unwrap();
    assert_eq!(marks, ["ended:one"]);
}

#[test]
fn what_cannot_be_sent_does_not_undo_what_was() {
    let Some(server) = Redis::start() else { return };
    let connection = &mut connect(&server);
    reserve(connection, "one");
    let script = script!("money.lua" "window.lua" "account.lua" "rate.lua" "deliver.lua");
    redis::cmd("SET").arg("broken").arg("text").exec(connection).unwrap();
    let mut call = script.prepare_invoke();
    call.key("sender").arg("60000").arg("1");
    for (hold, account) in [("one", "account"), ("two", "broken")] {
        call.key(format!("ended:{hold}")).key(account);
        for argument in ["settle", "2", "8", hold, "0", "2", "0", "9", "0", "day", "0"] {
            call.arg(argument);
        }
    }
    for _ in 0..2 {
        let error = call.invoke::<Value>(connection).unwrap_err();
        assert_eq!(error.code(), Some("WRONGTYPE"), "{error}");
        assert_eq!(stands(connection), ["2", "0"]);
    }
    // After the broken one it continues.
    assert_eq!(settle(connection, 3, &["three"], "0"), [true]);
    assert_eq!(stands(connection), ["4", "0"]);
}

//! Windows of all kinds: the scripts at any time are twins of the accounts in this process.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use redis::{Connection, Script, Value};
use test_servers::Redis;
use tokio::time::advance;
use tower_llm_layers::{
    Tags, UsdAmount, UtcTime,
    budget::{
        Budget, BudgetStore, Budgets, Decision, InMemoryBudgetStore, Refusal, Reservation, ReserveRequest, Window,
    },
};
use tower_llm_redis::Store;

use crate::support::usd;

/// The scripts with a clock that the test sets, in the place of the server's.
macro_rules! script {
    ($($file:literal)*) => {
        Script::new(&[
            include_str!("../src/lua/money.lua"),
            include_str!("../src/lua/window.lua"),
            "now_millis = function() return tonumber(redis.call('GET', 'clock')) end",
            include_str!("../src/lua/account.lua"),
            $(include_str!(concat!("../src/lua/", $file)),)*
        ].join("\n"))
    };
}

const HOUR: u64 = 60 * 60 * 1000;
const CAP: i128 = 1_000;

/// One account of the scripts.
struct There {
    connection: Connection,
    reserve: Script,
    deliver: Script,
    read: Script,
    window: String,
    words: u64,
}

impl There {
    fn call(&mut self, at: UtcTime) {
        redis::cmd("SET")
            .arg("clock")
            .arg(at.millis())
            .exec(&mut self.connection)
            .unwrap();
    }

    /// What was held, or when enough is free again; 0 if that is unknown.
    fn reserve(&mut self, hold: &str, amount: i128) -> Result<(), u64> {
        self.call(UtcTime::now());
        let mut call = self.reserve.prepare_invoke();
        call.key(format!("ended:{hold}")).key("account");
        let (amount, cap) = (amount.to_string(), CAP.to_string());
        // Leases that outlast the test.
        for argument in [
            hold,
            "99999999999",
            "0",
            &amount,
            "0",
            &amount,
            "0",
            &cap,
            &self.window,
            "0",
        ] {
            call.arg(argument);
        }
        let answer: Vec<Value> = call.invoke(&mut self.connection).unwrap();
        let number = |index: usize| redis::from_redis_value::<u64>(answer[index].clone()).unwrap();
        if number(0) == 1 { Ok(()) } else { Err(number(7)) }
    }

    fn deliver(&mut self, kind: &str, keys: &[&str], head: &[&str]) {
        self.call(UtcTime::now());
        self.words += 1;
        let mut call = self.deliver.prepare_invoke();
        call.key("sender").arg("99999999999").arg(self.words);
        call.arg(kind).arg(keys.len()).arg(head.len() + 4);
        for key in keys {
            call.key(*key);
        }
        let cap = CAP.to_string();
        for argument in head.iter().copied().chain(["0", &cap, &self.window, "0"]) {
            call.arg(argument);
        }
        call.invoke::<Value>(&mut self.connection).unwrap();
    }

    /// Settled, reserved and overrun, and when nothing is spent any more.
    fn stands(&mut self) -> [u64; 4] {
        self.call(UtcTime::now());
        let mut call = self.read.prepare_invoke();
        call.key("account").arg(&self.window);
        let all: Vec<Vec<u64>> = call.invoke(&mut self.connection).unwrap();
        match &all[0][..] {
            [_, settled, _, reserved, _, overrun, _, full] => [*settled, *reserved, *overrun, *full],
            _ => [0; 4],
        }
    }
}

fn now(decision: Decision) -> Result<Reservation, Box<Refusal>> {
    match decision {
        Decision::Now(decision) => decision,
        Decision::Later(_) => unreachable!("a book decides at once"),
    }
}

fn pico(amount: UsdAmount) -> u64 {
    u64::try_from(amount.pico()).unwrap()
}

/// The same acts on both, with time between them.
#[tokio::test(start_paused = true)]
async fn a_window_that_rolls_is_the_same_in_both() {
    let Some(server) = Redis::start() else { return };
    for seed in 0..12 {
        let mut rng = Rng::with_seed(seed);
        let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
        let mut there = There {
            connection,
            reserve: script!("reserve.lua"),
            deliver: script!("rate.lua" "deliver.lua"),
            read: script!("read.lua"),
            window: format!("rolling:{HOUR}"),
            words: 0,
        };
        let book = InMemoryBudgetStore::new();
        let budget = Budget::new("account", UsdAmount::from_pico(CAP))
            .unwrap()
            .per(Window::Rolling(Duration::from_millis(HOUR)));
        let budgets = Budgets::in_store([budget], Arc::new(book.clone())).unwrap();
        let lines = budgets.lines(&Tags::default(), "", "");
        let mut held: Vec<(String, Reservation)> = Vec::new();
        for step in 0..200 {
            match rng.u8(..12) {
                0..5 => {
                    let amount = i128::from(rng.u64(1..500));
                    let ask = ReserveRequest::new(lines.clone(), UsdAmount::from_pico(amount), UtcTime::now());
                    let hold = format!("{seed}-{step}");
                    match (there.reserve(&hold, amount), now(book.reserve(ask))) {
                        (Ok(()), Ok(here)) => held.push((hold, here)),
                        (Err(free), Err(refusal)) => {
                            let here = refusal.resets.map_or(0, UtcTime::millis);
                            assert_eq!(free, here, "seed {seed} step {step}: {refusal}");
                        }
                        (there, here) => panic!("seed {seed} step {step}: {there:?} {here:?}"),
                    }
                }
                5..9 if !held.is_empty() => {
                    let (hold, here) = held.swap_remove(rng.usize(..held.len()));
                    let spent = rng.u64(..600);
                    let mark = format!("ended:{hold}");
                    there.deliver("settle", &[&mark, "account"], &[&hold, "0", "0", &spent.to_string()]);
                    here.settle(UsdAmount::from_pico(spent.into()));
                }
                9 => {
                    let (sign, amount) = (rng.bool(), rng.u64(..300));
                    let at = UtcTime::now().before(Duration::from_secs(rng.u64(..2 * 60 * 60)));
                    let word = if sign { "+" } else { "-" };
                    there.deliver(
                        "adjust",
                        &["account"],
                        &[word, "0", &amount.to_string(), &at.millis().to_string()],
                    );
                    let by = if sign { i128::from(amount) } else { -i128::from(amount) };
                    book.adjust(&lines, UsdAmount::from_pico(by), at);
                }
                10 if rng.u8(..8) == 0 => {
                    there.deliver("reset", &["account"], &[]);
                    book.reset(&lines);
                }
                _ => advance(Duration::from_millis(rng.u64(..20 * 60 * 1000))).await,
            }
            let state = book.accounts().into_iter().next();
            let here = state.map_or([0; 4], |state| {
                let full = state.resets.map_or(0, UtcTime::millis);
                [pico(state.settled), pico(state.reserved), pico(state.overrun), full]
            });
            assert_eq!(there.stands(), here, "seed {seed} step {step}");
            assert!(
                here[0] + here[1] <= pico(UsdAmount::from_pico(CAP)),
                "seed {seed} step {step}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_reset_by_hand_is_free_at_once_and_a_refusal_of_a_rolling_window_says_when() {
    let Some(server) = Redis::start() else { return };
    let store = Store::builder(&server.url()).decision_timeout(Duration::from_secs(30));
    let shared = store.connect().await.unwrap().budgets();
    let budget = Budget::max_per_hour(usd("1.00")).unwrap();
    let budgets = Budgets::in_store([budget], Arc::new(shared.clone())).unwrap();
    let held = crate::support::ask(&shared, &budgets, "1.00").await.unwrap();
    held.settle(usd("1.00"));
    shared.flush().await;
    let refused = crate::support::ask(&shared, &budgets, "0.10").await.unwrap_err();
    let wait = refused.retry_after().unwrap();
    assert!(
        wait > Duration::from_secs(59 * 60) && wait <= Duration::from_secs(62 * 60),
        "{refused}"
    );
    assert!(budgets.reset("max-per-hour", &Tags::default()));
    shared.flush().await;
    assert!(crate::support::ask(&shared, &budgets, "1.00").await.is_ok());
}

/// The scripts know the calendar of a zone from what they are given.
#[test]
fn windows_that_a_process_has_computed_are_looked_up() {
    let Some(server) = Redis::start() else { return };
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let script = Script::new(
        &[
            include_str!("../src/lua/money.lua"),
            include_str!("../src/lua/window.lua"),
            "local starts, ends = window(ARGV[1], tonumber(ARGV[2])) return {text(starts), text(ends)}",
        ]
        .join("\n"),
    );
    for (at, expected) in [
        ("5", ["0", "10"]),
        ("10", ["10", "20"]),
        ("19", ["10", "20"]),
        ("20", ["20", "45"]),
        ("44", ["20", "45"]),
        // After the last they follow on as the last two do.
        ("45", ["45", "70"]),
        ("121", ["120", "145"]),
    ] {
        let mut call = script.prepare_invoke();
        let found: [String; 2] = call.arg("at:10,20,45").arg(at).invoke(&mut connection).unwrap();
        assert_eq!(found, expected, "at {at}");
    }
}

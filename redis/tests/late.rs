//! What reaches the server late: the end of an attempt after its window is over, and a bill after a reset by hand.

use std::{sync::Arc, time::Duration};

use redis::{Connection, Script, Value};
use test_servers::Redis;
use tokio::time::sleep;
use tower_llm_layers::{
    Tags, UtcTime,
    budget::{Budget, BudgetStore, Budgets, Window},
};
use tower_llm_redis::Store;

use crate::support::{ask, line, stands, usd};

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

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// A midnight.
const MIDNIGHT: u64 = 30_000 * DAY;

/// One account of the scripts, with a cap of nine dollars.
struct Account {
    connection: Connection,
    window: String,
    words: u64,
}

impl Account {
    fn new(server: &Redis, window: &str) -> Self {
        let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
        Self {
            connection,
            window: window.to_owned(),
            words: 0,
        }
    }

    fn clock(&mut self, millis: u64) {
        redis::cmd("SET")
            .arg("clock")
            .arg(millis)
            .exec(&mut self.connection)
            .unwrap();
    }

    /// Reserves three dollars.
    fn reserve(&mut self, hold: &str) {
        let script = script!("reserve.lua");
        let mut call = script.prepare_invoke();
        call.key(format!("ended:{hold}")).key("account");
        for argument in [hold, "99999999999", "3", "0", "3", "0", "9", "0", &self.window, "0"] {
            call.arg(argument);
        }
        let answer: Vec<Value> = call.invoke(&mut self.connection).unwrap();
        assert_eq!(redis::from_redis_value::<i64>(answer[0].clone()).unwrap(), 1, "{hold}");
    }

    /// Ends the reservation by two dollars, this long ago; without a time, as an older version does.
    fn settle(&mut self, hold: &str, age: Option<u64>) {
        self.words += 1;
        let script = script!("rate.lua" "deliver.lua");
        let mut call = script.prepare_invoke();
        call.key("sender").arg("99999999999").arg(self.words);
        let age = age.map(|age| age.to_string());
        call.arg("settle").arg(2).arg(8 + usize::from(age.is_some()));
        call.key(format!("ended:{hold}")).key("account");
        for argument in [hold, "0", "2", "0", "9", "0", &self.window, "0"]
            .into_iter()
            .chain(age.as_deref())
        {
            call.arg(argument);
        }
        call.invoke::<Value>(&mut self.connection).unwrap();
    }

    /// Dollars settled and reserved, and when nothing is spent any more.
    fn stands(&mut self) -> [u64; 3] {
        let script = script!("read.lua");
        let mut call = script.prepare_invoke();
        call.key("account").arg(&self.window);
        let all: Vec<Vec<u64>> = call.invoke(&mut self.connection).unwrap();
        let [settled, _, reserved, _, _, _, _, full] = all[0][..] else {
            unreachable!("{all:?}");
        };
        [settled, reserved, full]
    }
}

#[test]
fn what_ended_before_midnight_is_not_spent_on_the_next_day_and_is_released() {
    let Some(server) = Redis::start() else { return };
    // The second window is the same day, as a process gives it that computes its calendar.
    let days = format!("at:{},{},{}", MIDNIGHT - DAY, MIDNIGHT, MIDNIGHT + DAY);
    for window in ["day", &days] {
        let mut account = Account::new(&server, window);
        account.clock(MIDNIGHT - 20 * MINUTE);
        for hold in ["one", "two", "three"] {
            account.reserve(hold);
        }
        account.clock(MIDNIGHT + 10 * MINUTE);
        account.settle("one", Some(11 * MINUTE));
        assert_eq!(account.stands()[..2], [0, 6], "{window}: it ended yesterday");
        account.settle("two", Some(10 * MINUTE));
        assert_eq!(account.stands()[..2], [2, 3], "{window}: it ended at midnight");
        account.settle("three", None);
        assert_eq!(account.stands()[..2], [4, 0], "{window}: now, as it does not say when");
    }
    // No window, no end.
    let mut account = Account::new(&server, "ever");
    account.clock(MIDNIGHT - 20 * MINUTE);
    account.reserve("one");
    account.clock(MIDNIGHT + 10 * MINUTE);
    account.settle("one", Some(20 * MINUTE));
    assert_eq!(account.stands()[..2], [2, 0]);
}

#[test]
fn what_ended_a_while_ago_leaves_a_rolling_window_that_much_sooner() {
    let Some(server) = Redis::start() else { return };
    let mut account = Account::new(&server, "rolling:3600000");
    account.clock(MIDNIGHT);
    for hold in ["one", "two", "three"] {
        account.reserve(hold);
    }
    account.clock(MIDNIGHT + 2 * HOUR);
    account.settle("one", Some(HOUR));
    assert_eq!(account.stands(), [0, 6, 0], "it has left the window already");
    account.settle("two", Some(HOUR / 2));
    // A part of the window is two minutes.
    let full = MIDNIGHT + 2 * HOUR + HOUR / 2 + 2 * MINUTE;
    assert_eq!(account.stands(), [2, 3, full]);
    account.settle("three", None);
    assert_eq!(account.stands(), [4, 0, full + HOUR / 2]);
}

/// When the account is deleted, in milliseconds; below zero if never.
fn deleted_in(connection: &mut Connection, key: &str) -> i64 {
    redis::cmd("PTTL").arg(key).query(connection).unwrap()
}

#[test]
fn a_budget_that_came_into_force_earlier_moves_no_window() {
    let Some(server) = Redis::start() else { return };
    let days = format!("at:{},{},{}", MIDNIGHT - DAY, MIDNIGHT, MIDNIGHT + DAY);
    for (window, is_kept) in [
        ("ever;2000;", true),
        ("month;2000;", false),
        (&*format!("{days};2000;day Z"), false),
    ] {
        let mut account = Account::new(&server, "hour;1000;");
        account.clock(MIDNIGHT + HOUR - MINUTE);
        account.reserve("old");
        window.clone_into(&mut account.window);
        account.reserve("new");
        account.settle("new", Some(0));
        assert_eq!(account.stands()[..2], [2, 3], "{window}");
        // The hour is over. A call ends that began under the budget before, and a process that still has that one makes another call.
        account.clock(MIDNIGHT + HOUR);
        "hour;1000;".clone_into(&mut account.window);
        account.settle("old", Some(0));
        assert_eq!(account.stands()[..2], [4, 0], "{window}");
        account.reserve("older");
        assert_eq!(account.stands()[..2], [4, 3], "{window}");
        account.settle("older", None);
        window.clone_into(&mut account.window);
        assert_eq!(account.stands()[..2], [6, 0], "{window}");
        assert_eq!(deleted_in(&mut account.connection, "account") < 0, is_kept, "{window}");
    }
}

/// A process with older settings starts again during a rollout, and is gone after that.
#[test]
fn the_window_of_a_process_that_is_gone_ends_within_an_hour() {
    let Some(server) = Redis::start() else { return };
    let mut account = Account::new(&server, "ever;1000;");
    account.clock(MIDNIGHT);
    account.reserve("one");
    account.window = format!("hour;{MIDNIGHT};");
    account.clock(MIDNIGHT + MINUTE);
    account.reserve("two");
    account.settle("two", Some(0));
    "ever;1000;".clone_into(&mut account.window);
    account.clock(MIDNIGHT + HOUR);
    account.settle("one", Some(0));
    assert_eq!(account.stands()[..2], [2, 0], "an hour has begun");
    account.clock(MIDNIGHT + HOUR + MINUTE);
    account.reserve("three");
    account.settle("three", Some(0));
    account.clock(MIDNIGHT + 9 * HOUR);
    assert_eq!(account.stands()[..2], [4, 0]);
    assert!(deleted_in(&mut account.connection, "account") < 0);
}

#[test]
fn the_window_of_a_time_that_a_clock_has_left_again_ends_within_an_hour() {
    let Some(server) = Redis::start() else { return };
    let mut account = Account::new(&server, &format!("hour;{};", MIDNIGHT + 9 * DAY));
    account.clock(MIDNIGHT + 9 * DAY);
    account.reserve("ahead");
    "ever;1000;".clone_into(&mut account.window);
    for (at, is_kept) in [(MIDNIGHT, false), (MIDNIGHT + HOUR, true)] {
        account.clock(at);
        account.reserve("now");
        account.settle("now", Some(0));
        assert_eq!(deleted_in(&mut account.connection, "account") < 0, is_kept, "{at}");
    }
}

#[test]
fn a_budget_that_came_into_force_later_has_its_own_window() {
    let Some(server) = Redis::start() else { return };
    let mut account = Account::new(&server, "ever;1000;");
    account.clock(MIDNIGHT);
    account.reserve("one");
    account.settle("one", Some(0));
    // Its clock is ahead by days: that is no reason for the next one to wait so long.
    account.window = format!("hour;{};", MIDNIGHT + 9 * DAY);
    account.clock(MIDNIGHT + HOUR);
    account.reserve("two");
    assert_eq!(account.stands()[..2], [0, 3], "an hour begins empty");
    account.settle("two", Some(0));
    account.window = format!("ever;{};", MIDNIGHT + HOUR + MINUTE);
    account.clock(MIDNIGHT + HOUR + 2 * MINUTE);
    account.reserve("three");
    account.clock(MIDNIGHT + 3 * HOUR);
    account.settle("three", Some(0));
    assert_eq!(account.stands()[..2], [4, 0]);
    assert!(deleted_in(&mut account.connection, "account") < 0);
}

#[tokio::test]
async fn the_end_of_a_call_of_the_budgets_before_leaves_the_account_to_those_in_force() {
    let Some(server) = Redis::start() else { return };
    let builder = Store::builder(&server.url()).decision_timeout(Duration::from_secs(30));
    let shared = builder.connect().await.unwrap().budgets();
    let budget = |cap: &str| Budget::usd("all", cap).unwrap();
    let hourly = Budgets::in_store([budget("10").per(Window::Hour)], Arc::new(shared.clone())).unwrap();
    let held = ask(&shared, &hourly, "4.00").await.unwrap();
    let ever = hourly.with([budget("5")]).unwrap();
    ever.activate();
    ask(&shared, &ever, "1.00").await.unwrap().settle(usd("1.00"));
    held.settle(usd("6.00"));
    let line = line(&ever);
    assert_eq!(
        stands(&shared, &line).await,
        ["$5.00", "$0.00", "$2.00"],
        "under the cap in force"
    );
    let refused = ask(&shared, &hourly, "0.01").await.unwrap_err();
    assert_eq!(refused.budget.cap(), usd("5"), "and so is another attempt");
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*budget*").query(&mut connection).unwrap();
    let account = keys.iter().find(|key| !key.contains('\u{1e}')).unwrap();
    assert!(deleted_in(&mut connection, account) < 0, "it has no window: {keys:?}");
}

#[tokio::test]
async fn an_end_that_is_delivered_after_an_outage_counts_from_when_it_was() {
    let Some(mut server) = Redis::start() else { return };
    let builder = Store::builder(&server.url()).decision_timeout(Duration::from_secs(10));
    let shared = builder.connect().await.unwrap().budgets();
    let budget = Budget::usd("minute", "5.00")
        .unwrap()
        .per(Window::Rolling(Duration::from_secs(60)));
    let budgets = Budgets::in_store([budget], Arc::new(shared.clone())).unwrap();
    let held = ask(&shared, &budgets, "1.00").await.unwrap();
    server.stop();
    held.settle(usd("0.50"));
    let ended = UtcTime::now();
    sleep(Duration::from_secs(4)).await;
    server.run();
    let line = line(&budgets);
    assert_eq!(stands(&shared, &line).await, ["$0.50", "$0.00", "$0.00"]);
    // A part of the window is two seconds; the times of the process and the server may differ by a little.
    let full = shared.account(&line).await.unwrap().unwrap().resets.unwrap();
    assert!(full.since(ended) <= Duration::from_millis(62_500), "{ended} {full}");
}

#[tokio::test]
async fn a_bill_of_the_time_before_a_reset_gives_nothing_back() {
    let Some(server) = Redis::start() else { return };
    let builder = Store::builder(&server.url()).decision_timeout(Duration::from_secs(30));
    let shared = builder.connect().await.unwrap().budgets();
    // The process and the server need not agree to the millisecond.
    let moment = Duration::from_millis(50);
    for window in [Window::Ever, Window::Rolling(Duration::from_secs(3_600))] {
        let budget = Budget::usd(window.as_str(), "10").unwrap().per(window);
        let budgets = Budgets::in_store([budget], Arc::new(shared.clone())).unwrap();
        let line = line(&budgets);
        ask(&shared, &budgets, "5.00").await.unwrap().settle(usd("5.00"));
        shared.flush().await;
        let ended = UtcTime::now();
        sleep(moment).await;
        assert!(budgets.reset(window.as_str(), &Tags::default()));
        shared.flush().await;
        sleep(moment).await;
        ask(&shared, &budgets, "9.00").await.unwrap().settle(usd("9.00"));
        for (by, at, settled) in [
            ("-4.90", ended, "$9.00"),
            // More is never forgotten, and what was spent since is given back.
            ("0.50", ended, "$9.50"),
            ("-1.00", UtcTime::now(), "$8.50"),
        ] {
            shared.adjust(std::slice::from_ref(&line), usd(by), at);
            assert_eq!(stands(&shared, &line).await[0], settled, "{window} {by}");
        }
    }
}

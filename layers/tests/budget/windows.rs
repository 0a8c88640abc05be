//! When windows begin and end: hours, months from any day, and days of time zones across changes of the clock.

use std::time::Duration;

use tokio::time::advance;
use tower_llm_layers::{
    Tags, UtcTime,
    budget::{Budget, BudgetError, Budgets, Window, Zone},
};

use super::{book_of, reserve, state};
use crate::support::{DAY, usd};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn time(text: &str) -> UtcTime {
    text.parse().unwrap()
}

fn bounds(budget: &Budget, at: &str) -> [String; 2] {
    let at = time(at);
    let end = budget.window_end(at).unwrap();
    assert!(budget.window_start(at) <= at && at < end, "{at}");
    assert_eq!(budget.window_start(end), end, "the next one begins where this one ends");
    [budget.window_start(at), end].map(|time| time.to_string().replace(":00.000Z", ""))
}

fn per(window: Window) -> Budget {
    Budget::usd("a", "1").unwrap().per(window)
}

#[test]
fn hours_and_months_from_a_day() {
    assert_eq!(
        bounds(&per(Window::Hour), "2026-11-29T09:30:00Z"),
        ["2026-11-29T09:00", "2026-11-29T10:00"]
    );
    for (day, at, expected) in [
        (1, "2026-11-29T09:30:00Z", ["2026-11-01T00:00", "2026-12-01T00:00"]),
        (15, "2026-11-29T09:30:00Z", ["2026-11-15T00:00", "2026-12-15T00:00"]),
        (15, "2026-11-14T23:59:59Z", ["2026-10-15T00:00", "2026-11-15T00:00"]),
        (15, "2026-01-02T00:00:00Z", ["2025-12-15T00:00", "2026-01-15T00:00"]),
        // A shorter month begins on its last day.
        (31, "2026-02-28T00:00:00Z", ["2026-02-28T00:00", "2026-03-31T00:00"]),
        (31, "2026-02-27T00:00:00Z", ["2026-01-31T00:00", "2026-02-28T00:00"]),
        (30, "2024-02-29T12:00:00Z", ["2024-02-29T00:00", "2024-03-30T00:00"]),
        (29, "2026-03-01T00:00:00Z", ["2026-02-28T00:00", "2026-03-29T00:00"]),
    ] {
        assert_eq!(bounds(&per(Window::MonthFrom(day)), at), expected, "day {day} at {at}");
    }
    let first = per(Window::MonthFrom(1));
    for day in 0..900_u32 {
        let at = UtcTime::from_millis(1_700_000_000_000).after(day * DAY);
        assert_eq!(first.window_start(at), Window::Month.start(at));
        assert_eq!(first.window_end(at), Window::Month.end(at));
    }
}

#[test]
fn a_window_that_makes_no_sense_is_refused() {
    let wrong = |budget: Budget| Budgets::new([budget]).unwrap_err().to_string();
    assert!(wrong(per(Window::MonthFrom(0))).contains("use 1 to 31"));
    assert!(wrong(per(Window::MonthFrom(32))).contains("use 1 to 31"));
    assert!(wrong(per(Window::Rolling(Duration::from_secs(59)))).contains("a minute to 366 days"));
    assert!(wrong(per(Window::Rolling(367 * DAY))).contains("a minute to 366 days"));
    assert!(
        Budgets::new([per(Window::Rolling(HOUR)), per(Window::Hour)]).is_err(),
        "two of one name"
    );
    assert_eq!(Zone::named("UTC"), Ok(Zone::UTC));
    assert!(matches!(
        Zone::named("Mars/Olympus"),
        Err(BudgetError::UnknownZone { .. } | BudgetError::ZonesAreOff { .. })
    ));
}

#[cfg(feature = "zones")]
#[test]
fn a_zone_without_days_is_refused() {
    for window in [Window::Hour, Window::Ever, Window::Rolling(HOUR)] {
        let budget = per(window).in_zone("Asia/Tokyo".parse().unwrap());
        let wrong = Budgets::new([budget]).unwrap_err().to_string();
        assert!(wrong.contains("leave the zone out"), "{wrong}");
    }
}

#[cfg(feature = "zones")]
#[test]
fn days_weeks_and_months_of_a_zone_across_changes_of_the_clock() {
    for (zone, window, at, expected) in [
        // 23 hours in spring, 25 in autumn.
        (
            "Europe/Berlin",
            Window::Day,
            "2026-03-29T12:00:00Z",
            ["2026-03-28T23:00", "2026-03-29T22:00"],
        ),
        (
            "Europe/Berlin",
            Window::Day,
            "2026-10-25T12:00:00Z",
            ["2026-10-24T22:00", "2026-10-25T23:00"],
        ),
        (
            "Europe/Berlin",
            Window::Week,
            "2026-10-25T22:59:00Z",
            ["2026-10-18T22:00", "2026-10-25T23:00"],
        ),
        (
            "Europe/Berlin",
            Window::Month,
            "2026-10-31T23:00:00Z",
            ["2026-10-31T23:00", "2026-11-30T23:00"],
        ),
        (
            "Asia/Kolkata",
            Window::Day,
            "2026-11-29T18:29:00Z",
            ["2026-11-28T18:30", "2026-11-29T18:30"],
        ),
        (
            "America/New_York",
            Window::MonthFrom(15),
            "2026-03-15T03:59:00Z",
            ["2026-02-15T05:00", "2026-03-15T04:00"],
        ),
        // Midnight does not exist: the day begins at one.
        (
            "America/Santiago",
            Window::Day,
            "2026-09-06T12:00:00Z",
            ["2026-09-06T04:00", "2026-09-07T03:00"],
        ),
        // It comes twice: the day begins with the first.
        (
            "America/Havana",
            Window::Day,
            "2026-11-01T12:00:00Z",
            ["2026-11-01T04:00", "2026-11-02T05:00"],
        ),
        // A day that the calendar left out.
        (
            "Pacific/Apia",
            Window::Day,
            "2011-12-30T09:59:00Z",
            ["2011-12-29T10:00", "2011-12-30T10:00"],
        ),
        (
            "Pacific/Apia",
            Window::Day,
            "2011-12-30T10:00:00Z",
            ["2011-12-30T10:00", "2011-12-31T10:00"],
        ),
    ] {
        let budget = per(window).in_zone(zone.parse().unwrap());
        assert_eq!(bounds(&budget, at), expected, "{zone} {window} at {at}");
    }
}

/// Windows follow each other without a gap, and each instant lies in one, whatever the zone does.
#[cfg(feature = "zones")]
#[test]
fn windows_of_any_zone_follow_on() {
    let zones = [
        "America/Havana",
        "America/Santiago",
        "Africa/Cairo",
        "Asia/Tehran",
        "Australia/Lord_Howe",
        "America/St_Johns",
    ];
    for zone in zones {
        for window in [Window::Day, Window::Week, Window::Month, Window::MonthFrom(31)] {
            let budget = per(window).in_zone(zone.parse().unwrap());
            let mut at = time("2009-01-01T00:00:00Z");
            let mut start = budget.window_start(at);
            while at < time("2027-01-01T00:00:00Z") {
                let now = budget.window_start(at);
                assert!(now >= start, "{zone} {window}: it goes back at {at}");
                assert!(
                    now <= at && at < budget.window_end(at).unwrap(),
                    "{zone} {window} at {at}"
                );
                start = now;
                at = at.after(7 * HOUR + Duration::from_secs(59));
            }
        }
    }
}

#[cfg(feature = "zones")]
#[tokio::test(start_paused = true)]
async fn a_day_of_a_zone_is_full_again_at_its_own_midnight() {
    let zone: Zone = "Asia/Kathmandu".parse().unwrap();
    let (budgets, book) = book_of([Budget::usd("all", "1.00").unwrap().per(Window::Day).in_zone(zone)]);
    let all = Tags::default();
    reserve(&budgets, &all, "1.00", "1.00").unwrap().settle(usd("1.00"));
    let refused = reserve(&budgets, &all, "0.20", "0.20").unwrap_err();
    let wait = refused.retry_after().unwrap();
    let midnight = UtcTime::now().after(wait).millis();
    assert_eq!(
        midnight % 86_400_000,
        (18 * 60 + 15) * 60_000,
        "00:00 there is 18:15 in UTC"
    );
    advance(wait - Duration::from_millis(1)).await;
    assert!(reserve(&budgets, &all, "0.20", "0.20").is_err());
    advance(Duration::from_millis(1)).await;
    assert!(reserve(&budgets, &all, "0.20", "0.20").is_ok());
    assert_eq!(state(&book, "all").settled, usd("0"));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_went_far_ahead_and_back_does_not_keep_a_budget_empty() {
    let (budgets, book) = book_of([Budget::usd("all", "1.00").unwrap().per(Window::Day)]);
    let ask = |at: UtcTime| {
        tower_llm_layers::budget::ReserveRequest::new(budgets.lines(&Tags::default(), "", ""), usd("0.10"), at)
    };
    // A year ahead by mistake, and back again.
    let ahead = UtcTime::now().after(365 * DAY);
    assert!(matches!(
        budgets.reserve(ask(ahead)),
        tower_llm_layers::budget::Decision::Now(Ok(_))
    ));
    reserve(&budgets, &Tags::default(), "1.00", "1.00")
        .unwrap()
        .settle(usd("1.00"));
    assert!(reserve(&budgets, &Tags::default(), "0.10", "0.10").is_err());
    advance(DAY).await;
    assert!(
        reserve(&budgets, &Tags::default(), "0.10", "0.10").is_ok(),
        "{:?}",
        state(&book, "all")
    );
}

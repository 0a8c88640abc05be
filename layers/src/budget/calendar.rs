//! When the windows of budgets begin and end, by the calendar of a zone.

use super::{Window, Zone};
use crate::{
    UtcTime,
    util::{days_of_month, days_since_1970},
};

const HOUR: u64 = 60 * 60 * 1000;

/// Beginnings that are looked at beyond the first: where midnight comes twice, the first day found may have ended already.
const LOOKS: usize = 3;

/// The beginning and the end of the window that this instant lies in; without end, what is spent stays spent.
pub(super) fn bounds(window: Window, zone: &Zone, at: UtcTime) -> (UtcTime, Option<UtcTime>) {
    match window {
        Window::Ever => return (UtcTime::from_millis(0), None),
        Window::Rolling(span) => return (at.before(span), Some(at.after(span))),
        Window::Hour => {
            let start = at.millis() - at.millis() % HOUR;
            return (
                UtcTime::from_millis(start),
                Some(UtcTime::from_millis(start.saturating_add(HOUR))),
            );
        }
        Window::Day | Window::Week | Window::Month | Window::MonthFrom(_) => {}
    }
    let mut first = first_day(window, zone.day_of(at));
    let mut start = zone.midnight(first);
    let mut end = start;
    for _ in 0..LOOKS {
        first = next_first(window, first);
        end = zone.midnight(first);
        if end > at {
            break;
        }
        start = end;
    }
    (start, Some(end))
}

/// The day with which the window begins that this day lies in.
fn first_day(window: Window, day: u64) -> u64 {
    match window {
        // 1970 began on a Thursday.
        Window::Week => day.saturating_sub((day + 3) % 7),
        Window::Month | Window::MonthFrom(_) => {
            let (year, month, of_month) = date(day);
            let this = begins(window, year, month);
            match this {
                Some((first, number)) if of_month >= number => first,
                _ => {
                    let (year, month) = if month == 1 { (year - 1, 12) } else { (year, month - 1) };
                    begins(window, year, month).map_or(0, |(first, _)| first)
                }
            }
        }
        _ => day,
    }
}

/// The day with which the next window begins.
fn next_first(window: Window, first: u64) -> u64 {
    match window {
        Window::Week => first + 7,
        Window::Month | Window::MonthFrom(_) => {
            let (year, month, _) = date(first);
            let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            begins(window, year, month).map_or(first + 31, |(first, _)| first)
        }
        _ => first + 1,
    }
}

/// The day on which a month's window begins, since 1970 and in the month.
fn begins(window: Window, year: u64, month: u64) -> Option<(u64, u64)> {
    let wanted = match window {
        Window::MonthFrom(day) => u64::from(day).max(1),
        _ => 1,
    };
    let number = wanted.min(days_of_month(year, month));
    Some((days_since_1970(year, month, number)?, number))
}

fn date(day: u64) -> (u64, u64, u64) {
    let (year, month, day) = UtcTime::from_millis(day.saturating_mul(24 * HOUR)).date();
    (year, u64::from(month), u64::from(day))
}

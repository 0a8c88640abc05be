//! What stood on accounts before a ledger was read: as much of it is taken back as still stands, and nothing of what was spent since.

use std::time::Duration;

use tokio::time::advance;
use tower_llm_layers::{
    Tags, UtcTime,
    budget::{Budget, BudgetStore, Budgets, SpentBefore, Window},
};

use super::{book_of, reserve, state};
use crate::support::usd;

const HOUR: Duration = Duration::from_secs(60 * 60);
const HOURS: Window = Window::Rolling(HOUR);

fn per(window: Window) -> Budget {
    Budget::usd("all", "100").unwrap().per(window)
}

fn spend(budgets: &Budgets, amount: &str) {
    let settled = reserve(budgets, &Tags::default(), amount, amount).unwrap();
    settled.settle(usd(amount));
}

#[tokio::test(start_paused = true)]
async fn what_was_spent_since_stays_in_whatever_window_the_account_is_then() {
    // The beginning of an hour.
    advance(Window::Hour.end(UtcTime::now()).unwrap().since(UtcTime::now())).await;
    for (before, after, is_replaced, passes) in [
        (Window::Ever, Window::Ever, false, Duration::ZERO),
        // It begins empty.
        (Window::Ever, Window::Hour, true, Duration::ZERO),
        (Window::Ever, HOURS, true, Duration::ZERO),
        (Window::Hour, Window::Ever, true, Duration::ZERO),
        (Window::Hour, HOURS, true, Duration::ZERO),
        (HOURS, Window::Ever, true, Duration::ZERO),
        (HOURS, Window::Hour, true, Duration::ZERO),
        // It has ended meanwhile.
        (Window::Hour, Window::Hour, false, HOUR),
        (HOURS, HOURS, false, 2 * HOUR),
    ] {
        for is_touched in [true, false] {
            let (old, book) = book_of([per(before)]);
            old.activate();
            spend(&old, "70");
            let noted = book.spent_before("all");
            assert_eq!(noted.len(), 1);
            let now = if is_replaced {
                old.with([per(after)]).unwrap()
            } else {
                old
            };
            now.activate();
            advance(passes).await;
            if is_touched {
                spend(&now, "3");
            }
            noted.into_iter().for_each(SpentBefore::take_back);
            let spent = if is_touched { "3" } else { "0" };
            assert_eq!(state(&book, "all").spent(), usd(spent), "{before} {after} {is_touched}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_reset_or_billed_meanwhile_is_not_taken_back_again() {
    let (budgets, book) = book_of([per(Window::Ever)]);
    let none = Tags::default();
    let lines = budgets.lines(&none, "", "");
    spend(&budgets, "50");
    let noted = book.spent_before("all");
    assert!(budgets.reset("all", &none));
    spend(&budgets, "4");
    noted.into_iter().for_each(SpentBefore::take_back);
    assert_eq!(state(&book, "all").spent(), usd("4"));
    let noted = book.spent_before("all");
    advance(HOUR).await;
    spend(&budgets, "1");
    book.adjust(&lines, usd("-2"), UtcTime::now());
    noted.into_iter().for_each(SpentBefore::take_back);
    assert_eq!(state(&book, "all").spent(), usd("1"));
    assert!(book.spent_before("other").is_empty());
}

/// What is left of a window that rolls leaves it when it would have.
#[tokio::test(start_paused = true)]
async fn what_was_spent_since_stays_as_long_as_its_window_lasts() {
    let (budgets, book) = book_of([per(HOURS)]);
    spend(&budgets, "50");
    let noted = book.spent_before("all");
    advance(HOUR / 2).await;
    spend(&budgets, "4");
    noted.into_iter().for_each(SpentBefore::take_back);
    advance(HOUR * 3 / 4).await;
    assert_eq!(state(&book, "all").spent(), usd("4"));
    advance(HOUR / 2).await;
    assert_eq!(state(&book, "all").spent(), usd("0"));
}

//! The marks of a budget that are passed by what reaches an account without a reservation.

use tower_llm_layers::{
    Tags, UtcTime,
    budget::{Budget, BudgetStore, Window},
};

use super::{book_of, reserve, state};
use crate::support::{
    log::{heard, listen},
    usd,
};

/// The percentages that were logged so far.
fn marks() -> Vec<String> {
    let events = heard().into_iter();
    let filling = events.filter(|event| event["message"] == "budget filling up");
    filling.map(|event| event["percent"].clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_late_bill_passes_marks_as_a_settlement_does() {
    for window in [Window::Day, Window::Rolling(std::time::Duration::from_secs(3_600))] {
        listen();
        let (budgets, book) = book_of([Budget::usd("model", "1.00").unwrap().per(window).soft()]);
        let lines = budgets.lines(&Tags::default(), "", "");
        let steps: [(&str, &[&str]); 5] = [
            ("0.49", &[]),
            ("0.01", &["50 u64"]),
            ("-0.30", &["50 u64"]),
            ("0.65", &["50 u64", "50 u64", "80 u64"]),
            ("3.00", &["50 u64", "50 u64", "80 u64", "100 u64"]),
        ];
        for (by, expected) in steps {
            book.adjust(&lines, usd(by), UtcTime::now());
            assert_eq!(marks(), expected, "{window}: {by}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_bill_beyond_the_cap_is_an_error() {
    listen();
    let (budgets, book) = book_of([Budget::usd("all", "1.00").unwrap()]);
    let lines = budgets.lines(&Tags::default(), "", "");
    reserve(&budgets, &Tags::default(), "1.00", "1.00")
        .unwrap()
        .settle(usd("0.90"));
    book.adjust(&lines, usd("0.25"), UtcTime::now());
    let errors: Vec<_> = heard().into_iter().filter(|event| event["level"] == "ERROR").collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0]["overrun"], "$0.15");
}

/// What does not fit beside the reservations of others is spent as well.
#[tokio::test(start_paused = true)]
async fn what_is_overrun_beside_reservations_passes_marks_once() {
    listen();
    let (budgets, book) = book_of([Budget::usd("all", "1.00").unwrap()]);
    let lines = budgets.lines(&Tags::default(), "", "");
    let hold = |amount: &str| reserve(&budgets, &Tags::default(), amount, amount).unwrap();
    let (first, other) = (hold("0.30"), hold("0.70"));
    first.settle(usd("0.55"));
    let state_of_all = || {
        let state = state(&book, "all");
        [state.settled, state.reserved, state.overrun]
    };
    assert_eq!(state_of_all(), ["0.30", "0.70", "0.25"].map(usd));
    assert_eq!(marks(), ["50 u64"]);
    book.adjust(&lines, usd("0.45"), UtcTime::now());
    assert_eq!(marks(), ["50 u64", "80 u64", "100 u64"]);
    let errors = || {
        let events = heard().into_iter().filter(|event| event["level"] == "ERROR");
        let is_over = |message: &str| message.ends_with("the budget is over its cap");
        events
            .map(|event| (event["overrun"].clone(), is_over(&event["message"])))
            .collect::<Vec<_>>()
    };
    let within = [("$0.25".to_owned(), false), ("$0.45".to_owned(), false)];
    assert_eq!(errors(), within);
    // What is reserved is spent, and no mark is passed again.
    other.settle(usd("0.70"));
    assert_eq!(state_of_all(), ["1.00", "0.00", "0.70"].map(usd));
    book.adjust(&lines, usd("0.01"), UtcTime::now());
    assert_eq!(marks().len(), 3);
    assert_eq!(errors()[2..], [("$0.01".to_owned(), true)]);
}

/// They were logged before the restart.
#[tokio::test(start_paused = true)]
async fn what_was_spent_before_a_restart_passes_no_mark_again() {
    listen();
    let (budgets, book) = book_of([Budget::usd("all", "1.00").unwrap().per(Window::Day)]);
    let lines = budgets.lines(&Tags::default(), "", "");
    book.refill(&lines, usd("0.90"), UtcTime::now());
    assert_eq!((state(&book, "all").settled, marks()), (usd("0.90"), Vec::new()));
    book.adjust(&lines, usd("0.10"), UtcTime::now());
    assert_eq!(marks(), ["100 u64"]);
}

//! Late bills of attempts that ended before an account was reset by hand.

use std::{sync::Arc, time::Duration};

use tokio::time::advance;
use tower_llm_layers::{
    Tags, UtcTime,
    budget::{Budget, BudgetStore, Budgets, InMemoryBudgetStore, Window},
};

use super::{book_of, reserve, state, tags};
use crate::support::usd;

const MINUTE: Duration = Duration::from_secs(60);
const WINDOWS: [Window; 3] = [
    Window::Month,
    Window::Ever,
    Window::Rolling(Duration::from_secs(24 * 60 * 60)),
];

#[tokio::test(start_paused = true)]
async fn a_bill_of_the_time_before_a_reset_gives_nothing_back() {
    for window in WINDOWS {
        let (budgets, book) = book_of([Budget::usd("all", "10").unwrap().per(window)]);
        let (all, lines) = (Tags::default(), budgets.lines(&Tags::default(), "", ""));
        reserve(&budgets, &all, "5.00", "5.00").unwrap().settle(usd("5.00"));
        let ended = UtcTime::now();
        advance(MINUTE).await;
        assert!(budgets.reset("all", &all));
        advance(MINUTE).await;
        reserve(&budgets, &all, "9.00", "9.00").unwrap().settle(usd("9.00"));
        book.adjust(&lines, usd("-4.90"), ended);
        assert_eq!(state(&book, "all").settled, usd("9.00"), "{window}");
        assert!(reserve(&budgets, &all, "1.01", "1.01").is_err(), "{window}");
        // More is never forgotten, and what was spent since is given back.
        book.adjust(&lines, usd("0.50"), ended);
        assert_eq!(state(&book, "all").settled, usd("9.50"), "{window}");
        book.adjust(&lines, usd("-1.00"), UtcTime::now());
        assert_eq!(state(&book, "all").settled, usd("8.50"), "{window}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_given_back_after_a_reset_is_of_the_reservation_that_outlived_it() {
    for window in WINDOWS {
        let (budgets, book) = book_of([Budget::usd("all", "10").unwrap().per(window)]);
        let (all, lines) = (Tags::default(), budgets.lines(&Tags::default(), "", ""));
        let held = reserve(&budgets, &all, "5.00", "5.00").unwrap();
        advance(MINUTE).await;
        assert!(budgets.reset("all", &all));
        advance(MINUTE).await;
        held.settle(usd("5.00"));
        book.adjust(&lines, usd("-4.90"), UtcTime::now());
        assert_eq!(state(&book, "all").settled, usd("0.10"), "{window}");
    }
}

/// An account that was reset has nothing spent, but still makes no room: its late bills are to come.
#[tokio::test(start_paused = true)]
async fn a_flood_of_accounts_does_not_forget_a_reset() {
    for window in WINDOWS {
        let book = InMemoryBudgetStore::with_room(64);
        let budget = Budget::usd("tenant", "10").unwrap().per(window).each("tenant");
        let budgets = Budgets::in_store([budget], Arc::new(book.clone())).unwrap();
        let acme = tags(&[("tenant", "acme")]);
        let line = budgets.lines(&acme, "", "").remove(0);
        reserve(&budgets, &acme, "5.00", "5.00").unwrap().settle(usd("5.00"));
        let ended = UtcTime::now();
        advance(MINUTE).await;
        assert!(budgets.reset("tenant", &acme));
        for number in 0..1_000 {
            let other = tags(&[("tenant", &number.to_string())]);
            // Refused if the account's part of the store is full.
            drop(reserve(&budgets, &other, "1.00", "1.00"));
        }
        advance(MINUTE).await;
        reserve(&budgets, &acme, "9.00", "9.00").unwrap().settle(usd("9.00"));
        book.adjust(std::slice::from_ref(&line), usd("-4.90"), ended);
        assert_eq!(book.account(&line).unwrap().settled, usd("9.00"), "{window}");
    }
}

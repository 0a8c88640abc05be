//! The budget store's accounts and their locks, in every interleaving there is: loom's locks in the place of the standard ones.
//!
//! Checked: at every lock settled + reserved ≤ cap; a reservation on several accounts is all or nothing; callers that want the same
//! accounts in another order do not deadlock; in the end nothing is reserved; an attempt that waits for money, and could have it, is woken.

#[path = "../../src/budget/account.rs"]
#[expect(dead_code, reason = "the model uses a part of what the book does")]
mod account;
#[path = "../../src/budget/queue.rs"]
#[expect(dead_code, reason = "the model uses a part of what a turn does")]
mod queue;
#[path = "../../src/budget/rolling.rs"]
mod rolling;
#[path = "../../src/budget/slot.rs"]
mod slot;

/// Loom's locks, under the names that the book uses.
mod sync {
    pub(super) use loom::sync::{Mutex, MutexGuard, atomic::AtomicUsize};
    pub(super) use std::sync::{Arc, PoisonError};

    pub(super) fn whole<T>(poisoned: PoisonError<T>) -> T {
        poisoned.into_inner()
    }
}

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
    time::Duration,
};

use loom::thread;
use tokio::time::Instant;
use tower_llm_layers::UsdAmount;

use account::Period;
use slot::{Share, Slot, reserve, settle};

const CAP: UsdAmount = UsdAmount::from_pico(10);
const MINUTE: Duration = Duration::from_secs(60);

fn pico(amount: i128) -> UsdAmount {
    UsdAmount::from_pico(amount)
}

fn slots<const N: usize>() -> [Arc<Slot>; N] {
    let mut order = 0;
    [(); N].map(|()| {
        order += 1;
        Arc::new(Slot::new(order))
    })
}

fn shares<const N: usize>(slots: [&Arc<Slot>; N], window: u64) -> Vec<Share> {
    let share = |slot: &Arc<Slot>| Share {
        slot: Arc::clone(slot),
        cap: CAP,
        soft: false,
        period: Period::Fixed {
            start: window,
            end: None,
        },
    };
    slots.map(share).into()
}

/// The invariant, as every holder of the lock sees it.
fn check(slot: &Slot) {
    let account = slot.lock();
    let taken = account.settled.saturating_add(account.reserved);
    assert!(taken <= CAP, "{account:?}");
    assert!(
        !account.settled.is_negative() && !account.reserved.is_negative(),
        "{account:?}"
    );
}

/// One attempt: holds, looks, and settles. Says what it held.
fn attempt(shares: &[Share], want: i128, at_least: i128, spends: i128) -> Option<UsdAmount> {
    let held = reserve(shares, pico(want), pico(at_least)).ok()?;
    assert!(held >= pico(at_least) && held <= pico(want));
    shares.iter().for_each(|share| check(&share.slot));
    settle(shares, held, pico(spends), |_, settled| {
        assert!(settled.settled.saturating_add(settled.reserved) <= CAP, "{settled:?}");
    });
    Some(held)
}

#[test]
fn two_want_the_same_accounts_in_another_order() {
    loom::model(|| {
        let [a, b] = slots();
        let other = {
            let (a, b) = (Arc::clone(&a), Arc::clone(&b));
            thread::spawn(move || attempt(&shares([&b, &a], 0), 7, 7, 7))
        };
        let mine = attempt(&shares([&a, &b], 0), 7, 7, 2);
        let theirs = other.join().unwrap();
        assert!(mine.is_some() || theirs.is_some(), "one of them fits");
        let spent = [(mine, 2), (theirs, 7)]
            .into_iter()
            .filter(|(held, _)| held.is_some())
            .map(|(_, spent)| spent)
            .sum();
        for slot in [a, b] {
            let account = slot.lock();
            assert_eq!((account.settled, account.reserved), (pico(spent), pico(0)));
        }
    });
}

#[test]
fn a_reservation_on_two_is_all_or_nothing_beside_one_on_either() {
    loom::model(|| {
        let [a, b] = slots();
        let only = |slot: &Arc<Slot>| {
            let slot = Arc::clone(slot);
            thread::spawn(move || attempt(&shares([&slot], 0), 6, 6, 6).is_some())
        };
        let (on_a, on_b) = (only(&a), only(&b));
        let both = attempt(&shares([&a, &b], 0), 6, 5, 0);
        assert!(both.is_none_or(|held| held == pico(6)), "granted what both had");
        let (on_a, on_b) = (on_a.join().unwrap(), on_b.join().unwrap());
        for (slot, alone) in [(a, on_a), (b, on_b)] {
            let account = slot.lock();
            let spent = if alone { 6 } else { 0 };
            assert_eq!((account.settled, account.reserved), (pico(spent), pico(0)));
        }
    });
}

#[test]
fn a_bill_beyond_the_reservation_and_a_new_window_keep_the_invariant() {
    loom::model(|| {
        let [a] = slots();
        let overrun = {
            let a = Arc::clone(&a);
            thread::spawn(move || attempt(&shares([&a], 0), 4, 1, 9))
        };
        let next_day = {
            let a = Arc::clone(&a);
            thread::spawn(move || attempt(&shares([&a], 1), 8, 1, 3))
        };
        let held = reserve(&shares([&a], 0), pico(5), pico(1));
        check(&a);
        overrun.join().unwrap();
        next_day.join().unwrap();
        check(&a);
        if let Ok(held) = held {
            settle(&shares([&a], 1), held, pico(1), |_, _| {});
        }
        assert_eq!(a.lock().reserved, pico(0));
        check(&a);
    });
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Flag {
    fn is_woken(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

#[test]
fn what_becomes_free_wakes_one_that_has_entered_and_asked() {
    loom::model(|| {
        let [a] = slots();
        let held = reserve(&shares([&a], 0), CAP, CAP).unwrap();
        let other = {
            let a = Arc::clone(&a);
            thread::spawn(move || settle(&shares([&a], 0), held, pico(0), |_, _| {}))
        };
        let flag = Arc::new(Flag::default());
        let until = Instant::now() + MINUTE;
        assert!(a.queue().enter(1, &Waker::from(Arc::clone(&flag)), until).is_none());
        let has_it = reserve(&shares([&a], 0), pico(5), pico(5)).is_ok();
        other.join().unwrap();
        assert!(has_it || flag.is_woken());
    });
}

#[test]
fn one_that_leaves_the_first_place_wakes_the_next_whatever_ends_meanwhile() {
    loom::model(|| {
        let [a] = slots();
        let held = reserve(&shares([&a], 0), CAP, CAP).unwrap();
        let until = Instant::now() + MINUTE;
        a.queue().enter(1, Waker::noop(), until);
        let flag = Arc::new(Flag::default());
        let look = a.queue().enter(2, &Waker::from(Arc::clone(&flag)), until);
        assert!(look.is_some(), "it is not the first");
        let leaves = {
            let a = Arc::clone(&a);
            thread::spawn(move || a.queue().leave(1))
        };
        settle(&shares([&a], 0), held, pico(0), |_, _| {});
        leaves.join().unwrap();
        assert!(flag.is_woken());
    });
}

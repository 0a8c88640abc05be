//! The clock of the layers: it stands still within one poll.

use std::cell::Cell;
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use std::{marker::PhantomData, time::Duration};

use pin_project::pin_project;
use tokio::time::Instant;
use tokio::{
    task::coop::has_budget_remaining,
    time::{Sleep, sleep_until},
};

/// What the clock does on this thread.
#[derive(Clone, Copy)]
enum Clock {
    Runs,
    /// It stands still, and has not been read yet.
    Unread,
    StandsAt(Instant),
}

/// The longest time that a setting can set: 30 years. A longer one, such as [`Duration::MAX`] for "without end", counts as this one: no instant overflows
/// by it, on any platform.
pub const MAX_DURATION: Duration = Duration::from_secs(30 * 31_557_600);

/// So much later, and [`MAX_DURATION`] later at most.
pub(crate) fn after(instant: Instant, time: Duration) -> Instant {
    instant + time.min(MAX_DURATION)
}

thread_local! {
    static CLOCK: Cell<Clock> = const { Cell::new(Clock::Runs) };
}

/// Now. Within one poll of the layers time stands still at the first reading: reading the clock costs more than most of what asks for it.
///
/// What waits for an instant to pass has a timer that wakes it for another poll.
pub(crate) fn now() -> Instant {
    match CLOCK.get() {
        Clock::StandsAt(now) => now,
        Clock::Unread => {
            let now = Instant::now();
            CLOCK.set(Clock::StandsAt(now));
            now
        }
        Clock::Runs => Instant::now(),
    }
}

/// How much time has passed since then.
pub(crate) fn since(instant: Instant) -> Duration {
    now().saturating_duration_since(instant)
}

/// Time stands still on this thread as long as this is held: for one call or one poll, never across an await.
pub(crate) struct Still {
    /// Whether it was this one that stopped the clock.
    stopped: bool,
    /// It belongs to its thread.
    thread: PhantomData<*const ()>,
}

/// Stops the clock until the end of a call or a poll; within another one it changes nothing.
#[must_use]
pub(crate) fn still() -> Still {
    let stopped = matches!(CLOCK.get(), Clock::Runs);
    if stopped {
        CLOCK.set(Clock::Unread);
    }
    Still {
        stopped,
        thread: PhantomData,
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        if self.stopped {
            CLOCK.set(Clock::Runs);
        }
    }
}

/// A timer that is polled after something else has been polled, many times before it fires.
///
/// It is registered once for a task; after that a poll looks at the clock alone. The clock also has the last word if the task has used up its
/// cooperative budget: then tokio's own timers are pending, however late it is.
#[derive(Debug)]
pub(crate) struct Alarm(Pin<Box<Timer>>);

/// All of it on the heap: futures and bodies that hold one are moved by each layer above.
#[pin_project]
#[derive(Debug)]
struct Timer {
    #[pin]
    sleep: Sleep,
    /// The task that it wakes already.
    registered: Option<Waker>,
}

impl Alarm {
    pub(crate) fn at(deadline: Instant) -> Self {
        Self(Box::pin(Timer {
            sleep: sleep_until(deadline),
            registered: None,
        }))
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.0.sleep.deadline()
    }

    pub(crate) fn reset(&mut self, deadline: Instant) {
        let timer = self.0.as_mut().project();
        *timer.registered = None;
        timer.sleep.reset(deadline);
    }

    /// Within a poll time stands still: if it fires meanwhile, it wakes the task once more.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if now() >= self.deadline() {
            return Poll::Ready(());
        }
        let (timer, waker) = (self.0.as_mut().project(), cx.waker());
        if timer.registered.as_ref().is_some_and(|known| known.will_wake(waker)) {
            return Poll::Pending;
        }
        let can_register = has_budget_remaining();
        let polled = timer.sleep.poll(cx);
        *timer.registered = (polled.is_pending() && can_register).then(|| waker.clone());
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_stands_still_within_a_poll_and_runs_between_two() {
        let second = Duration::from_secs(1);
        let outer = still();
        let begun = now();
        {
            let inner = still();
            assert_eq!(now(), begun);
            drop(inner);
        }
        assert_eq!(since(begun), Duration::ZERO, "the outer one still holds");
        drop(outer);
        tokio::time::advance(second).await;
        assert_eq!(since(begun), second);
        let next = still();
        assert_eq!(since(begun), second, "it is read again in the next poll");
        drop(next);
        tokio::time::advance(second).await;
        assert_eq!(now(), begun + 2 * second, "the clock runs if nothing is polled");
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_without_end_has_an_instant_and_a_timer() {
        let begun = Instant::now();
        assert_eq!(after(begun, Duration::from_secs(1)), begun + Duration::from_secs(1));
        let last = after(begun, Duration::MAX);
        assert_eq!(last, begun + MAX_DURATION);
        assert!(
            tokio::time::timeout(Duration::from_secs(1), sleep_until(last))
                .await
                .is_err()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_wakes_the_task_that_polled_it_last_and_can_be_moved() {
        let second = Duration::from_secs(1);
        let begun = Instant::now();
        let mut alarm = Alarm::at(begun + second);
        // Polled by a task that never waits for it, and then by this one.
        let mut noop = Context::from_waker(Waker::noop());
        assert!(alarm.poll(&mut noop).is_pending() && alarm.poll(&mut noop).is_pending());
        std::future::poll_fn(|cx| alarm.poll(cx)).await;
        assert_eq!(begun.elapsed(), second);
        alarm.reset(begun + 3 * second);
        std::future::poll_fn(|cx| alarm.poll(cx)).await;
        assert_eq!(begun.elapsed(), 3 * second);
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_is_not_lost_when_the_task_has_no_budget_left() {
        let (begun, second) = (Instant::now(), Duration::from_secs(1));
        let mut alarm = Alarm::at(begun + second);
        let mut polls = 0;
        std::future::poll_fn(|cx| {
            polls += 1;
            if polls == 1 {
                // Uses the budget up: then no timer registers itself.
                while tokio::task::coop::poll_proceed(cx)
                    .map(|proceed| proceed.made_progress())
                    .is_ready()
                {}
                assert!(!has_budget_remaining());
            }
            alarm.poll(cx)
        })
        .await;
        assert_eq!(begun.elapsed(), second);
        assert!(polls >= 3, "woken for the budget, and by the timer: {polls}");
    }
}

//! The clock of the layers: it stands still within one poll.

use std::cell::Cell;
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use std::{marker::PhantomData, time::Duration};

use tokio::time::Instant;
use tokio::time::Sleep;

/// What the clock does on this thread.
#[derive(Clone, Copy)]
enum Clock {
    Runs,
    /// It stands still, and has not been read yet.
    Unread,
    StandsAt(Instant),
}

thread_local! {
    static CLOCK: Cell<Clock> = const { Cell::new(Clock::Runs) };
}

/// Now. Within one poll of the layers time stands still at the first reading: reading the clock costs more than most of what asks for it.
///
/// What waits for an instant to pass must not ask here, but its timer or the clock itself.
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

/// Polls a timer after something else has been polled.
///
/// Once that has used up the task's cooperative budget, tokio's own timers are pending too, however late it is; so the clock is read.
pub(crate) fn poll_timer(timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    let deadline = timer.deadline();
    if timer.poll(cx).is_ready() || Instant::now() >= deadline {
        Poll::Ready(())
    } else {
        Poll::Pending
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
}

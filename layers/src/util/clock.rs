//! Timers that a flood cannot hold back.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep};

/// Polls a timer beside something that has just been polled.
///
/// Once that has used up the task's turn, tokio's own timers are pending too, however late it is; so the clock has the last
/// word.
pub(crate) fn poll_timer(timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    let deadline = timer.deadline();
    if timer.poll(cx).is_ready() || Instant::now() >= deadline {
        Poll::Ready(())
    } else {
        Poll::Pending
    }
}

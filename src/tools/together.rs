//! The calls of one message, run together in one task.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::{Duration, Instant};

use super::{
    ToolOutcome,
    tool::{Failed, Running},
};

/// What a call gave: its result or what went wrong, and how long it ran.
pub(super) type Ended = (Result<String, Failed>, Duration);

/// Polls all calls until each has ended. Their results stand in the order of the calls.
pub(super) struct Together {
    begun: Instant,
    calls: Vec<Call>,
}

enum Call {
    Running(Running),
    Ended(Ended),
}

impl Together {
    pub(super) fn new(calls: impl IntoIterator<Item = Running>) -> Self {
        Self {
            begun: Instant::now(),
            calls: calls.into_iter().map(Call::Running).collect(),
        }
    }
}

impl Future for Together {
    type Output = Vec<Ended>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Vec<Ended>> {
        let begun = self.begun;
        let mut is_running = false;
        for call in &mut self.calls {
            let Call::Running(running) = call else { continue };
            // What the closure holds is dropped if it panics, and never polled again.
            match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(cx))) {
                Ok(Poll::Pending) => is_running = true,
                Ok(Poll::Ready(result)) => *call = Call::Ended((result, begun.elapsed())),
                Err(_) => *call = Call::Ended((Err(panicked()), begun.elapsed())),
            }
        }
        if is_running {
            return Poll::Pending;
        }
        let calls = std::mem::take(&mut self.calls).into_iter();
        Poll::Ready(
            calls
                .filter_map(|call| match call {
                    Call::Ended(ended) => Some(ended),
                    Call::Running(_) => None,
                })
                .collect(),
        )
    }
}

/// Without the words of the panic: they are not meant for a model.
fn panicked() -> Failed {
    Failed {
        outcome: ToolOutcome::Panicked,
        message: "the tool panicked".to_owned(),
    }
}

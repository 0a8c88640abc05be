//! Polls something again only if it has woken its task since it was last pending.
//!
//! A server polls a response's body after each frame and at each turn of its connection, mostly before anything new has come. Each such poll would
//! walk through all layers to the connection and back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Stands before one body or future.
#[derive(Default)]
pub(crate) struct PollGate {
    /// There while what is behind the gate is pending, and after that until another task polls.
    wakes: Option<(Arc<Wakes>, Waker)>,
    is_pending: bool,
}

/// Wakes a task, and notes it.
struct Wakes {
    is_woken: AtomicBool,
    task: Waker,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl PollGate {
    /// Whether a task waits for what is behind the gate, and has not been woken.
    pub(crate) fn is_awaited(&self) -> bool {
        let is_woken = |(wakes, _): &(Arc<Wakes>, Waker)| wakes.is_woken.load(Ordering::Acquire);
        self.is_pending && !self.wakes.as_ref().is_some_and(is_woken)
    }

    /// Polls with `poll`, unless it was pending the last time, for the same task, and has not woken it since.
    pub(crate) fn poll<T>(&mut self, cx: &Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let task = cx.waker();
        let (wakes, waker) = match &mut self.wakes {
            Some(known) if known.0.task.will_wake(task) => known,
            known => {
                self.is_pending = false;
                let wakes = Arc::new(Wakes {
                    is_woken: AtomicBool::new(false),
                    task: task.clone(),
                });
                let waker = Waker::from(Arc::clone(&wakes));
                known.insert((wakes, waker))
            }
        };
        // Taken back before it is polled, so that no later wake is lost.
        let is_woken = wakes.is_woken.swap(false, Ordering::AcqRel);
        if self.is_pending && !is_woken {
            return Poll::Pending;
        }
        let polled = poll(&mut Context::from_waker(waker));
        self.is_pending = polled.is_pending();
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Task(std::sync::atomic::AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_is_pending_is_polled_again_only_after_it_has_woken_its_task() {
        let (task, mut gate) = (Arc::new(Task::default()), PollGate::default());
        let waker = Waker::from(Arc::clone(&task));
        let cx = Context::from_waker(&waker);
        let (mut polls, mut registered) = (0, None);
        for _ in 0..3 {
            let polled = gate.poll(&cx, |cx| {
                polls += 1;
                registered = Some(cx.waker().clone());
                Poll::<()>::Pending
            });
            assert!(polled.is_pending());
        }
        assert_eq!(polls, 1);
        registered.unwrap_or_else(|| Waker::noop().clone()).wake();
        assert_eq!(task.0.load(Ordering::Relaxed), 1, "the task is woken");
        for _ in 0..2 {
            // What is ready may be ready at once again.
            assert_eq!(gate.poll(&cx, |_| Poll::Ready(7)), Poll::Ready(7));
        }
    }

    #[test]
    fn another_task_polls_by_itself() {
        let mut gate = PollGate::default();
        let mut polls = 0;
        for _ in 0..2 {
            let waker = Waker::from(Arc::new(Task::default()));
            let polled = gate.poll(&Context::from_waker(&waker), |_| {
                polls += 1;
                Poll::<()>::Pending
            });
            assert!(polled.is_pending());
        }
        assert_eq!(polls, 2);
    }

    #[test]
    fn a_wake_while_it_is_polled_is_not_lost() {
        let (waker, mut gate) = (Waker::from(Arc::new(Task::default())), PollGate::default());
        let cx = Context::from_waker(&waker);
        let mut polls = 0;
        for _ in 0..2 {
            let polled = gate.poll(&cx, |cx| {
                polls += 1;
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            });
            assert!(polled.is_pending());
        }
        assert_eq!(polls, 2);
    }
}

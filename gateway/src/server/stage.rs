//! How far the end of the gateway has come.
//!
//! Every call and every connection asks for it whenever it is polled, and it changes five times: to ask costs one read, and no lock.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Stage {
    /// Requests are answered.
    Serving,
    /// Requests are answered, and `/readyz` says that the gateway is about to end: load balancers send new calls elsewhere.
    Leaving,
    /// No connection is accepted, and answers in progress end.
    Draining,
    /// Calls that are still in progress end with an error.
    Cut,
    /// All connections end now.
    Ended,
}

/// The stage that all parts of a gateway follow. Cheap to clone; clones follow the same.
#[derive(Debug, Clone, Default)]
pub struct Stages(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    now: AtomicU8,
    waiting: Mutex<Waiting>,
}

/// What is woken when a stage is entered.
#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Stages {
    /// The stage now.
    #[must_use]
    pub fn now(&self) -> Stage {
        match self.0.now.load(Ordering::Acquire) {
            0 => Stage::Serving,
            1 => Stage::Leaving,
            2 => Stage::Draining,
            3 => Stage::Cut,
            _ => Stage::Ended,
        }
    }

    /// Enters a stage. An earlier one is never entered again.
    pub fn enter(&self, stage: Stage) {
        let before = self.0.now.fetch_max(stage as u8, Ordering::AcqRel);
        if before < stage as u8 {
            // Those that wait for a later one stay.
            let woken: Vec<_> = self.0.waiting().wakers.values().cloned().collect();
            woken.into_iter().for_each(Waker::wake);
        }
    }

    /// Waits for a stage, or a later one.
    #[must_use]
    pub fn reached(&self, stage: Stage) -> Reached {
        Reached {
            stages: self.clone(),
            stage,
            place: None,
        }
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resolves when a stage is reached: see [`Stages::reached`].
#[derive(Debug)]
pub struct Reached {
    stages: Stages,
    stage: Stage,
    /// Its number among those that wait, and what wakes it.
    place: Option<(u64, Waker)>,
}

impl Future for Reached {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waits = self
            .place
            .as_ref()
            .is_some_and(|(_, waker)| waker.will_wake(cx.waker()));
        if !waits && self.stages.now() < self.stage {
            let mut waiting = self.stages.0.waiting();
            waiting.last += 1;
            let number = self.place.as_ref().map_or(waiting.last, |(number, _)| *number);
            waiting.wakers.insert(number, cx.waker().clone());
            drop(waiting);
            self.place = Some((number, cx.waker().clone()));
        }
        // Looked at once it waits: it misses none.
        if self.stages.now() >= self.stage {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Reached {
    fn drop(&mut self) {
        if let Some((number, _)) = self.place {
            self.stages.0.waiting().wakers.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_wait_for_a_later_stage_outlasts_an_earlier_one_and_is_forgotten_if_dropped() {
        let stages = Stages::default();
        let cut = tokio::spawn(stages.reached(Stage::Cut));
        let mut gone = stages.reached(Stage::Cut);
        assert!((&mut gone).now_or_never().is_none());
        tokio::task::yield_now().await;
        assert_eq!(stages.0.waiting().wakers.len(), 2);
        drop(gone);
        stages.enter(Stage::Draining);
        stages.enter(Stage::Leaving);
        tokio::task::yield_now().await;
        assert_eq!((stages.now(), cut.is_finished()), (Stage::Draining, false));
        stages.enter(Stage::Ended);
        cut.await.unwrap();
        assert!(stages.0.waiting().wakers.is_empty());
        stages.reached(Stage::Cut).await;
    }
}

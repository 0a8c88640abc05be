//! Models whose endpoints are to be read.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use tokio::sync::Notify;

/// How many wait at most; further ones are requested again after the next refresh.
const MOST: usize = 64;

/// A queue, each model in it once. Adding never waits.
#[derive(Debug, Default)]
pub(super) struct EndpointQueue {
    queue: Mutex<VecDeque<Box<str>>>,
    bell: Notify,
}

impl EndpointQueue {
    pub(super) fn push(&self, id: &str) {
        {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.len() >= MOST || queue.iter().any(|known| **known == *id) {
                return;
            }
            queue.push_back(id.into());
        }
        self.bell.notify_one();
    }

    /// The next one, as soon as there is one. Dropping the future loses none.
    pub(super) async fn next(&self) -> Box<str> {
        loop {
            if let Some(id) = self.take() {
                return id;
            }
            self.bell.notified().await;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn take(&self) -> Option<Box<str>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_waits_once_and_not_too_many() {
        let endpoint_queue = EndpointQueue::default();
        for _ in 0..3 {
            (0..100).for_each(|n| endpoint_queue.push(&format!("m/{n}")));
        }
        for n in 0..MOST {
            assert_eq!(*endpoint_queue.next().await, *format!("m/{n}"));
        }
        assert!(endpoint_queue.is_empty());
        endpoint_queue.push("m/0");
        assert_eq!(&*endpoint_queue.next().await, "m/0");
    }
}

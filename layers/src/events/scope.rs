//! The call that a thread works on right now: whatever happens meanwhile happened in it.

use std::cell::RefCell;

use super::{EventKind, EventSender};

thread_local! {
    static CURRENT: RefCell<Option<EventScope>> = const { RefCell::new(None) };
}

/// A call, and where its events are sent.
#[derive(Debug, Clone)]
pub(super) struct EventScope {
    pub(super) sender: EventSender,
    pub(super) call: u64,
}

/// Until it is dropped, the thread works on a call.
#[derive(Debug)]
pub(super) struct InScope(Option<EventScope>);

impl EventScope {
    pub(super) fn new(sender: &EventSender) -> Self {
        Self {
            call: sender.next_call(),
            sender: sender.clone(),
        }
    }

    pub(super) fn enter(&self) -> InScope {
        let own = Some(self.clone());
        let before = CURRENT.try_with(|current| current.replace(own));
        InScope(before.unwrap_or_default())
    }

    pub(super) fn send(&self, kind: impl FnOnce() -> EventKind) {
        self.sender.send(self.call, kind);
    }
}

impl Drop for InScope {
    fn drop(&mut self) {
        let before = self.0.take();
        // A thread that ends has no current call.
        let _ended = CURRENT.try_with(|current| drop(current.replace(before)));
    }
}

/// Tells that something has happened, if a call with events is being worked on.
pub(crate) fn emit(kind: impl FnOnce() -> EventKind) {
    let scope = CURRENT.try_with(|current| current.try_borrow().ok().and_then(|scope| scope.clone()));
    if let Ok(Some(scope)) = scope {
        scope.send(kind);
    }
}

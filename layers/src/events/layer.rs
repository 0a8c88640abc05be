//! The layer that sends events of each call.

use tower_layer::Layer;

use super::{EventSender, Events};

/// Sends events of each call. See the [module](super).
#[derive(Debug, Clone)]
pub struct EventsLayer {
    sender: EventSender,
}

impl EventsLayer {
    /// Sends them there.
    #[must_use]
    pub const fn new(sender: EventSender) -> Self {
        Self { sender }
    }
}

impl<S> Layer<S> for EventsLayer {
    type Service = Events<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Events {
            inner,
            sender: self.sender.clone(),
        }
    }
}

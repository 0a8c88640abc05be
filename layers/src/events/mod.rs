//! What a stack decides and what becomes of it, as typed events over a bounded channel.
//!
//! [`channel()`] gives a sender for [`EventsLayer`] and a receiver for a task of your own: ended attempts, skipped candidates, retries,
//! fallbacks, hedges, circuits, budgets, degraded answers. An attempt's event is its line of the [log](crate::AttemptLog) as it ended. Each
//! event has the number of the call in which it happened. What several calls share, such as a circuit, tells the call that changed it.
//!
//! A receiver can neither delay a call nor make it panic: an event is put into the channel without waiting, and if that is full, it is
//! [counted as lost](EventReceiver::lost). Without the layer an event costs one look at a variable of the thread.
//!
//! # Place
//!
//! Outermost, so that everything below happens within its scope. What is settled outside of a call sends no event: a bill that the
//! [reconciler](crate::reconcile) records, or a store that settles in a task of its own.
//!
//! # Errors
//!
//! None of its own.
//!
//! # Cancellation
//!
//! Dropping the future or the body drops what is inside within the scope: the end of the attempt is sent.
//!
//! # Example
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use example::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_llm_layers::{Outcome, attempt::AttemptLayer, events::{self, EventKind, EventsLayer}};
//!
//! let (sender, mut receiver) = events::channel(1024);
//! let service = ServiceBuilder::new()
//!     .layer(EventsLayer::new(sender))
//!     .layer(AttemptLayer::new())
//!     .service(ExampleService::default());
//! drop(service.oneshot(ExampleRequest::of("gpt-5")).await.map_err(|error| error.message)?);
//! let event = receiver.recv().await.ok_or("no event")?;
//! assert!(matches!(event.kind, EventKind::AttemptEnded(attempt) if attempt.outcome == Outcome::Dropped));
//! # Ok(())
//! # }
//! ```

mod body;
mod channel;
mod event;
mod future;
mod layer;
mod lines;
mod scope;
mod service;

pub use body::EventsBody;
pub use channel::{EventReceiver, EventSender, channel};
pub use event::{Event, EventKind};
pub use future::EventsFuture;
pub use layer::EventsLayer;
pub(crate) use lines::{attempt_ended, candidate_skipped};
pub(crate) use scope::emit;
pub use service::Events;

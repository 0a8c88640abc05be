//! One body that is watched, and the futures of layers that only look at an exchange, refuse it, or wait before it.
//!
//! [`WatchBody`] passes each frame, the failure, the end and the drop of a body to a [`Watch`]; [`WatchFuture`] polls the service below and
//! maps its result, or refuses at once; [`AdmitFuture`] waits for an [`Admit`] first. Most layers here are made of these three, and a layer of
//! your own can be.
//!
//! # Cancellation
//!
//! A future or body that is dropped drops what is inside first, within its [span](InSpan::enter), and then its watch, whose `Drop` knows so. A
//! future that is dropped while it waits drops its `Admit`, its request and the service that was ready for it.

mod admit;
mod body;
mod future;
mod held;

pub use admit::{Admit, AdmitFuture};
pub use body::{InSpan, Watch, WatchBody};
pub use future::{Pass, Respond, WatchFuture};
pub use held::HeldBody;

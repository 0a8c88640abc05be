//! One body that is watched, and one future that refuses or maps: for layers that only look at an exchange.
//!
//! [`WatchBody`] passes each frame, the failure, the end and the drop of a body to a [`Watch`]; [`WatchFuture`] polls the service below and
//! maps its result, or refuses at once. Most layers here are made of these two, and a layer of your own can be.
//!
//! # Cancellation
//!
//! A future or body that is dropped drops what is inside first, within its [span](Scope::enter), and then its watch, whose `Drop` knows so.

mod body;
mod future;

pub use body::{Scope, Watch, WatchBody};
pub use future::{Pass, Respond, WatchFuture};

//! Whether an answer is what its request asked for: JSON of a schema, tool calls whose arguments fit.
//!
//! What a request promises, and whether an answer keeps it, decides a [`ConformanceCheck`]; the layer knows no schema and no provider. An answer
//! that does not conform fails as [`Nonconformant`](FailureKind::Nonconformant): the [retry layer](crate::retry) calls the same candidate once
//! more, then the chain takes the next one, within the call's cap on attempts and its deadline. The failure says nothing of the candidate's
//! health.
//!
//! Only whole answers are checked, since nothing of them was shown. A stream passes as it comes, unless [`ConformanceLayer::streams`] is set or a
//! layer above marks the request with [`BufferedStream`]: then the layer reads it to its end, checks it, and replays its frames. Such a stream begins
//! for its caller when it has ended, and an interruption of it counts as one before the answer began. A stream of more than 16 MiB is not
//! checked: what was read is shown, and the rest passes.
//!
//! # Place
//!
//! Inside of retry, so that a failure is repeated and moves the chain on; outside of the circuit breaker and the attempt, whose body is read to
//! its end: the attempt is recorded with its cost, and its line in the log then says that the answer was rejected.
//!
//! # Errors
//!
//! [`LayerError::Nonconformant`] with the place that does not fit, and the text of the answer.
//!
//! # Cancellation
//!
//! Dropping the future drops the answer that is being read.
//!
//! # Example
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use example::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tower::{Layer, ServiceExt};
//! use tower_llm_layers::{
//!     FailureKind,
//!     conformance::{ConformanceCheck, ConformanceLayer, Nonconformity},
//! };
//!
//! /// Every answer must be a number.
//! struct Number;
//!
//! impl ConformanceCheck<ExampleRequest, ExampleFrame> for Number {
//!     fn applies_to(&self, _: &ExampleRequest) -> bool {
//!         true
//!     }
//!
//!     fn check(&self, _: &ExampleRequest, frames: &[ExampleFrame]) -> Result<(), Nonconformity> {
//!         let text: Vec<u8> = frames.iter().flat_map(|piece| piece.0.to_vec()).collect();
//!         let text = String::from_utf8_lossy(&text);
//!         match text.parse::<f64>() {
//!             Ok(_) => Ok(()),
//!             Err(_) => Err(Nonconformity::new("not a number", text.as_ref())),
//!         }
//!     }
//! }
//!
//! let service = ConformanceLayer::new(Number).streams(true).layer(ExampleService::default());
//! let error = service.oneshot(ExampleRequest::of("fine")).await.err().ok_or("it is no number")?;
//! assert_eq!(error.kind, FailureKind::Nonconformant);
//! # Ok(())
//! # }
//! ```

mod check;
mod future;
mod layer;
mod service;

pub use crate::protocol::{AnswerText, Nonconformity};
pub use check::{BufferedStream, ConformanceCheck};
pub use future::ConformanceFuture;
pub use layer::ConformanceLayer;
pub use service::Conformance;

/// The body of [`Conformance`]: an answer that was checked, or one that passes as it comes.
pub type ConformanceBody<B> = crate::watch::HeldBody<B>;

#[cfg(doc)]
use crate::{FailureKind, LayerError};

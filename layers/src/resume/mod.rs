//! Goes on where a stream broke off, so that the caller gets one whole answer.
//!
//! When a stream breaks after some of its text was shown (cut, stalled, garbled, or ended by an error of the upstream), the conversation
//! is asked again, with that text as the beginning of the model's own message. What comes is joined to what was shown: white space and
//! sentences that the model says once more are left out, and so are its first thoughts. The one that broke off is asked first, then
//! the others of the chain; one that broke off twice goes last. One that refuses to go on with a begun message is passed over, and so is the one that broke off where the
//! process may make no more retries.
//!
//! Off unless it is put into the stack: the joined text is of two generations, maybe of two models, and both are on the bill. The
//! answer says so: [`Resumed`](crate::Resumed) in the response's extensions, and a line an attempt in its log. The usage in the last frame is that of
//! the last generation alone; the ledger has all.
//!
//! Never gone on with: a tool call, a picture, sound, a refusal, structured output, one of several choices, an answer that has
//! shown its end; and any of which more than 1 MiB of text was shown. What the request's [`Continuable::continue_after`](crate::Continuable::continue_after) and the
//! frame's [`Frame::shown`](crate::Frame::shown) do not tell is not gone on with either.
//!
//! # Place
//!
//! Inside the deadline and the tenant's limits, which all of it shares; outside the chain, so that whoever goes on may be
//! another one. The attempts of the call are those of all parts together.
//!
//! # Errors
//!
//! What broke the stream, where nobody goes on; never what came of asking.
//!
//! # Cancellation
//!
//! Dropping the body drops whoever is being read or asked. What broke off is dropped before somebody else is asked.
//!
//! # Example
//!
//! ```
//! # mod theirs { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/theirs.rs")); }
//! # use theirs::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_llm_layers::{Resumed, attempt::AttemptLayer, resume::ResumeLayer};
//!
//! let service = ServiceBuilder::new()
//!     .layer(ResumeLayer::new())
//!     .layer(AttemptLayer::new())
//!     .service(Theirs::default());
//! let response = service.oneshot(Ask::of("gpt-5")).await.map_err(|error| error.message)?;
//! let resumed = response.extensions().get::<Resumed>().map(Resumed::places);
//! assert!(resumed.unwrap_or_default().is_empty(), "of one piece so far");
//! # Ok(())
//! # }
//! ```

mod body;
mod future;
mod layer;
mod seam;
mod service;
mod story;

pub use body::ResumeBody;
pub use future::ResumeFuture;
pub use layer::ResumeLayer;
pub use service::Resume;

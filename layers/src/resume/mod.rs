//! Resumes an interrupted stream, so that the caller gets one whole answer.
//!
//! When a stream fails after some of its text was shown (cut, stalled, garbled, or ended by an error of the upstream), the conversation is
//! sent again, with that text as the beginning of the model's own message. The continuation is joined to what was shown: white space and
//! sentences that the model repeats are left out, and so is its first reasoning. The interrupted candidate is tried first, then the others of
//! the chain; one that fell silent is tried after the others, and one that was interrupted twice goes last. The interrupted candidate is
//! skipped if the process-wide retry ratio is used up.
//!
//! Not every model continues its own message. Each candidate continues in [its way](crate::ContinueBy), which [`Continuable::continue_by`] says,
//! or the chain's catalogue, or what was learned: one that rejects a begun message continues by instruction after the others, and at once
//! from then on, for an hour. An answer by instruction begins with the last 40 characters that were shown, which are left out.
//!
//! A continuation that begins from the start is never joined: one by instruction without those characters, and otherwise one whose first
//! three words are those that the answer begins with (six after white space), unless it repeats all that was shown. Those of an answer in another
//! form count as well: in quotes, in bold, in a code fence, in capitals, with other quotes, dashes or accents. The answer then ends with the error that
//! interrupted it. So it does if a continuation shows nothing, unless it ends well and what was shown ends like an answer: behind a sentence, or a
//! bracket or code fence that closes. So it does if a continuation is interrupted before it is known whether it repeats something: of that nothing is shown.
//!
//! Opt-in, because the joined text is of two generations, maybe of two models, and both are billed. The answer says so:
//! [`Resumed`](crate::Resumed) in the response's extensions, and one line per attempt in its log. The usage in the last frame is that of
//! the last generation alone; the ledger has all.
//!
//! If answers are made of [numbered blocks](crate::Frame::block), those of a continuation are numbered after the ones that were shown: its first
//! text belongs to the block of text that was interrupted, and its own beginning is left out. An answer that was interrupted within a block of
//! reasoning is not resumed.
//!
//! Never resumed: a tool call, a picture, sound, a refusal, structured output, one of several choices, an answer that has shown its end, and
//! an answer of which more than 1 MiB of text was shown. An answer is not resumed either if the request's
//! [`Continuable::continue_after`] or the frame's [`Frame::shown`](crate::Frame::shown) does not support it.
//!
//! # Place
//!
//! Inside the deadline and the tenant's limits, which all parts share; outside the chain, so that another candidate may continue. The
//! attempts of the call are those of all parts together.
//!
//! # Errors
//!
//! The error that interrupted the stream, if no candidate continues it; never an error of the continuation.
//!
//! # Cancellation
//!
//! Dropping the body drops the stream that is being read and the call for a continuation. The interrupted stream is dropped before another
//! candidate is called.
//!
//! # Example
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use example::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_llm_layers::{Resumed, attempt::AttemptLayer, resume::ResumeLayer};
//!
//! let service = ServiceBuilder::new()
//!     .layer(ResumeLayer::new())
//!     .layer(AttemptLayer::new())
//!     .service(ExampleService::default());
//! let response = service.oneshot(ExampleRequest::of("gpt-5")).await.map_err(|error| error.message)?;
//! let resumed = response.extensions().get::<Resumed>().map(Resumed::places);
//! assert!(resumed.unwrap_or_default().is_empty(), "of one piece so far");
//! # Ok(())
//! # }
//! ```

#[cfg(doc)]
use crate::Continuable;

mod blocks;
mod body;
mod folding;
mod future;
mod layer;
mod opening;
mod overlap;
#[cfg(test)]
mod restart_tests;
mod resumable;
mod script;
mod seam;
mod service;
#[cfg(test)]
#[expect(clippy::string_slice, reason = "a test that fails here should say so")]
mod tests;

pub use body::ResumeBody;
pub use future::ResumeFuture;
pub use layer::ResumeLayer;
pub use service::Resume;

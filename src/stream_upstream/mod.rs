//! Plain calls that are streamed upstream, and put together for the caller.
//!
//! A plain call says nothing until all of it is there: a silent model is noticed late, and OpenRouter promises to stop the bill of a caller
//! who leaves for streams alone. With this layer a plain call goes out as a stream. So the clocks of first token and silence
//! serve it, hedges and [`resume`](tower_llm_layers::resume) do, and leaving ends the bill. The caller gets the answer that a plain
//! call would have brought: content, reasoning and its details, tool calls, refusal, annotations, pictures, sound, log-probabilities,
//! why it ended, usage, and what this version does not know. It is JSON that every parser reads, whatever the chunks held: of what JSON has no
//! form for, a number that is not finite becomes null, and half of a surrogate pair U+FFFD, unless the other half follows in the next chunk.
//!
//! A `message` that comes beside deltas or behind them is the answer so far, and adds nothing to what the deltas brought, unless it goes on
//! where they end. A member that this version does not know is put together by its type: texts are joined, but one that is repeated unchanged
//! is taken once; objects are merged, lists are appended, and of anything else the last one counts.
//!
//! The work is linear in the bytes of the stream. A long stream that is always ready yields to the runtime every 64 KiB.
//!
//! Nothing was shown while the stream came. So where it breaks off the call is made again while its attempts and its deadline last:
//! whoever broke off is asked after all others of the chain, and once more only, as a retry that must fit the retry budget. Else the call has failed like any that was never
//! answered, and may degrade. Where no layer outside has opened the call, so that nobody remembers who broke off, it is made again once.
//!
//! Calls that a stream cannot carry stay plain ([`LlmRequest::as_stream`]): those that ask for several choices or for healing of the
//! answer. So do all where it is off; [`Gathering`] in a request's extensions decides for one call.
//!
//! # Place
//!
//! Outside of [`resume`](tower_llm_layers::resume) and the chain, whose streams it reads; inside of the cache, which keeps the answer
//! as it is asked for.
//!
//! # Errors
//!
//! Those of the stream; one that broke off is told as [`Reset`](FailureKind::Reset), one that fell silent as
//! [`Timeout(Answer)`](tower_llm_layers::Phase::Response).
//!
//! # Cancellation
//!
//! Dropping the future closes the stream.

mod body;
mod future;
mod layer;
#[cfg(test)]
mod properties;
mod service;
#[cfg(test)]
mod tests;

pub use body::StreamUpstreamBody;
pub use future::StreamUpstreamFuture;
pub use layer::{Gathering, StreamUpstreamLayer};
pub use service::StreamUpstream;

#[cfg(doc)]
use tower_llm_layers::{FailureKind, LlmRequest};

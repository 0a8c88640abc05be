//! Plain calls that are streamed upstream, and put together for the caller.
//!
//! A plain call sends nothing until the whole answer is there: a silent model is noticed late, and OpenRouter promises to stop the bill of
//! a caller that leaves only for streams. With this layer a plain call goes out as a stream. So the timeouts of first token and silence
//! serve it, hedges and [`resume`](tower_llm_layers::resume) do, and leaving ends the bill. The caller gets the answer that a plain
//! call would have brought: content, reasoning and its details, tool calls, refusal, annotations, pictures, sound, log-probabilities,
//! why it ended, usage, and what this version does not know. It is JSON that every parser reads, whatever the chunks held: of what JSON has no
//! form for, a number that is not finite becomes null, and half of a surrogate pair U+FFFD, unless the other half follows in the next chunk.
//!
//! A `message` that comes next to deltas or after them is the answer so far, and adds nothing to what the deltas brought, unless it continues
//! where they end. A member that this version does not know is put together by its type: texts are joined, but one that is repeated unchanged
//! is taken once; objects are merged, lists are appended, and of anything else the last one counts.
//!
//! The work is linear in the bytes of the stream. A long stream that is always ready yields to the runtime every 64 KiB.
//!
//! Nothing was shown while the stream came. So if it is interrupted, the call is made again while its attempts and its deadline last: the
//! interrupted candidate is tried after all others of the chain, and only once more, as a retry that must fit the retry ratio. Otherwise
//! the call has failed like any that was never answered, and may degrade. If no layer outside has opened the call, so that the interrupted
//! candidate is not remembered, it is made again once.
//!
//! Calls that a stream cannot carry stay plain ([`LlmRequest::as_stream`]): those that ask for several choices or for healing of the
//! answer. So do all if it is off; [`StreamUpstreamMode`] in a request's extensions decides for one call.
//!
//! # Place
//!
//! Outside of [`resume`](tower_llm_layers::resume) and the chain, whose streams it reads; inside of the cache, which keeps the answer
//! as it is requested.
//!
//! # Errors
//!
//! Those of the stream; an interrupted one is reported as [`Reset`](FailureKind::Reset), one that fell silent as
//! [`Timeout(Response)`](tower_llm_layers::Phase::Response).
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
pub use layer::{StreamUpstreamLayer, StreamUpstreamMode};
pub use service::StreamUpstream;

#[cfg(doc)]
use tower_llm_layers::{FailureKind, LlmRequest};

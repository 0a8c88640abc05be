//! What the transport needs of a request.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tower_llm_layers::{AttemptHandle, LlmRequest};

use super::Upstream;
use crate::{Api, dialect::Dialect};
use openrouter_wire::{embeddings::VectorForm, request::RequestError};

/// A request that the [`Transport`](crate::Transport) can send: chat, embeddings, or one of your own.
pub trait WireRequest: LlmRequest {
    /// Its path after the upstream's base URL, e.g. `chat/completions`. The method is POST.
    fn path(&self) -> &str;

    /// The JSON body for an upstream that understands this dialect.
    fn segments(&self, dialect: Dialect) -> BodySegments;

    /// The JSON body for this upstream, if it differs among those of one dialect.
    fn segments_for(&self, upstream: &Upstream) -> BodySegments {
        self.segments(upstream.dialect())
    }

    /// The API that it is for: its answer is read as one of that API, and is whole if it has what that requires. `None`, the default, is
    /// none of these: its answer is whole if it is one JSON document that reports no error.
    fn api(&self) -> Option<Api> {
        None
    }

    /// In which form it asks for vectors: those of an answer in the other form are converted. `None`, the default, leaves them as they come.
    fn vector_form(&self) -> Option<VectorForm> {
        None
    }

    /// For how many inputs it asks for vectors: an answer with fewer is malformed. `None`, the default, expects at least one vector of an answer
    /// of embeddings.
    fn input_count(&self) -> Option<usize> {
        None
    }

    /// Whether its body for this upstream has the option by which a stream reports its usage, and the request itself does not. An endpoint then
    /// leaves out the chunk that has usage and no choice: its client does not expect one. `false` is the default.
    fn adds_usage_for(&self, _upstream: &Upstream) -> bool {
        false
    }

    /// What no upstream that understands this dialect takes: the call is not sent there.
    ///
    /// # Errors
    ///
    /// The field at fault. The default takes everything.
    fn check_for(&self, _dialect: Dialect) -> Result<(), RequestError> {
        Ok(())
    }
}

/// A body in parts that follow one another: what was changed stands between what was not, and nothing is copied.
#[derive(Debug, Clone, Default)]
pub struct BodySegments(pub(crate) Vec<Bytes>);

impl BodySegments {
    /// Whether there is not one byte.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Bytes::is_empty)
    }

    /// The body of a request. If it is of an attempt, it tells the line when the HTTP client begins to write.
    pub(super) fn into_body(self, line: Option<AttemptHandle>) -> reqwest::Body {
        if line.is_some() {
            return reqwest::Body::wrap(SegmentBody::new(self.0, line));
        }
        match <[Bytes; 1]>::try_from(self.0) {
            Ok([whole]) => whole.into(),
            Err(parts) => reqwest::Body::wrap(SegmentBody::new(parts, None)),
        }
    }
}

impl From<Bytes> for BodySegments {
    fn from(whole: Bytes) -> Self {
        Self(vec![whole])
    }
}

impl FromIterator<Bytes> for BodySegments {
    fn from_iter<I: IntoIterator<Item = Bytes>>(parts: I) -> Self {
        Self(parts.into_iter().collect())
    }
}

impl IntoIterator for BodySegments {
    type Item = Bytes;
    type IntoIter = std::vec::IntoIter<Bytes>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// The same as an HTTP body of known length.
///
/// The HTTP client asks for its first part when it has a connection and has begun to write the request, and not before.
struct SegmentBody {
    parts: VecDeque<Bytes>,
    left: u64,
    /// The line of the attempt, until it is notified that the request is being written.
    line: Option<AttemptHandle>,
}

impl SegmentBody {
    fn new(parts: Vec<Bytes>, line: Option<AttemptHandle>) -> Self {
        let left = parts.iter().map(|part| part.len() as u64).sum();
        Self {
            parts: parts.into(),
            left,
            line,
        }
    }
}

impl Body for SegmentBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(line) = self.line.take()
            && !line.sending()
        {
            self.parts.clear();
            let error = io::Error::other("the attempt ended before its request was sent");
            return Poll::Ready(Some(Err(error)));
        }
        Poll::Ready(self.parts.pop_front().map(|part| {
            self.left -= part.len() as u64;
            Ok(Frame::data(part))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

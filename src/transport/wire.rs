//! What the transport needs of a request.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tower_llm_layers::LlmRequest;

use super::Upstream;
use crate::{Api, dialect::Dialect};
use openrouter_wire::{embeddings::VectorForm, request::RequestError};

/// A request that the [`Transport`](crate::Transport) can send: chat, embeddings, or one of your own.
pub trait WireRequest: LlmRequest {
    /// Its path after the upstream's base URL, e.g. `chat/completions`. The method is POST.
    fn path(&self) -> &str;

    /// The JSON body for an upstream that understands this dialect.
    fn segments(&self, dialect: Dialect) -> Segments;

    /// The JSON body for this upstream, if it differs among those of one dialect.
    fn segments_for(&self, upstream: &Upstream) -> Segments {
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
pub struct Segments(pub(crate) Vec<Bytes>);

impl From<Bytes> for Segments {
    fn from(whole: Bytes) -> Self {
        Self(vec![whole])
    }
}

impl FromIterator<Bytes> for Segments {
    fn from_iter<I: IntoIterator<Item = Bytes>>(parts: I) -> Self {
        Self(parts.into_iter().collect())
    }
}

impl IntoIterator for Segments {
    type Item = Bytes;
    type IntoIter = std::vec::IntoIter<Bytes>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// The same as an HTTP body of known length.
pub(crate) struct SegmentBody {
    parts: VecDeque<Bytes>,
    left: u64,
}

impl SegmentBody {
    pub(crate) fn new(parts: Vec<Bytes>) -> Self {
        let left = parts.iter().map(|part| part.len() as u64).sum();
        Self {
            parts: parts.into(),
            left,
        }
    }
}

impl Body for SegmentBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
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

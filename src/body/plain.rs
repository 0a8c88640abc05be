//! A plain answer: all of it, or an error.

use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use tower_llm_layers::{AttemptHandle, Frame, Stage};

use super::{
    reading::{self, Failed},
    unread::without_mark,
    wire::Wire,
};
use openrouter_wire::{
    Decimal,
    embeddings::{self, VectorForm},
};

use crate::{Api, ChatFrame, Error, FailureKind, error::Source, frame::FrameKind};
use crate::{classify::COST_HEADER, encoding::UnknownEncoding};

/// The largest plain answer that is read: images come inside as base64, tens of megabytes at most.
const LARGEST: usize = 256 * 1024 * 1024;
/// How often one poll may read.
const READS_A_TURN: usize = 64;

/// Reads a plain answer to its end, and yields it as one frame.
pub(super) struct PlainBody {
    wire: Option<Wire>,
    headers: HeaderMap,
    /// The API that it answers; `None` is any document.
    api: Option<Api>,
    line: Option<AttemptHandle>,
    /// The form in which vectors were requested.
    vectors: Option<VectorForm>,
    /// For how many inputs vectors were requested, if that is known.
    inputs: Option<usize>,
    /// Bytes that have come since they were counted last, white space aside.
    received: usize,
    first: Bytes,
    rest: BytesMut,
    /// The failure that the answer reports, behind the usage that it tells.
    failed: Option<Box<Error>>,
}

impl PlainBody {
    pub(super) fn new(wire: Wire, headers: HeaderMap, api: Option<Api>) -> Self {
        Self {
            wire: Some(wire),
            headers,
            api,
            line: None,
            vectors: None,
            inputs: None,
            received: 0,
            first: Bytes::new(),
            rest: BytesMut::new(),
            failed: None,
        }
    }

    /// Tells the attempt of each piece that comes.
    pub(super) fn noting(mut self, line: Option<AttemptHandle>) -> Self {
        self.line = line;
        self
    }

    /// Gives the vectors of an answer this form.
    pub(super) const fn with_vectors(mut self, vectors: Option<VectorForm>) -> Self {
        self.vectors = vectors;
        self
    }

    /// Expects a vector for each of so many inputs.
    pub(super) const fn for_inputs(mut self, inputs: Option<usize>) -> Self {
        self.inputs = inputs;
        self
    }

    /// How many bytes have come since they were counted last.
    pub(super) const fn take_received(&mut self) -> usize {
        std::mem::replace(&mut self.received, 0)
    }

    pub(super) const fn is_ended(&self) -> bool {
        self.wire.is_none() && self.failed.is_none()
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<ChatFrame, Error>>> {
        for _ in 0..READS_A_TURN {
            let Some(wire) = &mut self.wire else {
                return Poll::Ready(self.failed.take().map(|error| Err(*error)));
            };
            let result = match ready!(wire.poll_bytes(cx)) {
                Some(Ok(bytes)) => match self.keep(bytes) {
                    Ok(()) => continue,
                    Err(error) => Err(error.into()),
                },
                Some(Err(cause)) => self.whole_before(cause),
                None => self.whole(),
            };
            self.wire = None;
            return Poll::Ready(Some(match result {
                Ok(frame) => Ok(frame),
                Err(Failed { usage: None, error }) => Err(*error),
                Err(Failed {
                    usage: Some(usage),
                    error,
                }) => {
                    self.failed = Some(error);
                    Ok(usage)
                }
            }));
        }
        // If the wire is always ready, the timers outside still get a turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// One piece needs no copy; more are put together.
    fn keep(&mut self, bytes: Bytes) -> Result<(), Error> {
        if self.first.len() + self.rest.len() + bytes.len() > LARGEST {
            let message = format!(
                "the answer is over {} MiB: request less per call",
                LARGEST / (1024 * 1024)
            );
            return Err(Error::new(FailureKind::Malformed, message));
        }
        // White space says only that the connection lives.
        if !bytes.trim_ascii().is_empty() {
            self.received += bytes.len();
            if let Some(line) = &self.line {
                line.received();
            }
        }
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = bytes;
        } else {
            if self.rest.is_empty() {
                self.rest.extend_from_slice(&std::mem::take(&mut self.first));
            }
            self.rest.extend_from_slice(&bytes);
        }
        Ok(())
    }

    /// A document that was whole when the connection broke is whole.
    fn whole_before(&mut self, cause: Source) -> Result<ChatFrame, Failed> {
        match self.whole() {
            Err(Failed { error, .. })
                if matches!(error.kind(), FailureKind::Malformed | FailureKind::EmptyResponse) =>
            {
                Err(broken(cause).into())
            }
            read => read,
        }
    }

    fn whole(&mut self) -> Result<ChatFrame, Failed> {
        let bytes = if self.rest.is_empty() {
            std::mem::take(&mut self.first)
        } else {
            std::mem::take(&mut self.rest).freeze()
        };
        let mut bytes = without_mark(bytes);
        // A list without its end is one of fewer vectors, also if what is there can be read.
        let mut is_cut = false;
        if self.api == Some(Api::Embeddings) {
            match embeddings::of_list(&bytes) {
                Ok(Some(whole)) => bytes = whole,
                Ok(None) => {}
                Err(_) => is_cut = true,
            }
        }
        let frame = reading::answer(self.api, bytes, &self.headers)?;
        if is_cut {
            return Err(Error::new(
                FailureKind::Malformed,
                "the list of embeddings is no whole JSON document",
            )
            .into());
        }
        let api = self.api.unwrap_or(Api::Chat);
        let found = match self.api {
            Some(Api::Embeddings) => embeddings::most_vectors(frame.bytes()),
            None => Some(usize::MAX),
            Some(_) => frame.stage().begins_answer().then_some(usize::MAX),
        };
        let lacking = match found {
            None => Some(reading::empty(api, frame.bytes(), &self.headers)),
            Some(found) => self
                .inputs
                .filter(|inputs| found < *inputs)
                .map(|inputs| fewer_vectors(found, inputs)),
        };
        if let Some(error) = lacking {
            return Err(Failed {
                usage: reading::usage_of(&frame),
                error: Box::new(error),
            });
        }
        let frame = if matches!(self.api, None | Some(Api::Embeddings)) {
            let (has_usage, bytes) = (frame.has_usage(), Bytes::from(frame));
            let other = self.vectors.and_then(|form| embeddings::in_form(&bytes, form));
            ChatFrame::new(other.unwrap_or(bytes), FrameKind::Answer, Stage::Content, has_usage).ending(true)
        } else {
            frame
        };
        let frame = frame.of(api);
        Ok(match reported_cost(&self.headers) {
            Some(usage) => frame.with_usage_beside(usage),
            None => frame,
        })
    }
}

/// The vectors of some inputs are missing: which ones, the answer need not tell.
fn fewer_vectors(found: usize, inputs: usize) -> Error {
    let message = format!("the answer is incomplete: vectors for {found} of {inputs} inputs");
    Error::new(FailureKind::Malformed, message)
}

/// The cost that a header tells, as usage.
fn reported_cost(headers: &HeaderMap) -> Option<Bytes> {
    let cost: Decimal = headers.get(COST_HEADER)?.to_str().ok()?.parse().ok()?;
    (!cost.is_negative()).then(|| format!("{{\"cost\":{}}}", cost.as_str()).into())
}

/// How the bytes broke.
pub(super) fn broken(cause: Source) -> Error {
    if cause.is::<UnknownEncoding>() {
        // It says all there is to say.
        return Error::caused(FailureKind::Malformed, cause.to_string(), cause);
    }
    Error::caused(
        FailureKind::Reset,
        "the connection broke before the answer was whole",
        cause,
    )
}

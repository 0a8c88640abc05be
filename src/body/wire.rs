//! The source of the bytes.

use std::{
    error::Error as StdError,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Version, header};
use http_body::Body;
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};

use crate::encoding::Decoder;

type Cause = Box<dyn StdError + Send + Sync>;

/// Bytes from the network, or from a transport of the user's own, without the encoding they came in.
pub(super) struct Wire {
    source: Source,
    decoder: Option<Decoder>,
    /// Bytes that were looked at and not used.
    unread: Option<Bytes>,
    /// How the source failed, returned after what was put back.
    broken: Option<Cause>,
    /// Whether the end of the source shows that all of it has come.
    is_framed: bool,
    ended: bool,
}

enum Source {
    Reqwest(reqwest::Body),
    Boxed(UnsyncBoxBody<Bytes, Cause>),
}

impl Wire {
    pub(super) fn boxed<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Cause>,
    {
        Self::of(Source::Boxed(body.map_err(Into::into).boxed_unsync()), None, true)
    }

    /// The body of a response with this head.
    pub(super) fn of_response(body: reqwest::Body, version: Version, headers: &HeaderMap) -> Self {
        // Over HTTP/1 a body without either ends with the connection, however that ended.
        let is_framed = version > Version::HTTP_11
            || headers.contains_key(header::CONTENT_LENGTH)
            || headers.contains_key(header::TRANSFER_ENCODING);
        Self::of(Source::Reqwest(body), Some(Decoder::of(headers)), is_framed)
    }

    const fn of(source: Source, decoder: Option<Decoder>, is_framed: bool) -> Self {
        Self {
            source,
            decoder,
            unread: None,
            broken: None,
            is_framed,
            ended: false,
        }
    }

    pub(super) const fn is_framed(&self) -> bool {
        self.is_framed
    }

    /// Puts bytes back that were looked at.
    pub(super) fn put_back(&mut self, bytes: Bytes) {
        self.unread = (!bytes.is_empty()).then_some(bytes);
    }

    /// Tells once more how the source broke.
    pub(super) fn fail(&mut self, cause: Cause) {
        self.broken = Some(cause);
    }

    /// The next bytes; `None` at the end. Trailers have no meaning here.
    pub(super) fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cause>>> {
        if let Some(bytes) = self.unread.take() {
            return Poll::Ready(Some(Ok(bytes)));
        }
        if let Some(cause) = self.broken.take() {
            return Poll::Ready(Some(Err(cause)));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.source.poll_bytes(cx));
        self.ended = !matches!(next, Some(Ok(_)));
        let Some(decoder) = &mut self.decoder else {
            return Poll::Ready(next);
        };
        let decoded = match next {
            Some(Ok(bytes)) => decoder.decode(&bytes).map(Some),
            Some(Err(cause)) => Err(cause),
            None => decoder.finish(),
        };
        self.ended |= decoded.is_err();
        if decoder.is_plain() {
            self.decoder = None;
        }
        Poll::Ready(decoded.transpose())
    }
}

impl Source {
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cause>>> {
        loop {
            let frame = match self {
                Self::Reqwest(body) => {
                    ready!(Pin::new(body).poll_frame(cx)).map(|frame| frame.map_err(|error| error.without_url().into()))
                }
                Self::Boxed(body) => ready!(Pin::new(body).poll_frame(cx)),
            };
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

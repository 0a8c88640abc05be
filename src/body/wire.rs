//! Where the bytes come from.

use std::{
    error::Error as StdError,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};

type Cause = Box<dyn StdError + Send + Sync>;

/// Bytes from the network, or from somebody's own transport.
pub(super) enum Wire {
    Reqwest(reqwest::Body),
    Boxed(UnsyncBoxBody<Bytes, Cause>),
}

impl Wire {
    pub(super) fn boxed<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Cause>,
    {
        Self::Boxed(body.map_err(Into::into).boxed_unsync())
    }

    /// The next bytes; `None` at the end. Trailers say nothing here.
    pub(super) fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cause>>> {
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

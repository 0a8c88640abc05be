//! The body of a simulated answer: bytes at their times, and a record of what was taken and when it was let go.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Sleep, sleep};

use super::{
    record::Record,
    script::{End, Script},
};

/// Closes an exchange in the record when it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    record: Arc<Record>,
    index: usize,
    /// It came to its end by itself.
    is_ended: bool,
}

impl Connection {
    pub(crate) const fn new(record: Arc<Record>, index: usize) -> Self {
        Self {
            record,
            index,
            is_ended: false,
        }
    }

    /// The upstream ends it.
    pub(crate) const fn end(&mut self) {
        self.is_ended = true;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let now = self.record.now();
        let was_dropped = !self.is_ended;
        self.record.change(self.index, |exchange| {
            exchange.closed = Some(now);
            exchange.was_dropped = was_dropped;
        });
    }
}

/// Sends the pieces of a script.
pub(crate) struct WireBody {
    script: Script,
    /// `None` once it has ended.
    connection: Option<Connection>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl WireBody {
    pub(crate) const fn new(script: Script, connection: Connection) -> Self {
        Self {
            script,
            connection: Some(connection),
            timer: None,
        }
    }
}

impl Body for WireBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        let Some(connection) = &mut this.connection else {
            return Poll::Ready(None);
        };
        let Some(piece) = this.script.pieces.front() else {
            return match this.script.end {
                End::Never => Poll::Pending,
                End::Clean | End::Broken => {
                    connection.end();
                    this.connection = None;
                    let broken = io::Error::new(io::ErrorKind::ConnectionReset, "connection reset by peer");
                    Poll::Ready((this.script.end == End::Broken).then_some(Err(broken)))
                }
            };
        };
        if !piece.after.is_zero() {
            let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(piece.after)));
            std::task::ready!(timer.as_mut().poll(cx));
            this.timer = None;
        }
        let piece = this.script.pieces.pop_front().unwrap();
        let now = connection.record.now();
        connection.record.change(connection.index, |exchange| {
            exchange.taken += piece.bytes.len();
            let (shown, whole) = (exchange.text_taken() > 0, exchange.taken >= exchange.written.whole);
            exchange.shown = exchange.shown.or(shown.then_some(now));
            exchange.whole = exchange.whole.or(whole.then_some(now));
        });
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(piece.bytes)))))
    }
}

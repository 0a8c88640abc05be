//! The response body: plays a [`Track`], counts what it sends, and closes the record.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::Sleep;

use crate::connection::ConnectionState;
use crate::report::Outcome;
use crate::ticket::Ticket;
use crate::track::{Act, Track};

/// Plays a track.
#[derive(Debug)]
pub(crate) struct Player {
    track: Track,
    ticket: Option<Ticket>,
    connection: ConnectionState,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Something was sent that must be flushed before the next write.
    flush: bool,
    cut: bool,
}

impl Player {
    /// Plays `track` on `connection`, for the request of `ticket`.
    pub(crate) fn new(track: Track, ticket: Option<Ticket>, connection: ConnectionState) -> Self {
        Self {
            track,
            ticket,
            connection,
            sleep: None,
            flush: false,
            cut: false,
        }
    }

    fn finish(&mut self) {
        if let Some(mut ticket) = self.ticket.take() {
            ticket.end(Outcome::Answered);
        }
    }

    /// Ends the connection once all that was sent has left; the body stays open without end.
    fn cut(&mut self) {
        self.cut = true;
        self.track.acts.clear();
        if let Some(mut ticket) = self.ticket.take() {
            ticket.end(Outcome::Interrupted);
        }
        if self.track.rst {
            self.connection.reset();
        } else {
            self.connection.close();
        }
    }

    /// Hands out bytes, in parts if the track says so.
    fn emit(&mut self, mut bytes: Bytes, mut pieces: u64) -> Bytes {
        let room = self
            .track
            .cut_byte
            .map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let most = room.min(self.track.split.unwrap_or(usize::MAX));
        if bytes.len() > most {
            let rest = bytes.split_off(most);
            self.track.acts.push_front(Act::Send(rest, pieces));
            pieces = 0;
        }
        self.flush = self.track.split.is_some();
        let sent = bytes.len() as u64;
        if let Some(left) = &mut self.track.cut_byte {
            *left = left.saturating_sub(sent);
        }
        if let Some(ticket) = &mut self.ticket {
            ticket.sent(pieces, sent);
        }
        let last = self.track.acts.is_empty();
        if last && (self.track.cut_byte != Some(0) || self.track.length.is_some()) {
            self.finish();
        }
        bytes
    }

    /// Waits; true if the wait is over.
    fn poll_wait(&mut self, cx: &mut Context<'_>, length: Duration) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(length)));
        ready!(sleep.as_mut().poll(cx));
        self.sleep = None;
        Poll::Ready(())
    }
}

impl Body for Player {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if std::mem::take(&mut this.flush) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            if this.cut {
                return Poll::Pending;
            }
            if this.track.cut_byte == Some(0) && this.ticket.is_some() {
                this.cut();
                continue;
            }
            let Some(act) = this.track.acts.pop_front() else {
                this.finish();
                return Poll::Ready(None);
            };
            match act {
                Act::Send(bytes, pieces) => {
                    return Poll::Ready(Some(Ok(Frame::data(this.emit(bytes, pieces)))));
                }
                Act::Wait(length) => {
                    if this.poll_wait(cx, length).is_pending() {
                        this.track.acts.push_front(Act::Wait(length));
                        return Poll::Pending;
                    }
                }
                Act::Repeat { bytes, every, left } => {
                    let length = left.map_or(every, |left| left.min(every));
                    if this.poll_wait(cx, length).is_pending() {
                        this.track.acts.push_front(Act::Repeat { bytes, every, left });
                        return Poll::Pending;
                    }
                    let left = left.map(|left| left.saturating_sub(length));
                    if left == Some(Duration::ZERO) {
                        continue;
                    }
                    this.track.acts.push_front(Act::Repeat {
                        bytes: bytes.clone(),
                        every,
                        left,
                    });
                    return Poll::Ready(Some(Ok(Frame::data(this.emit(bytes, 0)))));
                }
                Act::Void => {
                    if let Some(ticket) = &mut this.ticket {
                        ticket.void();
                    }
                }
                Act::Cut => this.cut(),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ticket.is_none() && !self.cut && self.track.acts.is_empty()
    }
}

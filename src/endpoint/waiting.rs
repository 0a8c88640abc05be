//! A streamed answer that has not begun, and the signs of life that go out meanwhile.
//!
//! Load balancers and proxies close a connection on which nothing was sent for some time, 60 s as a rule, and a model may think for longer.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response};
use http_body::Body;
use tokio::{
    task::JoinHandle,
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};
use tower_llm_layers::{AttemptLog, FailureKind, MAX_DURATION};
use tracing::Instrument;

use super::{
    body::Events,
    envelope::Shape,
    events::{COMMENT, EventWriter, PING},
    headers::{EVENTS, to_client},
    problem::Problem,
};
use crate::{Api, ChatFrame, Error};

/// When the head of a streamed answer goes out before its first token, and how often a sign of life follows.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeepAlive {
    after: Duration,
    every: Duration,
}

impl Default for KeepAlive {
    /// Before the shortest limit in use, 30 s, and behind the default time to a first token, 20 s: a call that one silent candidate holds up keeps
    /// its status and headers. Then a quarter of the usual limit, 60 s.
    fn default() -> Self {
        Self::new(Duration::from_secs(25), Duration::from_secs(15))
    }
}

impl KeepAlive {
    /// More than one sign of life in a second tells nothing new.
    pub(super) fn new(after: Duration, every: Duration) -> Self {
        let every = every.clamp(Duration::from_secs(1), MAX_DURATION);
        let after = after.min(MAX_DURATION);
        Self { after, every }
    }

    pub(super) const fn after(self) -> Duration {
        self.after
    }
}

/// What comes next of an answer that is awaited.
pub(super) enum Next {
    SignOfLife(Bytes),
    /// What the head could not say, as comments, and the events.
    Begun(Bytes, Events),
    /// The last event.
    Failed(Bytes),
}

/// A call whose head has gone out.
///
/// A task drives it: a client that does not read polls nothing, and the call ends by its deadline all the same. Dropping this ends the task.
pub(super) struct Waiting {
    call: JoinHandle<Result<(Bytes, Events), Error>>,
    beat: Interval,
    shape: Shape,
}

impl Waiting {
    pub(super) fn new<F, B>(call: F, keep_alive: KeepAlive, shape: Shape) -> Self
    where
        F: Future<Output = Result<Response<B>, Error>> + Send + 'static,
        B: Body<Data = ChatFrame, Error = Error> + Send + 'static,
    {
        let answer = async move {
            let (head, body) = call.await?.into_parts();
            let attempts = head.extensions.get::<AttemptLog>();
            let headers = to_client(&head, shape.api, attempts, EVENTS);
            let late = late_headers(&headers);
            Ok((late, Events::new(body, &head.extensions, shape)))
        };
        // The first sign goes out with the head: a proxy may hold a head back that has no body yet.
        let mut beat = interval_at(Instant::now(), keep_alive.every);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            call: tokio::spawn(answer.in_current_span()),
            beat,
            shape,
        }
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let Poll::Ready(result) = Pin::new(&mut self.call).poll(cx) else {
            ready!(self.beat.poll_tick(cx));
            return Poll::Ready(Next::SignOfLife(sign_of_life(self.shape.api)));
        };
        let error = match result {
            Ok(Ok((late, events))) => return Poll::Ready(Next::Begun(late, events)),
            Ok(Err(error)) => error,
            // It has panicked, or the runtime shuts down.
            Err(_) => Error::new(FailureKind::Internal, "the call has ended without an answer"),
        };
        let attempts = error.attempts().map(AttemptLog::sent);
        tracing::warn!(
            kind = error.kind().as_str(),
            attempts,
            "stream failed before its first token, behind its head"
        );
        let mut out = BytesMut::new();
        EventWriter::new(self.shape).failure(&Problem::of_failure(&error), "", &mut out);
        Poll::Ready(Next::Failed(out.freeze()))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.call.abort();
    }
}

/// The stack's own headers as comments of the stream: which candidate answered, and whether the answer is degraded, is reported all the same.
fn late_headers(headers: &HeaderMap) -> Bytes {
    let mut out = BytesMut::new();
    for (name, value) in headers.iter().filter(|(name, _)| name.as_str().starts_with("x-llm-")) {
        for part in [
            b": ".as_slice(),
            name.as_str().as_bytes(),
            b": ",
            value.as_bytes(),
            b"\n",
        ] {
            out.extend_from_slice(part);
        }
    }
    if !out.is_empty() {
        out.extend_from_slice(b"\n");
    }
    out.freeze()
}

/// What the clients of an API skip: Anthropic's own servers send pings, also before the message starts; all others ignore comments.
const fn sign_of_life(api: Api) -> Bytes {
    Bytes::from_static(match api {
        Api::Messages => PING,
        _ => COMMENT,
    })
}

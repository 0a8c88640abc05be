//! A body that is dropped at its call's deadline, whether it is read or not.
//!
//! A service is driven by polls: the deadline layer sees nothing while the body is not read. So if a body leaves this crate for a reader that may
//! stop reading, a task drops it at the deadline, or once it was not read for three minutes, and with it the connection, the reservation and every
//! place that the call holds.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};

use http::Extensions;
use http_body::{Body, Frame};
use tokio::{
    runtime::Handle,
    task::AbortHandle,
    time::{Instant, sleep_until},
};
use tower_llm_layers::{AttemptLog, LayerError, Phase};

use crate::{ChatFrame, Error, poll_gate::PollGate};

/// So much later than the deadline the task drops the body: one that is read has failed by itself then.
const GRACE: Duration = Duration::from_millis(10);

/// How often the task looks whether a body with a later deadline is read.
const LOOK: Duration = Duration::from_secs(90);
/// A body that is not read for this long, two looks, is dropped before its deadline: a default deadline may be an hour away.
const UNREAD: Duration = Duration::from_secs(180);

type Shared<B> = Mutex<Inside<B>>;

struct Inside<B> {
    /// `None` once it has ended or was dropped.
    body: Option<Pin<Box<B>>>,
    /// Polls of a server find nothing new mostly.
    gate: PollGate,
    /// How often it gave its reader something.
    reads: u64,
    /// How long the call could take.
    limit: Duration,
}

/// A body that is dropped at its call's deadline. Without a deadline, or outside of a tokio runtime, it is the body as it is.
pub(crate) struct HeldBody<B>(State<B>);

enum State<B> {
    /// No task will drop it.
    Own(Pin<Box<B>>),
    /// A task drops it at the deadline.
    Held(Held<B>),
    Ended,
}

struct Held<B> {
    body: Arc<Shared<B>>,
    timer: AbortHandle,
}

impl<B: Body<Data = ChatFrame, Error = Error> + Send + 'static> HeldBody<B> {
    /// The body of a response with these extensions: its log tells the deadline.
    pub(crate) fn new(body: B, extensions: &Extensions) -> Self {
        let log = extensions.get::<AttemptLog>();
        let deadline = log.and_then(|log| Some((log, log.deadline()?)));
        let Some(((log, deadline), runtime)) = deadline.zip(Handle::try_current().ok()) else {
            return Self::read_at_once(body);
        };
        let begun = Instant::now().checked_sub(log.elapsed());
        let limit = begun.map(|begun| deadline.saturating_duration_since(begun));
        let body = Arc::new(Mutex::new(Inside {
            body: Some(Box::pin(body)),
            gate: PollGate::default(),
            reads: 0,
            limit: limit.unwrap_or_default(),
        }));
        let held = Arc::downgrade(&body);
        let drop_in_time = async move {
            let is_unread = unread(&held, deadline).await;
            let Some(held) = held.upgrade() else { return };
            let late = {
                let mut inside = lock(&held);
                if is_unread {
                    inside.limit = UNREAD;
                }
                inside.body.take()
            };
            if late.is_some() {
                tracing::warn!(
                    phase = Phase::Deadline.as_str(),
                    "body dropped in place of its reader: it is not read"
                );
            }
            drop(late);
        };
        Self(State::Held(Held {
            body,
            timer: runtime.spawn(drop_in_time).abort_handle(),
        }))
    }
}

impl<B: Body<Data = ChatFrame, Error = Error>> HeldBody<B> {
    /// Without a timer, for a body that is read to its end at once.
    pub(crate) fn read_at_once(body: B) -> Self {
        Self(State::Own(Box::pin(body)))
    }

    /// Whether nothing more comes.
    pub(crate) const fn is_ended(&self) -> bool {
        matches!(self.0, State::Ended)
    }

    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<ChatFrame>, Error>>> {
        let frame = match &mut self.0 {
            State::Own(body) => ready!(body.as_mut().poll_frame(cx)),
            State::Held(held) => ready!(held.poll_frame(cx)),
            State::Ended => None,
        };
        if !matches!(frame, Some(Ok(_))) {
            self.0 = State::Ended;
        }
        Poll::Ready(frame)
    }
}

impl<B: Body<Data = ChatFrame, Error = Error>> Held<B> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<ChatFrame>, Error>>> {
        let mut inside = lock(&self.body);
        let Inside {
            body: Some(body),
            gate,
            reads,
            ..
        } = &mut *inside
        else {
            return Poll::Ready(Some(Err(LayerError::Elapsed {
                phase: Phase::Deadline,
                limit: inside.limit,
            }
            .into())));
        };
        let frame = ready!(gate.poll(cx, |cx| body.as_mut().poll_frame(cx)));
        *reads += 1;
        Poll::Ready(frame)
    }
}

/// Returns at the deadline, or earlier if no reader reads the body; whether it is earlier. A reader that waits for the upstream reads.
async fn unread<B>(held: &Weak<Shared<B>>, deadline: Instant) -> bool {
    let (mut reads, mut looks) = (0, 0);
    loop {
        let look = Instant::now() + LOOK;
        if look >= deadline {
            sleep_until(deadline + GRACE).await;
            return false;
        }
        sleep_until(look).await;
        let Some(held) = held.upgrade() else { return false };
        let inside = lock(&held);
        let is_read = inside.reads != reads || inside.gate.is_awaited();
        (reads, looks) = (inside.reads, if is_read { 0 } else { looks + 1 });
        if looks == 2 {
            return true;
        }
    }
}

fn lock<B>(held: &Shared<B>) -> MutexGuard<'_, Inside<B>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<B> Drop for Held<B> {
    fn drop(&mut self) {
        self.timer.abort();
    }
}

impl<B> fmt::Debug for HeldBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldBody")
            .field("is_ended", &matches!(self.0, State::Ended))
            .finish_non_exhaustive()
    }
}

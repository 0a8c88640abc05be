//! A body that is dropped at its call's deadline, whether it is read or not.
//!
//! A service is driven by polls: the deadline layer sees nothing while the body is not read. So if a body leaves this crate for a reader that may
//! stop reading, a task drops it at the deadline, and with it the connection, the reservation and every place that the call holds.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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

use crate::{ChatFrame, Error};

/// So much later than the deadline the task drops the body: one that is read has failed by itself then.
const GRACE: Duration = Duration::from_millis(10);

/// The body; `None` once it has ended or was dropped at its deadline.
type Shared<B> = Mutex<Option<Pin<Box<B>>>>;

/// A body that is dropped at its call's deadline. Without a deadline, or outside of a tokio runtime, it is the body as it is.
pub(crate) struct HeldBody<B> {
    body: Arc<Shared<B>>,
    timer: Option<AbortHandle>,
    /// How long the call could take.
    limit: Duration,
    is_ended: bool,
}

impl<B: Body<Data = ChatFrame, Error = Error> + Send + 'static> HeldBody<B> {
    /// The body of a response with these extensions: its log tells the deadline.
    pub(crate) fn new(body: B, extensions: &Extensions) -> Self {
        let body = Arc::new(Mutex::new(Some(Box::pin(body))));
        let log = extensions.get::<AttemptLog>();
        let deadline = log.and_then(AttemptLog::deadline);
        let begun = log.and_then(|log| Instant::now().checked_sub(log.elapsed()));
        let limit = deadline
            .zip(begun)
            .map(|(deadline, begun)| deadline.saturating_duration_since(begun));
        let timer = deadline.zip(Handle::try_current().ok()).map(|(deadline, runtime)| {
            let held = Arc::downgrade(&body);
            let drop_in_time = async move {
                sleep_until(deadline + GRACE).await;
                let Some(held) = held.upgrade() else { return };
                let late = lock(&held).take();
                if late.is_some() {
                    tracing::warn!(
                        phase = Phase::Deadline.as_str(),
                        "body dropped at its deadline: it is not read"
                    );
                }
                drop(late);
            };
            runtime.spawn(drop_in_time).abort_handle()
        });
        Self {
            body,
            timer,
            limit: limit.unwrap_or_default(),
            is_ended: false,
        }
    }
}

impl<B: Body<Data = ChatFrame, Error = Error>> HeldBody<B> {
    /// Without a timer, for a body that is read to its end at once.
    pub(crate) fn read_at_once(body: B) -> Self {
        Self {
            body: Arc::new(Mutex::new(Some(Box::pin(body)))),
            timer: None,
            limit: Duration::ZERO,
            is_ended: false,
        }
    }

    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<ChatFrame>, Error>>> {
        if self.is_ended {
            return Poll::Ready(None);
        }
        let mut held = lock(&self.body);
        let frame = match held.as_mut() {
            Some(body) => ready!(body.as_mut().poll_frame(cx)),
            None => Some(Err(LayerError::Elapsed {
                phase: Phase::Deadline,
                limit: self.limit,
            }
            .into())),
        };
        if !matches!(frame, Some(Ok(_))) {
            let ended = held.take();
            drop(held);
            drop(ended);
            self.is_ended = true;
        }
        Poll::Ready(frame)
    }
}

fn lock<B>(held: &Shared<B>) -> MutexGuard<'_, Option<Pin<Box<B>>>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<B> Drop for HeldBody<B> {
    fn drop(&mut self) {
        if let Some(timer) = &self.timer {
            timer.abort();
        }
    }
}

impl<B> fmt::Debug for HeldBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldBody")
            .field("is_ended", &self.is_ended)
            .finish_non_exhaustive()
    }
}

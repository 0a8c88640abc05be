//! The bounded queue between calls and the writer: what does not fit is counted, and delays no call.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    time::Duration,
};

use tokio::task::spawn_blocking;

use super::record::{Chunk, RecordedAttempt, RecordedCall};

/// The most calls that wait to be written.
const MOST_CALLS: usize = 4_096;
/// About how many bytes they may take.
const MOST_BYTES: usize = 16 << 20;
/// How often a full queue is tried again for a message that must not be lost.
const AGAIN: Duration = Duration::from_millis(20);

/// What the writer receives.
pub(super) enum Message {
    /// Write this call.
    Call(Box<RecordedCall>),
    /// Say when everything before is written.
    Written(SyncSender<()>),
}

/// What both sides count.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Calls that were written.
    pub(super) written: AtomicU64,
    /// Calls that are missing in the file.
    pub(super) lost: AtomicU64,
    /// Bytes that wait.
    bytes: AtomicUsize,
    /// Whether the present loss has been logged.
    is_losing: AtomicBool,
}

impl Counts {
    /// A call is missing. Logs the first of a series.
    pub(super) fn lose(&self, why: &dyn std::fmt::Display) {
        let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
        if !self.is_losing.swap(true, Ordering::Relaxed) {
            tracing::warn!(target: "llm::recording", lost, %why, "a call is missing in the recording; further ones are counted");
        }
    }

    /// A call was written.
    pub(super) fn wrote(&self) {
        self.written.fetch_add(1, Ordering::Relaxed);
        self.is_losing.store(false, Ordering::Relaxed);
    }

    /// A call has left the queue.
    pub(super) fn left(&self, call: &RecordedCall) {
        self.bytes.fetch_sub(bytes(call), Ordering::Relaxed);
    }
}

/// The side of the calls.
#[derive(Debug)]
pub(super) struct Queue {
    sender: SyncSender<Message>,
    pub(super) counts: Arc<Counts>,
}

impl Queue {
    pub(super) fn new() -> (Self, Receiver<Message>) {
        let (sender, receiver) = sync_channel(MOST_CALLS);
        let counts = Arc::default();
        (Self { sender, counts }, receiver)
    }

    /// Never waits.
    pub(super) fn put(&self, call: Box<RecordedCall>) {
        let size = bytes(&call);
        let before = self.counts.bytes.fetch_add(size, Ordering::Relaxed);
        if before.saturating_add(size) > MOST_BYTES {
            self.counts.bytes.fetch_sub(size, Ordering::Relaxed);
            self.counts.lose(&"the writer is behind");
            return;
        }
        if let Err(error) = self.sender.try_send(Message::Call(call)) {
            self.counts.bytes.fetch_sub(size, Ordering::Relaxed);
            self.counts.lose(match error {
                TrySendError::Full(_) => &"the writer is behind",
                TrySendError::Disconnected(_) => &"the writer has ended",
            });
        }
    }

    /// Waits until everything that was put is written, for so long at most. Whether it is. The writer is a thread, and so the time is the
    /// system's, also if tokio's clock is paused.
    pub(super) async fn written(&self, limit: Duration) -> bool {
        let sender = self.sender.clone();
        let wait = move || {
            let (done, told) = sync_channel(1);
            let mut message = Some(Message::Written(done));
            let mut left = limit;
            loop {
                match message.take().map(|message| sender.try_send(message)) {
                    None | Some(Ok(())) => {}
                    Some(Err(TrySendError::Full(same))) => message = Some(same),
                    Some(Err(TrySendError::Disconnected(_))) => return false,
                }
                let slice = AGAIN.min(left);
                match told.recv_timeout(slice) {
                    Ok(()) => return true,
                    Err(RecvTimeoutError::Disconnected) => return false,
                    Err(RecvTimeoutError::Timeout) => left = left.saturating_sub(slice),
                }
                if left.is_zero() {
                    return false;
                }
            }
        };
        spawn_blocking(wait).await.unwrap_or(false)
    }
}

/// About how many bytes a call takes.
fn bytes(call: &RecordedCall) -> usize {
    let of_attempt = |attempt: &RecordedAttempt| {
        let hints = attempt.hints.iter().map(|(name, value)| 64 + name.len() + value.len());
        let names = attempt.upstream.len() + attempt.model.len();
        size_of::<RecordedAttempt>() + names + attempt.chunks.len() * size_of::<Chunk>() + hints.sum::<usize>()
    };
    let attempts = call.attempts.iter().map(of_attempt);
    let models = call.models.iter().map(|model| size_of::<String>() + model.len());
    size_of::<RecordedCall>() + models.sum::<usize>() + attempts.sum::<usize>()
}

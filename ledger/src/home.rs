//! The thread that a ledger lives in, with a runtime of its own: whatever the caller's runtime does, be it busy, paused or gone,
//! entries are written, and time limits hold.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, ThreadId},
    time::Duration,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::{oneshot, watch},
    task::AbortHandle,
};
use tracing::{Dispatch, dispatcher, subscriber::NoSubscriber};

use crate::{LedgerError, queue::Queue, writer::Writer};

/// How long the last handle of a ledger that was not closed waits for what is not written.
const PARTING: Duration = Duration::from_secs(1);

/// The caller's end of the thread. Dropped, it closes the ledger, waits a little, and lets the thread end.
#[derive(Debug)]
pub(crate) struct Home {
    queue: Arc<Queue>,
    runtime: Handle,
    thread: ThreadId,
    /// Whether the writer has ended.
    ended: watch::Receiver<bool>,
    /// Disconnected when the writer has ended.
    alive: Mutex<mpsc::Receiver<()>>,
    /// Gone with this: then the thread ends.
    _stay: oneshot::Sender<()>,
}

/// What the opener is given of a ledger that was opened, and the thread.
type Begun<T> = Result<(T, Home), LedgerError>;

/// Starts the thread and opens a ledger in it.
pub(crate) async fn start<T, F>(
    open: impl FnOnce() -> F + Send + 'static,
    close_timeout: Duration,
) -> Result<(T, Home), LedgerError>
where
    T: Send + 'static,
    F: Future<Output = Result<(T, Writer), LedgerError>>,
{
    let (tell, told) = oneshot::channel();
    // Events of the thread go to the opener's log.
    let log = dispatcher::get_default(Dispatch::clone);
    let thread = thread::Builder::new().name("llm-ledger".to_owned()).spawn(move || {
        if log.is::<NoSubscriber>() {
            live(open, close_timeout, tell);
        } else {
            dispatcher::with_default(&log, || live(open, close_timeout, tell));
        }
    });
    thread.map_err(LedgerError::Thread)?;
    let ended = |_| Err(LedgerError::Thread(io::Error::other("it has ended")));
    told.await.unwrap_or_else(ended)
}

/// What the thread does.
fn live<T, F>(open: impl FnOnce() -> F, close_timeout: Duration, tell: oneshot::Sender<Begun<T>>)
where
    F: Future<Output = Result<(T, Writer), LedgerError>>,
{
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            drop(tell.send(Err(LedgerError::Thread(error))));
            return;
        }
    };
    runtime.block_on(async {
        let (opened, writer) = match open().await {
            Ok(begun) => begun,
            Err(error) => {
                drop(tell.send(Err(error)));
                return;
            }
        };
        let (ended, has_ended) = watch::channel(false);
        let (alive, is_alive) = mpsc::channel();
        let (stay, leave) = oneshot::channel();
        let home = Home {
            queue: Arc::clone(&writer.queue),
            runtime: Handle::current(),
            thread: thread::current().id(),
            ended: has_ended,
            alive: Mutex::new(is_alive),
            _stay: stay,
        };
        // If the opener is gone, the ledger is closed by this.
        drop(tell.send(Ok((opened, home))));
        writer.run(close_timeout).await;
        drop(alive);
        ended.send_replace(true);
        // Questions are answered until the last handle is gone.
        drop(leave.await);
    });
}

impl Home {
    /// Has a question answered in the thread. Dropped, it is not asked any more.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl Future<Output = Result<T, LedgerError>> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let asking = self.runtime.spawn(question);
        let _asked = Asked(asking.abort_handle());
        asking
            .await
            .unwrap_or_else(|_| Err(LedgerError::Query(sqlx::Error::WorkerCrashed)))
    }

    /// Waits until the writer has ended.
    pub(crate) async fn ended(&self) {
        // It fails if the thread is gone, and the writer with it.
        drop(self.ended.clone().wait_for(|has_ended| *has_ended).await);
    }
}

struct Asked(AbortHandle);

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.queue.close();
        if thread::current().id() == self.thread {
            return;
        }
        let alive = self.alive.get_mut().unwrap_or_else(PoisonError::into_inner);
        if alive.recv_timeout(PARTING) == Err(RecvTimeoutError::Timeout) {
            let lost = self.queue.len();
            tracing::error!(
                target: "llm::ledger",
                lost,
                "the ledger was dropped without `close()`: these entries are not written, and lost if the process ends now"
            );
        }
    }
}

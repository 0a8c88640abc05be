//! Brings to the store what is told in `drop`: in order, and each word once, however often it must be told.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, mpsc},
    task::AbortHandle,
    time::sleep,
};

use crate::{
    lease::renew,
    link::is_final,
    store::Inner,
    word::{Told, Word},
};

/// Words that may wait for a store that is away.
const MOST_WAITING: usize = 100_000;
/// Words that one call delivers at most: some milliseconds of the server's time.
const AT_ONCE: usize = 32;
/// The first wait after a failure; each further one is twice as long.
const FIRST_RETRY: Duration = Duration::from_millis(50);
/// The longest wait between two tries.
const LONGEST_RETRY: Duration = Duration::from_secs(5);
/// Tries of a word that a healthy server refuses.
const MOST_REFUSALS: u32 = 5;

/// Delivers words in order, and ends with its last handle once all are delivered.
pub(crate) struct Delivery {
    words: mpsc::Sender<Word>,
    counts: Arc<Counts>,
    renewal: AbortHandle,
}

#[derive(Default)]
struct Counts {
    waiting: AtomicU64,
    lost: AtomicU64,
    idle: Notify,
}

impl Counts {
    fn done(&self, words: u64) {
        if self.waiting.fetch_sub(words, Ordering::AcqRel) == words {
            self.idle.notify_waiters();
        }
    }
}

impl Delivery {
    pub(crate) fn spawn(store: &Arc<Inner>) -> Arc<Self> {
        let (words, inbox) = mpsc::channel(MOST_WAITING);
        let counts = Arc::new(Counts::default());
        store
            .runtime
            .spawn(deliver(Arc::clone(store), inbox, Arc::clone(&counts)));
        let renewal = store.runtime.spawn(renew(Arc::clone(store))).abort_handle();
        Arc::new(Self { words, counts, renewal })
    }

    pub(crate) fn send(&self, word: Word) {
        // What is only a courtesy leaves room for money while the store is away: leases end by themselves.
        if word.is_courtesy() && self.words.capacity() < MOST_WAITING / 2 {
            return;
        }
        self.counts.waiting.fetch_add(1, Ordering::AcqRel);
        if self.words.try_send(word).is_err() {
            self.counts.done(1);
            let lost = self.counts.lost.fetch_add(1, Ordering::Relaxed) + 1;
            if lost.is_power_of_two() {
                tracing::error!(target: "llm::store", lost, "the shared store is away for too long: what was spent is not counted");
            }
        }
    }

    /// Words that could not be kept while the store was away, or that it refused.
    pub(crate) fn lost(&self) -> u64 {
        self.counts.lost.load(Ordering::Relaxed)
    }

    /// Waits until all that was told is delivered.
    pub(crate) async fn flush(&self) {
        loop {
            let idle = self.counts.idle.notified();
            if self.counts.waiting.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

async fn deliver(store: Arc<Inner>, mut inbox: mpsc::Receiver<Word>, counts: Arc<Counts>) {
    // The store knows the last number of each sender.
    let sender = store.key("sender", &format!("{:032x}", fastrand::u128(..)));
    let (mut first, mut most) = (1_u64, AT_ONCE);
    let mut words = Vec::with_capacity(AT_ONCE);
    while inbox.recv_many(&mut words, most).await > 0 {
        let (mut wait, mut refusals) = (FIRST_RETRY, 0);
        while !words.is_empty() {
            let now = words.len().min(most);
            let some = words.get(..now).unwrap_or_default();
            match store
                .link
                .tell::<Vec<Told>>(&Word::call(&store, &sender, first, some))
                .await
            {
                Ok(told) => {
                    words.drain(..now).zip(told).for_each(|(word, told)| word.told(&told));
                    first += now as u64;
                    counts.done(now as u64);
                    (wait, refusals) = (FIRST_RETRY, 0);
                    continue;
                }
                // One of several is refused: from here on one by one.
                Err(error) if is_final(&error) && now > 1 => {
                    most = 1;
                    continue;
                }
                Err(error) if is_final(&error) => {
                    refusals += 1;
                    if refusals == MOST_REFUSALS {
                        tracing::error!(target: "llm::store", %error, "the shared store refuses what was spent");
                        words.remove(0);
                        first += 1;
                        counts.lost.fetch_add(1, Ordering::Relaxed);
                        counts.done(1);
                        refusals = 0;
                    }
                }
                Err(_) => {}
            }
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_RETRY);
        }
        most = AT_ONCE;
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("waiting", &self.counts.waiting.load(Ordering::Relaxed))
            .field("lost", &self.lost())
            .finish_non_exhaustive()
    }
}

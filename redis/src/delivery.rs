//! Brings to the store what is told in `drop`, and keeps holds alive.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::RedisError;
use tokio::{
    sync::{Notify, mpsc},
    task::AbortHandle,
    time::sleep,
};

use crate::store::{Inner, Store};

/// Words that may wait for a store that is away.
const MOST_WAITING: usize = 100_000;
/// The first wait after a failure; each further one is twice as long.
const FIRST_RETRY: Duration = Duration::from_millis(50);
/// The longest wait between two tries.
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// One word to a script.
pub(crate) struct Word {
    pub(crate) kind: Kind,
    pub(crate) keys: Vec<String>,
    pub(crate) arguments: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Settle,
    Adjust,
    TrueUp,
}

/// What a hold is on: the scripts keep them differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum OnWhat {
    Account,
    Places,
}

/// A key, and what it is.
type On = (String, OnWhat);

/// Holds of this process that are alive, with the keys they are on.
#[derive(Default)]
pub(crate) struct Live {
    holds: Mutex<HashMap<String, Arc<[On]>>>,
}

impl Live {
    pub(crate) fn add(&self, id: String, on: Arc<[On]>) {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner).insert(id, on);
    }

    pub(crate) fn remove(&self, id: &str) {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// The holds on each key.
    fn by_key(&self) -> HashMap<On, Vec<String>> {
        let holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys: HashMap<On, Vec<String>> = HashMap::new();
        for (id, on) in holds.iter() {
            for key in on.iter() {
                keys.entry(key.clone()).or_default().push(id.clone());
            }
        }
        keys
    }
}

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

impl Delivery {
    pub(crate) fn spawn(store: &Store) -> Arc<Self> {
        let (words, inbox) = mpsc::channel(MOST_WAITING);
        let counts = Arc::new(Counts::default());
        tokio::spawn(deliver(Arc::clone(&store.0), inbox, Arc::clone(&counts)));
        let renewal = tokio::spawn(renew(Arc::clone(&store.0))).abort_handle();
        Arc::new(Self { words, counts, renewal })
    }

    pub(crate) fn send(&self, word: Word) {
        self.counts.waiting.fetch_add(1, Ordering::AcqRel);
        if self.words.try_send(word).is_err() {
            self.counts.waiting.fetch_sub(1, Ordering::AcqRel);
            let lost = self.counts.lost.fetch_add(1, Ordering::Relaxed) + 1;
            if lost.is_power_of_two() {
                tracing::error!(target: "llm::store", lost, "the shared store is away for too long: what was spent is not counted");
            }
        }
    }

    /// Words that could not be kept while the store was away.
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
    while let Some(word) = inbox.recv().await {
        let mut wait = FIRST_RETRY;
        loop {
            match say(&store, &word).await {
                Ok(()) => break,
                // What the server does not understand it never will.
                Err(error) if is_final(&error) => {
                    counts.lost.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(target: "llm::store", %error, "the shared store refuses what was spent");
                    break;
                }
                Err(_) => {}
            }
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_RETRY);
        }
        if counts.waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
            counts.idle.notify_waiters();
        }
    }
}

fn is_final(error: &RedisError) -> bool {
    matches!(error.code(), Some("ERR" | "WRONGTYPE"))
}

async fn say(store: &Inner, word: &Word) -> Result<(), RedisError> {
    let script = match word.kind {
        Kind::Settle => &store.scripts.settle,
        Kind::Adjust => &store.scripts.adjust,
        Kind::TrueUp => &store.scripts.true_up,
    };
    let mut call = script.prepare_invoke();
    for key in &word.keys {
        call.key(key);
    }
    for argument in &word.arguments {
        call.arg(argument);
    }
    let mut connection = store.connection.clone();
    let _: i64 = call.invoke_async(&mut connection).await?;
    Ok(())
}

/// Renews the leases of what is alive, three times as often as they end.
async fn renew(store: Arc<Inner>) {
    loop {
        sleep(store.lease / 3).await;
        for ((key, what), holds) in store.live.by_key() {
            let mut call = store.scripts.renew.prepare_invoke();
            let what = if what == OnWhat::Places { "places" } else { "account" };
            call.key(key).arg(store.lease.as_millis().to_string()).arg(what);
            for hold in &holds {
                call.arg(hold);
            }
            let mut connection = store.connection.clone();
            let renewed: Result<i64, RedisError> = call.invoke_async(&mut connection).await;
            if let Err(error) = renewed {
                tracing::warn!(target: "llm::store", %error, holds = holds.len(), "leases could not be renewed");
            }
        }
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

//! What waits to be written.

use std::{
    collections::VecDeque,
    fmt,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;
use tower_llm_layers::ledger::{Correction, Entry};

/// One thing to write.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Entry(Box<Entry>),
    Correction(Correction),
}

/// A bounded queue between the path of answers and the writer.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Told when a batch is full, and at the end.
    pub(crate) full: Notify,
    /// Told when something came into an empty queue.
    pub(crate) begun: Notify,
    batch: usize,
    most: usize,
}

struct State {
    items: VecDeque<Item>,
    accepted: u64,
    lost: u64,
    closing: bool,
    counter: Option<File>,
}

/// How much went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) accepted: u64,
    pub(crate) lost: u64,
}

impl Queue {
    pub(crate) fn new(batch: usize, most: usize, counter: Option<File>) -> Self {
        Self {
            state: Mutex::new(State {
                items: VecDeque::new(),
                accepted: 0,
                lost: 0,
                closing: false,
                counter,
            }),
            full: Notify::new(),
            begun: Notify::new(),
            batch,
            most,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an item in, or counts it as lost.
    pub(crate) fn push(&self, item: Item) {
        let length = {
            let mut state = self.lock();
            if state.closing || state.items.len() >= self.most {
                state.lost += 1;
                let lost = state.lost;
                drop(state);
                if lost.is_power_of_two() {
                    tracing::error!(target: "llm::ledger", lost, "the ledger's queue is full or closed: entries are lost");
                }
                return;
            }
            state.items.push_back(item);
            state.accepted += 1;
            state.count();
            state.items.len()
        };
        if length == 1 {
            self.begun.notify_one();
        }
        if length >= self.batch {
            self.full.notify_one();
        }
    }

    /// The next batch, in order; it stays in the queue until it is written.
    pub(crate) fn batch(&self) -> Vec<Item> {
        self.lock().items.iter().take(self.batch).cloned().collect()
    }

    /// Takes out what was written.
    pub(crate) fn written(&self, count: usize) {
        self.lock().items.drain(..count);
    }

    /// How many are waiting.
    pub(crate) fn len(&self) -> usize {
        self.lock().items.len()
    }

    pub(crate) fn is_full_batch(&self) -> bool {
        self.len() >= self.batch
    }

    pub(crate) fn counts(&self) -> Counts {
        let state = self.lock();
        Counts {
            accepted: state.accepted,
            lost: state.lost,
        }
    }

    /// Counts what the writer could not write as lost.
    pub(crate) fn give_up(&self) {
        let mut state = self.lock();
        let left = state.items.len() as u64;
        state.items.clear();
        state.lost += left;
    }

    /// Nothing more comes in.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.full.notify_one();
        self.begun.notify_one();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.lock().closing
    }
}

impl State {
    /// Writes the count down where a killed process leaves it behind: one small write into the page cache.
    fn count(&mut self) {
        let Some(counter) = &self.counter else { return };
        if let Err(error) = write_at_start(counter, &self.accepted.to_le_bytes()) {
            tracing::warn!(target: "llm::ledger", %error, "a kill would leave uncounted what it lost");
            self.counter = None;
        }
    }
}

#[cfg(unix)]
fn write_at_start(file: &File, bytes: &[u8]) -> io::Result<()> {
    // One call of the system's in the place of two.
    std::os::unix::fs::FileExt::write_all_at(file, bytes, 0)
}

#[cfg(not(unix))]
fn write_at_start(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.write_all(bytes)
}

/// The count that an earlier run left behind, and the file for this one's.
pub(crate) fn open_counter(path: &Path) -> io::Result<(Option<u64>, File)> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    let mut bytes = [0; 8];
    let left = file.read_exact(&mut bytes).is_ok().then(|| u64::from_le_bytes(bytes));
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&0_u64.to_le_bytes())?;
    Ok((left, file))
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("waiting", &self.items.len())
            .field("accepted", &self.accepted)
            .field("lost", &self.lost)
            .field("closing", &self.closing)
            .finish_non_exhaustive()
    }
}

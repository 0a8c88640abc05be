//! What a process writes down beside an SQLite file: how much it has taken in, for the next start after a kill, and that the file is
//! its own for as long as it lives.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use fs4::{FileExt, TryLockError};

/// Counts stand in as many places in turn: the highest is the count. Two threads that write in the wrong order do no harm.
const PLACES: u64 = 64;
/// Bytes of a count.
const WIDTH: u64 = 8;

/// The file beside the ledger, locked. The lock ends with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Counter {
    file: File,
    is_broken: AtomicBool,
}

impl Counter {
    /// Locks the file. Gives what an earlier run has counted, too.
    ///
    /// Nothing if another process has the lock.
    pub(crate) fn open(path: &Path) -> io::Result<Option<(Self, u64)>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => {
                // Some network file systems know no locks.
                tracing::warn!(target: "llm::ledger", %error, path = %path.display(), "a second process on this ledger would not be noticed");
            }
        }
        let mut bytes = Vec::new();
        (&file).take(PLACES * WIDTH).read_to_end(&mut bytes)?;
        let (counts, _) = bytes.as_chunks();
        let left = counts.iter().copied().map(u64::from_le_bytes).max().unwrap_or(0);
        let is_broken = AtomicBool::new(false);
        Ok(Some((Self { file, is_broken }, left)))
    }

    /// Begins to count from zero.
    pub(crate) fn begin(&self) -> io::Result<()> {
        self.file.set_len(0)
    }

    /// Writes a count down: one small write into the page cache, under no lock.
    pub(crate) fn note(&self, count: u64) {
        if self.is_broken.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = write_at(&self.file, &count.to_le_bytes(), count % PLACES * WIDTH)
            && !self.is_broken.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(target: "llm::ledger", %error, "lost entries would not be counted after a kill");
        }
    }

    /// Lets another process have the file.
    pub(crate) fn unlock(&self) {
        if let Err(error) = FileExt::unlock(&self.file) {
            tracing::warn!(target: "llm::ledger", %error, "the ledger's lock lasts until this process ends");
        }
    }
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::windows::fs::FileExt::seek_write(file, bytes, at).map(drop)
}

//! Compiled schemas by the bytes that they were read from.

use std::sync::{Arc, Mutex, PoisonError};

use hashlink::LruCache;

/// The most schemas that are kept.
const ENTRIES: usize = 256;

/// The most bytes of JSON that they were read from.
const BYTES: usize = 4 * 1024 * 1024;

/// The most recently used of them.
pub(super) struct Kept<T> {
    inner: Mutex<Entries<T>>,
}

struct Entries<T> {
    by_source: LruCache<Box<[u8]>, Arc<T>>,
    bytes: usize,
}

impl<T> Kept<T> {
    pub(super) fn new() -> Self {
        let entries = Entries {
            by_source: LruCache::new(ENTRIES),
            bytes: 0,
        };
        Self {
            inner: Mutex::new(entries),
        }
    }

    /// What was made of these bytes, or is made of them now. It is made without the lock: two callers may make it at once, and one is kept.
    pub(super) fn get(&self, source: &[u8], make: impl FnOnce() -> T) -> Arc<T> {
        let mut entries = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = entries.by_source.get(source) {
            return Arc::clone(known);
        }
        drop(entries);
        let made = Arc::new(make());
        entries = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        entries.insert(source, Arc::clone(&made));
        made
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        let entries = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        (entries.by_source.len(), entries.bytes)
    }
}

impl<T> Entries<T> {
    fn insert(&mut self, source: &[u8], made: Arc<T>) {
        if source.len() > BYTES {
            return;
        }
        while self.by_source.len() >= ENTRIES || self.bytes + source.len() > BYTES {
            let Some((oldest, _)) = self.by_source.remove_lru() else {
                break;
            };
            self.bytes -= oldest.len();
        }
        if self.by_source.insert(source.into(), made).is_none() {
            self.bytes += source.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_leave_first_and_bytes_are_bounded() {
        let kept = Kept::new();
        for number in 0..1000_u32 {
            let made = kept.get(&number.to_le_bytes(), || number);
            assert_eq!(*made, number);
            kept.get(&0_u32.to_le_bytes(), || unreachable!("it is used all the time"));
        }
        assert_eq!(kept.held(), (ENTRIES, ENTRIES * 4));
        for byte in 0..20_u8 {
            kept.get(&vec![byte; 1024 * 1024], || 7);
        }
        let (entries, bytes) = kept.held();
        assert!(entries <= 4 && bytes <= BYTES, "{entries} of {bytes} bytes");
    }
}

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use crate::{CacheKey, KeyWriter};

/// Hashes the parts of a key.
struct KeyHash {
    /// What is not hashed yet: many small parts are quicker in one go.
    pending: Vec<u8>,
    /// Only where all of it is more than [`AT_ONCE`].
    hasher: Option<Box<blake3::Hasher>>,
}

/// How many bytes are gathered before they are hashed.
const AT_ONCE: usize = 1024;

impl KeyHash {
    fn new(scope: &str) -> Self {
        let mut hash = Self {
            pending: Vec::with_capacity(AT_ONCE / 2),
            hasher: None,
        };
        hash.part(scope.as_bytes());
        hash
    }

    /// Takes one part in. Its length goes with it, so that two neighbours never run together.
    fn part(&mut self, part: &[u8]) {
        let mut length = part.len();
        // Seven bits a byte; the last one is below 128.
        while length > 127 {
            self.pending.push(length.to_le_bytes()[0] | 128);
            length >>= 7;
        }
        self.pending.push(length.to_le_bytes()[0]);
        if self.pending.len() + part.len() <= AT_ONCE {
            self.pending.extend_from_slice(part);
            return;
        }
        let hasher = self.hasher.get_or_insert_with(Box::default);
        hasher.update(&self.pending).update(part);
        self.pending.clear();
    }

    fn finish(mut self) -> blake3::Hash {
        match &mut self.hasher {
            None => blake3::hash(&self.pending),
            Some(hasher) => hasher.update(&self.pending).finalize(),
        }
    }
}

/// By what an answer is found: 256 bits of BLAKE3 over the tenant and the request.
///
/// A hash that can be steered would let one caller be answered with what another one asked; with this one nobody has ever found
/// two inputs that collide.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AnswerKey([u8; 32]);

impl Hash for AnswerKey {
    /// Any eight bytes of it are a good hash.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [first, ..] = self.0.as_chunks().0 else { return };
        state.write_u64(u64::from_le_bytes(*first));
    }
}

impl AnswerKey {
    /// The key of this request within this scope (a tenant, say).
    #[must_use]
    pub fn new<R: CacheKey>(scope: &str, request: &R) -> Self {
        let mut hash = KeyHash::new(scope);
        request.write_key(&mut KeyWriter::new(&mut |part| hash.part(part)));
        Self(*hash.finish().as_bytes())
    }

    /// The hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for AnswerKey {
    /// Its first half: enough to tell keys apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnswerKey(")?;
        self.0.iter().take(16).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

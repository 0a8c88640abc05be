//! The key of a request in the cache, under a secret of the process.

use std::{
    fmt,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::LazyLock,
};

use highway::{HighwayHash, HighwayHasher, Key};
use http::{HeaderName, Request};

use crate::{CacheKey, KeyWriter, is_irrelevant_header};

/// Hashes the parts of a key.
struct KeyHash {
    hasher: HighwayHasher,
    /// What is not hashed yet, up to `filled`: many small parts are hashed faster in one go.
    pending: [u8; AT_ONCE],
    filled: usize,
}

/// How many bytes are gathered before they are hashed.
const AT_ONCE: usize = 256;

/// With the secret of this process, which never leaves it: see [`AnswerKey`].
static SECRET: LazyLock<HighwayHasher> = LazyLock::new(drawn);

fn drawn() -> HighwayHasher {
    let random = RandomState::new();
    HighwayHasher::new(Key([0, 1, 2, 3].map(|part: u64| random.hash_one(part))))
}

impl KeyHash {
    fn new(secret: Option<&KeySecret>) -> Self {
        Self {
            hasher: secret.map_or_else(|| SECRET.clone(), |secret| secret.0.clone()),
            pending: [0; AT_ONCE],
            filled: 0,
        }
    }

    /// Takes one part in. Its length goes with it, so that two neighbours never run together.
    fn part(&mut self, part: &[u8]) {
        let mut length = part.len();
        // Seven bits a byte; the last one is below 128.
        while length > 127 {
            self.take(&[length.to_le_bytes()[0] | 128]);
            length >>= 7;
        }
        self.take(&[length.to_le_bytes()[0]]);
        self.take(part);
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = self.pending.get_mut(self.filled..self.filled + bytes.len());
        if let Some(room) = room {
            room.copy_from_slice(bytes);
            self.filled += bytes.len();
            return;
        }
        self.flush();
        self.hasher.append(bytes);
    }

    fn flush(&mut self) {
        self.hasher.append(self.pending.get(..self.filled).unwrap_or_default());
        self.filled = 0;
    }
}

/// The secret of keys that several processes share. With it, a request with the key of another one can be constructed. Draw 32 random bytes once,
/// and give them to each process.
#[derive(Clone)]
pub struct KeySecret(HighwayHasher);

impl KeySecret {
    /// Of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        let mut parts = [0; 4];
        for (part, bytes) in parts.iter_mut().zip(bytes.as_chunks().0) {
            *part = u64::from_le_bytes(*bytes);
        }
        Self(HighwayHasher::new(Key(parts)))
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(redacted)")
    }
}

/// By what an answer is found: 128 bits of `HighwayHash` over the tenant, the headers that may change the answer, and the request.
///
/// If a caller could steer the hash, it could be given the response to another caller's request. So the hash is keyed with a secret that
/// each process draws for itself and that never leaves it. The same request has another key in another process, unless they are given the same
/// [`KeySecret`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AnswerKey([u64; 2]);

impl Hash for AnswerKey {
    /// Any eight bytes of it are a good hash.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0[0]);
    }
}

impl AnswerKey {
    /// The key of a request without headers within this scope (a tenant, for example).
    /// [`CacheLayer::key`](super::CacheLayer::key) returns the key of a request with its headers.
    #[must_use]
    pub fn new<R: CacheKey>(scope: &str, request: &R) -> Self {
        Self::hashed(None, scope, &[], request)
    }

    /// The key of this request within this scope, apart from the headers that are ignored.
    pub(super) fn of<R: CacheKey>(
        secret: Option<&KeySecret>,
        scope: &str,
        request: &Request<R>,
        ignored: &[HeaderName],
    ) -> Self {
        let body = request.body();
        let may_change =
            |name: &HeaderName| !is_irrelevant_header(name) && !ignored.contains(name) && !body.ignores_header(name);
        let headers = request.headers().iter();
        let mut headers: Vec<_> = headers
            .filter(|(name, _)| may_change(name))
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        // Stable: the values of one name keep their order, which may mean something.
        headers.sort_by_key(|(name, _)| *name);
        Self::hashed(secret, scope, &headers, body)
    }

    /// The key of these parts, in their order.
    pub(super) fn of_parts(secret: Option<&KeySecret>, parts: &[&[u8]]) -> Self {
        let mut hash = KeyHash::new(secret);
        for part in parts {
            hash.part(part);
        }
        hash.flush();
        Self(hash.hasher.finalize128())
    }

    /// Its bytes, to find the response in a store of your own.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.0[0]) << 64 | u128::from(self.0[1])).to_be_bytes()
    }

    fn hashed<R: CacheKey>(secret: Option<&KeySecret>, scope: &str, headers: &[(&str, &[u8])], request: &R) -> Self {
        let mut hash = KeyHash::new(secret);
        hash.part(scope.as_bytes());
        // With their number, so that a header never passes for a part of the request.
        hash.part(&headers.len().to_le_bytes());
        for (name, value) in headers {
            hash.part(name.as_bytes());
            hash.part(value);
        }
        request.write_key(&mut KeyWriter::new(&mut |part| hash.part(part)));
        hash.flush();
        Self(hash.hasher.finalize128())
    }
}

impl fmt::Debug for AnswerKey {
    /// The hash: it distinguishes keys in a log, and reveals nothing of the request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, other] = self.0;
        write!(f, "AnswerKey({one:016x}{other:016x})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_draws_a_secret_of_its_own() {
        assert_ne!(drawn().finalize128(), drawn().finalize128());
        assert_eq!(SECRET.clone().finalize128(), SECRET.clone().finalize128());
    }
}

use std::fmt;

/// What tells apart two requests that want different answers.
///
/// Implement it beside [`LlmRequest`](crate::LlmRequest). Write everything that may change the answer, in a form that does not
/// depend on how the request was written down (sort the members of objects), and nothing else: neither the user's name nor
/// tags. Where an answer to a streamed request cannot be replayed to a plain one, whether it is streamed belongs to the key.
pub trait CacheKey {
    /// Writes what the answer depends on.
    fn write_key(&self, key: &mut KeyWriter);

    /// The temperature asked for, where the request says so; for
    /// [`only_temperature_zero`](super::CacheLayer::only_temperature_zero).
    fn asked_temperature(&self) -> Option<f64> {
        None
    }

    /// Whether the answer may be kept and shared at all; `false` where the request asks not to be stored.
    fn may_be_kept(&self) -> bool {
        true
    }
}

/// Takes in what an answer depends on. See [`CacheKey::write_key`].
pub struct KeyWriter {
    /// What is not hashed yet: many small parts are quicker in one go.
    pending: Vec<u8>,
    /// Only where all of it is more than [`AT_ONCE`].
    hasher: Option<Box<blake3::Hasher>>,
}

/// How many bytes are gathered before they are hashed.
const AT_ONCE: usize = 1024;

impl KeyWriter {
    fn new(scope: &str) -> Self {
        let mut writer = Self {
            pending: Vec::with_capacity(AT_ONCE / 2),
            hasher: None,
        };
        writer.part(scope.as_bytes());
        writer
    }

    /// Writes one part. Its length goes with it, so that two neighbours never run together.
    pub fn part(&mut self, part: &[u8]) {
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

impl fmt::Debug for KeyWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyWriter")
    }
}

/// By what an answer is found: 256 bits of BLAKE3 over the tenant and the request.
///
/// A hash that can be steered would let one caller be answered with what another one asked; with this one nobody has ever found
/// two inputs that collide.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AnswerKey([u8; 32]);

impl AnswerKey {
    /// The key of this request within this scope (a tenant, say).
    #[must_use]
    pub fn new<R: CacheKey>(scope: &str, request: &R) -> Self {
        let mut writer = KeyWriter::new(scope);
        request.write_key(&mut writer);
        Self(*writer.finish().as_bytes())
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

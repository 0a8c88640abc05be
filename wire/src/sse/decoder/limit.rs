//! The bound on what one event, or one line, may have.

use bytes::Bytes;

use super::SseDecoder;
use crate::sse::SseError;

impl SseDecoder {
    /// Refuses the first `more` bytes of `input` if with them the line or the event passes the
    /// limit.
    #[inline]
    pub(super) fn check(&mut self, more: usize, input: &mut Bytes) -> Result<(), SseError> {
        let line = self.line.len().saturating_add(more);
        if self.block.size().saturating_add(line) <= self.limit {
            return Ok(());
        }
        self.check_comment(line, input)
    }

    /// The rest of [`check`](Self::check): a comment is no part of the event around it.
    #[cold]
    fn check_comment(&mut self, line: usize, input: &mut Bytes) -> Result<(), SseError> {
        let first = self.line.first().or_else(|| input.first());
        if line <= self.limit && first == Some(&b':') {
            return Ok(());
        }
        *self = Self {
            failed: true,
            ..Self::with_limit(self.limit)
        };
        input.clear();
        Err(self.too_large())
    }

    pub(super) const fn too_large(&self) -> SseError {
        SseError::EventTooLarge { limit: self.limit }
    }
}

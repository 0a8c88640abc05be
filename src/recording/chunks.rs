//! The pieces of one answer, in a bounded list: when it is full, neighbours are put together.

use super::record::{Chunk, ChunkStage};

/// The most pieces that are kept of one answer.
pub(super) const MOST: usize = 512;

/// The pieces so far.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    list: Vec<Chunk>,
    /// When the last one came.
    last_ms: u64,
}

impl Chunks {
    /// Gaps count from here.
    pub(super) const fn start(&mut self, at_ms: u64) {
        self.last_ms = at_ms;
    }

    /// A piece has come. Gaps are differences of whole milliseconds, so that rounding does not add up.
    pub(super) fn push(&mut self, at_ms: u64, bytes: u64, stage: ChunkStage) {
        let gap = at_ms.saturating_sub(self.last_ms);
        self.last_ms = at_ms;
        if self.list.len() >= MOST {
            self.halve();
        }
        // If nothing could be put together.
        let is_full = self.list.len() >= MOST;
        match self.list.last_mut() {
            Some(last) if is_full => *last = joined(*last, Chunk(gap, bytes, stage)),
            _ => self.list.push(Chunk(gap, bytes, stage)),
        }
    }

    pub(super) fn into_list(self) -> Vec<Chunk> {
        self.list
    }

    /// Puts neighbours of one stage together: the two come when the later one came. The first content stays as it is.
    fn halve(&mut self) {
        let first = self.list.iter().position(|chunk| chunk.2 == ChunkStage::Content);
        let mut kept: Vec<Chunk> = Vec::with_capacity(MOST / 2);
        let mut is_single = false;
        for (place, chunk) in self.list.iter().enumerate() {
            let is_first = Some(place) == first;
            match kept.last_mut() {
                Some(last) if is_single && !is_first && last.2 == chunk.2 => {
                    *last = joined(*last, *chunk);
                    is_single = false;
                }
                _ => {
                    kept.push(*chunk);
                    is_single = !is_first;
                }
            }
        }
        self.list = kept;
    }
}

const fn joined(one: Chunk, next: Chunk) -> Chunk {
    Chunk(one.0.saturating_add(next.0), one.1.saturating_add(next.1), next.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_answer_keeps_its_first_content_its_time_and_its_size() {
        let mut chunks = Chunks::default();
        chunks.start(5);
        chunks.push(10, 3, ChunkStage::Preamble);
        for piece in 0..20_000 {
            chunks.push(30 + piece * 7, 11, ChunkStage::Content);
        }
        chunks.push(30 + 20_000 * 7, 1, ChunkStage::Finish);
        let list = chunks.into_list();
        assert!(list.len() <= MOST, "{}", list.len());
        assert_eq!(
            list[..2],
            [Chunk(5, 3, ChunkStage::Preamble), Chunk(20, 11, ChunkStage::Content)]
        );
        assert_eq!(list.iter().map(|chunk| chunk.0).sum::<u64>(), 30 + 20_000 * 7 - 5);
        assert_eq!(list.iter().map(|chunk| chunk.1).sum::<u64>(), 3 + 20_000 * 11 + 1);
        assert_eq!(list.last().map(|chunk| chunk.2), Some(ChunkStage::Finish));
    }

    #[test]
    fn a_list_that_cannot_be_shortened_is_bounded_all_the_same() {
        let mut chunks = Chunks::default();
        for piece in 0..10_000 {
            let stage = if piece % 2 == 0 {
                ChunkStage::KeepAlive
            } else {
                ChunkStage::Preamble
            };
            chunks.push(piece, 1, stage);
        }
        let list = chunks.into_list();
        assert!(list.len() <= MOST);
        assert_eq!(list.iter().map(|chunk| chunk.1).sum::<u64>(), 10_000);
    }
}

//! The event under construction: the lines since the last blank one.

use bytes::{BufMut, Bytes, BytesMut};
use memchr::memchr;

use super::{SseItem, item::is_done};

/// The fields collected since the last blank line.
#[derive(Clone)]
pub(super) struct Block {
    data: Data,
    event: Option<Bytes>,
    id: Option<Bytes>,
    /// Bytes of all its lines as received, ignored ones too, comments not; each line end counts for
    /// one.
    size: usize,
}

/// The `data` lines: borrowed from the chunk while there is one, copied together from the second
/// on.
#[derive(Clone, Default)]
enum Data {
    #[default]
    Absent,
    Line(Bytes),
    Lines(BytesMut),
}

impl Block {
    pub(super) const fn new() -> Self {
        Self {
            data: Data::Absent,
            event: None,
            id: None,
            size: 0,
        }
    }

    /// How much of an event has come since the last blank line.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// Counts a line of `length` bytes, its end not included.
    pub(super) const fn count(&mut self, length: usize) {
        self.size = self.size.saturating_add(length).saturating_add(1);
    }

    pub(super) fn data(&mut self, value: Bytes) {
        self.data = match std::mem::take(&mut self.data) {
            Data::Absent => Data::Line(value),
            Data::Line(first) => {
                let mut lines = BytesMut::with_capacity(first.len() + 1 + value.len());
                lines.put_slice(&first);
                lines.put_u8(b'\n');
                lines.put_slice(&value);
                Data::Lines(lines)
            }
            Data::Lines(mut lines) => {
                lines.put_u8(b'\n');
                lines.put_slice(&value);
                Data::Lines(lines)
            }
        };
    }

    /// Whether the data so far is one JSON object, and this value begins another one, or ends the stream.
    ///
    /// Some servers part their events by one line end. In JSON a closing brace at a line's end is never
    /// followed by an opening one at the next line's start.
    #[inline]
    pub(super) fn is_ended_by(&self, value: &[u8]) -> bool {
        match &self.data {
            Data::Absent => false,
            Data::Line(line) => begins_next(line, value),
            Data::Lines(lines) => begins_next(lines, value),
        }
    }

    /// An empty type is the standard's way to say "the default one".
    pub(super) fn event(&mut self, value: Bytes) {
        self.event = (!value.is_empty()).then_some(value);
    }

    /// An id with a NUL could not be sent back in a header; the standard has such a line ignored.
    pub(super) fn id(&mut self, value: Bytes) {
        if memchr(0, &value).is_none() {
            self.id = Some(value);
        }
    }

    /// Ends the event at a blank line; leaves an empty block. `None` if there was no data.
    #[inline]
    pub(super) fn dispatch(&mut self) -> Option<SseItem> {
        let Self { data, event, id, .. } = std::mem::replace(self, Self::new());
        let data = match data {
            Data::Absent => return None,
            Data::Line(line) => line,
            Data::Lines(lines) => lines.freeze(),
        };
        Some(SseItem::of(data, event, id))
    }
}

fn begins_next(data: &[u8], value: &[u8]) -> bool {
    // The value first: what is kept is looked at only if it has grown by a brace since.
    let begins = value.trim_ascii_start().first() == Some(&b'{') || is_done(value);
    begins && data.trim_ascii_end().last() == Some(&b'}')
}

//! What happens to one line, once its end is found.

use bytes::{Buf, Bytes};

use super::{BYTE_ORDER_MARK, SseDecoder};
use crate::sse::{SseItem, field::Field};

impl SseDecoder {
    /// The short way for nearly all events: one line of data, whole in `input` with its blank line,
    /// and nothing pending.
    ///
    /// It gives what [`read_line`](Self::read_line) would in two rounds, in two thirds of the time.
    #[inline]
    pub(super) fn plain_event(&self, input: &mut Bytes, end: usize) -> Option<Bytes> {
        if !self.begun || !self.line.is_empty() || self.block.size() > 0 || end + 2 > self.limit {
            return None;
        }
        let (line, rest) = input.split_at_checked(end)?;
        let (Field::Data(start), true) = (Field::of(line), rest.starts_with(b"\n\n")) else {
            return None;
        };
        let data = value(input, start, end);
        input.advance(2);
        Some(data)
    }

    /// Reads the line that is the first `end` bytes of `source`, and takes it off there.
    #[inline]
    pub(super) fn read_line(&mut self, source: &mut Bytes, mut end: usize) -> Option<SseItem> {
        if !self.begun {
            self.begun = true;
            if source.starts_with(BYTE_ORDER_MARK) {
                source.advance(BYTE_ORDER_MARK.len());
                end -= BYTE_ORDER_MARK.len();
            }
        }
        let field = Field::of(source.get(..end).unwrap_or_default());
        match field {
            Field::Blank => return self.block.dispatch(),
            Field::Comment => {
                source.advance(end);
                return Some(SseItem::Comment);
            }
            Field::Ignored => source.advance(end),
            Field::Stray => {
                self.block.count(end);
                return Some(SseItem::Unframed(source.split_to(end)));
            }
            Field::Data(start) => {
                let data = value(source, start, end);
                let before = if self.block.is_ended_by(&data) {
                    self.block.dispatch()
                } else {
                    None
                };
                self.block.data(data);
                self.block.count(end);
                return before;
            }
            Field::Event(start) => self.block.event(value(source, start, end)),
            Field::Id(start) => self.block.id(value(source, start, end)),
        }
        self.block.count(end);
        None
    }

    /// Puts the kept start of a line and its last `end` bytes, the first of `input`, together.
    pub(super) fn complete_line(&mut self, input: &mut Bytes, end: usize) -> Bytes {
        let mut line = std::mem::take(&mut self.line);
        // No more than is needed: this buffer becomes the field's value as it is.
        line.reserve_exact(end);
        line.extend_from_slice(input.get(..end).unwrap_or_default());
        input.advance(end);
        line.into()
    }

    /// Takes the line end off the front of `input`: CR LF, LF, or CR.
    #[inline]
    pub(super) fn skip_line_end(&mut self, input: &mut Bytes) {
        match **input {
            [b'\r', b'\n', ..] => input.advance(2),
            [b'\r'] => {
                self.after_cr = true;
                input.advance(1);
            }
            _ => input.advance(1),
        }
    }
}

/// Takes the line that is the first `end` bytes off `source`, and gives its bytes from `start` on.
#[inline]
fn value(source: &mut Bytes, start: usize, end: usize) -> Bytes {
    let mut line = source.split_to(end);
    line.advance(start);
    line
}

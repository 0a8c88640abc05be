//! A document on its way out.

use std::ops::Range;

use bytes::Bytes;

use super::{Document, Member};

/// The bytes of a document in order, as slices of what it came in and of what was set. See [`Document::segments`].
#[derive(Debug, Clone)]
pub struct Segments {
    inner: Inner,
}

#[derive(Debug, Clone)]
enum Inner {
    Whole(Option<Bytes>),
    Pieces(std::vec::IntoIter<Bytes>),
}

impl Iterator for Segments {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        match &mut self.inner {
            Inner::Whole(whole) => whole.take(),
            Inner::Pieces(pieces) => pieces.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.inner {
            Inner::Whole(whole) => (usize::from(whole.is_some()), Some(usize::from(whole.is_some()))),
            Inner::Pieces(pieces) => pieces.size_hint(),
        }
    }
}

impl ExactSizeIterator for Segments {}

enum Piece<'a> {
    Original(Range<usize>),
    Set(&'a Bytes),
    /// A lead without its comma.
    First(&'a Bytes),
}

impl Document {
    /// What goes out, without a copy: exactly one segment, the original, if nothing was changed.
    #[must_use]
    pub fn segments(&self) -> Segments {
        if self.edits.is_empty() {
            return Segments {
                inner: Inner::Whole(Some(self.original.clone())),
            };
        }
        let mut pieces = Vec::with_capacity(2 + 2 * self.edits.len());
        self.write(|piece| {
            pieces.push(match piece {
                Piece::Original(range) => self.original.slice(range),
                Piece::Set(bytes) => bytes.clone(),
                Piece::First(lead) => lead.slice(1..),
            });
        });
        Segments {
            inner: Inner::Pieces(pieces.into_iter()),
        }
    }

    /// How many bytes go out.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a document is never shorter than its two braces"
    )]
    pub fn len(&self) -> usize {
        if self.edits.is_empty() {
            return self.original.len();
        }
        let mut length = 0;
        self.write(|piece| {
            length += match piece {
                Piece::Original(range) => range.len(),
                Piece::Set(bytes) => bytes.len(),
                Piece::First(lead) => lead.len() - 1,
            }
        });
        length
    }

    /// What goes out, in one piece. Copies only if something was changed.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        if self.edits.is_empty() {
            return self.original.clone();
        }
        let mut whole = Vec::with_capacity(self.len());
        self.write(|piece| match piece {
            Piece::Original(range) => whole.extend_from_slice(self.slice(&range)),
            Piece::Set(bytes) => whole.extend_from_slice(bytes),
            Piece::First(lead) => whole.extend_from_slice(lead.get(1..).unwrap_or_default()),
        });
        whole.into()
    }

    /// Hands out the pieces in order; neighbours in the original are one piece.
    fn write<'a>(&'a self, mut out: impl FnMut(Piece<'a>)) {
        let mut run = 0..self.open + 1;
        let last = self.members.iter().rposition(|member| self.keeps(member));
        let mut comma: Option<usize> = None;
        for (index, member) in self.members.iter().enumerate() {
            if !self.keeps(member) {
                continue;
            }
            if let Some(at) = comma {
                copy(at..at + 1, &mut run, &mut out);
            }
            comma = Some(member.room.end);
            match self.edit(self.key(member)).and_then(|edit| edit.value.as_ref()) {
                Some(value) => {
                    copy(member.room.start..member.value.start, &mut run, &mut out);
                    flush(&mut run, &mut out);
                    out(Piece::Set(value));
                }
                None => copy(member.room.start..member.value.end, &mut run, &mut out),
            }
            if Some(index) == last {
                self.write_added(false, &mut run, &mut out);
            }
            copy(member.value.end..member.room.end, &mut run, &mut out);
        }
        if last.is_none() {
            self.write_added(true, &mut run, &mut out);
        }
        copy(self.close..self.original.len(), &mut run, &mut out);
        flush(&mut run, &mut out);
    }

    fn write_added<'a>(&'a self, mut first: bool, run: &mut Range<usize>, out: &mut dyn FnMut(Piece<'a>)) {
        for (lead, value) in self.edits.iter().filter_map(super::Edit::adds) {
            flush(run, out);
            out(if first { Piece::First(lead) } else { Piece::Set(lead) });
            out(Piece::Set(value));
            first = false;
        }
    }

    /// Whether a member of the original is written, with its own value or another.
    pub(super) fn keeps(&self, member: &Member) -> bool {
        self.edit(self.key(member)).is_none_or(|edit| edit.replaces(member))
    }
}

/// Returns the run of original bytes collected so far, and begins an empty one at its end.
fn flush<'a>(run: &mut Range<usize>, out: &mut dyn FnMut(Piece<'a>)) {
    if run.start < run.end {
        out(Piece::Original(run.clone()));
        run.start = run.end;
    }
}

/// Adds a range of the original to the run, if it continues from there, and begins another run if not.
fn copy<'a>(range: Range<usize>, run: &mut Range<usize>, out: &mut dyn FnMut(Piece<'a>)) {
    if run.end == range.start {
        run.end = range.end;
    } else if !range.is_empty() {
        flush(run, out);
        *run = range;
    }
}

//! One line: which field it is, and where its value begins.

/// A line by its meaning; the number is the offset of the value, which runs to the line's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// The end of an event.
    Blank,
    /// `:` and anything.
    Comment,
    Data(usize),
    Event(usize),
    Id(usize),
    /// `retry`, which concerns reconnection only: a cut answer of a model cannot be taken up by asking
    /// the same address again. And lines of white space.
    Ignored,
    /// What the standard does not know.
    Stray,
}

impl Field {
    /// Reads a line without its line end.
    #[inline]
    pub(super) fn of(line: &[u8]) -> Self {
        // `data` first: nearly every line of an answer is one.
        if let Some(rest) = line.strip_prefix(b"data") {
            return value_offset("data".len(), rest).map_or(Self::Stray, Self::Data);
        }
        match line {
            [] => Self::Blank,
            [b':', ..] => Self::Comment,
            [b'e', b'v', b'e', b'n', b't', rest @ ..] => {
                value_offset("event".len(), rest).map_or(Self::Stray, Self::Event)
            }
            [b'i', b'd', rest @ ..] => value_offset("id".len(), rest).map_or(Self::Stray, Self::Id),
            [b'r', b'e', b't', b'r', b'y', rest @ ..] if value_offset(0, rest).is_some() => Self::Ignored,
            _ if line.trim_ascii().is_empty() => Self::Ignored,
            _ => Self::Stray,
        }
    }
}

/// Where the value starts, if `rest` shows that the name ends here: after the colon and one
/// optional space, or, without a colon, at the line's end, as an empty value.
#[inline]
const fn value_offset(name: usize, rest: &[u8]) -> Option<usize> {
    match rest {
        [] => Some(name),
        [b':', b' ', ..] => Some(name + 2),
        [b':', ..] => Some(name + 1),
        _ => None,
    }
}

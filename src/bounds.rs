//! Bounds of what others name: an identifier that is kept is never longer than this.

use std::borrow::Cow;

/// The longest identifier that is kept, in bytes.
pub(crate) const LONGEST_NAME: usize = 256;

/// The beginning of the text: whole characters, at most [`LONGEST_NAME`] bytes.
pub(crate) fn cut(text: &str) -> &str {
    let mut end = LONGEST_NAME.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// The same of a text that may be owned.
pub(crate) fn cut_cow(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(cut(text)),
        Cow::Owned(text) if text.len() <= LONGEST_NAME => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(cut(&text).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded() {
        let long = "é".repeat(300);
        assert_eq!(cut(&long).len(), 256);
        assert_eq!(cut("gen-1"), "gen-1");
        assert_eq!(cut_cow(Cow::Owned(format!("x{long}"))).len(), 255);
    }
}

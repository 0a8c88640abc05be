//! Bounds of what others name: an identifier that is kept is never longer than this.

use std::{
    borrow::Cow,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

/// The longest identifier that is kept, in bytes.
pub(crate) const LONGEST_NAME: usize = 256;

/// The text, cut to at most [`LONGEST_NAME`] bytes.
pub(crate) fn cut(text: &str) -> &str {
    start(text, LONGEST_NAME)
}

/// The beginning of a text, of at most so many bytes and whole characters.
fn start(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
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

/// A key of a table, of at most [`LONGEST_NAME`] bytes: of a longer one its beginning and a hash of all of it, so that two keys stay two.
pub(crate) fn bounded_key(key: Arc<str>) -> Arc<str> {
    if key.len() <= LONGEST_NAME {
        return key;
    }
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let hash = format!("~{:016x}", hasher.finish());
    let start = start(&key, LONGEST_NAME - hash.len());
    format!("{start}{hash}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_and_stays_distinct() {
        let long = "é".repeat(300);
        assert_eq!(cut(&long).len(), 256);
        assert_eq!(cut("gen-1"), "gen-1");
        assert_eq!(cut_cow(Cow::Owned(format!("x{long}"))).len(), 255);
        let key = |end: &str| bounded_key(format!("{long}{end}").into());
        assert!(key("a").len() <= LONGEST_NAME);
        assert_ne!(key("a"), key("b"));
        assert_eq!(bounded_key("tenant".into()).as_ref(), "tenant");
    }
}

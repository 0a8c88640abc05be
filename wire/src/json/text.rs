//! A string of JSON text, as it stands there.

use std::borrow::Cow;
use std::ops::Range;

/// The inside of a JSON string: between the quotes, escapes and all.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    raw: &'a [u8],
    at: usize,
    escaped: bool,
}

impl<'a> Text<'a> {
    pub(super) fn new(raw: &'a [u8], at: usize, escaped: bool) -> Self {
        Self { raw, at, escaped }
    }

    /// A text without escapes that stands nowhere.
    #[must_use]
    pub const fn constant(raw: &'static [u8]) -> Text<'static> {
        Text {
            raw,
            at: 0,
            escaped: false,
        }
    }

    /// Its range, without its quotes.
    #[inline]
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.at..self.at + self.raw.len()
    }

    /// The bytes, escapes and all.
    #[inline]
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The bytes, if they have no escapes.
    #[inline]
    #[must_use]
    pub fn plain(&self) -> Option<&'a [u8]> {
        (!self.escaped).then_some(self.raw)
    }

    /// The bytes if there is no escape among them, and nothing otherwise: good for a `match` on known names.
    ///
    /// A known name spelt with an escape is not recognised by this; readers of what others wrote for us may use it.
    #[inline]
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        if self.escaped { b"" } else { self.raw }
    }

    /// Whether nothing stands between the quotes.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Whether it says this.
    #[inline]
    #[must_use]
    pub fn is(&self, other: &str) -> bool {
        if self.escaped {
            self.to_str() == other
        } else {
            self.raw == other.as_bytes()
        }
    }

    /// The text without escapes. Half of a surrogate pair becomes U+FFFD, as does what is not UTF-8.
    #[inline]
    #[must_use]
    pub fn to_str(self) -> Cow<'a, str> {
        if self.escaped {
            Cow::Owned(unescape(&String::from_utf8_lossy(self.raw)))
        } else {
            String::from_utf8_lossy(self.raw)
        }
    }
}

fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(next) = rest.next() {
        if next != '\\' {
            text.push(next);
            continue;
        }
        match rest.next() {
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('u') => text.push(unicode(&mut rest)),
            Some(itself) => text.push(itself),
            None => {}
        }
    }
    text
}

fn unicode(rest: &mut std::str::Chars<'_>) -> char {
    let first = hex(rest);
    if !(0xD800..0xDC00).contains(&first) {
        return char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER);
    }
    let mut ahead = rest.clone();
    if ahead.next() == Some('\\') && ahead.next() == Some('u') {
        let second = hex(&mut ahead);
        if (0xDC00..0xE000).contains(&second) {
            *rest = ahead;
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            return char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        }
    }
    char::REPLACEMENT_CHARACTER
}

fn hex(rest: &mut std::str::Chars<'_>) -> u32 {
    rest.by_ref()
        .take(4)
        .fold(0, |code, digit| code * 16 + digit.to_digit(16).unwrap_or(0))
}

/// Text as a JSON string, quotes and all.
pub fn json_string(text: &str) -> Vec<u8> {
    let mut json = Vec::with_capacity(text.len() + 2);
    json.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => json.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                let digit = |nibble: u8| {
                    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
                };
                json.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
            }
            _ => json.push(byte),
        }
    }
    json.push(b'"');
    json
}

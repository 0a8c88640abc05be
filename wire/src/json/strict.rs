//! Text of answers that every JSON parser reads.

use std::borrow::Cow;

/// Numbers up to this length and without an exponent are always finite.
const FINITE_LENGTH: usize = 300;

/// The same JSON for parsers that are stricter than [`Cursor::lenient`](super::Cursor::lenient): a number that is not finite (`NaN`, `Infinity`,
/// `1e999`) becomes `null`, and half of a surrogate pair becomes `\ufffd`. Borrows if nothing has to change.
pub fn strict(json: &[u8]) -> Cow<'_, [u8]> {
    let mut out = Rewritten::of(json);
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                let inside = at + 1;
                let length = text_length(json.get(inside..).unwrap_or_default());
                replace_halves(&mut out, inside, inside + length);
                at = inside + length + 1;
            }
            b'N' | b'I' | b'-' | b'0'..=b'9' => {
                let rest = json.get(at..).unwrap_or_default();
                let length = rest.iter().take_while(|byte| is_of_number(**byte)).count().max(1);
                if !is_finite(rest.get(..length).unwrap_or_default()) {
                    out.replace(at..at + length, b"null");
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    out.finish()
}

/// The inside of a JSON string, in which half of a surrogate pair becomes `\ufffd`.
pub fn strict_text(inside: &[u8]) -> Cow<'_, [u8]> {
    let mut out = Rewritten::of(inside);
    replace_halves(&mut out, 0, inside.len());
    out.finish()
}

/// How many bytes there are up to the quote that ends the string.
fn text_length(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'"', b'\\', rest.get(at..).unwrap_or_default()) {
        at += found;
        if rest.get(at) == Some(&b'"') {
            return at;
        }
        at += 2;
    }
    rest.len()
}

fn replace_halves(out: &mut Rewritten<'_>, from: usize, to: usize) {
    let text = out.source.get(..to).unwrap_or_default();
    let mut at = from;
    while let Some(found) = memchr::memchr(b'\\', text.get(at..).unwrap_or_default()) {
        at += found;
        match unit(text, at) {
            Some(0xD800..=0xDBFF) if matches!(unit(text, at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(0xD800..=0xDFFF) => {
                out.replace(at..at + 6, b"\\ufffd");
                at += 6;
            }
            Some(_) => at += 6,
            None => at += 2,
        }
    }
}

/// The UTF-16 unit that is escaped at this place.
fn unit(text: &[u8], at: usize) -> Option<u32> {
    let escape = text.get(at..at + 6)?;
    let digits = escape.strip_prefix(b"\\u")?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

const fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'+' | b'-' | b'.') || byte.is_ascii_alphanumeric()
}

fn is_finite(number: &[u8]) -> bool {
    let letters = number.iter().any(u8::is_ascii_alphabetic);
    if !letters && number.len() <= FINITE_LENGTH {
        return true;
    }
    // Rust reads `NaN` and `Infinity` as well.
    let parsed = std::str::from_utf8(number)
        .ok()
        .and_then(|text| text.parse::<f64>().ok());
    parsed.is_some_and(f64::is_finite)
}

/// A copy that is begun at the first change.
struct Rewritten<'a> {
    source: &'a [u8],
    out: Vec<u8>,
    /// How much of the source is in the copy.
    copied: usize,
}

impl<'a> Rewritten<'a> {
    const fn of(source: &'a [u8]) -> Self {
        Self {
            source,
            out: Vec::new(),
            copied: 0,
        }
    }

    fn replace(&mut self, range: std::ops::Range<usize>, by: &[u8]) {
        let before = self.source.get(self.copied..range.start).unwrap_or_default();
        self.out.extend_from_slice(before);
        self.out.extend_from_slice(by);
        self.copied = range.end;
    }

    fn finish(mut self) -> Cow<'a, [u8]> {
        if self.copied == 0 {
            return Cow::Borrowed(self.source);
        }
        let rest = self.source.get(self.copied..).unwrap_or_default();
        self.out.extend_from_slice(rest);
        Cow::Owned(self.out)
    }
}

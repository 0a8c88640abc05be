//! Where strings end: most of any JSON text is inside of them.

use super::Cursor;
use super::error::{Expected, JsonError};

/// Strings up to this length are walked a word at a time; past it, `memchr` is quicker.
const SHORT: usize = 32;

impl Cursor<'_> {
    #[inline]
    pub(super) fn skip_string(&mut self) -> Result<(), JsonError> {
        self.string_end().map(drop)
    }

    /// From an opening quote to behind the closing one; answers whether there was an escape.
    #[inline]
    pub(super) fn string_end(&mut self) -> Result<bool, JsonError> {
        self.at += 1;
        let mut escaped = false;
        loop {
            self.plain()?;
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return Err(self.fail(Expected::Quote)),
            }
        }
    }

    /// Steps over characters that stand for themselves, up to a quote, a backslash or the end.
    #[inline]
    fn plain(&mut self) -> Result<(), JsonError> {
        for _ in 0..SHORT / 8 {
            let Some(word) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) else {
                break;
            };
            let plain = plain_bytes(*word);
            self.at += plain;
            if plain < 8 {
                return self.special();
            }
        }
        self.plain_long()
    }

    fn plain_long(&mut self) -> Result<(), JsonError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
        let run = rest.get(..length).unwrap_or_default();
        // Folding without an early exit lets the compiler look at many bytes at once.
        if run.iter().fold(false, |seen, byte| seen | (*byte < 0x20)) {
            self.at += run.iter().position(|byte| *byte < 0x20).unwrap_or(0);
            return self.special();
        }
        self.at += length;
        Ok(())
    }

    /// At a byte that does not stand for itself: a control character may not be there at all.
    #[inline]
    fn special(&self) -> Result<(), JsonError> {
        if self.byte().is_some_and(|byte| byte < 0x20) {
            Err(self.fail(Expected::Quote))
        } else {
            Ok(())
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.byte().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return Err(self.fail(Expected::Escape));
                    }
                    self.at += 1;
                }
                Ok(())
            }
            _ => Err(self.fail(Expected::Escape)),
        }
    }
}

/// How many of eight bytes stand for themselves in a string, before the first that is a quote, a backslash or a control character.
#[inline]
pub(super) fn plain_bytes(bytes: [u8; 8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    let word = u64::from_le_bytes(bytes);
    // The lowest byte marked is right; those above it may not be, as the subtraction borrows.
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    let quote = word ^ (ONES * 0x22);
    let backslash = word ^ (ONES * 0x5C);
    let marked = (below(word, 0x20) | below(quote, 1) | below(backslash, 1)) & HIGHS;
    usize::try_from(marked.trailing_zeros() / 8).unwrap_or(8)
}

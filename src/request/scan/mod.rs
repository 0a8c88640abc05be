//! A reader of JSON text that builds nothing.
//!
//! It walks the bytes once, checks the whole grammar as it goes, and hands out slices. The document, the facts of a request and the probe
//! of a stream frame all stand on it, so none of them copies a prompt or an answer to look at it.

mod error;
mod names;
mod number;
#[cfg(test)]
mod rfc8259;
mod strict;
mod strings;
#[cfg(test)]
mod tests;
mod text;
mod value;

pub use error::{Found, JsonError};
pub(crate) use number::whole_number;
pub(crate) use strict::{strict, strict_text};
pub(crate) use text::{Text, json_string};
pub(crate) use value::lenient_value;

use error::Expected;

/// The deepest nesting that is read. `serde_json` stops at 127 levels, so nothing that may be deeper is read with it alone.
pub(crate) const MAX_DEPTH: u32 = 512;

/// How many levels one call of [`Cursor::skip`] can remember: one bit for each.
const LEVELS_OF_A_WALK: u32 = 128;

/// A position in JSON text.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How many objects and arrays are open around this place.
    depth: u32,
    /// Whether `NaN`, `Infinity` and `-Infinity` are read as numbers.
    lenient: bool,
}

/// Checks that text is UTF-8. The cursor does not.
pub(crate) fn check_utf8(bytes: &[u8]) -> Result<(), JsonError> {
    match std::str::from_utf8(bytes) {
        Ok(_) => Ok(()),
        Err(error) => {
            let found = if error.error_len().is_none() {
                Found::End
            } else {
                Found::Other
            };
            Err(JsonError::new(error.valid_up_to(), Expected::Utf8, found))
        }
    }
}

impl<'a> Cursor<'a> {
    /// A reader of requests: strict JSON.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            depth: 0,
            lenient: false,
        }
    }

    /// A reader of answers: JSON, with `NaN`, `Infinity` and `-Infinity` as numbers. Servers in Python write these.
    pub(crate) const fn lenient(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            depth: 0,
            lenient: true,
        }
    }

    /// The offset of the next byte to be read.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The text from this offset up to the next byte to be read.
    pub(crate) fn since(&self, from: usize) -> &'a [u8] {
        self.bytes.get(from..self.at).unwrap_or_default()
    }

    /// Skips white space to whatever comes next, and returns its position.
    pub(crate) fn separator(&mut self) -> usize {
        self.next_solid();
        self.at
    }

    /// What kind of value comes next. Steps over white space, and over nothing else.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<Found, JsonError> {
        let found = Found::from_byte(self.next_solid());
        if found.is_value() {
            Ok(found)
        } else if self.not_finite() > 0 {
            Ok(Found::Number)
        } else {
            Err(self.fail(Expected::Value))
        }
    }

    /// Steps over one value, whatever it is.
    pub(crate) fn skip(&mut self) -> Result<(), JsonError> {
        // One bit per level: set if the level is an object.
        let mut objects = 0_u128;
        let mut depth = 0_u32;
        loop {
            let opened = match self.next_solid() {
                Some(b'"') => self.skip_string().map(|()| false)?,
                Some(b'{' | b'[') if depth == LEVELS_OF_A_WALK => self.skip_deeper(depth).map(|()| false)?,
                Some(b'{') => self.open(b'}', true, &mut objects, &mut depth)?,
                Some(b'[') => self.open(b']', false, &mut objects, &mut depth)?,
                Some(b't') => self.word(b"true").map(|()| false)?,
                Some(b'f') => self.word(b"false").map(|()| false)?,
                Some(b'n') => self.word(b"null").map(|()| false)?,
                Some(b'-' | b'0'..=b'9') => self.skip_number().map(|()| false)?,
                _ => match self.not_finite() {
                    0 => return Err(self.fail(Expected::Value)),
                    length => {
                        self.at += length;
                        false
                    }
                },
            };
            if opened {
                if objects & 1 == 1 {
                    self.skip_key()?;
                }
                continue;
            }
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let object = objects & 1 == 1;
                match self.next_solid() {
                    Some(b',') => {
                        self.at += 1;
                        if object {
                            self.skip_key()?;
                        }
                        break;
                    }
                    Some(b'}') if object => self.at += 1,
                    Some(b']') if !object => self.at += 1,
                    _ => {
                        return Err(self.fail(if object {
                            Expected::CommaOrBrace
                        } else {
                            Expected::CommaOrBracket
                        }));
                    }
                }
                objects >>= 1;
                depth -= 1;
            }
        }
    }

    /// Steps over a value below the levels that one walk can remember. There are at most four such walks within each other.
    #[cold]
    fn skip_deeper(&mut self, levels: u32) -> Result<(), JsonError> {
        self.depth += levels;
        self.skip()?;
        self.depth -= levels;
        Ok(())
    }

    /// Steps over one value and returns its text.
    pub(crate) fn raw(&mut self) -> Result<&'a [u8], JsonError> {
        self.peek()?;
        let from = self.at;
        self.skip()?;
        Ok(self.bytes.get(from..self.at).unwrap_or_default())
    }

    /// Reads a string.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Text<'a>, JsonError> {
        if self.next_solid() != Some(b'"') {
            return Err(self.fail(Expected::String));
        }
        let from = self.at + 1;
        let escaped = self.string_end()?;
        Ok(Text::new(
            self.bytes.get(from..self.at - 1).unwrap_or_default(),
            from,
            escaped,
        ))
    }

    /// Reads a string; steps over anything else.
    #[inline]
    pub(crate) fn string_or_skip(&mut self) -> Result<Option<Text<'a>>, JsonError> {
        if self.peek()? == Found::String {
            self.string().map(Some)
        } else {
            self.skip().map(|()| None)
        }
    }

    /// Reads a whole number that fits, also one that is written as `10.0` or `1e1`; steps over anything else.
    pub(crate) fn u64_or_skip(&mut self) -> Result<Option<u64>, JsonError> {
        self.raw().map(whole_number)
    }

    /// Walks an object. `member` must step over exactly one value each time it is called.
    pub(crate) fn object<F>(&mut self, mut member: F) -> Result<(), JsonError>
    where
        F: FnMut(Text<'a>, &mut Self) -> Result<(), JsonError>,
    {
        if self.next_solid() != Some(b'{') {
            return Err(self.fail(Expected::Object));
        }
        if self.enter(b'}')? {
            return Ok(());
        }
        loop {
            let key = self.key()?;
            member(key, self)?;
            match self.next_solid() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    self.depth -= 1;
                    return Ok(());
                }
                _ => return Err(self.fail(Expected::CommaOrBrace)),
            }
        }
    }

    /// Walks an object; steps over anything else.
    pub(crate) fn object_or_skip<F>(&mut self, member: F) -> Result<(), JsonError>
    where
        F: FnMut(Text<'a>, &mut Self) -> Result<(), JsonError>,
    {
        if self.peek()? == Found::Object {
            self.object(member)
        } else {
            self.skip()
        }
    }

    /// Walks an array; steps over anything else. `item` must step over exactly one value each time it is called.
    pub(crate) fn array_or_skip<F>(&mut self, mut item: F) -> Result<(), JsonError>
    where
        F: FnMut(&mut Self) -> Result<(), JsonError>,
    {
        if self.peek()? != Found::Array {
            return self.skip();
        }
        if self.enter(b']')? {
            return Ok(());
        }
        loop {
            item(self)?;
            match self.next_solid() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    self.depth -= 1;
                    return Ok(());
                }
                _ => return Err(self.fail(Expected::CommaOrBracket)),
            }
        }
    }

    /// Calls `item` for each item of an array; anything else is the only item.
    pub(crate) fn each_or_self<F>(&mut self, mut item: F) -> Result<(), JsonError>
    where
        F: FnMut(&mut Self) -> Result<(), JsonError>,
    {
        if self.peek()? == Found::Array {
            return self.array_or_skip(item);
        }
        item(self)
    }

    /// The error of an object with more members than are read.
    #[cold]
    pub(crate) fn has_too_many(&self) -> JsonError {
        self.fail(Expected::Fewer)
    }

    /// Checks that nothing but white space is left.
    pub(crate) fn end(&mut self) -> Result<(), JsonError> {
        if self.next_solid().is_none() {
            Ok(())
        } else {
            Err(self.fail(Expected::End))
        }
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn next_solid(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other,
            }
        }
    }

    #[cold]
    fn fail(&self, expected: Expected) -> JsonError {
        JsonError::new(self.at, expected, Found::from_byte(self.byte()))
    }

    /// Enters what is walked by the caller; returns true if it was empty and is closed again.
    #[inline]
    fn enter(&mut self, close: u8) -> Result<bool, JsonError> {
        if self.depth >= MAX_DEPTH {
            return Err(self.fail(Expected::Shallower));
        }
        self.at += 1;
        if self.next_solid() == Some(close) {
            self.at += 1;
            return Ok(true);
        }
        self.depth += 1;
        Ok(false)
    }

    /// Enters what is stepped over; returns false if it was empty and is closed again.
    #[inline]
    fn open(&mut self, close: u8, object: bool, objects: &mut u128, depth: &mut u32) -> Result<bool, JsonError> {
        if self.depth + *depth >= MAX_DEPTH {
            return Err(self.fail(Expected::Shallower));
        }
        self.at += 1;
        if self.next_solid() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        *objects = (*objects << 1) | u128::from(object);
        *depth += 1;
        Ok(true)
    }

    #[inline]
    fn key(&mut self) -> Result<Text<'a>, JsonError> {
        if self.next_solid() != Some(b'"') {
            return Err(self.fail(Expected::Key));
        }
        let key = self.string()?;
        self.colon().map(|()| key)
    }

    #[inline]
    fn skip_key(&mut self) -> Result<(), JsonError> {
        if self.next_solid() != Some(b'"') {
            return Err(self.fail(Expected::Key));
        }
        self.skip_string()?;
        self.colon()
    }

    #[inline]
    fn colon(&mut self) -> Result<(), JsonError> {
        if self.next_solid() != Some(b':') {
            return Err(self.fail(Expected::Colon));
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    fn word(&mut self, word: &[u8]) -> Result<(), JsonError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.starts_with(word) {
            self.at += word.len();
            return Ok(());
        }
        if word.starts_with(rest) {
            self.at = self.bytes.len();
        }
        Err(self.fail(Expected::Value))
    }
}

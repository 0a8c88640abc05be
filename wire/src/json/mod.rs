//! A reader of JSON text that builds nothing: the cursor, its errors, and what makes lenient text strict.
//!
//! It walks the bytes once, checks the whole grammar as it goes, and hands out slices. The document, the facts of a request and the probe
//! of a stream frame all stand on it, so none of them copies a prompt or an answer to look at it.

mod error;
mod lookup;
mod marks;
mod names;
mod number;
#[cfg(test)]
mod rfc8259_tests;
mod strict;
mod strings;
#[cfg(test)]
mod tests;
mod text;
mod value;

pub use error::{Found, JsonError};
pub use lookup::{full, is_text, member, raw_member, text};
pub use number::whole_number;
pub use strict::{strict, strict_text};
pub use text::{Text, json_string};
pub use value::lenient_value;

use error::Expected;

/// The deepest nesting that is read. `serde_json` stops at 127 levels, so nothing that may be deeper is read with it alone.
pub const MAX_DEPTH: u32 = 512;

/// The most members that a request may have at its top level, doubles included: far more than there are fields.
pub(crate) const MAX_MEMBERS: usize = 4_096;

/// How many levels one call of [`Cursor::skip`] can remember: one bit for each.
const LEVELS_OF_A_WALK: u32 = 128;

/// A position in JSON text.
#[derive(Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How many objects and arrays are open around this place.
    depth: u32,
    /// Whether `NaN`, `Infinity` and `-Infinity` are read as numbers.
    lenient: bool,
}

/// Checks that text is UTF-8. The cursor does not.
///
/// # Errors
///
/// If it is not: the place of the first byte at fault.
pub fn check_utf8(bytes: &[u8]) -> Result<(), JsonError> {
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
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            depth: 0,
            lenient: false,
        }
    }

    /// A reader of answers: JSON, with `NaN`, `Infinity` and `-Infinity` as numbers. Servers in Python write these.
    #[must_use]
    pub const fn lenient(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            depth: 0,
            lenient: true,
        }
    }

    /// The offset of the next byte to be read.
    #[inline]
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// The text from this offset up to the next byte to be read.
    #[inline]
    #[must_use]
    pub fn since(&self, from: usize) -> &'a [u8] {
        self.bytes.get(from..self.at).unwrap_or_default()
    }

    /// Skips white space to whatever comes next, and returns its position.
    #[inline]
    pub fn separator(&mut self) -> usize {
        self.next_solid();
        self.at
    }

    /// What kind of value comes next. Steps over white space, and over nothing else.
    ///
    /// # Errors
    ///
    /// If no value begins here.
    #[inline]
    pub fn peek(&mut self) -> Result<Found, JsonError> {
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
    ///
    /// # Errors
    ///
    /// If it is not JSON.
    pub fn skip(&mut self) -> Result<(), JsonError> {
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
    ///
    /// # Errors
    ///
    /// If it is not JSON.
    #[inline]
    pub fn raw(&mut self) -> Result<&'a [u8], JsonError> {
        self.peek()?;
        let from = self.at;
        self.skip()?;
        Ok(self.bytes.get(from..self.at).unwrap_or_default())
    }

    /// Reads a string.
    ///
    /// # Errors
    ///
    /// If it is none.
    #[inline]
    pub fn string(&mut self) -> Result<Text<'a>, JsonError> {
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
    ///
    /// # Errors
    ///
    /// If it is not JSON.
    #[inline]
    pub fn string_or_skip(&mut self) -> Result<Option<Text<'a>>, JsonError> {
        if self.peek()? == Found::String {
            self.string().map(Some)
        } else {
            self.skip().map(|()| None)
        }
    }

    /// Reads a whole number that fits, also one that is written as `10.0` or `1e1`; steps over anything else.
    ///
    /// # Errors
    ///
    /// If it is not JSON.
    #[inline]
    pub fn u64_or_skip(&mut self) -> Result<Option<u64>, JsonError> {
        self.raw().map(whole_number)
    }

    /// Walks an object. `member` must step over exactly one value each time it is called.
    ///
    /// # Errors
    ///
    /// If it is none, or what `member` fails with.
    pub fn object<F>(&mut self, mut member: F) -> Result<(), JsonError>
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
    ///
    /// # Errors
    ///
    /// If it is not JSON.
    pub fn object_or_skip<F>(&mut self, member: F) -> Result<(), JsonError>
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
    ///
    /// # Errors
    ///
    /// If it is not JSON.
    pub fn array_or_skip<F>(&mut self, mut item: F) -> Result<(), JsonError>
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
    ///
    /// # Errors
    ///
    /// If it is not JSON.
    pub fn each_or_self<F>(&mut self, mut item: F) -> Result<(), JsonError>
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
    ///
    /// # Errors
    ///
    /// If something else is left.
    #[inline]
    pub fn end(&mut self) -> Result<(), JsonError> {
        if self.next_solid().is_none() {
            Ok(())
        } else {
            Err(self.fail(Expected::End))
        }
    }
}

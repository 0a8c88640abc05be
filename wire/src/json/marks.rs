//! The marks that values stand between: blanks, braces, commas, colons; and the words that are values themselves.

use super::{Cursor, Found, JsonError, MAX_DEPTH, Text, error::Expected};

impl<'a> Cursor<'a> {
    #[inline]
    pub(super) fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub(super) fn next_solid(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other,
            }
        }
    }

    #[cold]
    pub(super) fn fail(&self, expected: Expected) -> JsonError {
        JsonError::new(self.at, expected, Found::from_byte(self.byte()))
    }

    /// Enters what is walked by the caller; returns true if it was empty and is closed again.
    #[inline]
    pub(super) fn enter(&mut self, close: u8) -> Result<bool, JsonError> {
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
    pub(super) fn open(
        &mut self,
        close: u8,
        object: bool,
        objects: &mut u128,
        depth: &mut u32,
    ) -> Result<bool, JsonError> {
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
    pub(super) fn key(&mut self) -> Result<Text<'a>, JsonError> {
        if self.next_solid() != Some(b'"') {
            return Err(self.fail(Expected::Key));
        }
        let key = self.string()?;
        self.colon().map(|()| key)
    }

    #[inline]
    pub(super) fn skip_key(&mut self) -> Result<(), JsonError> {
        if self.next_solid() != Some(b'"') {
            return Err(self.fail(Expected::Key));
        }
        self.skip_string()?;
        self.colon()
    }

    #[inline]
    pub(super) fn colon(&mut self) -> Result<(), JsonError> {
        if self.next_solid() != Some(b':') {
            return Err(self.fail(Expected::Colon));
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    pub(super) fn word(&mut self, word: &[u8]) -> Result<(), JsonError> {
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

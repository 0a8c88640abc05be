//! One vector, however it came.

use serde::{Serialize, Serializer};

use crate::json::{Cursor, Found, JsonError};
use crate::view::{Absent, Field, Wire};

/// The numbers of an embedding: read from a JSON array, or from base64 of little-endian 32-bit floats.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Vector(Vec<f32>);

impl Vector {
    /// The numbers.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// The numbers, taken out.
    #[must_use]
    pub fn into_inner(self) -> Vec<f32> {
        self.0
    }

    /// As base64 of little-endian 32-bit floats.
    pub(super) fn to_base64(&self) -> String {
        let bytes: Vec<u8> = self.0.iter().flat_map(|number| number.to_le_bytes()).collect();
        let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
        for group in bytes.chunks(3) {
            let bits = group.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
            let bits = bits << (8 * (3 - group.len()));
            for place in 0..4 {
                let letter = if place > group.len() {
                    '='
                } else {
                    letter(bits >> (18 - 6 * place))
                };
                text.push(letter);
            }
        }
        text
    }
}

impl From<Vec<f32>> for Vector {
    fn from(numbers: Vec<f32>) -> Self {
        Self(numbers)
    }
}

impl Absent for Vector {}

impl Serialize for Vector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Wire for Vector {
    fn read(cursor: &mut Cursor<'_>) -> Result<Field<Self>, JsonError> {
        match cursor.peek()? {
            Found::String => {
                let text = cursor.string()?;
                Ok(decoded(&text.to_str()).map(Self).into())
            }
            Found::Array => {
                let raw = cursor.raw()?;
                // Some servers put the one vector into a list.
                let numbers = numbers(raw)?.or(only(raw)?.map(numbers).transpose()?.flatten());
                Ok(numbers.map_or(Field::Unread, |numbers| Field::Read(Self(numbers))))
            }
            _ => {
                let is_null = cursor.raw()? == b"null";
                Ok(if is_null { Field::Null } else { Field::Unread })
            }
        }
    }
}

/// The numbers of a list; `None` if anything else stands in it: a vector without one of its numbers is another vector.
fn numbers(list: &[u8]) -> Result<Option<Vec<f32>>, JsonError> {
    let (mut numbers, mut all) = (Vec::new(), true);
    Cursor::lenient(list).array_or_skip(|item| {
        let text = std::str::from_utf8(item.raw()?).unwrap_or_default();
        match text.parse::<f32>() {
            Ok(number) if number.is_finite() => numbers.push(number),
            _ => all = false,
        }
        Ok(())
    })?;
    Ok(all.then_some(numbers))
}

/// The only item of a list, if that is a list.
fn only(list: &[u8]) -> Result<Option<&[u8]>, JsonError> {
    let (mut only, mut count) = (None, 0_usize);
    Cursor::lenient(list).array_or_skip(|item| {
        let item = item.raw()?;
        (only, count) = (Some(item), count + 1);
        Ok(())
    })?;
    Ok(only.filter(|item| count == 1 && item.first() == Some(&b'[')))
}

/// The floats of a base64 text, with padding or without; `None` if it is none.
fn decoded(text: &str) -> Option<Vec<f32>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.chunks(4) {
        let mut bits = 0_u32;
        for letter in group {
            bits = (bits << 6) | sextet(*letter)?;
        }
        // What is left of a group that is not full.
        let missing = 4 - group.len();
        let [_, first, second, third] = (bits << (6 * missing)).to_be_bytes();
        match missing {
            0 => bytes.extend_from_slice(&[first, second, third]),
            1 => bytes.extend_from_slice(&[first, second]),
            2 => bytes.push(first),
            _ => return None,
        }
    }
    let (floats, rest) = bytes.as_chunks::<4>();
    rest.is_empty()
        .then(|| floats.iter().copied().map(f32::from_le_bytes).collect())
}

/// The letter of the last six bits.
fn letter(bits: u32) -> char {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = usize::try_from(bits & 63).ok().and_then(|at| LETTERS.get(at));
    letter.copied().map_or('=', char::from)
}

/// The six bits of a letter, in either alphabet of base64.
pub(super) const fn sextet(letter: u8) -> Option<u32> {
    let bits = match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(bits as u32)
}

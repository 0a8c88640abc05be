//! How single values on the wire are read.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Extra;
use crate::json::{Cursor, Found, JsonError, lenient_value, whole_number};

/// What came of reading a value as a type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Field<T> {
    /// It is null: the same as absent.
    Null,
    /// The typed value says all of it.
    Read(T),
    /// The typed value says a part of it.
    Partly(T),
    /// It is of another shape.
    Unread,
}

impl<T> Field<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Field<U> {
        match self {
            Self::Null => Field::Null,
            Self::Read(value) => Field::Read(change(value)),
            Self::Partly(value) => Field::Partly(change(value)),
            Self::Unread => Field::Unread,
        }
    }

    pub(crate) fn into_value(self) -> T
    where
        T: Default,
    {
        match self {
            Self::Read(value) | Self::Partly(value) => value,
            Self::Null | Self::Unread => T::default(),
        }
    }
}

impl<T> From<Option<T>> for Field<T> {
    fn from(read: Option<T>) -> Self {
        read.map_or(Self::Unread, Self::Read)
    }
}

/// A type that can be read from a value on the wire. The text must be UTF-8.
pub(crate) trait Wire: Sized {
    /// Steps over exactly one value.
    fn read(cursor: &mut Cursor<'_>) -> Result<Field<Self>, JsonError>;
}

/// A field of this name: its text is kept if the type does not say all of it.
pub(crate) fn field<'a, T: Default, R>(
    read: R,
    cursor: &mut Cursor<'a>,
    name: &str,
    extra: &mut Extra,
) -> Result<T, JsonError>
where
    R: FnOnce(&mut Cursor<'a>) -> Result<Field<T>, JsonError>,
{
    let from = cursor.separator();
    let value = read(cursor)?;
    if matches!(value, Field::Partly(_) | Field::Unread) {
        extra.insert_raw(name, cursor.since(from));
    } else {
        // Of a key that stands twice the last one counts.
        extra.forget(name);
    }
    Ok(value.into_value())
}

/// All of a text as one value. A byte order mark before it does not matter.
pub(crate) fn read_whole<T: Wire>(text: &[u8]) -> Option<T> {
    try_read_whole(text).ok().flatten()
}

/// The same, with the place at fault. `None` if it is JSON of another shape.
pub(crate) fn try_read_whole<T: Wire>(text: &[u8]) -> Result<Option<T>, JsonError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    crate::json::check_utf8(text)?;
    let mut cursor = Cursor::lenient(text);
    let read = T::read(&mut cursor)?;
    cursor.end()?;
    Ok(match read {
        Field::Read(value) | Field::Partly(value) => Some(value),
        Field::Null | Field::Unread => None,
    })
}

impl Wire for String {
    fn read(cursor: &mut Cursor<'_>) -> Result<Field<Self>, JsonError> {
        if cursor.peek()? != Found::String {
            return skipped(cursor);
        }
        let text = cursor.string()?;
        let read = text.to_str().into_owned();
        // Half of a surrogate pair, perhaps.
        let lossy = text.plain().is_none() && read.contains(char::REPLACEMENT_CHARACTER);
        Ok(if lossy { Field::Partly(read) } else { Field::Read(read) })
    }
}

impl Wire for u64 {
    /// Also a number that is written as `10.0`, `1e1` or `"10"`.
    fn read(cursor: &mut Cursor<'_>) -> Result<Field<Self>, JsonError> {
        match cursor.peek()? {
            Found::Number => cursor.u64_or_skip().map(Field::from),
            Found::String => {
                let text = cursor.string()?;
                Ok(text.plain().map(<[u8]>::trim_ascii).and_then(whole_number).into())
            }
            _ => skipped(cursor),
        }
    }
}

impl Wire for f64 {
    fn read(cursor: &mut Cursor<'_>) -> Result<Field<Self>, JsonError> {
        let found = cursor.peek()?;
        if !matches!(found, Found::Number | Found::String) {
            return skipped(cursor);
        }
        let text = std::str::from_utf8(cursor.raw()?).unwrap_or_default();
        let number = text.trim_matches('"').trim().parse().ok();
        Ok(number.filter(|number: &Self| number.is_finite()).into())
    }
}

impl Wire for bool {
    fn read(cursor: &mut Cursor<'_>) -> Result<Field<Self>, JsonError> {
        if cursor.peek()? != Found::Bool {
            return skipped(cursor);
        }
        Ok(Field::Read(cursor.raw()? == b"true"))
    }
}

impl Wire for Value {
    fn read(cursor: &mut Cursor<'_>) -> Result<Field<Self>, JsonError> {
        Ok(match lenient_value(cursor.raw()?) {
            Some((value, true)) => Field::Read(value),
            Some((value, false)) => Field::Partly(value),
            None => Field::Unread,
        })
    }
}

impl<T: Wire> Wire for Option<T> {
    fn read(cursor: &mut Cursor<'_>) -> Result<Field<Self>, JsonError> {
        if cursor.peek()? == Found::Null {
            return skipped(cursor);
        }
        Ok(T::read(cursor)?.map(Some))
    }
}

impl<T: Wire> Wire for Vec<T> {
    /// Elements of another shape are left out, and one object by itself is a list of it.
    fn read(cursor: &mut Cursor<'_>) -> Result<Field<Self>, JsonError> {
        match cursor.peek()? {
            Found::Array => {}
            Found::Object => {
                return Ok(match T::read(cursor)? {
                    Field::Read(only) | Field::Partly(only) => Field::Partly(vec![only]),
                    Field::Null | Field::Unread => Field::Unread,
                });
            }
            _ => return skipped(cursor),
        }
        let (mut list, mut all) = (Self::new(), true);
        cursor.array_or_skip(|item| {
            match T::read(item)? {
                Field::Read(value) => list.push(value),
                Field::Partly(value) => {
                    list.push(value);
                    all = false;
                }
                Field::Null | Field::Unread => all = false,
            }
            Ok(())
        })?;
        Ok(if all { Field::Read(list) } else { Field::Partly(list) })
    }
}

/// Steps over a value that is of another shape than its type, or null.
pub(super) fn skipped<T>(cursor: &mut Cursor<'_>) -> Result<Field<T>, JsonError> {
    let null = cursor.peek()? == Found::Null;
    cursor.skip()?;
    Ok(if null { Field::Null } else { Field::Unread })
}

/// Types that are read with `serde_json`: what it refuses is of another shape.
macro_rules! read_by_serde {
    ($($type:ty),+ $(,)?) => { $(
        impl $crate::view::Wire for $type {
            fn read(
                cursor: &mut $crate::json::Cursor<'_>,
            ) -> Result<$crate::view::Field<Self>, $crate::json::JsonError> {
                let read: Option<Self> = serde_json::from_slice(cursor.raw()?).ok();
                Ok(read.into())
            }
        }
    )+ };
}

pub(crate) use read_by_serde;

read_by_serde!(i64, BTreeMap<String, Value>);

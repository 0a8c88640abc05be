//! Members of an object that its type has no field for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::ser::SerializeMap;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Field;
use crate::json::{Cursor, JsonError, lenient_value, strict};

/// Fields this version does not know, and known ones that cannot be read in full as their type: kept as the text they came as.
///
/// An answer's text may hold what strict JSON does not, such as `NaN`. It is written as null.
#[derive(Clone, Default)]
pub struct Extra(BTreeMap<String, Box<str>>);

impl Extra {
    /// A field by its name, as the text it came as.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|raw| &**raw)
    }

    /// A field by its name. A number that is not finite is null in it, and half of a surrogate pair is U+FFFD.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value> {
        lenient_value(self.raw(name)?.as_bytes()).map(|(value, _)| value)
    }

    /// Adds a field, or gives it another value.
    pub fn insert(&mut self, name: impl Into<String>, value: &Value) {
        self.0.insert(name.into(), value.to_string().into());
    }

    /// The names of the fields.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Steps over the value that comes next, and keeps it under this name.
    pub(crate) fn keep(&mut self, name: &str, value: &mut Cursor<'_>) -> Result<(), JsonError> {
        let raw = value.raw()?;
        self.insert_raw(name, raw);
        Ok(())
    }

    pub(super) fn insert_raw(&mut self, name: &str, raw: &[u8]) {
        self.0.insert(name.to_owned(), String::from_utf8_lossy(raw).into());
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The text of a known field, if reading it again gives what the field says still.
    pub(crate) fn unchanged<T, R>(&self, name: &str, field: &T, read: R) -> Option<&str>
    where
        T: PartialEq + Default,
        R: FnOnce(&mut Cursor<'_>) -> Result<Field<T>, JsonError>,
    {
        let raw = self.raw(name)?;
        let again = read(&mut Cursor::lenient(raw.as_bytes())).ok()?;
        (again.into_value() == *field).then_some(raw)
    }

    /// Writes all but these, which have fields of their own.
    pub(crate) fn write<M: SerializeMap>(&self, map: &mut M, known: &[&str]) -> Result<(), M::Error> {
        let unknown = self.0.iter().filter(|(name, _)| !known.contains(&name.as_str()));
        unknown
            .into_iter()
            .try_for_each(|(name, raw)| map.serialize_entry(name, &written(raw)))
    }
}

/// The text as strict JSON.
pub(crate) fn written(raw: &str) -> Option<Box<RawValue>> {
    let text = match strict(raw.as_bytes()) {
        Cow::Borrowed(_) => raw.to_owned(),
        Cow::Owned(changed) => String::from_utf8(changed).ok()?,
    };
    RawValue::from_string(text).ok()
}

impl PartialEq for Extra {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl fmt::Debug for Extra {
    /// The names: the values may be a caller's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

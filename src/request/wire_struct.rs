//! Objects on the wire, read for what they hold and not for what they should hold.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;
use serde_json::Value;
use serde_json::value::RawValue;

/// A struct for an object on the wire.
///
/// Reading never fails for what is inside: a field that is absent, null or of another shape is the default of its type, and unknown fields stay in
/// `extra` as the text they came as. A key that stands twice counts the last time. Numbers in between keep every digit.
///
/// Writing leaves out what is `None` or an empty list, unless the field says `always`.
macro_rules! wire_struct {
    (
        $(#[$about:meta])*
        $name:ident { $( $(#[$doc:meta])* $field:ident : $type:ty = $wire:literal $($always:ident)?, )+ }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Default)]
        #[non_exhaustive]
        pub struct $name {
            $( $(#[$doc])* pub $field: $type, )+
            /// Fields this version does not know.
            pub extra: $crate::request::Extra,
        }

        impl $crate::request::wire_struct::Absent for $name {}

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;

                impl<'de> serde::de::Visitor<'de> for Visitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut read = $name::default();
                        while let Some(key) = map.next_key::<String>()? {
                            let raw = map.next_value::<Box<serde_json::value::RawValue>>()?;
                            match key.as_str() {
                                $( $wire => read.$field = $crate::request::wire_struct::lenient(&raw), )+
                                _ => read.extra.insert_raw(key, raw),
                            }
                        }
                        Ok(read)
                    }
                }

                deserializer.deserialize_map(Visitor)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;
                use $crate::request::wire_struct::Absent as _;

                let mut map = serializer.serialize_map(None)?;
                $(
                    let always = false $( || stringify!($always) == "always" )?;
                    if always || !self.$field.is_absent() {
                        map.serialize_entry($wire, &self.$field)?;
                    }
                )+
                self.extra.write(&mut map)?;
                map.end()
            }
        }
    };
}

pub(crate) use wire_struct;

/// What a value says, or the default where it says something else.
pub(crate) fn lenient<T: DeserializeOwned + Default>(raw: &RawValue) -> T {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

/// Whether a field need not be written.
pub(crate) trait Absent {
    fn is_absent(&self) -> bool {
        false
    }
}

impl<T> Absent for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T> Absent for Vec<T> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl Absent for String {}
impl Absent for u64 {}
impl Absent for bool {}

/// Fields this version does not know, kept as the text they came as.
#[derive(Clone, Default)]
pub struct Extra(BTreeMap<String, Box<RawValue>>);

impl Extra {
    /// A field by its name, as JSON text.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|raw| raw.get())
    }

    /// A field by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value> {
        self.raw(name).and_then(|raw| serde_json::from_str(raw).ok())
    }

    /// Adds a field, or gives it another value.
    pub fn insert(&mut self, name: impl Into<String>, value: &Value) {
        if let Ok(raw) = serde_json::value::to_raw_value(value) {
            self.insert_raw(name.into(), raw);
        }
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

    pub(crate) fn insert_raw(&mut self, name: String, raw: Box<RawValue>) {
        self.0.insert(name, raw);
    }

    pub(crate) fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.0.iter().try_for_each(|(name, raw)| map.serialize_entry(name, raw))
    }
}

impl PartialEq for Extra {
    fn eq(&self, other: &Self) -> bool {
        self.names().eq(other.names())
            && self
                .0
                .values()
                .map(|raw| raw.get())
                .eq(other.0.values().map(|raw| raw.get()))
    }
}

impl fmt::Debug for Extra {
    /// The names: the values may be a caller's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
